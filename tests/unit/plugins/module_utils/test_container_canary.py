# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._container_canary import chosen_ports
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
