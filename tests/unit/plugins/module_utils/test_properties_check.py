# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user's Engine, containers and processes say of themselves reaches the result printable and bounded, and blames nothing sound."""

from __future__ import annotations

import dataclasses
import math
import random
import time

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary, _inside
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary_server import answer
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import (
    ANSWERS,
    DATA,
    DOUBT,
    GROUPS,
    MAX_WIDTH,
    MUST_NOT,
    NONCE,
    NOTHING,
    OPEN,
    OUTCOMES,
    PASS,
    Cell,
    kind_of,
    table,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import advise, diagnose
from ansible_collections.portside.rootless_docker.plugins.module_utils._evidence import Evidence, Holder, Service
from ansible_collections.portside.rootless_docker.plugins.module_utils._published import container_ports, host_cells
from ansible_collections.portside.rootless_docker.plugins.module_utils._result import assemble
from hypothesis import example, given, settings
from hypothesis import strategies as st

TEXT = st.one_of(st.text(st.characters(), max_size=30), st.sampled_from(["\x1b[2J", "a\nb", "\u202e", "\ud800", "x" * 5000, ""]))
# What JSON's reader makes of a number: it has no limit, and Python's takes NaN and Infinity, too.
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), math.nan, math.inf]))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=5,
)
# Large examples cost more than they find.
FEW = settings(max_examples=40)
ADDRESSES = ["127.0.0.1", "::1", "198.51.100.7", "2001:db8::7"]


def mostly(strategy):
    """What belongs there, or anything."""
    return st.one_of(strategy, strategy, strategy, JSON)


# -- containers of the user's ----------------------------------------------------------------------------------------------------

HOST_IP = st.sampled_from([*ADDRESSES, "0.0.0.0", "::", "", "fe80::1%eth0", "fe80::1%\x1b[2J", "::1%" + "x" * 300, "no address", None])
PORT = st.sampled_from([0, 1, 80, 8080, 65535, 65536, -1, True, 8080.0, "8080"])
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "Id": mostly(st.just("f" * 64)),
        "Names": mostly(st.lists(TEXT, max_size=2)),
        "Ports": mostly(
            st.lists(
                mostly(
                    st.fixed_dictionaries(
                        {"PublicPort": mostly(PORT)},
                        optional={
                            "IP": mostly(HOST_IP),
                            "PrivatePort": mostly(PORT),
                            "Type": mostly(st.sampled_from(["tcp", "udp", "sctp"])),
                        },
                    )
                ),
                max_size=4,
            )
        ),
    },
)


def is_shown(text, most):
    """Whether a text is one that a terminal shows as it is."""
    text.encode()
    return len(text) <= most and (text.isprintable() or not text)


@FEW
@given(st.lists(ENTRY, max_size=4), st.booleans())
def test_published_ports_of_any_list_of_containers(containers, ipv6):
    published, others = container_ports(containers)
    assert 0 <= others <= sum(len(entry["Ports"]) for entry in containers if isinstance(entry.get("Ports"), list))
    for entry in published:
        assert is_shown(entry.thing, 140) and is_shown(entry.container, 64) and entry.container
        assert 0 < entry.port < 65536 and 0 <= entry.container_port < 65536
        assert kind_of(entry.host_ip) and entry.protocol in ("tcp", "udp")
    cells = host_cells(published, ADDRESSES, ipv6)
    assert len(cells) <= len(published) * len(ADDRESSES)
    lines = table(cells)
    assert all(is_shown(line, 2 * MAX_WIDTH) for line in lines)


# -- canaries --------------------------------------------------------------------------------------------------------------------

NUMBER = st.integers(0, 10**15 - 1)
MAKERS = st.builds(_canary.Maker, pid=NUMBER, start=NUMBER, uid=NUMBER, boot_id=st.uuids().map(str), expires=NUMBER)
RUN = "0123456789ab"


@given(MAKERS)
def test_makers_survive(maker):
    assert _canary.Maker.parse(maker.text()) == maker


@given(st.one_of(JSON, st.from_regex(r"\A[0-9]+:[0-9]+:[0-9]+:[0-9a-f-]+:[0-9]+\n?\Z")))
def test_a_makers_label_of_any_form(value):
    maker = _canary.Maker.parse(value)
    assert maker is None or maker.text() == value or max(maker.pid, maker.start, maker.uid, maker.expires) < 10**15


@FEW
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "Names": mostly(st.lists(st.sampled_from([f"/portside-canary-{RUN}-host", f"/portside-canary-{RUN}-../x", "/web", "\n"]))),
            "Image": mostly(st.sampled_from([f"portside-canary:{RUN}", "web"])),
            "RepoTags": mostly(st.lists(st.sampled_from([f"portside-canary:{RUN}", f"portside-canary:{RUN}\n", "web:latest"]))),
            "Labels": mostly(
                st.fixed_dictionaries(
                    {},
                    optional={
                        _canary.LABEL: mostly(st.just(RUN)),
                        _canary.MAKER_LABEL: mostly(st.one_of(MAKERS.map(_canary.Maker.text), TEXT)),
                    },
                )
            ),
        },
    )
)
def test_only_what_is_called_as_a_canary_is_removed_as_one(entry):
    container, image = _canary.made_container(entry), _canary.made_image(entry)
    if container:
        assert container.path == f"/containers/portside-canary-{RUN}-host" and entry["Image"] == f"portside-canary:{RUN}"
    if image:
        assert image.path == f"/images/portside-canary:{RUN}"
    for made in (container, image):
        assert made is None or (made.run_id == RUN and entry["Labels"][_canary.LABEL] == RUN)


@FEW
@given(
    mostly(
        st.dictionaries(
            st.one_of(st.sampled_from(["80/tcp", "81/udp", "x/tcp", "/", "9" * 400 + "/tcp", "\u00b2/tcp", "80/tcp\n"]), TEXT),
            mostly(
                st.lists(
                    mostly(
                        st.fixed_dictionaries(
                            {}, optional={"HostIp": mostly(HOST_IP), "HostPort": mostly(st.sampled_from(["80", "0", "9" * 400, "\u00b2"]))}
                        )
                    ),
                    max_size=3,
                )
            ),
            max_size=4,
        )
    )
)
def test_what_the_engine_says_of_a_canarys_ports_is_ports_or_nothing(ports):
    found = _canary.published_ports({"NetworkSettings": {"Ports": ports}})
    for place, hosts in found.items():
        assert place in ("80/tcp", "81/udp") and all(isinstance(address, str) and port == 80 for address, port in hosts.items())


FRAMES = st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=20)), max_size=6)


@given(FRAMES, st.binary(max_size=20))
def test_a_log_is_its_frames_of_standard_output(frames, tail):
    data = b"".join(bytes([kind, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload for kind, payload in frames)
    expected = b"".join(payload for kind, payload in frames if kind == 1)
    assert _canary.parse_log(data) == expected
    assert _canary.parse_log(data + tail).startswith(expected)


def test_a_log_of_very_many_frames_does_not_take_the_time():
    begun = time.process_time()
    assert len(_canary.parse_log(b"\1\0\0\0\0\0\0\1x" * 900_000)) == 900_000
    assert time.process_time() - begun < 15


@FEW
@given(st.sets(st.integers(20000, 31999), max_size=50), st.integers(1, 65535), st.integers(0, 40000), st.integers())
def test_free_ports_are_free_and_given_once(busy, first, count, seed):
    free = _canary.FreePorts(busy, (first, min(65535, first + count)), random.Random(seed))
    taken = free.take(200)
    assert len(set(taken)) == 200 and not busy.intersection(taken) and all(20000 <= port < 32000 for port in taken)


# -- from inside -----------------------------------------------------------------------------------------------------------------

ROW = mostly(
    st.tuples(
        mostly(st.sampled_from(["data", *OUTCOMES])), mostly(st.binary(max_size=80).map(bytes.hex)), mostly(NUMBERS), mostly(TEXT)
    ).map(list)
)


@given(ROW, st.sampled_from(["tcp", "udp"]))
@example(["data", "zz", 0, ""], "tcp")
@example(["data", "00" * 10**6, 0, ""], "tcp")
@example(["data", "00", 10**400, ""], "tcp")
@example(["data", "00", math.nan, ""], "tcp")
def test_a_reading_of_any_form(row, protocol):
    reading = _inside.reading_of(row)
    assert reading is None or (reading.event in ("data", *OUTCOMES) and len(reading.data) <= 4096 and 0 <= reading.seconds < 3600)
    outcome, proof = _inside.inside_outcome(row, b"c" * 32, "nonce", 80, protocol)
    assert outcome is None or outcome in OUTCOMES
    # No reading that its maker could have made without the canary counts as its answer.
    assert proof != NONCE or bytes.fromhex(row[1]) == answer("nonce", b"c" * 32, 80, protocol)


@FEW
@given(st.sampled_from([_inside.NAMESPACE, _inside.BRIDGE, _inside.HOST_NETWORK]), st.data())
def test_what_inside_says_is_a_cell_for_each_thing(vantage, data):
    view = _inside.InsideView(vantage, "nonce", 20000, {4: 20001, 6: 20002}, frozenset({4, 6}), "10.0.2.2", True)
    task = view.task(1.0, 0.0)
    keys = [row[0] for row in task["controls"] + task["probes"]]
    readings = data.draw(st.dictionaries(st.one_of(st.sampled_from(keys), TEXT), ROW, max_size=8))
    cells = view.cells(readings)
    assert len(cells) == len(task["probes"])
    assert all(cell.outcome is None or cell.outcome in OUTCOMES for cell in cells)
    assert all(cell.verdict != PASS or cell.control for cell in cells)


# -- the diagnosis ---------------------------------------------------------------------------------------------------------------

NAME = st.sampled_from(["", "web", "x" * 64])
CELLS = st.lists(
    st.builds(
        lambda **given: Cell(**{**given, "expected": MUST_NOT} if given["address"] in ("gateway", "outer") else given),
        group=st.sampled_from([*GROUPS, "canary", "container"]),
        thing=st.sampled_from(["127.0.0.1:20000:20001", "20002:20003", "web 0.0.0.0:8080->80"]),
        vantage=st.sampled_from(["host 127.0.0.1", "host ::1", _inside.NAMESPACE, _inside.BRIDGE]),
        address=st.sampled_from([*ADDRESSES, "gateway", "outer"]),
        port=st.sampled_from([0, 80, 8080, 20000, 40000, 65535]),
        expected=st.sampled_from([ANSWERS, MUST_NOT]),
        outcome=st.sampled_from([*OUTCOMES, None]),
        host_ip=st.sampled_from([None, "", "127.0.0.1", "0.0.0.0", "::", "::1", "198.51.100.7"]),
        container=NAME,
        container_port=st.sampled_from([0, 80]),
        protocol=st.sampled_from(["tcp", "udp"]),
        proof=st.sampled_from([NONCE, DATA, OPEN, DOUBT, NOTHING]),
        control=st.booleans(),
    ),
    max_size=8,
)
MAYBE = st.one_of(st.none(), st.booleans())
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple)
ARGV = st.lists(
    st.one_of(TEXT, st.sampled_from(["pasta", "--tcp-ns=none", "--tcp-ports=auto", "--host-lo-to-ns-lo", "--no-map-gw", "-t", "-t1"])),
    max_size=6,
)
DRIVER = st.one_of(st.none(), st.sampled_from(["pasta", "slirp4netns", "implicit", "pesto", "builtin", "none"]), TEXT)
# What reaches a message unprinted: texts that are the Engine's have gone through clean() already, all others may be a user's own.
EVIDENCE = st.builds(
    Evidence,
    user=st.just("alice"),
    uid=st.just(1000),
    unit_state=st.sampled_from([None, "active (running)"]),
    engine_version=st.sampled_from([None, "26.1.5"]),
    engine_error=st.sampled_from([None, None, None, "absent", "refused", "denied", "untrusted", "timed_out", "too_large", "garbled"]),
    engine_message=TEXT,
    start_errors=PAIRS,
    rootlesskit_version=st.sampled_from([None, "2.0.2", "3.2.0", "x"]),
    rootlesskit_pid=st.sampled_from([None, 7]),
    network_driver=DRIVER,
    port_driver=DRIVER,
    child_pid=st.sampled_from([None, 8]),
    pasta_pid=st.sampled_from([None, 9]),
    pasta_path=st.one_of(st.none(), TEXT),
    pasta_argv=ARGV.map(tuple),
    pasta_has_flag=MAYBE,
    pasta_skips_ephemeral=MAYBE,
    holders=st.lists(
        st.builds(
            Holder,
            address=st.sampled_from(["0.0.0.0", "::", "127.0.0.1"]),
            port=st.sampled_from([80, 8080, 20000]),
            uid=st.sampled_from([0, 1000]),
            pid=st.sampled_from([None, 5]),
            name=TEXT,
            ours=MAYBE,
            protocol=st.sampled_from(["tcp", "udp"]),
        ),
        max_size=3,
    ).map(tuple),
    ipv6=st.booleans(),
    host_loopback_disabled=MAYBE,
    network=st.one_of(st.none(), TEXT),
    collisions=st.lists(TEXT, max_size=2).map(tuple),
    stale=st.lists(TEXT, max_size=2).map(tuple),
    connected=st.frozensets(st.sampled_from([8080, 20000])),
    namespace_answered=MAYBE,
    publish_errors=PAIRS,
    services=st.lists(
        st.builds(
            Service,
            address=st.just("127.0.0.1"),
            port=st.just(22),
            process=TEXT,
            pid=st.sampled_from([None, 3]),
            uid=st.just(0),
            through=st.just("127.0.0.1"),
        ),
        max_size=3,
    ).map(tuple),
    failed_starts=PAIRS,
    namespace_error=TEXT,
    out_of_time=st.booleans(),
    left_behind=TEXT,
)


@FEW
@given(EVIDENCE, CELLS)
def test_every_cell_that_does_not_pass_has_one_cause(evidence, cells):
    cells = [dataclasses.replace(cell, note=str(number)) for number, cell in enumerate(cells)]
    findings = diagnose(evidence, cells)
    explained = [cell.note for finding in findings for cell in finding.cells]
    assert sorted(explained) == sorted(cell.note for cell in cells if cell.verdict != PASS)
    assert len({finding.cause for finding in findings}) == len(findings)


@FEW
@given(EVIDENCE, CELLS)
def test_what_is_said_of_a_daemon_is_printable_and_short(evidence, cells):
    for finding in diagnose(evidence, cells) + advise(evidence, cells):
        assert is_shown(finding.message, 3000), finding.cause
        assert is_shown(finding.remedy, 3000), finding.cause


@FEW
@given(EVIDENCE.map(lambda e: dataclasses.replace(e, engine_error=None, start_errors=(), publish_errors=(), failed_starts=())), CELLS)
def test_nothing_is_found_where_all_is_sound(evidence, cells):
    evidence = dataclasses.replace(evidence, network_driver="pasta", pasta_argv=("pasta",), namespace_error="")
    sound = [cell for cell in cells if cell.verdict == PASS]
    assert diagnose(evidence, sound) == []
    result = assemble("alice", sound, [], 0.1)
    assert result["ok"] == bool(sound)


@given(CELLS)
def test_a_table_is_as_wide_as_it_says(cells):
    lines = table(cells)
    assert all(is_shown(line, MAX_WIDTH) for line in lines)
    assert bool(lines) == bool(cells)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_table_of_very_many_cells_is_short_and_soon_there(outcome):
    begun = time.process_time()
    cells = [
        Cell("container", f"web 0.0.0.0:{port}->80", f"host {address}", address, port, ANSWERS, outcome)
        for address in ADDRESSES[:2]
        for port in range(10000, 20000)
    ]
    assert len(table(cells)) < 100
    assert len(diagnose(Evidence("alice"), cells)) < 4
    assert time.process_time() - begun < 15
