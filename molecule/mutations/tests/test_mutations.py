# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After all mutations the host is what it was."""

from __future__ import annotations

from outsider import eventually


def test_sound_again(on_host, outside, rootlesskit_exe):
    """The containers that were there all along answer."""
    assert rootlesskit_exe == "/opt/rootlesskit/3.2.0/rootlesskit"
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"
    assert outside(8080) in ("reset", "closed")
    assert outside(8081) == "answered"
