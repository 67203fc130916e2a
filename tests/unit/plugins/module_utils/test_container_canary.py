# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._container_canary import as_bound, chosen_ports
from ansible_collections.portside.rootless_docker.plugins.module_utils._published import canary_port

ASKED = canary_port("", True, 0, 11, "tcp")


@pytest.mark.parametrize(
    ("got", "ipv6", "expected"),
    [
        ({"0.0.0.0": 32768, "::": 32768}, True, [("", 32768)]),
        ({"0.0.0.0": 32768, "::": 32770}, False, [("", 32768)]),
        ({"0.0.0.0": 32770, "::": 32768}, True, [("0.0.0.0", 32770), ("::", 32768)]),
        ({"0.0.0.0": 32768}, True, [("", 32768)]),
        ({"": 32768}, True, [("", 32768)]),
        ({}, True, [("", 0)]),
    ],
)
def test_the_engine_may_choose_another_port_for_each_family(got, ipv6, expected):
    found = chosen_ports(got, ASKED, ipv6)
    assert [(entry.host_ip, entry.port) for entry in found] == expected
    assert len({entry.thing for entry in found}) == len(found) and {entry.container_port for entry in found} == {11}


@pytest.mark.parametrize(
    ("got", "asked", "expected"),
    [
        ({"127.0.0.1": 20001}, canary_port("", False, 20001, 11, "tcp"), [("127.0.0.1", 20001, "11 (got 127.0.0.1:20001)")]),
        ({"127.0.0.1": 32768}, ASKED, [("127.0.0.1", 32768, "11 (got 127.0.0.1:32768)")]),
        (
            {"192.0.2.1": 20001, "::1": 20001},
            canary_port("", False, 20001, 11, "udp"),
            [("192.0.2.1", 20001, "11 (got 192.0.2.1:20001)"), ("::1", 20001, "11 (got [::1]:20001)")],
        ),
        ({"0.0.0.0": 20001, "::": 20001}, canary_port("", False, 20001, 11, "tcp"), [("", 20001, "20001:11")]),
        ({"": 20001}, canary_port("", False, 20001, 11, "tcp"), [("", 20001, "20001:11")]),
        ({}, canary_port("", False, 20001, 11, "tcp"), [("", 20001, "20001:11")]),
        ({"\x1b[2J": 20001, "fe80::1%x": 1}, canary_port("", False, 20001, 11, "tcp"), [("", 20001, "20001:11")]),
        ({"127.0.0.1": 20001}, canary_port("0.0.0.0", False, 20001, 11, "tcp"), [("0.0.0.0", 20001, "0.0.0.0:20001:11")]),
    ],
)
def test_what_names_no_address_answers_where_the_engine_bound_it(got, asked, expected):
    found = as_bound(got, asked, asked == ASKED, True)
    assert [(entry.host_ip, entry.port, entry.thing) for entry in found] == expected
