# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps the role from one user keeps it from nobody else; what is somebody else's is not replaced."""

from __future__ import annotations

import shlex

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._network_state import options_of_environment
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_plan as core

SHADOW = "/home/alice/.config/systemd/user/docker.service"
DROP_IN = "/home/alice/.config/systemd/user/docker.service.d/x.conf"
HOST = {
    "dockerd": "/usr/sbin/dockerd", "dockerd_version": "26.1.5", "launch_script": "/usr/bin/dockerd-rootless.sh",
    "rootlesskit": "/opt/rootlesskit/3.2.0/rootlesskit", "rootlesskit_version": "3.2.0", "pasta": "/usr/bin/pasta",
    "pasta_options": ["--host-lo-to-ns-lo"], "slirp4netns": None, "altered": {}, "ephemeral_ports": [32768, 60999], "configured": [],
    "unit_text": None, "missing_subordinate_files": [], "wrapper_text": None, "drop_ins": [],
}  # fmt: skip
TEXTS = {"unit": f"{core.HEAD}\n[Unit]\n", "wrapper": "", "shell": ""}
STATE = {
    "home": "/home/alice", "uid": 1000,
    "exists": True, "linger": False, "subuid_count": 65536, "subgid_count": 65536, "made": {}, "stale": [], "reload_pending": False,
    "unit": {"active": "inactive", "fragment": core.UNIT, "shadows": [], "drop_ins": [], "needs_daemon_reload": False},
    "environment": None, "daemon_json": None, "manager": True, "running": {"variables": {}, "rootlesskit": None},
    "changed_since_start": [],
    "network": {"mtu": {"asked": 65520, "in_effect": 65520}, "host_loopback": {"asked": "closed", "in_effect": "closed"}},
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
    assert result["unserved"] == ["alice"]
    assert "Remedy: as alice, `systemctl --user disable --now docker.service`" in text
    assert text.endswith("rootless_daemon_adopt: true and rootless_daemon_restart: now (the playbook upgrade adopts no daemon)")
    assert (started(result), result["errors"]) == (["bob"], [])
    assert not [file for file in result["files"] if "/alice/" in file["path"]]


def test_an_account_that_must_not_be_created_is_left_out():
    result = plan([{"name": "alice", "create": False}, {"name": "bob"}])
    assert [text.split(":")[0] for text in result["left_out"]] == ["alice was left out"]
    assert [account["name"] for account in result["accounts"]] == started(result) == ["bob"]


def test_a_drop_in_is_named():
    state = {**STATE, "unit": {**STATE["unit"], "shadows": [DROP_IN], "drop_ins": [DROP_IN]}}
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


def test_files_of_subordinate_ids_are_made_only_for_new_accounts():
    host = {"missing_subordinate_files": ["/etc/subuid"]}
    assert plan([{"name": "alice"}], host=host, states={"alice": {**STATE, "subuid_count": 0}})["preparations"] == []
    assert {"path": "/etc/subuid", "content": ""} in plan([{"name": "alice"}], host=host)["preparations"]


ROOT = {
    "path": "/home/alice/.local/share/docker", "exists": False, "home_exists": True, "folder": "/home/alice", "read_only": False,
    "free_bytes": 2**30, "free_files": None, "owner_is_user": True, "writable": True,
}  # fmt: skip
RUNNING = {**STATE["unit"], "active": "active"}
NO_MANAGER = {**STATE["unit"], "active": "no user manager"}
NOT_READ = {"incomplete": True, "data_root": dict.fromkeys(ROOT)}


@pytest.mark.parametrize(
    ("title", "differ", "says"),
    [
        ("the manager gave no answer", {"unit": {**NO_MANAGER, "error": "not ended in time"}},
         ["systemd manager gives no answer (not ended in time)", "systemctl status user@1000.service"]),
        ("nothing was read", {**NOT_READ, "unit": NO_MANAGER}, ["not everything of it was read in time", "a longer timeout"]),
        ("the unit was, its processes were not", {**NOT_READ, "unit": RUNNING}, ["not everything of it was read in time"]),
        ("only the place of the data was not", {"incomplete": True, "data_root": {**dict.fromkeys(ROOT), "path": "/nfs/alice"}},
         ["its data folder /nfs/alice gives no answer", "findmnt"]),
        # These are answers, and the role starts what is down.
        ("no manager, or one that was stopped", {"unit": {**NO_MANAGER, "error": ""}, "incomplete": False}, []),
        ("no manager of a nologin user who never had one", {"unit": NO_MANAGER, "shell": "/usr/sbin/nologin"}, []),
        ("a unit that failed", {"unit": {**STATE["unit"], "active": "failed", "error": ""}}, []),
    ],
)  # fmt: skip
def test_a_user_of_whom_nobody_knows_what_runs_is_left_out(title, differ, says):
    state = {**STATE, "name": "alice", "home": "/home/alice", "uid": 1000, "data_root": ROOT, **differ}
    result = plan([{"name": "alice"}, {"name": "bob"}], states={"alice": state, "bob": STATE})
    assert started(result) == (["bob"] if says else ["alice", "bob"]), title
    assert len(result["left_out"]) == bool(says)
    assert all(text in result["left_out"][0] and "Remedy: " in result["left_out"][0] for text in says)
    assert any("/alice/" in file["path"] for file in result["files"]) is not bool(says)


@pytest.mark.parametrize(
    ("differ", "says"),
    [
        ({}, []),
        (dict.fromkeys(ROOT), []),
        ({"free_bytes": 1024 * 1024, "free_files": 64}, []),
        ({"owner_is_user": False}, []),
        ({"home_exists": False}, ["its home /home/alice does not exist", "mkhomedir_helper alice"]),
        ({"read_only": True}, ["/home/alice/.local/share/docker lies on", "read-only", "findmnt --target /home/alice"]),
        ({"free_bytes": 1024 * 1024 - 1}, ["full file system: 1048575 bytes are free", "df /home/alice"]),
        ({"free_files": 3}, ["3 more files", "df --inodes"]),
        ({"owner_is_user": False, "writable": False}, ["lies in /home/alice, where the user may not write", "chown"]),
    ],
)
def test_a_user_without_a_place_for_data_is_left_out(differ, says):
    state = {**STATE, "name": "alice", "home": "/home/alice", "data_root": {**ROOT, **differ}, "subuid_count": 0}
    result = plan([{"name": "alice"}, {"name": "bob"}], states={"alice": state, "bob": STATE})
    assert started(result) == (["bob"] if says else ["alice", "bob"])
    assert len(result["left_out"]) == bool(says)
    assert all(text in result["left_out"][0] and "Remedy: " in result["left_out"][0] for text in says)
    touched = [*(entry["user"] for entry in result["subordinate_ids"]), *(file["path"] for file in result["files"])]
    assert any("alice" in text for text in touched) is not bool(says), "nothing is changed for a user who is left out"


def test_a_full_disk_is_no_obstacle_for_what_runs_and_stays():
    full = {**STATE, "name": "alice", "home": "/home/alice", "data_root": {**ROOT, "free_bytes": 0}, "linger": True}
    new = plan([{"name": "alice"}], states={"alice": {**full, "data_root": ROOT}})
    files = {file["path"].rpartition("/")[2]: file.get("content") for file in new["files"] if "/alice/" in file["path"]}
    variables = dict(word.split("=", 1) for word in shlex.split(files["environment"], comments=True))
    runs = {
        **full, "unit": RUNNING, "environment": files["environment"], "daemon_json": files["daemon.json"],
        "running": {
            "rootlesskit": {"pid": 1, "argv": ["rootlesskit", *options_of_environment(variables)]},
            "dockerd": None, "pasta": None, "variables": variables,
        },
    }  # fmt: skip
    host = {"unit_text": TEXTS["unit"]}
    result = plan([{"name": "alice"}], host, {"alice": runs})
    assert (result["left_out"], result["start"]) == ([], [])
    stale = plan([{"name": "alice"}], host, {"alice": {**runs, "stale": ["dockerd was replaced"]}})
    assert (len(stale["left_out"]), stale["start"]) == (1, [])
    # Nor is a home whose file server is gone.
    silent = plan([{"name": "alice"}], host, {"alice": {**runs, "incomplete": True, "data_root": {**dict.fromkeys(ROOT), "path": "/n"}}})
    assert (silent["left_out"], silent["start"]) == ([], [])


@pytest.mark.parametrize(
    ("environment", "read_only", "stays"),
    [
        (f'FLAGS="--pasta-binary={core.WRAPPER} --ipv6"', True, True),
        # Served, and pesto needs none: the environment is written anew.
        (f'FLAGS="--pasta-binary={core.WRAPPER}"', False, False),
        ('FLAGS=""', True, False),
        (None, True, False),
    ],
)
def test_the_wrapper_stays_for_a_user_who_is_left_out_and_starts_with_it(environment, read_only, stays):
    state = {**STATE, "name": "alice", "home": "/home/alice", "environment": environment, "data_root": {**ROOT, "read_only": read_only}}
    host = {"pasta_options": ["--conf-path"], "configured": ["alice", "bob"], "wrapper_text": "#!/bin/sh\n"}
    pesto = [{"name": name, "port_driver": "pesto"} for name in ("alice", "bob")]
    result = plan(pesto, host, {"alice": state, "bob": STATE})
    assert len(result["left_out"]) == read_only
    (wrapper,) = [file for file in result["files"] if file["path"] == core.WRAPPER]
    assert (wrapper.get("state") != "absent") is stays


@pytest.mark.parametrize(
    ("homes", "says"),
    [
        ({"folder": "/srv/homes", "read_only": False, "free_bytes": 2**30, "free_files": None}, []),
        ({"folder": None, "read_only": None, "free_bytes": None, "free_files": None}, []),
        ({"folder": "/srv/homes", "read_only": None, "free_bytes": None, "free_files": None}, []),
        ({"folder": "/srv/homes", "read_only": True, "free_bytes": 0, "free_files": 0}, ["/srv/homes", "read-only", "findmnt"]),
        ({"folder": "/srv/homes", "read_only": False, "free_bytes": 0, "free_files": 0}, ["/srv/homes", "full", "df /srv/homes"]),
    ],
)
def test_an_account_for_whose_home_there_is_no_room_is_not_made(homes, says):
    result = plan([{"name": "alice"}, {"name": "bob"}], host={"new_homes": homes}, states={"bob": STATE})
    assert (len(result["left_out"]), len(result["accounts"])) == ((1, 0) if says else (0, 1))
    assert all(text in result["left_out"][0] for text in says)
    assert started(result) == (["bob"] if says else ["alice", "bob"])
    assert bool(result["preparations"]) is not bool(says)


def test_another_source_of_subordinate_ids_that_gives_too_few():
    state = {**STATE, "name": "alice", "subgid_count": 5}
    result = plan([{"name": "alice"}], host={"subordinate_source": "sss"}, states={"alice": state})
    (text,) = result["left_out"]
    assert all(part in text for part in ("sss", "65536 uids and 5 gids", "getsubids alice", "Remedy: "))
    assert (result["subordinate_ids"], started(result)) == ([], [])


def test_overlapping_subordinate_ids_are_named():
    problem = {"cause": "subordinate_overlap", "what": "ids are also bob's", "why": "bad", "remedy": "mend"}
    state = {**STATE, "problems": [problem, {**problem, "cause": "mtu"}]}
    result = plan([{"name": "alice"}], states={"alice": state})
    assert result["notes"] == ["alice: ids are also bob's; bad. Remedy: mend"]
    assert started(result) == ["alice"]


OWN = {"unit": "[Service]\nExecStart=/usr/bin/dockerd-rootless.sh\n", "daemon_json": None, "daemon_json_path": "", "errors": []}
NETWORK = {name: {"asked": None, "in_effect": None} for name in ("driver", "port_driver", "mtu")}


@pytest.mark.parametrize(
    ("adopt", "own", "adopted"), [(False, OWN, False), (True, OWN, True), (True, {**OWN, "daemon_json": '{"a": 1}'}, False)]
)
def test_a_unit_of_the_users_own_is_adopted_only_when_told(adopt, own, adopted):
    state = {**STATE, "unit": {"active": "active", "fragment": SHADOW, "shadows": [SHADOW]}, "own": own, "network": NETWORK}
    result = plan([{"name": "alice"}], states={"alice": state}, adopt=adopt)
    assert bool(result["left_out"]) is not adopted
    assert [(entry["action"], entry["own_unit"]) for entry in result["start"]] == (
        [("adopt", {"path": SHADOW, "text": OWN["unit"]})] if adopted else []
    )
    assert not [note for note in result["notes"] if SHADOW in note]


@pytest.mark.parametrize(
    ("restart", "containers", "deferred", "notes"),
    [("now", 2, 0, 0), ("defer", 2, 1, 0), ("defer", None, 1, 0), ("defer", 0, 0, 0), ("never", 0, 0, 1)],
)
def test_an_adoption_that_is_put_off_changes_nothing_of_the_user(restart, containers, deferred, notes):
    unit = {"active": "active", "fragment": SHADOW, "shadows": [SHADOW]}
    state = {**STATE, "unit": unit, "own": OWN, "network": NETWORK, "engine": {"containers": containers}}
    result = plan([{"name": "alice"}, {"name": "bob"}], states={"alice": state, "bob": STATE}, adopt=True, restart=restart)
    waits = bool(deferred + notes)
    assert (len(result["deferred"]), len(result["notes"]), result["left_out"]) == (deferred, notes, [])
    assert started(result) == (["bob"] if waits else ["alice", "bob"])
    assert bool([file for file in result["files"] if "/alice/" in file["path"]]) is not waits
    assert result["previous"] == (["alice"] if waits else [])
    for text in result["deferred"] + result["notes"]:
        assert text.startswith(
            f"alice: an adoption is put off (rootless_daemon_restart: {restart}), and it runs as it was started, because "
        )
        assert SHADOW in text
