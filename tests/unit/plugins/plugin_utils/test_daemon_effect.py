# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_effect as core
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import complete
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_plan import environment

CONFIG = "/etc/rootless-docker/alice/daemon.json"
SCRIPT = "/usr/share/docker.io/contrib/dockerd-rootless.sh"
# As read on Debian 13 with RootlessKit 3.2.0 and passt of the distribution, and the wrapper's options in front.
ROOTLESSKIT = [
    "rootlesskit", "--state-dir=/run/user/1000/dockerd-rootless", "--net=pasta", "--mtu=65520", "--slirp4netns-sandbox=auto",
    "--slirp4netns-seccomp=auto", "--disable-host-loopback", "--port-driver=implicit", "--copy-up=/etc", "--copy-up=/run",
    "--propagation=rslave", "--cidr=10.0.3.0/24", SCRIPT, f"--config-file={CONFIG}",
]  # fmt: skip
PASTA = ["pasta", "-t", "32768-60999,auto", "-u", "32768-60999,auto", "--stderr", "--mtu=65520", "990"]
VARIABLES = environment(complete({"name": "alice", "cidr": "10.0.3.0/24"}), "implicit", False)
OPEN = environment(complete({"name": "alice", "host_loopback": True}), "implicit", False)
OWN = {"pid": 9, "argv": PASTA}


def network(mtu=(65520, 65520), host_loopback=("closed", "closed")):
    return {name: dict(zip(("asked", "in_effect"), pair)) for name, pair in (("mtu", mtu), ("host_loopback", host_loopback))}


def without(argv, start):
    return [argument for argument in argv if not argument.startswith(start)]


@pytest.mark.parametrize(
    ("argv", "variables", "found"),
    [
        (ROOTLESSKIT, VARIABLES, []),
        (without(ROOTLESSKIT, "--mtu"), VARIABLES, ["rootlesskit runs without --mtu=65520"]),
        (without(ROOTLESSKIT, "--disable"), VARIABLES, ["rootlesskit runs without --disable-host-loopback"]),
        (without(ROOTLESSKIT, "--cidr"), VARIABLES, ["rootlesskit runs without --cidr=10.0.3.0/24"]),
        (ROOTLESSKIT, OPEN, ["rootlesskit runs with --disable-host-loopback"]),
        (without(ROOTLESSKIT, "--disable"), OPEN, []),
        # An option of dockerd's is none of RootlessKit's.
        ([*without(ROOTLESSKIT, "--mtu"), "--mtu=65520"], VARIABLES, ["rootlesskit runs without --mtu=65520"]),
    ],
)
def test_asked(argv, variables, found):
    assert core.asked_phrases(variables, argv) == found


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (["dockerd", f"--config-file={CONFIG}"], []),
        # What a launch script of another Engine adds is no matter.
        (["dockerd", "--userland-proxy-path=/x", f"--config-file={CONFIG}"], []),
        (["dockerd"], [f"dockerd runs without --config-file={CONFIG}"]),
        (["dockerd", f"--config-file={CONFIG}", "-H", "tcp://0.0.0.0:2375"], ["dockerd runs with -H"]),
        (["dockerd", "--host=tcp://0.0.0.0:2375", f"--config-file={CONFIG}"], ["dockerd runs with --host=tcp://0.0.0.0:2375"]),
    ],
)
def test_dockerd(argv, found):
    assert core.dockerd_phrases(CONFIG, argv) == found


@pytest.mark.parametrize(
    ("state", "found"),
    [
        (network(), []),
        (network(mtu=(65520, None), host_loopback=("closed", "unknown")), []),
        (network(mtu=(None, 1500)), []),
        (network(mtu=(65520, 1500)), ["the MTU is 1500, and RootlessKit was told 65520"]),
        (network(host_loopback=("closed", "open")), ["the host's loopback is open, and RootlessKit was told closed"]),
        # RootlessKit below 3.1.0 cannot do better.
        (network(host_loopback=("closed", "mirrored")), []),
    ],
)
def test_network(state, found):
    assert core.network_phrases(state) == found


@pytest.mark.parametrize(
    ("text", "pasta", "found"),
    [
        ("", OWN, []),
        ("#!/bin/sh", None, []),
        ("#!/bin/sh", OWN, []),
        ("#!/bin/sh", {**OWN, "argv": PASTA[5:]}, ["pasta (pid 9) runs without the ephemeral range that the wrapper adds"]),
    ],
)
def test_wrapper(text, pasta, found):
    assert core.wrapper_phrases(text, pasta) == found


def test_nothing_runs():
    down = {"running": {"rootlesskit": None}}
    assert core.unlike_asked(VARIABLES, CONFIG, down) == core.unlike_told("#!/bin/sh", down) == []


def test_what_runs():
    running = {"rootlesskit": {"argv": without(ROOTLESSKIT, "--mtu")}, "dockerd": {"argv": ["dockerd"]}, "pasta": {**OWN, "argv": []}}
    state = {"running": running, "network": network(mtu=(65520, 1400))}
    assert len(core.unlike_asked(VARIABLES, CONFIG, state)) == 2
    assert len(core.unlike_told("#!/bin/sh", state)) == 2
