# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _contract as contract

LOOPBACK4, LOOPBACK6, OWN4, OWN6 = "127.0.0.1", "::1", "192.0.2.7", "2001:db8::7"
TRIED = (LOOPBACK4, LOOPBACK6, OWN4, OWN6)


@pytest.mark.parametrize(
    ("published_on", "with_ipv6", "without_ipv6"),
    [
        ("127.0.0.1", {LOOPBACK4}, {LOOPBACK4}),
        ("::1", {LOOPBACK6}, set()),
        ("", {LOOPBACK4, LOOPBACK6, OWN4, OWN6}, {LOOPBACK4, OWN4}),
        ("0.0.0.0", {LOOPBACK4, OWN4}, {LOOPBACK4, OWN4}),
        ("::", {LOOPBACK6, OWN6}, set()),
        (OWN4, {OWN4}, {OWN4}),
        ("192.0.2.8", set(), set()),
        (OWN6, {OWN6}, set()),
        (None, set(), set()),
    ],
)
def test_contract_row(published_on, with_ipv6, without_ipv6):
    for ipv6, answering in ((True, with_ipv6), (False, without_ipv6)):
        seen = {tried for tried in TRIED if contract.expectation(published_on, tried, ipv6) == contract.ANSWERS}
        assert seen == answering


def test_hostile_host_ip_is_refused():
    with pytest.raises(ValueError):
        contract.expectation("127.0.0.1; reboot", LOOPBACK4)


@pytest.mark.parametrize(
    ("expected", "outcome", "proof", "control", "verdict"),
    [
        ("answers", "answered", "nonce", False, "pass"),
        ("answers", "answered", "data", True, "pass"),
        ("answers", "silent", "open", True, "pass"),
        ("answers", "silent", "none", True, "fail"),
        ("answers", "wrong_answer", "data", True, "fail"),
        ("answers", "reset", "none", True, "fail"),
        ("answers", "refused", "none", False, "fail"),
        ("answers", None, "none", True, "inconclusive"),
        ("must_not", "answered", "nonce", False, "fail"),
        ("must_not", "refused", "none", True, "pass"),
        ("must_not", "reset", "none", True, "pass"),
        ("must_not", "silent", "none", True, "pass"),
        ("answers", "silent", "listener", True, "pass"),
        ("answers", "silent", "doubt", True, "inconclusive"),
        ("must_not", "silent", "doubt", True, "inconclusive"),
        ("must_not", "silent", "canary", True, "pass"),
        ("must_not", "silent", "canary", False, "inconclusive"),
        ("must_not", "wrong_answer", "data", True, "pass"),
        ("must_not", "silent", "open", True, "inconclusive"),
        ("must_not", "refused", "none", False, "inconclusive"),
        ("must_not", None, "none", True, "inconclusive"),
    ],
)
def test_verdict(expected, outcome, proof, control, verdict):
    assert contract.judge(expected, outcome, proof, control) == verdict


ANSWER = b"0123456789abcdef"


@pytest.mark.parametrize(
    ("event", "data", "expected", "result"),
    [
        ("data", ANSWER, ANSWER, ("answered", "nonce")),
        ("data", ANSWER[:9], ANSWER, ("answered", "data")),
        ("data", ANSWER[:3], ANSWER, ("wrong_answer", "data")),
        ("data", b"HTTP/1.1 404", ANSWER, ("wrong_answer", "data")),
        ("silent", b"", ANSWER, ("silent", "none")),
        ("reset", b"", ANSWER, ("reset", "none")),
        ("data", b"220 ready", None, ("answered", "data")),
        ("silent", b"", None, ("silent", "open")),
        ("closed", b"", None, ("closed", "none")),
    ],
)
def test_outcome_of(event, data, expected, result):
    assert contract.outcome_of(event, data, expected) == result


def cell(thing, vantage, outcome, expected="answers", group="canary", control=True, proof="none", protocol="tcp"):
    return contract.Cell(group, thing, vantage, "127.0.0.1", 80, expected, outcome, proof=proof, control=control, protocol=protocol)


def test_table_has_rows_of_vantage_points_and_marks():
    cells = [
        cell("a", "host 127.0.0.1", "answered"),
        cell("b", "host 127.0.0.1", "reset"),
        cell("a", "host 192.0.2.7", "refused", expected="must_not", control=False),
        cell("x", "inside", None, expected="must_not", group="host_loopback"),
    ]
    assert contract.table(cells) == [
        "Published ports, canary container, TCP",
        "from            a            b",
        "host 127.0.0.1  answered ok  reset FAIL",
        "host 192.0.2.7  refused ?    -",
        "",
        "The host's own loopback, from inside (must not answer), TCP",
        "from    x",
        "inside  not tried ?",
    ]


def test_long_table_is_continued():
    lines = contract.table([cell(f"thing{number}{'x' * 40}", "host", "answered") for number in range(7)])
    assert [line.split()[0:2] for line in lines if line.startswith("from")] == [["from", f"thing{n}{'x' * 40}"] for n in (0, 2, 4, 6)]
    assert lines[4] == "Published ports, canary container, TCP (continued)"
    assert max(map(len, lines)) <= contract.MAX_WIDTH


def test_a_column_wider_than_a_line_stands_alone():
    lines = contract.table([cell("x" * 200, "host", "answered"), cell("y", "host", "answered")])
    assert lines[1] == "from  " + "x" * 200 and lines[5] == "from  y"


def test_protocols_have_tables_of_their_own():
    lines = contract.table([cell("a", "host", "answered"), cell("a", "host", "silent", protocol="udp")])
    assert [line for line in lines if line.startswith("Published")] == [
        "Published ports, canary container, TCP",
        "Published ports, canary container, UDP",
    ]


def many(count, outcome):
    return [cell(f"{outcome}{number}", "host", outcome, group="container") for number in range(count)]


def test_a_long_table_shows_what_differs():
    lines = contract.table(many(30, "answered") + many(2, "refused"))
    assert lines[1:] == [
        "from  refused0      refused1",
        "host  refused FAIL  refused FAIL",
        "30 more, in which every cell passes, are not shown",
    ]


def test_a_long_table_of_what_passes_is_one_line():
    assert contract.table(many(25, "answered")) == [
        "Published ports of running containers, TCP",
        "25 more, in which every cell passes, are not shown",
    ]


def test_a_table_has_an_end():
    lines = contract.table(many(10000, "refused"))
    assert len(lines) < 50 and lines[-1].startswith("9976 more that differ are not shown")


@pytest.mark.parametrize(
    ("entry", "legend"),
    [
        (cell("web", "host", "silent", group="container", proof="open"), contract.LEGENDS["tcp", "open"]),
        (cell("dns", "host", "silent", group="container", proof="listener", protocol="udp"), contract.LEGENDS["udp", "listener"]),
        (cell("dns", "peer", "silent", group="outside", proof="canary", protocol="udp"), contract.LEGENDS["udp", "canary"]),
        (cell("web", "host", "answered", group="container", proof="data"), None),
        (cell("web", "host", "silent", expected="must_not", group="container", proof="open"), None),
        (cell("a", "host", "silent", expected="must_not"), None),
    ],
)
def test_silent_ok_is_explained_where_it_stands(entry, legend):
    lines = contract.table([entry])
    assert [line for line in lines if line.startswith("silent ok")] == ([legend] if legend else [])


@pytest.mark.parametrize(("outcome", "protocol", "visible"), [("silent", "tcp", True), ("silent", "udp", False), ("answered", "udp", True)])
def test_what_a_scan_sees(outcome, protocol, visible):
    assert cell("a", "host", outcome, protocol=protocol).visible is visible


@pytest.mark.parametrize(
    ("host_ip", "address", "kind"),
    [
        ("", "127.0.0.1", "any4"), ("", "::1", "any6"), ("0.0.0.0", "127.0.0.1", "any4"), ("127.0.0.1", "192.0.2.7", "loopback4"),
        (None, "127.0.0.1", "unpublished"),
    ],
)  # fmt: skip
def test_all_addresses_are_all_of_a_family(host_ip, address, kind):
    assert contract.Cell("canary", "a", "host", address, 80, "answers", None, host_ip).kind == kind


def test_cell_as_result_has_verdict_and_visibility():
    result = cell("a", "host", "reset", expected="must_not").as_result()
    assert (result["verdict"], result["visible"], result["outcome"]) == ("pass", True, "reset")


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [("reset", "fail"), ("closed", "fail"), ("silent", "fail"), ("refused", "pass"), ("timed_out", "pass")],
)
def test_a_listener_that_nobody_published_must_not_be_seen(outcome, verdict):
    assert cell("[::]:80 pasta", "host ::1", outcome, expected="must_not", group="listener").verdict == verdict
