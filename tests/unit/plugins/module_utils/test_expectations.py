# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _expectations as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._arguments import BadArgument
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary_server import ANSWER, CHALLENGE, answer
from ansible_collections.portside.rootless_docker.plugins.module_utils._probe import Probe, Reading

OWN4, OWN6 = "192.0.2.7", "2001:db8::7"


def entry(**options):
    """An entry as Ansible hands it over: what was left out is None or its default."""
    defaults = {name: option.get("default") for name, option in core.EXPECTATION_SPEC["options"].items()}
    return {**defaults, "address": OWN4, "port": 8080, **options}


def parse(**options):
    return core.parse_expectations([entry(**options)])[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"address": "web1"}, ["address is 'web1'", "no IP address", "names are not looked up"]),
        ({"address": "192.0.2.7; id\n"}, ["'192.0.2.7; id\\\\n'", "no IP address"]),
        ({"address": ""}, ["address is ''"]),
        ({"address": "0.0.0.0"}, ["address is 0.0.0.0", "address of one host"]),
        ({"address": "::"}, ["address is ::"]),
        ({"address": "224.0.0.1"}, ["address is 224.0.0.1"]),
        ({"port": 0}, ["port is 0", "between 1 and 65535"]),
        ({"port": 65536}, ["port is 65536"]),
        ({"port": -1}, ["port is -1"]),
        ({"send": "a", "send_base64": "YQ=="}, ["send and send_base64", "leave one out"]),
        ({"send_base64": "not base64!"}, ["send_base64 is no base64", "base64 --wrap=0"]),
        ({"send_base64": "YQ"}, ["send_base64 is no base64"]),
        ({"send_base64": "\u00e9"}, ["send_base64 is no base64"]),
        ({"protocol": "udp", "send": "x" * 1401}, ["send has 1401 bytes", "at most 1400 over udp"]),
        ({"protocol": "udp", "send": "\u20ac" * 467}, ["send has 1401 bytes"]),
        ({"protocol": "udp", "send_base64": "AAAA" * 467}, ["send_base64 has 1401 bytes"]),
        ({"send": "x" * 16385}, ["send has 16385 bytes", "at most 16384 over tcp"]),
        ({"pattern": "("}, ["pattern '('", "no regular expression", "mend it"]),
        ({"pattern": "a{99999999999}"}, ["no regular expression"]),
        ({"pattern": "x" * 1001}, ["pattern has 1001 characters", "1000 are the most"]),
        ({"wait": 0}, ["wait is 0", "between 0.05 and 30 seconds"]),
        ({"wait": 31.0}, ["wait is 31.0"]),
        ({"wait": float("nan")}, ["wait is nan"]),
    ],
)
def test_a_bad_entry_is_named_with_option_cause_and_remedy(options, words):
    with pytest.raises(BadArgument) as caught:
        core.parse_expectations([entry(), entry(name="the\tweb", **options)])
    text = str(caught.value)
    assert text.startswith("expectations[1] (the\\tweb): ")
    for word in words:
        assert word in text


def test_an_entry_without_a_name_is_named_by_its_number():
    with pytest.raises(BadArgument, match=r"^probes\[0\]: port is 0"):
        core.parse_expectations([entry(port=0)], "probes")


def test_too_many_entries_are_refused():
    with pytest.raises(BadArgument, match="expectations has 10001 entries: 10000 are the most"):
        core.parse_expectations([entry()] * 10001)


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {"name": "192.0.2.7:8080/tcp", "expected": "answers", "send": b"", "pattern": None, "source": "host", "wait": 1.0}),
        ({"address": "2001:DB8:0::7", "protocol": "udp", "port": 53}, {"name": "[2001:db8::7]:53/udp", "address": OWN6}),
        ({"send": "GET / HTTP/1.0\r\n\r\n"}, {"send": b"GET / HTTP/1.0\r\n\r\n"}),
        ({"send": "\u20ac"}, {"send": b"\xe2\x82\xac"}),
        ({"send_base64": "AP8="}, {"send": b"\x00\xff"}),
        ({"protocol": "udp", "send": "x" * 1400}, {"send": b"x" * 1400}),
        ({"expected": "must_not", "send": "a", "pattern": "b", "from": "namespace"}, {"expected": "must_not", "source": "namespace"}),
        ({"name": "a\nb\x1b[31m" + "c" * 200}, {"name": "a\\nb\\x1b[31m" + "c" * 85 + "..."}),
        ({"wait": 0.05}, {"wait": 0.05}),
        ({"port": 65535}, {"port": 65535}),
    ],
)
def test_entry(options, fields):
    parsed = parse(**options)
    assert {name: getattr(parsed, name) for name in fields} == fields


def test_defaults_are_those_of_the_specification():
    assert core.parse_expectations([{"address": OWN4, "port": 8080}]) == [parse()]


CANARY = core.Expectation("canary", OWN4, 8080, canary=("nonce", 24001), wait=0.5)


@pytest.mark.parametrize(
    ("expectation", "probe"),
    [
        (parse(), Probe("k", OWN4, 8080, b"", 0, 1.0, "tcp")),
        (parse(send="hello", wait=0.2), Probe("k", OWN4, 8080, b"hello", 0, 0.2, "tcp")),
        (parse(pattern="x"), Probe("k", OWN4, 8080, b"", 4096, 1.0, "tcp")),
        (parse(protocol="udp", address=OWN6), Probe("k", OWN6, 8080, b"", 0, 1.0, "udp")),
        (CANARY, Probe("k", OWN4, 8080, b"challenge", ANSWER, 0.5, "tcp")),
    ],
)
def test_probe_of(expectation, probe):
    assert core.probe_of(expectation, "k", b"challenge") == probe


SPEAKS, ASKED, SILENT_UDP, ASKED_UDP = parse(pattern="^SSH-"), parse(send="x"), parse(protocol="udp"), parse(protocol="udp", send="x")
PAGE = parse(send="GET /", pattern="portside (lab )?page")


@pytest.mark.parametrize(
    ("expectation", "reading", "result", "word"),
    [
        # A service that nothing is known of.
        (parse(), Reading("data", b"220 ready"), ("answered", "data"), ""),
        (parse(), Reading("silent"), ("silent", "open"), "was not tried"),
        (parse(), Reading("reset"), ("reset", "none"), ""),
        (parse(), Reading("closed"), ("closed", "none"), ""),
        (parse(), Reading("unreachable", error="EHOSTUNREACH"), ("unreachable", "none"), "EHOSTUNREACH"),
        # One that speaks, by itself or when spoken to: silence is no answer.
        (SPEAKS, Reading("silent"), ("silent", "none"), "no byte came"),
        (SPEAKS, Reading("data", b"SSH-2.0-x"), ("answered", "pattern"), ""),
        (SPEAKS, Reading("data", b"not SSH-2.0"), ("wrong_answer", "data"), "the pattern is not in it; what came: b'not SSH-2.0'"),
        (ASKED, Reading("silent"), ("silent", "none"), "without an answer"),
        (ASKED, Reading("data", b"\xff\x00"), ("answered", "data"), ""),
        (PAGE, Reading("data", b"HTTP/1.0 200 OK\r\n\r\nportside lab page"), ("answered", "pattern"), ""),
        (PAGE, Reading("data", b"\x1b[31m\n" * 20), ("wrong_answer", "data"), "\\x1b[31m\\n' and 60 bytes more"),
        (PAGE, Reading("data", b"x" * 4096 + b"portside page"), ("wrong_answer", "data"), "the pattern is not in it"),
        # UDP: only what comes back says something.
        (SILENT_UDP, Reading("silent"), ("silent", "doubt"), "give send to tell"),
        (SILENT_UDP, Reading("refused", error="ECONNREFUSED"), ("refused", "none"), "ECONNREFUSED"),
        (SILENT_UDP, Reading("data", b"x"), ("answered", "data"), ""),
        (ASKED_UDP, Reading("silent"), ("silent", "none"), "nothing came back to what was sent"),
        (parse(protocol="udp", pattern="x"), Reading("silent"), ("silent", "none"), "empty datagram"),
        # A canary: its own answer to this challenge, from this port, or nothing.
        (CANARY, Reading("data", answer("nonce", b"c" * CHALLENGE, 24001)), ("answered", "nonce"), ""),
        (CANARY, Reading("data", answer("nonce", b"c" * CHALLENGE, 8080)), ("wrong_answer", "data"), "what came"),
        (CANARY, Reading("data", answer("other", b"c" * CHALLENGE, 24001)), ("wrong_answer", "data"), "what came"),
        (CANARY, Reading("silent"), ("silent", "none"), ""),
        (CANARY, Reading("refused", error="ECONNREFUSED"), ("refused", "none"), "ECONNREFUSED"),
        (CANARY, Reading("unreachable", error="EPERM"), ("unreachable", "none"), "EPERM"),
        (CANARY, Reading("reset", error="EPERM"), ("reset", "none"), "EPERM"),
    ],
)
def test_judge_reading(expectation, reading, result, word):
    outcome, proof, note = core.judge_reading(expectation, reading, b"c" * CHALLENGE)
    assert (outcome, proof) == result
    assert (word in note) if word else note == ""
    assert note.isprintable() and len(note) < 400


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_canary_answers_for_its_protocol(protocol):
    mine = core.Expectation("canary", OWN4, 8080, protocol, canary=("nonce", 24001))
    got = {p: core.judge_reading(mine, Reading("data", answer("nonce", b"x", 24001, p)), b"x")[0] for p in ("tcp", "udp")}
    assert got == {"tcp": "wrong_answer", "udp": "wrong_answer", protocol: "answered"}
