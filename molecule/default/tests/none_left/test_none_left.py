# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""With the last user everything that the role made is gone."""

from __future__ import annotations

from outsider import USER


def test_nothing_is_left(host):
    """Files, daemon, lingering."""
    for path in (
        "/etc/rootless-docker",
        "/etc/systemd/user/docker.service",
        "/etc/systemd/user/default.target.wants/docker.service",
        "/etc/profile.d/rootless-docker.sh",
        "/usr/local/libexec/rootless-docker/pasta",
        "/usr/local/libexec/rootless-docker/health.pyz",
        "/etc/systemd/system/rootless-docker-health@.service",
        "/etc/systemd/system/rootless-docker-health@.timer",
        f"/etc/systemd/system/timers.target.wants/rootless-docker-health@{USER}.timer",
        f"/var/lib/systemd/linger/{USER}",
    ):
        assert not host.file(path).exists, path
    assert host.run("pgrep -x 'dockerd|pasta|pasta.avx2|rootlesskit'").rc == 1


def test_data_is_kept(host):
    """Images and containers are the user's."""
    assert host.file(f"/home/{USER}/.local/share/docker").is_directory
