# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary_server as server
from ansible_collections.portside.rootless_docker.plugins.module_utils import _outside as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._ask import CUT_OFF, ExpectationQuestion, untried
from ansible_collections.portside.rootless_docker.plugins.module_utils._expectations import parse_expectations
from ansible_collections.portside.rootless_docker.plugins.module_utils._probe import Reading

LOOPBACK = "127.0.0.1"


def cell(expected="answers", outcome="answered", proof="none", control=True, protocol="tcp", **more):
    return core.OutsideCell("outside", "thing", "here to 192.0.2.7", "192.0.2.7", 80, expected, outcome, protocol=protocol, proof=proof,
                            control=control, **more)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (cell("must_not", "answered", "nonce"), "answered_where_it_must_not"),
        (cell("must_not", "answered", "data", control=False), "answered_where_it_must_not"),
        (cell("must_not", "reset", may_be_visible=False), "visible_where_it_must_not"),
        (cell("must_not", "wrong_answer", "data", may_be_visible=False), "visible_where_it_must_not"),
        (cell("answers", "wrong_answer", "data"), "wrong_answer"),
        (cell("answers", None, note=CUT_OFF), "out_of_time"),
        (cell("must_not", None, note=CUT_OFF), "out_of_time"),
        (cell("must_not", None, note="EMFILE: this process may open no more files"), "not_tried"),
        (cell("answers", "timed_out"), "not_reached"),
        (cell("answers", "unreachable", note="EHOSTUNREACH"), "not_reached"),
        (cell("answers", "refused"), "not_reached"),
        (cell("answers", "silent", protocol="udp"), "not_reached"),
        (cell("answers", "reset"), "no_answer"),
        (cell("answers", "closed"), "no_answer"),
        (cell("answers", "silent"), "no_answer"),
        (cell("answers", "silent", "doubt", protocol="udp"), "cannot_tell"),
        (cell("must_not", "silent", "doubt", protocol="udp"), "cannot_tell"),
        (cell("must_not", "silent", "open"), "cannot_tell"),
        (cell("must_not", "refused", control=False), "no_control"),
        (cell("must_not", "timed_out", control=False), "no_control"),
    ],
)
def test_each_cause_is_found(given, cause):
    assert given.verdict != "pass"
    (finding,) = core.explain([cell(), given, cell("must_not", "refused")], "here")
    assert (finding.cause, finding.cells) == (cause, [given])
    assert "here" in finding.message and "192.0.2.7:80/" in finding.message and finding.remedy


def test_every_cause_has_a_case():
    marks = [mark for mark in test_each_cause_is_found.pytestmark if mark.name == "parametrize"]
    tested = {case[1] for mark in marks for case in mark.args[1]}
    assert {rule.cause for rule in core.RULES} == tested | {"unknown"}


@pytest.mark.parametrize(
    "given",
    [
        cell(proof="nonce"),
        cell("answers", "silent", "open"),
        cell("must_not", "refused"),
        cell("must_not", "reset"),
        cell("must_not", "refused", may_be_visible=False),
        cell("must_not", "timed_out", may_be_visible=False),
        cell("must_not", "silent", protocol="udp", may_be_visible=False),
        cell("must_not", "silent", "canary", protocol="udp"),
        cell("answers", "silent", "canary", protocol="udp"),
    ],
)
def test_what_passes_gives_no_finding(given):
    assert given.verdict == "pass"
    assert core.explain([given], "here") == []


def test_a_cell_is_in_one_finding_only_and_the_worst_comes_first():
    cells = [cell("must_not", "refused", control=False), cell("answers", "timed_out"), cell("must_not", "answered", "data", control=False)]
    findings = core.explain(cells, "here")
    assert [finding.cause for finding in findings] == ["answered_where_it_must_not", "not_reached", "no_control"]
    assert sorted(id(c) for finding in findings for c in finding.cells) == sorted(map(id, cells))


def test_a_long_list_is_cut_in_the_message_only():
    (finding,) = core.explain([cell("answers", "refused")] * 1000, "here")
    assert "and 997 more" in finding.message and len(finding.message) < 400 and len(finding.cells) == 1000


def test_braces_in_names_are_no_format():
    given = core.OutsideCell("outside", "{vantage.__class__}", "x", "192.0.2.7", 80, "answers", "refused")
    assert "{vantage.__class__}" in core.explain([given], "here")[0].message


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (Reading("data", b"x"), ""),
        (Reading("refused", error="ECONNREFUSED"), ""),
        (Reading("timed_out", seconds=1.0), ""),
        (Reading("timed_out", seconds=0.3, error="ETIMEDOUT"), ""),
        (Reading("silent", seconds=1.2), ""),
        (Reading("silent", seconds=0.4), CUT_OFF),
        (Reading("timed_out", seconds=0.4), CUT_OFF),
        (Reading("timed_out"), CUT_OFF),
        (Reading("unreachable", error="ENETUNREACH"), ""),
        (Reading("unreachable", error="EMFILE"), "EMFILE: this process may open no more files"),
        (Reading("unreachable", error="EPERM"), ""),
    ],
)
def test_untried(reading, why):
    assert untried(reading, 1.0) == why


@pytest.mark.parametrize(
    ("positive", "control"),
    [
        (cell(proof="nonce"), True),
        (cell(proof="data"), True),
        (cell("answers", "silent", "open"), False),
        (cell("answers", "refused"), False),
        (cell("answers", "wrong_answer", "data"), False),
        (cell(proof="nonce", protocol="udp"), False),
        (core.replace(cell(proof="nonce"), address="192.0.2.8"), False),
        (cell("must_not", "answered", "nonce"), False),
    ],
)
def test_only_an_answer_at_the_same_address_over_the_same_protocol_is_a_control(positive, control):
    assert core.weigh([positive, cell("must_not", "refused", control=False)])[1].control is control


@pytest.mark.parametrize(
    ("canary", "expected", "verdict"),
    [
        (cell(proof="nonce", protocol="udp", container_port=24001), "answers", "pass"),
        (cell(proof="nonce", protocol="udp"), "answers", "inconclusive"),
        (cell(proof="nonce", container_port=24001), "answers", "inconclusive"),
        (cell("answers", "silent", protocol="udp", container_port=24001), "answers", "inconclusive"),
        (cell(proof="nonce", protocol="udp", container_port=24001), "must_not", "inconclusive"),
    ],
)
def test_a_canary_speaks_for_a_silent_port_over_udp(canary, expected, verdict):
    assert core.weigh([canary, cell(expected, "silent", "doubt", protocol="udp")])[1].verdict == verdict


def test_a_filter_of_the_machine_that_tries_says_nothing_of_the_port():
    forbidden = core.weigh([cell(proof="nonce"), cell("must_not", "unreachable", note="EPERM")])[1]
    assert (forbidden.outcome, forbidden.verdict, forbidden.note) == (None, "inconclusive", core.FORBIDDEN)


@pytest.mark.parametrize("event", ["unreachable", "reset"])
@pytest.mark.parametrize("given", [{}, {"canary": {"nonce": "nonce", "port": 24001}}, {"send": "x"}])
@pytest.mark.parametrize("expected", ["answers", "must_not"])
def test_nor_of_a_canary(event, given, expected):
    """Over UDP it is the sending that is forbidden, which reads as a reset."""
    (wanted,) = parse_expectations([{"address": "192.0.2.7", "port": 80, "protocol": "udp", "expected": expected, **given}], "probes")
    seen = ExpectationQuestion(wanted).judge(Reading(event, error="EPERM"))
    forbidden = core.weigh([cell(proof="nonce", protocol="udp"), cell(expected, seen.outcome, seen.proof, protocol="udp", note=seen.note)])[
        1
    ]
    assert (forbidden.outcome, forbidden.verdict) == (None, "inconclusive")
    assert [finding.cause for finding in core.explain([forbidden], "here")] == ["not_tried"]


@contextlib.contextmanager
def canary(protocol="tcp"):
    listener = server.listen(LOOPBACK, 0, protocol)
    running = server.Server([listener], "nonce", 20)
    running.start()
    yield listener.getsockname()[1]
    running.stop()


def closed_port(protocol="tcp"):
    with server.listen(LOOPBACK, 0, protocol) as listener:
        return listener.getsockname()[1]


def probe(port, **options):
    return {"address": LOOPBACK, "port": port, "wait": 0.2, "group": "outside", **options}


def run(*entries, seconds=5.0, patience=0.5):
    return core.try_all(parse_expectations(list(entries), "probes"), "here", seconds, patience)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_canary_and_a_closed_port(protocol):
    with canary(protocol) as port:
        cells = run(
            probe(port, protocol=protocol, canary={"nonce": "nonce", "port": port}),
            probe(closed_port(protocol), protocol=protocol, expected="must_not"),
            probe(port, protocol=protocol, canary={"nonce": "other", "port": port}),
            probe(port, protocol=protocol, canary={"nonce": "nonce", "port": port}, expected="must_not"),
        )
    assert [(c.outcome, c.proof, c.verdict) for c in cells] == [
        ("answered", "nonce", "pass"),
        ("refused", "none", "pass"),
        ("wrong_answer", "data", "fail"),
        ("answered", "nonce", "fail"),
    ]


def test_without_an_answer_silence_proves_nothing():
    (only,) = run(probe(closed_port(), expected="must_not"))
    assert (only.outcome, only.verdict) == ("refused", "inconclusive")


def test_what_must_answer_gets_its_time():
    port = closed_port()

    def late():
        time.sleep(0.4)
        with socket.create_server((LOOPBACK, port)) as listener:
            client, _peer = listener.accept()
            client.sendall(b"ready")
            client.close()

    threading.Thread(target=late, daemon=True).start()
    assert run(probe(port, pattern="ready"), patience=3.0)[0].outcome == "answered"


def test_thousands_of_probes_keep_the_deadline():
    with canary() as port:
        control = probe(port, canary={"nonce": "nonce", "port": port})
        begun = time.monotonic()
        cells = run(control, *[probe(closed_port(), expected="must_not")] * 3000)
    assert time.monotonic() - begun < 5
    assert {c.verdict for c in cells} == {"pass"}


def test_what_the_deadline_cuts_off_is_not_proved():
    # A listener whose queue is full takes no connection: what must not answer there would seem to be closed.
    with canary() as port, socket.socket() as deaf:
        deaf.bind((LOOPBACK, 0))
        deaf.listen(0)
        full = [socket.socket() for _number in range(3)]
        for each in full:
            each.setblocking(False)
            each.connect_ex(deaf.getsockname())
        control = probe(port, canary={"nonce": "nonce", "port": port}, wait=1)
        cells = run(control, *[probe(deaf.getsockname()[1], expected="must_not", wait=3)] * 3, seconds=2)
        for each in full:
            each.close()
    assert [c.outcome for c in cells] == ["answered", None, None, None]
    assert {c.note for c in cells[1:]} == {CUT_OFF}
    assert [f.cause for f in core.explain(cells, "here")] == ["out_of_time"]


def test_a_lost_datagram_does_not_pass_for_one_that_was_kept_out():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((LOOPBACK, 0))
        listener.settimeout(5)

        def lose_the_first():
            listener.recvfrom(100)
            listener.sendto(b"here", listener.recvfrom(100)[1])

        thread = threading.Thread(target=lose_the_first)
        thread.start()
        (only,) = run(probe(listener.getsockname()[1], protocol="udp", send="hello", expected="must_not"))
        thread.join(5)
    assert (only.outcome, only.verdict) == ("answered", "fail")
