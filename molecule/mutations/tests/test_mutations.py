# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After all mutations the hosts are what they were."""

from __future__ import annotations

from outsider import eventually

# How a port that is published on 127.0.0.1 only ends for another machine: implicit shows it, pesto does not.
LOOPBACK_ONLY = {"mutations": ("reset", "closed"), "mutations-pesto": ("refused",)}


def test_sound_again(host, on_host, outside, rootlesskit_exe):
    """The containers that were there all along answer."""
    assert rootlesskit_exe == "/opt/rootlesskit/3.2.0/rootlesskit"
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"
    assert outside(8080) in LOOPBACK_ONLY[host.backend.get_variables()["inventory_hostname"]]
    assert outside(8081) == "answered"


def test_nothing_is_left(host, docker):
    """No break and no canary is left behind."""
    assert sorted(docker("ps --all --format {{.Names}}").split()) == ["all_ipv4", "chosen", "everywhere", "loopback"]
    assert "mutation" not in host.check_output("nft list tables")
    assert docker("images --format {{.Repository}}").split() == ["web"]
