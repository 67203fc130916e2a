# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _health_state as core

SHOWN = "LoadState=loaded\nActiveState=active\nNeedDaemonReload=no\n\nLoadState=masked\nActiveState=inactive\nNeedDaemonReload=yes\n"


def test_timers():
    assert core.parse_timers(["a.b", "C-d"], ["a.b"], SHOWN) == [
        {"user": "a.b", "linked": True, "active": "active", "load": "loaded", "needs_daemon_reload": False},
        {"user": "C-d", "linked": False, "active": "inactive", "load": "masked", "needs_daemon_reload": True},
    ]


@pytest.mark.parametrize("output", [None, "", "garbage", SHOWN + "\n" + SHOWN])
def test_what_systemd_did_not_say_is_unknown(output):
    found = core.parse_timers(["alice", "bob"], [], output)
    assert [(each["active"], each["load"]) for each in found] == [("unknown", "unknown")] * 2


def test_linked_users(tmp_path):
    for name in (
        "rootless-docker-health@a.b.timer",
        "rootless-docker-health@C-d.timer",
        "rootless-docker-health@.timer",
        "apt-daily.timer",
    ):
        (tmp_path / name).write_text("")
    assert core.linked_users(str(tmp_path)) == ["C-d", "a.b"]
    assert core.linked_users(str(tmp_path / "none")) == []


def test_program(tmp_path):
    path = tmp_path / "program"
    assert core.program_state(str(path)) is None
    path.write_bytes(b"\x00\xff")
    path.chmod(0o640)
    assert core.program_state(str(path))["sha256"] == hashlib.sha256(b"\x00\xff").hexdigest()
    assert core.program_state(str(path))["mode"] == "0640"
    (tmp_path / "link").symlink_to(path)
    assert core.program_state(str(tmp_path / "link")) is None
    assert core.program_state(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        (None, None),
        ("ExecStart=/usr/bin/python3 x.pyz %i\n", None),
        ("ExecStart=/usr/bin/python3 x.pyz --textfile-directory=/var/lib/node %i\n", "/var/lib/node"),
    ],
)
def test_folder_of_the_metrics(text, folder):
    assert core.textfile_directory(text) == folder
