# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenarios: the user's docker, and requests from the host and from outside."""

from __future__ import annotations

import pytest
from outsider import CURL, PAGE, USER, fetch


@pytest.fixture
def address(host) -> str:
    """The host's own address on the lab's bridge."""
    return host.backend.get_variables()["ansible_host"]


@pytest.fixture
def docker(host):
    """Run docker as the user, against the user's own daemon; returns what it printed."""

    def call(arguments: str) -> str:
        uid = host.user(USER).uid
        return host.check_output(f"runuser -u {USER} -- env DOCKER_HOST=unix:///run/user/{uid}/docker.sock docker {arguments}").strip()

    return call


@pytest.fixture
def published(docker):
    """The host port of a container's port 80."""

    def call(container: str) -> int:
        return int(docker(f"port {container} 80/tcp").splitlines()[0].rpartition(":")[2])

    return call


@pytest.fixture
def on_host(host):
    """How a request from the host itself ends."""

    def call(address: str, port: int) -> str:
        done = host.run(f"curl -sSv --max-time 3 http://{address}:{port}/")
        # When a reset comes before curl looks, its exit code is another one.
        was_reset = done.rc and "reset by peer" in done.stderr
        outcome = "reset" if was_reset else CURL.get(done.rc, f"curl exit code {done.rc}")
        return "wrong_answer" if outcome == "answered" and PAGE not in done.stdout else outcome

    return call


@pytest.fixture
def outside(address):
    """How a request from another machine, this one, ends."""
    return lambda port: fetch(address, port)


@pytest.fixture
def pasta_argv(host) -> list[str]:
    """The arguments of the pasta that runs for the user."""
    pid = host.check_output(f"pgrep -u {USER} -x 'pasta|pasta.avx2'")
    return host.check_output(f"tr '\\0' '\\n' < /proc/{pid}/cmdline").split()


@pytest.fixture
def rootlesskit_exe(host) -> str:
    """What the user's RootlessKit runs."""
    uid = host.user(USER).uid
    child = host.check_output(f"cat /run/user/{uid}/dockerd-rootless/child_pid")
    return host.check_output(f"readlink /proc/{child}/exe")
