# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The defect itself: the port is dead, and everything looks well."""

from __future__ import annotations

from outsider import USER, eventually


def test_everything_looks_well(host, docker):
    """No log and no state shows it."""
    assert host.check_output(f"systemctl --user --machine={USER}@ is-active docker.service") == "active"
    assert "Up" in docker("ps --filter name=loopback --format '{{.Status}}'")


def test_loopback_port_is_dead(on_host):
    """Accepted, then reset, or closed without a byte."""
    assert eventually(lambda: on_host("127.0.0.1", 8081)) == "answered"
    assert on_host("127.0.0.1", 8080) in ("reset", "closed")
