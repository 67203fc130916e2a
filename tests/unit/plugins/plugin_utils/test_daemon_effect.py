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
OPEN = environment(complete({"name": "alice", "cidr": "10.0.3.0/24", "host_loopback": True}), "implicit", False)
OWN = {"pid": 9, "argv": PASTA}


def network(mtu=(65520, 65520), host_loopback=("closed", "closed")):
    return {name: dict(zip(("asked", "in_effect"), pair)) for name, pair in (("mtu", mtu), ("host_loopback", host_loopback))}


def with_options(*options):
    return [*ROOTLESSKIT[:-2], *options, *ROOTLESSKIT[-2:]]


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
        (with_options("--publish=0.0.0.0:2375:2375/tcp"), VARIABLES, ["rootlesskit runs with --publish=0.0.0.0:2375:2375/tcp"]),
        (with_options("--publish", "0.0.0.0:2375:2375/tcp"), VARIABLES, ["rootlesskit runs with --publish 0.0.0.0:2375:2375/tcp"]),
        (with_options("--net=host", "--copy-up=/home"), VARIABLES, ["rootlesskit runs with --net=host --copy-up=/home"]),
        (with_options("--detach-netns"), VARIABLES, ["rootlesskit runs with --detach-netns"]),
        (
            with_options(*(f"--publish={n}" for n in range(20))),
            VARIABLES,
            ["rootlesskit runs with " + " ".join(f"--publish={n}" for n in range(10))],
        ),
        # What another script makes of variables that the role does not write is its own business.
        (["--slirp4netns-seccomp=false" if "seccomp" in each else each for each in ROOTLESSKIT], VARIABLES, []),
        # The command is another one: what follows cannot be told from options.
        (["rootlesskit", *ROOTLESSKIT[1:-2], "/srv/start.sh", "--any"], VARIABLES, []),
        # An option of dockerd's is none of RootlessKit's.
        ([*without(ROOTLESSKIT, "--mtu"), "--mtu=65520"], VARIABLES, ["rootlesskit runs without --mtu=65520"]),
    ],
)
def test_asked(argv, variables, found):
    assert core.asked_phrases(variables, argv) == found


def launched(engine, variables):
    """RootlessKit's arguments as the launch script of an Engine makes them of the variables (read in moby's tags)."""
    value = {name[len(core.PREFIX) :]: text for name, text in variables.items()}
    closed = engine < (26,) or value["DISABLE_HOST_LOOPBACK"] != "false"
    detached = engine >= (29, 5) and value["DETACH_NETNS"] == "true"
    return [
        "rootlesskit", *(["--state-dir=/run/user/1000/dockerd-rootless"] if engine >= (25,) else []), f"--net={value['NET']}",
        f"--mtu={value['MTU']}", "--slirp4netns-sandbox=auto", "--slirp4netns-seccomp=auto",
        *(["--disable-host-loopback"] if closed else []), f"--port-driver={value['PORT_DRIVER']}", "--copy-up=/etc", "--copy-up=/run",
        "--propagation=rslave", *(["--detach-netns"] if detached else []), *value["FLAGS"].split(), SCRIPT, f"--config-file={CONFIG}",
    ]  # fmt: skip


@pytest.mark.parametrize("engine", [(20, 10), (24,), (25,), (26, 1), (27, 5), (28, 5), (29, 0), (29, 5), (29, 8)])
@pytest.mark.parametrize(
    ("network_driver", "port_driver"),
    [("pasta", "implicit"), ("pasta", "pesto"), ("slirp4netns", "builtin"), ("slirp4netns", "slirp4netns")],
)
@pytest.mark.parametrize("wrapper", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"detach_netns": True},
        {"ipv6": True, "cidr": "10.0.3.0/24", "mtu": 1500, "rootlesskit_flags": ["--debug", "--dns=10.0.3.3", "--publish=[::1]:80:80/tcp"]},
        {"host_loopback": True},
    ],
)
def test_what_a_launch_script_does_is_no_difference(engine, network_driver, port_driver, wrapper, options):
    variables = environment(complete({"name": "alice", "network_driver": network_driver, **options}), port_driver, wrapper)
    # Below 26.1 the scripts close the host's loopback whatever is declared.
    found = ["rootlesskit runs with --disable-host-loopback"] if engine < (26,) and options.get("host_loopback") else []
    assert core.asked_phrases(variables, launched(engine, variables)) == found


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (["dockerd", f"--config-file={CONFIG}"], []),
        (["/usr/bin/dockerd", f"--config-file={CONFIG}"], []),
        (["dockerd"], [f"dockerd runs without --config-file={CONFIG}"]),
        (["dockerd", f"--config-file={CONFIG}", "-H", "tcp://0.0.0.0:2375"], ["dockerd runs with -H tcp://0.0.0.0:2375"]),
        (["dockerd", "--host=tcp://0.0.0.0:2375", f"--config-file={CONFIG}"], ["dockerd runs with --host=tcp://0.0.0.0:2375"]),
        (
            ["dockerd", f"--config-file={CONFIG}", "--insecure-registry=r:5000", "--data-root=/x"],
            ["dockerd runs with --insecure-registry=r:5000 --data-root=/x"],
        ),
    ],
)
def test_dockerd(argv, found):
    assert core.dockerd_phrases(VARIABLES, CONFIG, argv) == found


def test_a_program_in_place_of_dockerd_may_add_arguments():
    assert core.dockerd_phrases({**VARIABLES, "DOCKERD": "/srv/dockerd"}, CONFIG, ["dockerd", "--debug", f"--config-file={CONFIG}"]) == []


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
