# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _inside as inside
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary_server import answer

CHALLENGE = b"c" * 32
CONTROL, HOST = 20001, 20002


def said(port, nonce="nonce"):
    return ["data", answer(nonce, CHALLENGE, port).hex(), 0.001, ""]


def cells(readings):
    challenges = {f"{entry.vantage}|{name}": CHALLENGE for entry in inside.INSIDE for name in (entry.thing, "control")}
    return {(c.vantage, c.thing.partition(",")[0]): c for c in inside.inside_cells(readings, challenges, "nonce", CONTROL, HOST)}


def test_closed_with_control_passes_and_a_leak_fails():
    readings = {inside.NAMESPACE: {"control": said(CONTROL), "its 127.0.0.1": ["refused", "", 0, ""], "its gateway": said(HOST)}}
    found = cells(readings)
    assert found[inside.NAMESPACE, "its 127.0.0.1"].verdict == "pass"
    assert (found[inside.NAMESPACE, "its gateway"].outcome, found[inside.NAMESPACE, "its gateway"].verdict) == ("answered", "fail")
    assert found[inside.BRIDGE, "its gateway"].verdict == "inconclusive"


@pytest.mark.parametrize("control", [None, ["refused", "", 0, ""], said(HOST), said(CONTROL, "another run")])
def test_without_its_control_nothing_passes(control):
    found = cells({inside.NAMESPACE: {"control": control, "its 127.0.0.1": ["refused", "", 0, ""]}})
    assert found[inside.NAMESPACE, "its 127.0.0.1"].verdict == "inconclusive"


@pytest.mark.parametrize(
    "row", [None, [], "refused", ["refused"], [1, 2, 3, 4], ["data", "zz", 0, ""], ["fine", "", 0, ""], [["refused"], "", 0, ""]]
)
def test_readings_of_another_form_prove_nothing(row):
    assert inside.inside_outcome(row, CHALLENGE, "nonce", HOST) == (None, "none")


def test_a_proxys_answer_is_not_the_canarys():
    assert inside.inside_outcome(["data", b"HTTP/1.1 404".hex(), 0, ""], CHALLENGE, "nonce", HOST) == ("wrong_answer", "data")
