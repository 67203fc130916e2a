# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary, _host_canary


def free_ports(count):
    return _canary.FreePorts(set(range(1024, 65536)) - set(range(20000, 20000 + count)), (32768, 60999), random.Random(1))


def test_an_address_on_which_nothing_can_listen_takes_no_port():
    # Ten for the loopback, should some be taken; of addresses that are none of this host's there are more than ports.
    canary = _host_canary.HostCanary(free_ports(10), [f"2001:db8::{number}" for number in range(1, 600)], "nonce", 5)
    canary.stop()
    assert "127.0.0.1" in canary.control_ports and set(canary.control_ports) <= {"127.0.0.1", "::1"}


def test_without_a_free_port_it_says_so():
    with pytest.raises(_canary.NoFreePort, match=r"no free port from 1024 to 65535.*ss -tuan"):
        _host_canary.HostCanary(free_ports(0), [], "nonce", 5)
