# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""RootlessKit 3.2.0, after an upgrade in place."""

from __future__ import annotations

from outsider import eventually


def test_loopback_port_answers(on_host):
    """Still."""
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"


def test_container_does_not_reach_the_hosts_sshd(docker):
    """The other half holds too."""
    assert "SSH-2.0" not in docker("run --rm --net=host web /bin/busybox timeout 3 /bin/busybox nc 127.0.0.1 22 2>&1 || true")


def test_older_version_is_kept(host):
    """For a way back."""
    assert host.file("/opt/rootlesskit/2.3.6/rootlesskit").exists
