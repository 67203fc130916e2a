# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _gather as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._network_state import own_options
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import DaemonProcesses, read_process

KIT = ("rootlesskit", "--net=pasta", "--port-driver=implicit", "--disable-host-loopback", "/usr/bin/dockerd-rootless.sh")
FACTS = {
    "network_driver": "pasta", "port_driver": "implicit", "host_loopback_disabled": True, "ipv6": False, "network": "10.0.2.0/24",
    "gateway": "10.0.2.2",
}  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "differ"),
    [
        (KIT, {}),
        # dockerd has an --ipv6, too, and a user may give it whatever else.
        ((*KIT, "--ipv6", "--net=x", "--cidr=10.9.0.0/24"), {}),
        ((*KIT[:-1], "--ipv6", KIT[-1]), {"ipv6": True}),
        ((*KIT[:-1], "--ipv6=true", KIT[-1]), {"ipv6": True}),
        ((*KIT[:-1], "--ipv6=false", KIT[-1]), {}),
        ((*KIT[:-1], "--disable-host-loopback=false", KIT[-1]), {"host_loopback_disabled": False}),
        ((*KIT[:3], KIT[-1], "--disable-host-loopback"), {"host_loopback_disabled": False}),
        ((*KIT[:-1], "--cidr=10.9.0.0/24", KIT[-1]), {"network": "10.9.0.0/24", "gateway": "10.9.0.2"}),
    ],
)
def test_facts_of_options(argv, differ):
    assert core.facts_of_options(own_options(argv)) == {**FACTS, **differ}


def test_a_network_that_is_none():
    assert "network" not in core.facts_of_options(("--cidr=x",))


@pytest.fixture(name="started")
def start_from_a_version_directory(tmp_path):
    """A process whose program is found by a symbolic link, as RootlessKit's is."""
    for version in ("3.1.0", "3.2.0"):
        (tmp_path / version).mkdir()
        shutil.copy(shutil.which("sleep"), tmp_path / version / "rootlesskit")
    (tmp_path / "current").symlink_to("3.1.0")
    process = subprocess.Popen([tmp_path / "current" / "rootlesskit", "60"], env={"PATH": f"{tmp_path}/current"})
    proc = Path(f"/proc/{process.pid}")
    # The environment is there a moment after the program.
    while os.path.basename(os.readlink(proc / "exe")) != "rootlesskit" or not (proc / "environ").read_bytes():
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()


def stale(process):
    return core.stale_programs(DaemonProcesses(parent=read_process(process.pid)))


def test_what_is_installed_is_not_stale(started):
    assert stale(started) == ()


def test_a_switched_link_is_stale(started, tmp_path):
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to("3.2.0")
    (sentence,) = stale(started)
    assert f"(pid {started.pid}) runs {tmp_path}/3.1.0/rootlesskit, installed is {tmp_path}/3.2.0/rootlesskit" in sentence


def test_a_removed_file_is_stale(started, tmp_path):
    (tmp_path / "3.1.0" / "rootlesskit").unlink()
    (sentence,) = stale(started)
    assert f"runs a file that was replaced since: {tmp_path}/3.1.0/rootlesskit" in sentence


def test_a_replaced_containerd_is_stale(started, tmp_path):
    (tmp_path / "3.1.0" / "rootlesskit").unlink()
    (sentence,) = core.stale_programs(DaemonProcesses(containerd=read_process(started.pid)))
    assert sentence.startswith(f"containerd (pid {started.pid}) runs a file that was replaced since")


def test_nothing_runs():
    assert core.stale_programs(DaemonProcesses()) == ()
