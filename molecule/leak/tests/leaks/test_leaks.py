# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""RootlessKit 2.3.6."""

from __future__ import annotations

from outsider import eventually


def test_loopback_port_answers(on_host):
    """This half holds."""
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"


def test_container_reaches_the_hosts_sshd(docker):
    """This half does not: sshd listens on the host, and no container should get there through loopback."""
    assert "SSH-2.0" in docker("run --rm --net=host web /bin/busybox timeout 3 /bin/busybox nc 127.0.0.1 22 || true")
