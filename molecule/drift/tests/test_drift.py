# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After all rounds the host is as declared, by the eyes of an outsider."""

from __future__ import annotations

import json


def test_daemons_run_the_pinned_programs(host, rootlesskit_exe):
    """The active RootlessKit, and nothing beside it."""
    assert rootlesskit_exe == "/opt/rootlesskit/3.2.0/rootlesskit"
    names = host.check_output("ls -A /opt/rootlesskit/3.2.0").split()
    assert sorted(names) == sorted([".files.json", "docker-rootlesskit", "rootlessctl", "rootlesskit", "rootlesskit-docker-proxy"])


def test_packages_are_whole(host):
    """dpkg finds every program as it was unpacked."""
    assert host.run("dpkg --verify passt docker.io docker-cli containerd runc uidmap slirp4netns | grep -v ' c /etc/'").stdout == ""


def test_configuration_is_as_declared(host, docker):
    """What was declared is in force, and the containers run again."""
    assert json.loads(host.file("/etc/rootless-docker/alice/daemon.json").content_string) == {"debug": False, "log-level": "info"}
    assert host.check_output("systemctl is-enabled docker.socket || true") == "masked"
    assert docker("ps --format {{.Names}}").split() == ["web"]
