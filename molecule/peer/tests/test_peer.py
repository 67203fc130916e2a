# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine that knows nothing of the collection sees, and the reports that were written."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from outsider import fetch

REPORTS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "reports"


@pytest.fixture
def address6(host) -> str:
    """The host's IPv6 address on the lab's bridge."""
    return host.backend.get_variables()["lab_address6"]


def report(case: str) -> ET.Element:
    """The report of a row of cases.yml."""
    return ET.parse(REPORTS / case.replace(" ", "-") / "peer1.xml").getroot()


def test_outsider_agrees(outside, address6):
    """Loopback only is not reached, all addresses are, over IPv4 and IPv6."""
    assert outside(8080) in ("reset", "closed")
    assert outside(8081) == "answered"
    assert fetch(address6, 8080) in ("refused", "reset", "closed")
    assert fetch(address6, 8081) == "answered"


def test_filter_and_forward_are_gone(host):
    """The cases have left nothing."""
    assert "peer_case" not in host.check_output("nft list ruleset")
    assert host.run("systemctl is-active peer-case").rc != 0


def test_sound_report_has_both_places(host):
    """One suite a vantage point, the peer's among them, over both families."""
    top = report("sound from another host")
    assert (top.get("failures"), top.get("errors")) == ("0", "0")
    names = {suite.get("name") for suite in top}
    address = host.backend.get_variables()["ansible_host"]
    address6 = host.backend.get_variables()["lab_address6"]
    assert {f"alice: host {address}", f"alice: peer2 to {address}", f"alice: peer2 to {address6}"} <= names


@pytest.mark.parametrize(
    ("case", "cause"),
    [
        ("a packet filter drops what comes from outside", "not_reached"),
        ("a forward that only strangers see", "answered_where_it_must_not"),
        ("a port that must not even be seen", "visible_where_it_must_not"),
        ("another service than expected", "wrong_answer"),
        ("what the peer cannot prove", "no_answer"),
        ("what the peer cannot prove", "cannot_tell"),
        ("what the peer cannot prove", "no_control"),
    ],
)
def test_report_names_the_cause_and_blames_the_peers_view_only(case, cause):
    """The host's own check passes in each of these: only from elsewhere can it be seen."""
    failing = {suite.get("name"): suite for suite in report(case) if suite.get("failures") != "0"}
    assert failing and all(name.startswith("alice: peer2 to ") for name in failing)
    assert any(cause in failure.text for suite in failing.values() for failure in suite.iter("failure"))


@pytest.mark.parametrize(("case", "cause"), [("what the peer cannot prove", "not_tried"), ("more to wait for than time", "out_of_time")])
def test_what_could_not_be_tried_is_an_error(case, cause):
    """With its cause, beside what failed."""
    assert any(error.text.startswith(f"{cause}: ") for error in report(case).iter("error"))


def test_a_peer_that_was_not_asked_is_an_error():
    """A report does not look well because nothing was tried."""
    for case in ("a peer that is not there", "no address that the host has"):
        assert [error.get("type") for error in report(case).iter("error")] == ["not_run"]
