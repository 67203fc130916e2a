# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From rounds of probes to how long published ports did not answer."""

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _outage as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._probe import CLOSED, DATA, REFUSED, RESET, SILENT, Reading

A, B = "127.0.0.1:8080", "127.0.0.1:8081"


@pytest.mark.parametrize(
    ("rounds", "seconds", "since", "missing"),
    [
        ([(10.0, {A, B}), (10.4, {A, B})], 0.0, None, []),
        ([(10.0, {A, B}), (10.4, set()), (12.0, {A}), (13.0, {A, B}), (13.4, {A, B})], 2.6, 10.4, []),
        ([(10.0, {A, B}), (10.4, {A})], 9.6, 10.4, [B]),
        ([(10.0, {A}), (11.0, {A, B}), (12.0, {B}), (14.0, {A, B})], 4.0, 10.0, []),
    ],
    ids=["never", "all", "goes on", "twice"],
)
def test_rounds(rounds, seconds, since, missing):
    outage = core.Outage({A, B})
    for now, found in rounds:
        outage.note(now, found)
    assert outage.as_result(20.0) == {"ports": 2, "seconds": seconds, "since": since, "missing": missing}


def test_an_outage_of_an_earlier_call_goes_on():
    outage = core.Outage({A}, since=5.0, missing={A})
    outage.note(10.0, set())
    outage.note(12.5, {A})
    assert outage.as_result(20.0)["seconds"] == 7.5


def test_what_nobody_publishes_any_more_is_not_waited_for():
    outage = core.Outage({A, B})
    outage.note(10.0, {A})
    outage.forget({B})
    assert (outage.awaited, outage.missing) == ({A}, set())


@pytest.mark.parametrize(("event", "counts"), [(DATA, True), (SILENT, True), (RESET, False), (CLOSED, False), (REFUSED, False)])
def test_a_bare_connect_is_no_answer(event, counts):
    assert core.answering([A], lambda probes, _seconds: {probe.key: Reading(event) for probe in probes}) == ({A} if counts else set())


def port(host_ip, number, protocol="tcp"):
    return {"container": "web", "host_ip": host_ip, "host_port": number, "protocol": protocol, "container_port": 80}


@pytest.mark.parametrize(
    ("ports", "places"),
    [
        ([port("127.0.0.1", 8080)], [A]),
        ([port("0.0.0.0", 8080), port("", 8080)], [A]),
        ([port("0.0.0.0", 8080), port("::", 8080)], [A]),
        ([port("::", 8080)], ["[::1]:8080"]),
        ([port("127.0.0.1", 8080, "udp")], []),
        # An address that is not this host's: no Engine of a user's has root connect elsewhere.
        ([port("192.0.2.1", 80)], []),
        ([port("127.0.0.1", number) for number in range(1, 300)], [f"127.0.0.1:{number}" for number in range(1, 201)]),
    ],
)
def test_places(ports, places):
    assert core.published_places({"count": len(ports), "ports": ports}) == places


def test_no_answer_of_the_engine_is_no_place():
    assert core.published_places(None) == []


@pytest.mark.parametrize(("address", "number"), [("127.0.0.1", 80), ("::1", 8080)])
def test_a_place_is_read_as_it_is_written(address, number):
    assert core.split_place(core.place(address, number)) == (address, number)


@pytest.mark.parametrize("text", ["8080", "", "127.0.0.1:web"])
def test_what_is_no_place(text):
    with pytest.raises(ValueError, match=r".+"):
        core.split_place(text)
