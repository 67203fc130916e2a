# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One user's daemon is removed; the other's does not notice."""

from __future__ import annotations

from outsider import USER, fetch


def test_removed_user(host):
    """No daemon, no folder, no lingering; the account and its data stay."""
    assert host.run("pgrep -u bob dockerd").rc == 1
    assert not host.file("/etc/rootless-docker/bob").exists
    assert not host.file("/var/lib/systemd/linger/bob").exists
    assert host.file("/home/bob/.local/share/docker").is_directory


def test_other_user_was_not_restarted(host, address):
    """The unit's start began when its manager came up with the host, and its container answers."""
    manager = int(host.check_output(f"systemctl show user@{host.user(USER).uid}.service --property=ActiveEnterTimestampMonotonic --value"))
    show = "show docker.service --property=InactiveExitTimestampMonotonic --value"
    unit = int(host.check_output(f"systemctl --user --machine={USER}@ {show}"))
    assert abs(unit - manager) < 10_000_000  # microseconds
    assert fetch(address, 8081) == "answered"
