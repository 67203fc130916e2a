# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _inside as inside
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary_server import answer

CHALLENGE = b"c" * 32
CONTROL, HOST = 20001, 20002


def view(vantage, families=frozenset({4, 6}), outer="10.0.2.2", ipv6=False):
    return inside.InsideView(vantage, "nonce", CONTROL, {4: HOST, 6: HOST}, families, outer, ipv6)


def said(row, port, nonce="nonce"):
    """What a canary on that port answers to a row of a task."""
    return ["data", answer(nonce, bytes.fromhex(row[3]), port, row[6]).hex(), 0.001, ""]


def readings(task, **outcomes):
    """Controls that answer, and for the rest what is given by key."""
    found = {row[0]: said(row, CONTROL) for row in task["controls"]}
    found.update({row[0]: outcomes.get(row[0].replace(" ", "_"), ["refused", "", 0, ""]) for row in task["probes"]})
    return found


def test_everything_closed_passes():
    one = view(inside.NAMESPACE)
    cells = one.cells(readings(one.task(1, 0)))
    assert {c.verdict for c in cells} == {"pass"}
    assert [(c.thing, c.protocol) for c in cells] == [
        (f"{thing}:{HOST}", protocol) for protocol in ("tcp", "udp") for thing in ("127.0.0.1", "[::1]", "gateway")
    ]


@pytest.mark.parametrize("key", ["127.0.0.1 tcp", "[::1] udp", "gateway tcp"])
def test_a_leak_fails(key):
    one = view(inside.NAMESPACE)
    task = one.task(1, 0)
    found = readings(task)
    found[key] = said(next(row for row in task["probes"] if row[0] == key), HOST)
    bad = [c for c in one.cells(found) if c.verdict != "pass"]
    assert [(c.thing.rpartition(":")[0] + " " + c.protocol, c.outcome, c.verdict) for c in bad] == [(key, "answered", "fail")]


@pytest.mark.parametrize("control", [None, ["refused", "", 0, ""], "answer of the wrong port", "answer of another run"])
def test_without_its_control_nothing_passes(control):
    one = view(inside.NAMESPACE, frozenset({4}))
    task = one.task(1, 0)
    found = readings(task)
    for row in task["controls"]:
        found[row[0]] = {"answer of the wrong port": said(row, HOST), "answer of another run": said(row, CONTROL, "x")}.get(
            str(control), control
        )
    assert {c.verdict for c in one.cells(found)} == {"inconclusive"}


@pytest.mark.parametrize(
    ("vantage", "changes", "things"),
    [
        (inside.NAMESPACE, {"families": frozenset({4})}, {"127.0.0.1", "gateway"}),
        (inside.NAMESPACE, {"ipv6": True}, {"127.0.0.1", "[::1]", "gateway", "IPv6 gateway"}),
        (inside.BRIDGE, {}, {"gateway", "outer gateway"}),
        (inside.BRIDGE, {"outer": None}, {"gateway"}),
    ],
)
def test_only_what_is_there_is_tried(vantage, changes, things):
    one = view(vantage, **changes)
    assert {row[0].rpartition(" ")[0] for row in one.task(1, 0)["probes"]} == things
    assert {c.thing.rpartition(":")[0] for c in one.cells({})} == things


@pytest.mark.parametrize(
    "row", [None, [], "refused", ["refused"], [1, 2, 3, 4], ["data", "zz", 0, ""], ["fine", "", 0, ""], [["refused"], "", 0, ""]]
)
def test_readings_of_another_form_prove_nothing(row):
    assert inside.inside_outcome(row, CHALLENGE, "nonce", HOST) == (None, "none")


def test_a_proxys_answer_is_not_the_canarys():
    assert inside.inside_outcome(["data", b"HTTP/1.1 404".hex(), 0, ""], CHALLENGE, "nonce", HOST) == ("wrong_answer", "data")
