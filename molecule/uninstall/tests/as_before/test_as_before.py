# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host is what it was before."""

from __future__ import annotations

import json

COMPARE = "timeout 60 python3 /run/snapshot.py compare /run/before.json"
# Folders that the user's own programs made in the home of an account that the role did not make.
OWN_HOME = ("/home/alice/.local", "/home/alice/.local/share", "/home/alice/.config", "/home/alice/.docker")


def is_own(host) -> bool:
    """Whether it is the host that had things of its own."""
    return host.backend.get_hostname() == "uninstall-own"


def test_the_host_is_as_before(host):
    """Files, packages, units, sysctls, ids, accounts, mounts and processes."""
    lines = host.run(COMPARE).stdout.splitlines()
    left = [line for line in lines[:-1] if not (is_own(host) and line.partition(": was ")[0].removeprefix("file ").startswith(OWN_HOME))]
    assert left == []


def test_the_rootful_daemon_runs_its_container(host):
    """It was masked in between."""
    if is_own(host):
        assert host.check_output("docker ps --format '{{.Names}} {{.State}}'") == "own running"
        assert host.check_output("systemctl is-enabled docker.service docker.socket") == "enabled\nenabled"
    else:
        assert not host.exists("docker")


def test_what_is_left_behind_is_seen(host):
    """The comparison itself."""
    host.check_output("touch /etc/left-behind")
    done = host.run(COMPARE)
    host.check_output("rm /etc/left-behind")
    assert done.rc == 1
    assert "file /etc/left-behind" in done.stdout
    assert json.loads(host.file("/run/before.json").content_string)["file"]
