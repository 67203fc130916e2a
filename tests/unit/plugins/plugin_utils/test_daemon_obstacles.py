# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps the role from one user keeps it from nobody else; what is somebody else's is not replaced."""

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_plan as core

SHADOW = "/home/alice/.config/systemd/user/docker.service"
DROP_IN = "/home/alice/.config/systemd/user/docker.service.d/x.conf"
HOST = {
    "dockerd": "/usr/sbin/dockerd", "dockerd_version": "26.1.5", "launch_script": "/usr/bin/dockerd-rootless.sh",
    "rootlesskit": "/opt/rootlesskit/3.2.0/rootlesskit", "rootlesskit_version": "3.2.0", "pasta": "/usr/bin/pasta",
    "pasta_options": ["--host-lo-to-ns-lo"], "slirp4netns": None, "ephemeral_ports": [32768, 60999], "configured": [],
    "next_subordinate_id": 231072, "unit_text": None, "missing_subordinate_files": [],
}  # fmt: skip
TEXTS = {"unit": f"{core.HEAD}\n[Unit]\n", "wrapper": "", "shell": ""}
STATE = {
    "exists": True, "linger": False, "subuid_count": 65536, "subgid_count": 65536, "made": {}, "stale": [], "reload_pending": False,
    "unit": {"active": "inactive", "fragment": core.UNIT, "shadows": []}, "environment": None, "daemon_json": None,
    "running": {"variables": {}, "rootlesskit": None},
}  # fmt: skip


def plan(users, host=None, states=None, **options):
    return core.make_plan(users, {"host": {**HOST, **(host or {})}, "users": states or {}}, TEXTS, **options)


def started(result):
    return [entry["user"] for entry in result["start"]]


def test_a_user_with_a_unit_of_their_own_is_left_out():
    shadowed = {**STATE, "unit": {"active": "active", "fragment": SHADOW, "shadows": [SHADOW]}}
    result = plan([{"name": "alice"}, {"name": "bob"}], states={"alice": shadowed, "bob": STATE})
    (text,) = result["left_out"]
    assert text.startswith(f"alice was left out: the unit in force is {SHADOW}, which hides {core.UNIT}. ")
    assert "Remedy: as alice, `systemctl --user disable --now docker.service`" in text
    assert (started(result), result["errors"]) == (["bob"], [])
    assert not [file for file in result["files"] if "/alice/" in file["path"]]


def test_an_account_that_must_not_be_created_is_left_out():
    result = plan([{"name": "alice", "create": False}, {"name": "bob"}])
    assert [text.split(":")[0] for text in result["left_out"]] == ["alice was left out"]
    assert [account["name"] for account in result["accounts"]] == started(result) == ["bob"]


def test_a_drop_in_is_named():
    state = {**STATE, "unit": {"active": "inactive", "fragment": core.UNIT, "shadows": [DROP_IN]}}
    result = plan([{"name": "alice"}], states={"alice": state})
    assert result["notes"] == [f"alice: {DROP_IN} adds to the unit, and nobody declared it"]
    assert started(result) == ["alice"]


@pytest.mark.parametrize(
    ("text", "replace_unit", "refused"),
    [(None, False, False), (TEXTS["unit"], False, False), ("[Unit]\n", False, True), ("[Unit]\n", True, False), ("", False, True)],
)
def test_a_unit_of_somebody_else_is_not_replaced(text, replace_unit, refused):
    result = plan([{"name": "alice"}], host={"unit_text": text}, states={"alice": STATE}, replace_unit=replace_unit)
    assert bool(result["errors"]) is refused
    assert all("rootless_daemon_replace_unit: true" in error for error in result["errors"])


@pytest.mark.parametrize(("text", "removed"), [(TEXTS["unit"], True), ("[Unit]\n", False), (None, False)])
def test_only_our_unit_goes_with_the_last_user(text, removed):
    result = plan([{"name": "alice", "state": "absent"}], host={"unit_text": text, "configured": ["alice"]}, states={"alice": STATE})
    assert ({"path": core.UNIT, "state": "absent"} in result["files"]) is removed
    assert {"path": core.ENABLED, "state": "absent"} in result["files"]


def test_files_of_subordinate_ids_are_made_only_where_they_are_needed():
    host = {"missing_subordinate_files": ["/etc/subuid"]}
    assert plan([{"name": "alice"}], host=host, states={"alice": STATE})["subordinate_files"] == []
    assert plan([{"name": "alice"}], host=host)["subordinate_files"] == [{"path": "/etc/subuid", "content": ""}]
