# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After all cases the host is what it was, and nothing of the checks is left."""

from __future__ import annotations

import pytest
from outsider import eventually


def test_the_users_containers_are_as_they_were(docker, on_host, outside):
    """Those that were there all along answer, and there is no other."""
    assert sorted(docker("ps --all --format '{{.Names}}'").split()) == ["all_ipv4", "chosen", "everywhere", "loopback"]
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"
    assert outside(8080) in ("reset", "closed")
    assert eventually(lambda: outside(8081)) == "answered"


def test_no_image_of_a_canary_is_left(docker):
    """The last check swept what the killed ones had left."""
    assert "portside-canary" not in docker("images --format '{{.Repository}}'")


@pytest.mark.parametrize("user", ["alice", "carol"])
def test_no_program_of_a_canary_is_left(host, user):
    """Neither in a container nor in RootlessKit's namespace."""
    processes = host.check_output(f"ps -u {user} -o args")
    assert "canary" not in processes and " -I -S " not in processes


def test_no_port_of_a_canary_is_left(host):
    """Canaries take theirs between 20000 and 31999; and RootlessKit's API, which Carol's daemon publishes through, lists none."""
    assert host.check_output("ss -Hltun 'sport >= :20000 and sport <= :31999'") == ""
    api = f"/run/user/{host.user('carol').uid}/dockerd-rootless/api.sock"
    assert host.check_output(f"curl -sS --unix-socket {api} http://rootlesskit/v1/ports").strip() in ("[]", "null")
