# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _user_data as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import Process


def process(comm="x", argv=(), exe=None, state="S"):
    return Process(pid=318, ppid=1, uid=1000, state=state, start=1, comm=comm, argv=argv, exe=exe)


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        ([], False),
        ([process("systemd"), process("rm", ("rm", "-rf", "/srv/dockerd"))], False),
        ([process("dockerd", state="Z")], False),
        ([process("systemd"), process("dockerd", ("dockerd",))], True),
        ([process("exe", ("/proc/self/exe", "--net=pasta"), "/opt/rootlesskit/3.2.0/rootlesskit")], True),
        ([process("docker-rootless", ("docker-rootlesskit",))], True),
    ],
)
def test_data_under_a_daemon(found, refused):
    if not refused:
        core.refuse_daemon("alice", "/srv/docker", found)
        return
    with pytest.raises(
        core.DataError, match="^alice: /srv/docker was left alone, because a daemon of the user runs: process 318. Remedy: "
    ):
        core.refuse_daemon("alice", "/srv/docker", found)


@pytest.mark.parametrize("path", ["/home/alice/.local/share/docker", "/srv/docker", "/srv/docker/", "/home/alicedata/x"])
def test_path_of_data(path):
    core.check_path("alice", path, "/home/alice")


@pytest.mark.parametrize(
    "path", ["", "/", "//", "docker", "/srv", "/home", "/home/", "/home/alice", "/home/alice/", "/home/alice/../bob/x", "/srv/./d", "/a//b"]
)
def test_path_that_holds_more_than_data(path):
    with pytest.raises(core.DataError, match="^alice: the data root .* was left alone.*Remedy:"):
        core.check_path("alice", path, "/home/alice")


def test_namespace():
    assert core.id_map(1000, [(100000, 65536), (300000, 10)]) == "0 1000 1\n1 100000 65536\n65537 300000 10\n"
    assert core.id_map(1000, []) == "0 1000 1\n"
    assert core.in_namespace(["rm", "x"])[-3:] == ["sh", "rm", "x"]


@pytest.mark.parametrize(("said", "reason"), [("rm: a\nrm: b\n", "rm: b."), ("", "no reason given.")])
def test_reason(said, reason):
    assert f"not all of /x could be removed: {reason}" in core.not_removed("alice", "/x", said, "files")


@pytest.mark.parametrize(("source", "look"), [("files", "alice's lines in /etc/subuid"), ("sss", "what sss gives (`getsubids alice`")])
def test_where_to_look_for_ids(source, look):
    assert f"Remedy: look at what is left there and at {look}" in core.not_removed("alice", "/x", "", source)
