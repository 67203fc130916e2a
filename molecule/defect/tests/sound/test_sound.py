# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the roles: the same containers, and the port answers."""

from __future__ import annotations

from outsider import eventually


def test_loopback_port_answers(on_host, outside):
    """On the host's loopback, and only there."""
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"
    assert outside(8080) in ("reset", "closed")


def test_pinned_rootlesskit_runs(rootlesskit_exe):
    """The distribution's is still installed, and no longer used."""
    assert rootlesskit_exe == "/opt/rootlesskit/3.2.0/rootlesskit"
