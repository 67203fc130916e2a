# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._evidence import Holder
from ansible_collections.portside.rootless_docker.plugins.module_utils._strangers import of_the_daemon


@pytest.mark.parametrize(
    ("ours", "protocol", "inside", "found"),
    [
        (True, "tcp", set(), True),
        (False, "tcp", {(8080, "tcp")}, False),
        # As root there is no such one; without root pasta's are.
        (None, "tcp", {(8080, "tcp")}, True),
        (None, "udp", {(8080, "udp")}, True),
        (None, "tcp", {(8080, "udp"), (8081, "tcp")}, False),
        (None, "tcp", set(), False),
    ],
)
def test_whose_a_listener_is(ours, protocol, inside, found):
    holder = Holder("0.0.0.0", 8080, 1000, None, "", ours, protocol)
    assert of_the_daemon([holder], inside) == ([holder] if found else [])
