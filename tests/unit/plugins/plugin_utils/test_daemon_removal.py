# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What outlives a daemon that was removed is on record until it is gone too."""

from __future__ import annotations

import json

import pytest
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_plan
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_removal as core

DATA = "/home/alice/.local/share/docker"
TEXTS = {"unit": f"{daemon_plan.HEAD}\n", "wrapper": "", "shell": ""}
HOST = {
    "dockerd": "/usr/sbin/dockerd", "dockerd_version": "26.1.5", "launch_script": "/usr/bin/dockerd-rootless.sh",
    "rootlesskit": "/opt/rootlesskit/3.2.0/rootlesskit", "rootlesskit_version": "3.2.0", "pasta": "/usr/bin/pasta",
    "pasta_options": ["--host-lo-to-ns-lo"], "slirp4netns": None, "ephemeral_ports": [32768, 60999], "configured": ["alice"],
    "unit_text": TEXTS["unit"], "missing_subordinate_files": [], "wrapper_text": None, "drop_ins": [],
}  # fmt: skip
STATE = {
    "exists": True, "folder": True, "home": "/home/alice", "linger": False, "subuid_count": 65536, "subgid_count": 65536, "made": {},
    "stale": [], "reload_pending": False,
    "unit": {"active": "inactive", "fragment": daemon_plan.UNIT, "shadows": [], "drop_ins": [], "needs_daemon_reload": False},
    "environment": None, "daemon_json": None, "running": {"variables": {}, "rootlesskit": None}, "manager": True,
    "changed_since_start": [],
    "network": {"mtu": {"asked": 65520, "in_effect": 65520}, "host_loopback": {"asked": "closed", "in_effect": "closed"}},
}  # fmt: skip
MADE = {"linger": True, "account": True, "subid": {"subuid": [[100000, 65536]]}}


def plan(differ=None, kept=None, **options):
    declared = [{"name": "alice", "state": "absent", **options}]
    return daemon_plan.make_plan(declared, {"host": {**HOST, "kept": kept or {}}, "users": {"alice": {**STATE, **(differ or {})}}}, TEXTS)


def recorded(file):
    """What a record file has; None where it goes."""
    assert file["path"] == core.RECORD
    return json.loads(file["content"])["kept"] if "content" in file else None


@pytest.mark.parametrize(
    ("state", "user", "path"),
    [
        ({}, {}, DATA),
        ({"daemon_json": '{"data-root": "/srv/alice"}'}, {"data-root": "/declared"}, "/srv/alice"),
        ({"daemon_json": "{}"}, {"data-root": "/declared"}, "/declared"),
        ({"daemon_json": "damaged"}, {}, DATA),
        ({"daemon_json": "[]"}, {}, DATA),
        ({"environment": 'A="b"\nXDG_DATA_HOME="/data/alice"\n'}, {}, "/data/alice/docker"),
    ],
)
def test_data_root(state, user, path):
    assert core.data_root({"daemon_config": user}, {**STATE, **state}) == path


def test_kept_data_is_on_record_before_the_folder_goes():
    result = plan({"made": MADE})
    assert recorded(result["files"][0]) == {"alice": {"account": True, "subid": MADE["subid"], "data_root": DATA}}
    assert (result["hand_back"], result["subid_back"]) == ([], [])
    assert result["record"] == result["files"][0]
    assert result["notes"] == [f"alice: kept are the data in {DATA}, the account, its subordinate ids"]


def test_data_that_goes_is_on_record_until_it_is_gone():
    result = plan({"made": MADE}, remove_data=True)
    assert list(recorded(result["files"][0])) == ["alice"]
    assert result["hand_back"] == [{"user": "alice", "data_root": DATA, "account": True}]
    assert result["subid_back"] == [], "they go with the account"
    assert recorded(result["record"]) is None


def test_ids_that_the_role_gave_to_somebody_elses_account():
    made = {"subid": MADE["subid"]}
    taken = {"user": "alice", "state": "absent", "start": 100000, "count": 65536, "kinds": ["uid"]}
    assert plan({"made": made}, remove_data=True)["subid_back"] == [taken]
    assert plan({"made": made})["subid_back"] == []


@pytest.mark.parametrize("record", [None, [], {"subuid": 1}, {"subuid": [1, [1], ["a", 2], [1, True]]}])
def test_a_damaged_record_of_ids_takes_nothing(record):
    assert core.subids_to_take("alice", record) == []


def test_what_was_kept_earlier_goes_later():
    kept = {"alice": {"account": True, "data_root": "/srv/a"}, "bob": {"data_root": "/srv/b"}}
    gone = {"folder": False, "made": {}}
    result = plan(gone, kept, remove_data=True)
    assert result["hand_back"] == [{"user": "alice", "data_root": "/srv/a", "account": True}]
    assert recorded(result["files"][0]) == kept
    assert recorded(result["record"]) == {"bob": kept["bob"]}
    # A run without remove_data changes nothing, and says nothing again.
    result = plan(gone, kept)
    assert (result["hand_back"], result["notes"], recorded(result["record"])) == ([], [], kept)


def test_data_of_a_daemon_that_was_never_ours_is_not_touched():
    result = plan({"folder": False}, remove_data=True)
    assert result["hand_back"] == []
    assert core.RECORD not in [file["path"] for file in result["files"]]


def test_what_was_kept_is_made_again_when_the_user_comes_back():
    kept = {"alice": {"account": True, "data_root": DATA}}
    result = plan({"folder": False}, kept, state="present")
    made = next(file for file in result["files"] if file["path"].endswith("made.json"))
    assert json.loads(made["content"]) == {"account": True, "linger": True}
    assert recorded(result["files"][0]) is None
    # One who cannot be served stays on record.
    shadow = {"active": "active", "fragment": "/home/alice/x", "shadows": ["/home/alice/x"]}
    assert recorded(plan({"folder": False, "unit": shadow}, kept, state="present")["files"][0]) == kept


def test_everybody():
    info = {"host": {"configured": ["bob", "alice"], "kept": {"carol": {"data_root": "/c"}}}}
    assert [user["name"] for user in core.users_to_remove(info, False)] == ["alice", "bob"]
    assert core.users_to_remove(info, True)[2] == {"name": "carol", "state": "absent", "remove_data": True}


def test_data_under_a_daemon_of_the_users_own_is_kept():
    own = {**STATE["unit"], "active": "active", "fragment": "/home/alice/x", "shadows": ["/home/alice/x"]}
    result = plan({"made": MADE, "unit": own}, remove_data=True)
    assert result["hand_back"] == []
    assert "/home/alice/x" in result["left_out"][0]
    assert "Remedy: as alice" in result["left_out"][0]
