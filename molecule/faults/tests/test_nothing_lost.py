# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After all faults, and again after a reboot: ports answer, data is there, both daemons run."""

from __future__ import annotations

from outsider import USER, eventually


def test_ports_answer(on_host, outside):
    """On the host and from outside."""
    assert eventually(lambda: on_host("127.0.0.1", 8080), seconds=30) == "answered"
    assert eventually(lambda: outside(8081), seconds=30) == "answered"


def test_data_is_as_it_was(host):
    """What was written into a volume before the first fault."""
    assert host.run("sha256sum --check /root/data.sum").rc == 0


def test_both_daemons_run(host):
    """And start at boot."""
    for user in (USER, "bob"):
        assert host.check_output(f"systemctl --user --machine={user}@ is-active docker.service") == "active"
        assert host.file(f"/var/lib/systemd/linger/{user}").exists
