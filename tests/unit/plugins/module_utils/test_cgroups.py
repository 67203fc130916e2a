# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _cgroups as core


@pytest.mark.parametrize(
    ("text", "names"),
    [("cpu memory pids\n", ["cpu", "memory", "pids"]), ("", []), ("\x1b[2J cpu", ["cpu"]), ("a " * 1000, ["a"] * 64)],
)
def test_controllers(text, names):
    assert core.parse_controllers(text) == names


def test_host_and_user(tmp_path):
    manager = tmp_path / "user.slice" / "user-1000.slice" / "user@1000.service"
    manager.mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (manager / "cgroup.controllers").write_text("memory pids\n")
    assert core.host_cgroups(str(tmp_path)) == {"version": 2, "controllers": ["cpuset", "cpu", "io", "memory", "pids"]}
    assert core.user_controllers(1000, str(tmp_path)) == ["memory", "pids"]
    assert core.user_controllers(1001, str(tmp_path)) is None


def test_v1_with_an_empty_v2_beside_it(tmp_path):
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified" / "cgroup.controllers").write_text("")
    assert core.host_cgroups(str(tmp_path)) == {"version": 1, "controllers": []}


def test_v1_alone(tmp_path):
    assert core.host_cgroups(str(tmp_path)) == {"version": 1, "controllers": []}
    assert core.user_controllers(1000, str(tmp_path)) is None
