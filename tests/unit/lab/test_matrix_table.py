# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import RULES
from lab import matrix_table
from lab.matrix_table import (
    CAUSES,
    SAMPLE,
    Combination,
    columns,
    combinations,
    differences,
    inside,
    merged,
    page,
    published,
    selected,
    summary,
    tidy,
    uncaught,
)

OLD = Combination("26.1.5", False, "pasta", "implicit", "3.2.0", "old")
NEW = Combination("26.1.5", False, "pasta", "implicit", "3.2.0", "new")
OLDER = Combination("26.1.5", False, "pasta", "implicit", "2.3.6", "old")
PESTO = Combination("26.1.5", False, "pasta", "pesto", "3.2.0", "old")
SLIRP = Combination("28.5.2", True, "slirp4netns", "builtin", "3.2.0", "none")
OWN, OWN6 = "198.51.100.10", "2001:db8::10"


def cell(thing: str, host_ip: str, address: str, outcome: str | None, **others: str) -> dict:
    return {"group": "canary", "protocol": "tcp", "thing": thing, "host_ip": host_ip, "address": address, "outcome": outcome, **others}


def leak(vantage: str, outcome: str | None, verdict: str = "pass") -> dict:
    seen = {"outcome": outcome, "verdict": verdict, "expected": "must_not"}
    return {"group": "host_loopback", "vantage": vantage, "protocol": "tcp", "address": "127.0.0.1", "thing": "", "host_ip": None, **seen}


def record(ephemeral: str = "answered", loopback: str = "answered", **others: object) -> dict:
    """A measurement in which all is as with pasta and implicit, but for what is given."""
    udp = [cell("53/udp (got 32768)", "", OWN, ephemeral), cell("127.0.0.1:53:53/udp", "127.0.0.1", "127.0.0.1", "answered")]
    return {
        "start": {"active": True, "seconds": 1.23},
        "published": {name: {"error": "", "port": 8080} for name in ("loopback4", "all", "ephemeral")},
        "host": [
            ["loopback4", "127.0.0.1", loopback],
            ["loopback4", OWN, "reset"],
            ["all", "127.0.0.1", "answered"],
            ["all", OWN, "answered"],
            ["all", "::1", "refused"],
            ["ephemeral", "127.0.0.1", ephemeral],
        ],
        "outside": [["loopback4", OWN, "closed"], ["all", OWN, "answered"], ["ephemeral", OWN, ephemeral]],
        "first_answer": {"all": 0.1234},
        "check": {
            "cells": [
                cell("127.0.0.1:20001:20002", "127.0.0.1", "127.0.0.1", loopback),
                cell("20003:20004", "", OWN, "answered"),
                *[{**each, "protocol": "udp"} for each in udp],
                leak("RootlessKit's namespace", "refused"),
            ]
        },
        **others,
    }


def no_start(reason: str) -> dict:
    return {"start": {"active": False, "seconds": 0.1, "reason": reason}}


def write(measured: dict) -> str:
    return page("{count} {dates} {versions} {axes} {sample}", measured, {"host": "this one"}, "today")


def test_combinations_are_there_once_and_the_sample_is_of_them():
    found = combinations()
    assert len(found) == len(set(found))
    assert set(SAMPLE) <= set(found)


@pytest.mark.parametrize(
    ("engine", "ipv6", "network", "rootlesskit", "count"),
    [
        ("26.1.5", "off", "pasta", "2.0.2", 4),  # two port drivers, two passts
        ("26.1.5", "on", "slirp4netns", "2.0.2", 2),
        ("26.1.5", "off", "gvisor-tap-vsock", "3.0.2", 2),
        ("api-1.56", "on", "pasta", "3.3.0", 4),
    ],
)
def test_a_slice_has_all_of_its_combinations(engine, ipv6, network, rootlesskit, count):
    wanted = [f"engine={engine}", f"ipv6={ipv6}", f"network={network}", f"rootlesskit={rootlesskit}"]
    assert len(selected(wanted)) == count


def test_values_of_an_axis_are_alternatives():
    assert {each.rootlesskit for each in selected(["rootlesskit=2.0.2,3.3.0"])} == {"2.0.2", "3.3.0"}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["driver=pasta"], "the axes are engine, ipv6, network, port, rootlesskit, passt"),
        (["drivers=pasta, implicit"], "the axes are"),
        (["rootlesskit"], "has for rootlesskit: 2.0.2"),
        (["rootlesskit=1.0.0"], "has for rootlesskit: 2.0.2"),
        (["rootlesskit=2.0.2", "network=gvisor-tap-vsock"], "has for network: pasta, slirp4netns"),
        (["engine=28.5.2", "rootlesskit=2.0.2"], "has for rootlesskit: 3.1.0, 3.2.0, 3.3.0"),
    ],
)
def test_a_slice_that_is_none_is_refused(wanted, message):
    with pytest.raises(ValueError, match=message):
        selected(wanted)


LO, OWNED, EVERYWHERE = ("loopback4", "loopback4"), ("all", "own4"), ("all", "loopback4")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, "not measured"),
        ({LO: ["answers"], OWNED: ["answers"]}, "answers"),
        ({LO: ["refused"], OWNED: ["refused"]}, "refused"),
        ({LO: ["answers", "refused"]}, "answers or refused"),
        ({LO: ["answers"], EVERYWHERE: ["refused"], OWNED: ["refused"]}, "`P` refused; the rest answers"),
        ({LO: ["broken off"], OWNED: ["refused"]}, "`127.0.0.1:P` broken off; `P` refused"),
        ({LO: ["silent"], EVERYWHERE: ["silent"], OWNED: ["answers"]}, "at 127.0.0.1 silent; the rest answers"),
        (
            {LO: ["silent"], EVERYWHERE: ["refused"], OWNED: ["answers"]},
            "`127.0.0.1:P` at 127.0.0.1 silent; `P` at 127.0.0.1 refused; the rest answers",
        ),
    ],
)
def test_summary_says_as_little_as_says_it_all(found, expected):
    assert summary(found) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([], "not measured"),
        ([leak("RootlessKit's namespace", "refused"), leak("bridge container", "timed_out")], "closed"),
        ([leak("RootlessKit's namespace", "refused", "inconclusive")], "not proved"),
        (
            [leak("RootlessKit's namespace", None, "inconclusive"), leak("host-network container", "answered", "fail")],
            "leaks to `--net=host`",
        ),
        ([leak("RootlessKit's namespace", "answered", "fail"), leak("elsewhere", "answered", "fail")], "leaks to namespace, elsewhere"),
    ],
)
def test_inside(cells, expected):
    assert inside(cells) == expected


def test_columns_of_a_measurement():
    assert columns(record(ephemeral="refused"), ipv6=False) == {
        "loopback": "answers",
        "hidden": "broken off",
        "outside": "broken off",
        "all": "answers",
        "ephemeral": "refused",
        "inside": "closed",
        "udp": "ephemeral refused; the rest answers",
        "ipv6_off": "refused",
    }


def test_two_ways_to_ask_that_differ_are_both_there():
    measured = record()
    measured["check"]["cells"][0]["outcome"] = "reset"
    assert columns(measured, ipv6=False)["loopback"] == "answers or broken off"


def test_a_check_that_could_not_publish_says_nothing_where_another_way_could():
    measured = record()
    for each in measured["check"]["cells"]:
        each["outcome"] = None
    found = columns(measured, ipv6=False)
    assert (found["loopback"], found["all"], found["udp"], found["inside"]) == ("answers", "answers", "not published", "closed")


def test_what_was_not_published_says_so():
    measured = record()
    measured["published"]["loopback4"] = {"error": "refused by the Engine", "port": 0}
    assert columns(measured, ipv6=False)["outside"] == "not published"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"endpoint web ({'0123456789ab' * 5}): failed", "endpoint NAME: failed"),
        ("failed to bind host port 10.0.2.100:32768/tcp", "failed to bind host port 10.0.2.100:N/tcp"),
        ("a | b `c`\n  d", "a b c d"),
        ("pasta[318] failed, pid 4711", "pastapid N failed, pid N"),
    ],
)
def test_tidy(message, expected):
    assert tidy(message) == expected


def rows(measured: dict) -> list[tuple]:
    return [(row.rootlesskits, row.passts) for row in merged(measured, matrix_table.TABLES[0])]


def test_equal_rows_are_merged_as_far_as_they_form_a_product():
    dead = record(loopback="reset")
    assert rows({OLDER: record(), OLD: record(), NEW: record()}) == [(("2.3.6", "3.2.0"), ("old",)), (("3.2.0",), ("new",))]
    assert rows({OLD: record(), NEW: record()}) == [(("3.2.0",), ("old", "new"))]
    assert rows({OLDER: dead, OLD: record()}) == [(("2.3.6",), ("old",)), (("3.2.0",), ("old",))]


MEASURED = {
    OLDER: record(loopback="closed"),
    OLD: record(),
    NEW: record(ephemeral="refused"),
    PESTO: no_start('port driver "pesto" requires pasta with --conf-path support'),
    SLIRP: {**record(), "published": {"loopback4": {"error": "a: b", "port": 0}, "all": {"error": "", "port": 1}}},
}


def test_a_page_can_be_read_back():
    text = write(MEASURED)
    assert published(text).keys() == MEASURED.keys()
    assert differences(MEASURED, text) == []


def test_a_page_says_what_is_wrong_in_bold():
    lines = [each for each in write(MEASURED).splitlines() if each.startswith("| 2.3.6 | old | pasta, implicit |")]
    assert lines[0] == "| 2.3.6 | old | pasta, implicit | **broken off** | broken off | broken off | answers | answers | closed | 0.12 |"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("**broken off**", "answers", ["`127.0.0.1:P`: the page says answers, measured was broken off"]),
        ("requires pasta", "wants pasta", ["does not start: the page says port driver"]),
        ("| 3.2.0 | new | pasta, implicit |", "| 3.1.0 | new | pasta, implicit |", ["the page has no such row"]),
        ("## Engine 28.5.2", "## Engine 28.5.3", ["the page has no such row"]),
        ("`127.0.0.1:P`", "`127.0.0.2:P`", ["`127.0.0.1:P`: the page says nothing"] * 4),
    ],
)
def test_a_doctored_page_is_found(before, after, expected):
    text = write(MEASURED)
    assert before in text
    found = differences(MEASURED, text.replace(before, after))
    assert len(found) == len(expected)
    assert all(part in line for part, line in zip(expected, found))


def test_a_combination_that_starts_now_and_did_not_before_is_a_difference():
    found = differences({PESTO: record()}, write(MEASURED))
    assert f"{PESTO}: does not start: the page says port driver" in found[-1]
    assert "measured was nothing" in found[-1]


def matching(values: dict) -> list[Combination]:
    return [each for each in combinations() if all(getattr(each, axis) == value for axis, value in values.items())]


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_a_rules_and_the_sample_has_it(cause):
    assert cause in {name for name, _rule in RULES}
    assert set(matching(CAUSES[cause])).intersection(SAMPLE)


def caught(*causes: str, **others: object) -> dict:
    return record(check={"cells": [], "causes": [*causes]}, **others)


@pytest.mark.parametrize(
    ("combination", "measured", "expected"),
    [
        (("28.5.2", False, "pesto"), caught("engine_cannot_publish", "no_control"), []),
        (
            ("28.5.2", False, "pesto"),
            caught("canary_refused", "no_control"),
            ["engine_cannot_publish, and found canary_refused, no_control"],
        ),
        (("28.5.2", False, "pesto"), no_start("requires pasta"), []),
        (("28.5.2", True, "pesto"), caught("pesto_with_ipv6"), []),
        (("28.5.2", False, "implicit"), caught(), []),
        (("api-1.56", True, "implicit"), caught("detached_host_network"), []),
        (("api-1.56", False, "builtin"), caught(), ["detached_host_network, and found nothing"]),
        (("26.1.5", False, "implicit"), caught("unknown"), []),
    ],
)
def test_a_cause_that_the_check_does_not_find_is_told(combination, measured, expected):
    engine, ipv6, port = combination
    found = uncaught({Combination(engine, ipv6, "pasta", port, "3.2.0", "new"): measured})
    assert len(found) == len(expected) and all(line.endswith(f"the check has to find {end}") for line, end in zip(found, expected))
