# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After upgrades, and upgrades that were taken back: what runs, and that nothing was lost."""

from __future__ import annotations

import pytest
from outsider import eventually

# Host: version of RootlessKit, day of passt, and whether pasta serves pesto.
ENDS = {"upgrade1": ("3.2.0", "20260728", True), "upgrade2": ("2.3.6", "20250503", False)}


@pytest.fixture
def end(host):
    """What the host ends with."""
    return ENDS[host.backend.get_hostname()]


def test_what_runs(host, end, rootlesskit_exe, pasta_argv):
    """The versions, and the port driver by pasta's own arguments."""
    version, day, pesto = end
    assert rootlesskit_exe == f"/opt/rootlesskit/{version}/rootlesskit"
    assert day in host.check_output("dpkg-query --show --showformat='${Version}' passt")
    assert any(argument.startswith("--conf-path=") for argument in pasta_argv) == pesto
    assert host.file("/etc/rootless-docker/alice/environment").contains(f'PORT_DRIVER="{"pesto" if pesto else "implicit"}"')


def test_no_record_is_left(host):
    """Nothing is half done."""
    assert not host.file("/var/lib/rootless-docker/upgrade.json").exists


def test_data_and_containers_are_the_same(host, docker):
    """In a volume and in a folder; the running containers and the one that had ended."""
    before = host.file("/home/alice/before.data").content_string
    assert len(before) > 20
    assert docker("exec keeper /bin/busybox cat /volume/kept") == before.strip()
    assert docker("exec keeper /bin/busybox cat /folder/kept") == before.strip()
    assert sorted(docker("ps --all --no-trunc --quiet").split()) == host.file("/home/alice/before.containers").content_string.split()


def test_published_ports_answer(on_host, outside):
    """As before."""
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"
    assert eventually(lambda: outside(8081)) == "answered"
    assert outside(8080) in ("reset", "closed", "refused")
