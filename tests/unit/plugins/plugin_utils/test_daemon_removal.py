# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What outlives a daemon that was removed is on record until it is gone too."""

from __future__ import annotations

import json

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._health_state import PROGRAM, RECORDS, SERVICE, TIMER, link
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_plan
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_removal as core
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.health_plan import health_plan

DATA = "/home/alice/.local/share/docker"
TEXTS = {"unit": f"{daemon_plan.HEAD}\n", "wrapper": "", "shell": ""}
HOST = {
    "dockerd": "/usr/sbin/dockerd", "dockerd_version": "26.1.5", "launch_script": "/usr/bin/dockerd-rootless.sh",
    "rootlesskit": "/opt/rootlesskit/3.2.0/rootlesskit", "rootlesskit_version": "3.2.0", "pasta": "/usr/bin/pasta",
    "pasta_options": ["--host-lo-to-ns-lo"], "slirp4netns": None, "altered": {}, "ephemeral_ports": [32768, 60999], "configured": ["alice"],
    "unit_text": TEXTS["unit"], "missing_subordinate_files": [], "wrapper_text": None, "drop_ins": [],
}  # fmt: skip
STATE = {
    "exists": True, "folder": True, "home": "/home/alice", "uid": 1000, "linger": False, "subuid_count": 65536, "subgid_count": 65536,
    "made": {}, "stale": [], "reload_pending": False,
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
    ("state", "config", "path"),
    [
        ({}, {}, DATA),
        ({"daemon_json": '{"data-root": "/srv/alice"}'}, {"data-root": "/declared"}, "/srv/alice"),
        ({"daemon_json": "{}"}, {"data-root": "/declared"}, DATA),
        ({}, {"data-root": "/declared"}, "/declared"),
        ({"daemon_json": "damaged"}, {}, DATA),
        ({"daemon_json": "[]"}, {}, DATA),
        ({"environment": 'A="b"\nXDG_DATA_HOME="/data/alice"\n'}, {}, "/data/alice/docker"),
    ],
)
def test_where_the_data_is_that_is_kept(state, config, path):
    assert recorded(plan(state, daemon_config=config)["files"][-1])["alice"]["data_root"] == path


def test_kept_data_is_on_record_before_the_folder_goes():
    result = plan({"made": MADE})
    assert recorded(result["files"][-1]) == {"alice": {"account": True, "subid": MADE["subid"], "uid": 1000, "data_root": DATA}}
    assert (result["hand_back"], result["subid_back"]) == ([], [])
    assert core.after_data(result, {})["record"] == result["files"][-1]
    assert result["notes"] == [f"alice: kept are the data in {DATA}, the account, its subordinate ids"]


def test_folders_that_go_with_the_last_user():
    folders = {entry["path"]: entry["state"] for entry in plan()["directories"]}
    own = dict.fromkeys(("/etc/rootless-docker", "/etc/rootless-docker/alice"), "absent")
    # Not /usr/local/libexec, which Debian 13 makes.
    shared = ("/etc/systemd/user/default.target.wants", "/usr/local/libexec/rootless-docker", core.STATE)
    assert folders == {**own, **dict.fromkeys(shared, "absent_if_empty")}


def test_data_that_goes_is_on_record_until_it_is_gone():
    result = plan({"made": MADE}, remove_data=True)
    assert list(recorded(result["files"][-1])) == ["alice"]
    assert result["hand_back"] == [{"user": "alice", "data_root": DATA, "account": True, "uid": 1000}]
    assert result["subid_back"] == [], "they go with the account"
    assert recorded(core.after_data(result, {})["record"]) is None


@pytest.mark.parametrize(
    ("undone", "users", "ids"),
    [
        ([], ["carol"], ["alice", "bob"]),
        (["alice"], ["alice", "carol"], ["bob"]),
        (["alice", "bob"], ["alice", "bob", "carol"], []),
    ],
)
def test_whose_data_did_not_go_stays_on_record_with_the_ids(undone, users, ids):
    kept = {name: {"data_root": DATA, "subid": MADE["subid"]} for name in ("alice", "bob", "carol")}
    declared = [{"name": name, "state": "absent", "remove_data": name != "carol"} for name in kept]
    states = {name: {**STATE, "folder": False} for name in kept}
    result = daemon_plan.make_plan(declared, {"host": {**HOST, "configured": [], "kept": kept}, "users": states}, TEXTS)
    after = core.after_data(result, {name: f"{name}: why" for name in undone})
    assert recorded(after["record"]) == {name: kept[name] for name in users}
    assert [entry["user"] for entry in after["subid_back"]] == ids


def test_ids_that_the_role_did_not_give_are_remembered_and_left():
    ids = {"subuid": [[100000, 65536]], "subgid": []}
    result = plan({"made": {"ids": ids}}, remove_data=True)
    assert recorded(result["files"][-1]) == {"alice": {"ids": ids, "uid": 1000, "data_root": DATA}}
    assert result["subid_back"] == []
    assert plan({"made": {"ids": ids}})["notes"] == [f"alice: kept are the data in {DATA}"]


def test_ids_that_the_role_gave_to_somebody_elses_account():
    made = {"subid": MADE["subid"]}
    taken = {"user": "alice", "state": "absent", "start": 100000, "count": 65536, "kinds": ["uid"]}
    assert plan({"made": made}, remove_data=True)["subid_back"] == [taken]
    assert plan({"made": made})["subid_back"] == []


@pytest.mark.parametrize("record", [None, [], {"subuid": 1}, {"subuid": [1, [1], ["a", 2], [1, True]]}])
def test_a_damaged_record_of_ids_takes_nothing(record):
    assert core.subids_to_take("alice", record) == []


@pytest.mark.parametrize(
    ("uid", "handed"),
    [({}, {}), ({"uid": 1000}, {"uid": 1000}), ({"uid": "damaged"}, {}), ({"uid": True}, {})],
)
def test_what_was_kept_earlier_goes_later(uid, handed):
    kept = {"alice": {"account": True, "data_root": "/srv/a", **uid}, "bob": {"data_root": "/srv/b"}}
    gone = {"folder": False, "made": {}}
    result = plan(gone, kept, remove_data=True)
    assert result["hand_back"] == [{"user": "alice", "data_root": "/srv/a", "account": True, **handed}]
    assert recorded(result["files"][-1]) == kept
    assert recorded(core.after_data(result, {})["record"]) == {"bob": kept["bob"]}
    # A run without remove_data changes nothing, and says nothing again.
    result = plan(gone, kept)
    assert (result["hand_back"], result["notes"], recorded(core.after_data(result, {})["record"])) == ([], [], kept)


@pytest.mark.parametrize("remove_data", [False, True])
@pytest.mark.parametrize("kept", [{}, {"account": True, "subid": MADE["subid"], "uid": 999, "data_root": "/k"}])
def test_an_account_that_came_later_under_the_name_is_not_the_roles(kept, remove_data):
    made = {**MADE, "home": "/old/alice", "uid": 999}
    result = plan({"made": made}, {"alice": kept} if kept else {}, remove_data=remove_data)
    data = "/old/alice/.local/share/docker"
    assert result["kept"] == {"alice": {"uid": 999, "data_root": data}}
    # The module finds out what is there, and has the same uid to go by.
    assert result["hand_back"] == ([{"user": "alice", "data_root": data, "account": False, "uid": 999}] if remove_data else [])
    assert (result["subid_back"], result["left_out"]) == ([], [])
    assert result["notes"][0].startswith("alice: the account has uid 1000, and uid 999 is on record") and "Remedy: " in result["notes"][0]
    assert {f"{core.CONFIGURATION}/alice/{name}" for name in core.FILES} <= {file["path"] for file in result["files"]}


def test_ids_of_another_account_are_left_and_the_record_goes():
    kept = {"alice": {"subid": MADE["subid"], "uid": 999, "data_root": DATA}}
    result = plan({"folder": False}, kept, remove_data=True)
    assert [entry["user"] for entry in core.after_data(result, {})["subid_back"]] == ["alice"]
    after = core.after_data(result, {}, {"alice": "alice: another"})
    assert (after["subid_back"], recorded(after["record"])) == ([], None)


OWN = {"name": "bob", "folder": False, "running": {"variables": {}, "rootlesskit": {"pid": 318}, "dockerd": {"pid": 342}}}
SHADOW = {"fragment": "/home/bob/x", "shadows": ["/home/bob/x"]}
SPARED = "bob: a daemon runs that is not the role's to stop: process 318, 342. "


@pytest.mark.parametrize(
    ("differ", "says"),
    [
        ({**OWN, "unit": {**STATE["unit"], **SHADOW, "active": "active"}}, SPARED),
        # However it was started.
        (OWN, SPARED),
        ({**OWN, "running": {"variables": {}, "rootlesskit": None, "dockerd": {"pid": 342}}}, SPARED.replace("318, ", "")),
        # Configured by the role, which its own unit hides; and of which somebody removed the folder.
        ({**OWN, "folder": True, "unit": {**STATE["unit"], **SHADOW, "active": "active"}}, SPARED),
        ({**OWN, "unit": {**STATE["unit"], "active": "active"}}, SPARED),
        # Nobody knows.
        (
            {**OWN, "running": STATE["running"], "incomplete": True, "data_root": {"path": None}},
            "bob: not everything of it was read in time",
        ),
        # Its manager gives no answer, and its processes were read: there are none.
        ({"name": "bob", "folder": False, "unit": {**STATE["unit"], "error": "not ended in time"}}, ""),
        ({"name": "bob", "folder": False, "unit": {**STATE["unit"], **SHADOW}}, ""),
        # The role stops it.
        ({**OWN, "folder": True, "unit": {**STATE["unit"], "active": "active"}}, ""),
        ({"exists": False, "folder": False, "name": "bob"}, ""),
    ],
)
def test_a_daemon_that_is_not_stopped_keeps_what_it_needs(differ, says):
    bob = {**STATE, **differ}
    configured = ["alice", "bob"] if bob["folder"] else ["alice"]
    info = {"host": {**HOST, "configured": configured, "kept": {}}, "users": {"alice": {**STATE, "name": "alice"}, "bob": bob}}
    users = core.users_to_remove(info, False)
    result = daemon_plan.make_plan(users, info, TEXTS, spare=True)
    assert result["unanswered"] == (["bob"] if says else [])
    assert len(result["left_out"]) == len(result["unanswered"])
    assert all(text.startswith(says) and "Remedy: " in text for text in result["left_out"])
    # Whatever is the role's goes, as it does where nobody is spared.
    plain = daemon_plan.make_plan(users, info, TEXTS)
    assert (plain["unanswered"], plain["left_out"]) == ([], [])
    assert {**result, "unanswered": [], "left_out": []} == plain


def test_whose_daemon_could_not_be_stopped_is_said_once():
    runs = {**STATE, **OWN, "folder": True, "unit": {**STATE["unit"], "active": "active"}}
    info = {"host": {**HOST, "configured": ["bob"], "kept": {}}, "users": {"bob": runs}}
    result = daemon_plan.make_plan(core.users_to_remove(info, False), info, TEXTS, unstopped={"bob": "bob: why"}, spare=True)
    assert (result["left_out"], result["unanswered"]) == (["bob: why"], ["bob"])


def test_data_of_a_daemon_that_was_never_ours_is_not_touched():
    result = plan({"folder": False}, remove_data=True)
    assert result["hand_back"] == []
    assert core.RECORD not in [file["path"] for file in result["files"]]


def test_what_was_kept_is_made_again_when_the_user_comes_back():
    kept = {"alice": {"account": True, "data_root": DATA}}
    result = plan({"folder": False}, kept, state="present")
    made = next(file for file in result["files"] if file["path"].endswith("made.json"))
    assert json.loads(made["content"]) == {"account": True, "home": "/home/alice", "linger": True, "uid": 1000}
    assert recorded(result["files"][-1]) is None
    # One who cannot be served stays on record.
    shadow = {"active": "active", "fragment": "/home/alice/x", "shadows": ["/home/alice/x"]}
    assert recorded(plan({"folder": False, "unit": shadow}, kept, state="present")["files"][-1]) == kept


def test_the_record_forgets_who_comes_back_only_after_made_json_says_it():
    """A run that is killed in between leaves both. What is removed is removed after all that is written, whatever the order here is."""
    kept = {"alice": {"account": True, "data_root": DATA}, "bob": {"data_root": "/srv/b"}}
    files = plan({"folder": False}, kept, state="present")["files"]
    paths = [file["path"] for file in files]
    assert recorded(files[-1]) == {"bob": kept["bob"]}
    assert paths.index(f"{core.CONFIGURATION}/alice/made.json") < paths.index(core.RECORD)
    # What the next run finds then: the folder, and both on record still.
    result = plan({"made": {"account": True, "linger": True}}, kept, state="present")
    made = next(file for file in result["files"] if file["path"].endswith("made.json"))
    assert json.loads(made["content"]) == {"account": True, "home": "/home/alice", "linger": True, "uid": 1000}
    assert recorded(result["files"][-1]) == {"bob": kept["bob"]}


def test_everybody():
    info = {"host": {"configured": ["bob", "alice"], "kept": {"carol": {"data_root": "/c"}}}}
    assert [user["name"] for user in core.users_to_remove(info, False)] == ["alice", "bob"]
    timers = [{"user": "dora", "linked": True}, {"user": "erin", "linked": False}, {"user": "..", "linked": True}]
    watched = {"host": {**info["host"], "health": {"timers": timers}}}
    assert [user["name"] for user in core.users_to_remove(watched, False)] == ["alice", "bob", "dora"]
    assert core.users_to_remove({"host": {**info["host"], "health": None}}, False) == core.users_to_remove(info, False)
    assert core.users_to_remove(info, True)[2] == {"name": "carol", "state": "absent", "remove_data": True}


def test_data_under_a_daemon_of_the_users_own_is_kept():
    own = {**STATE["unit"], "active": "active", "fragment": "/home/alice/x", "shadows": ["/home/alice/x"]}
    result = plan({"made": MADE, "unit": own}, remove_data=True)
    assert result["hand_back"] == []
    assert "/home/alice/x" in result["left_out"][0]
    assert "Remedy: as alice" in result["left_out"][0]


SILENT = {"unit": {**STATE["unit"], "active": "no user manager", "error": "not ended in time"}, "uid": 1000}
UNREAD = {"unit": {**STATE["unit"], "active": "no user manager"}, "incomplete": True, "data_root": {"path": None}}


@pytest.mark.parametrize("remove_data", [False, True])
@pytest.mark.parametrize("unknown", [SILENT, UNREAD])
def test_nothing_goes_of_a_user_of_whom_nobody_knows_what_runs(unknown, remove_data):
    result = plan({"made": MADE, **unknown}, remove_data=remove_data)
    (text,) = result["left_out"]
    assert text.startswith("alice was left out: ") and "Remedy: " in text
    assert (result["stop"], result["hand_back"], result["subid_back"], result["reasons"]) == ([], [], [], [])
    gone = [entry["path"] for entry in result["files"] + result["directories"] if entry.get("state") == "absent"]
    # None is declared, and the wrapper may be in use.
    assert gone == [daemon_plan.SHELL_SNIPPET]
    assert {file["path"] for file in result["files"]} >= {daemon_plan.UNIT, daemon_plan.ENABLED}, "as long as it is there"


@pytest.mark.parametrize("unknown", [SILENT, UNREAD])
def test_data_that_was_kept_stays_where_nobody_knows_what_runs(unknown):
    kept = {"alice": {"data_root": DATA}}
    result = plan({"folder": False, **unknown}, kept, remove_data=True)
    assert (len(result["left_out"]), result["hand_back"]) == (1, [])
    assert [recorded(file) for file in result["files"] if file["path"] == core.RECORD] == [kept]


HEALTH = {"program": None, "service": "S", "timer": "T", "textfile_directory": "/m"}
TIMER_OF = {"linked": True, "active": "active", "load": "loaded", "needs_daemon_reload": False}


@pytest.mark.parametrize("remove_data", [False, True])
@pytest.mark.parametrize("unstopped", [[], ["alice"], ["bob"], ["alice", "bob"]])
def test_whose_daemon_did_not_stop_keeps_what_it_needs_and_nobody_elses(unstopped, remove_data):
    runs = {**STATE, "unit": {**STATE["unit"], "active": "active"}, "made": MADE, "linger": True}
    timers = [{**TIMER_OF, "user": name} for name in ("alice", "bob")]
    info = {"host": {**HOST, "configured": ["alice", "bob"], "kept": {}}, "users": {"alice": runs, "bob": runs}}
    users = core.users_to_remove(info, remove_data)
    result = daemon_plan.make_plan(users, info, TEXTS, unstopped={name: f"{name}: why" for name in unstopped})
    stopped = [name for name in ("alice", "bob") if name not in unstopped]
    assert result["left_out"] == [f"{name}: why" for name in unstopped]
    assert result["unanswered"] == unstopped
    assert [entry["user"] for entry in result["hand_back"]] == (stopped if remove_data else [])
    gone = {entry["path"] for entry in result["files"] + result["directories"] if entry.get("state") == "absent"}
    assert {name for name in ("alice", "bob") if f"{core.CONFIGURATION}/{name}" in gone} == set(stopped)
    assert {name for name in ("alice", "bob") if f"{core.CONFIGURATION}/{name}/environment" in gone} == set(stopped)
    shared = {daemon_plan.UNIT, daemon_plan.ENABLED, daemon_plan.WRAPPER, core.CONFIGURATION}
    assert shared & gone == (set() if unstopped else shared)
    # On record is what outlives the daemons that go.
    assert [list(recorded(file)) for file in result["files"] if file["path"] == core.RECORD] == ([stopped] if stopped else [])
    health = health_plan(result, users, {**HEALTH, "timers": timers}, {"service": "S", "timer": "T", "directory": "/m"}, True, b"")
    assert health["stop"] == [f"rootless-docker-health@{name}.{kind}" for name in stopped for kind in ("timer", "service")]
    assert ({SERVICE, PROGRAM} <= {file["path"] for file in health["files"] if file["state"] == "absent"}) == (not unstopped)


@pytest.mark.parametrize(
    "state",
    [
        {"unit": {**STATE["unit"], "active": "no user manager", "error": ""}},
        # Nothing of the role's is there, so what runs is nothing to it.
        {"folder": False, **SILENT},
        # Only the place of the data gave no answer.
        {"incomplete": True, "data_root": {"path": "/nfs/alice"}},
    ],
)
def test_an_answer_is_enough_for_a_removal(state):
    assert plan(state)["left_out"] == []
    assert {"path": "/etc/rootless-docker/alice", "state": "absent", "exclusive": True} in plan(state)["directories"]


GONE = {"exists": False, "folder": True, "environment": None, "daemon_json": None, "orphans": []}
ORPHANS = [{"pid": 883, "uid": 200001}, {"pid": 1069, "uid": 200001}]


def plan_without_account(made, kept=None, remove_data=False, **differs):
    info = {"host": {**HOST, "kept": kept or {}}, "users": {"alice": {"name": "alice", "made": made, **GONE, **differs}}}
    return daemon_plan.make_plan([{"name": "alice", "state": "absent", "remove_data": remove_data}], info, TEXTS)


@pytest.mark.parametrize("remove_data", [False, True])
def test_nothing_goes_of_a_daemon_that_runs_without_an_account(remove_data):
    result = plan_without_account({**MADE, "home": "/home/alice"}, remove_data=remove_data, orphans=ORPHANS)
    (text,) = result["left_out"]
    wanted = ("process 883, 1069 of uid 200001", "Remedy: ", "getent passwd alice", "systemctl stop user@200001.service`")
    assert text.startswith("alice was left out: there is no such account, and its daemon runs") and all(part in text for part in wanted)
    assert (result["unanswered"], result["kept"], result["hand_back"], result["notes"]) == (["alice"], {}, [], [])
    gone = [entry["path"] for entry in result["files"] + result["directories"] if entry.get("state") == "absent"]
    assert gone == [daemon_plan.SHELL_SNIPPET]


@pytest.mark.parametrize(
    ("made", "state", "kept", "record", "says"),
    [
        # The account is nothing to remove any more, and one that comes later under its name is not the role's.
        (
            {**MADE, "home": "/h/alice"},
            {},
            {},
            {"subid": MADE["subid"], "data_root": "/h/alice/.local/share/docker"},
            "kept are the data in /h",
        ),
        ({"linger": True}, {"daemon_json": '{"data-root": "/srv/a"}'}, {}, {"data_root": "/srv/a"}, "kept are the data in /srv/a"),
        ({"linger": True}, {"environment": 'XDG_DATA_HOME="/d"'}, {}, {"data_root": "/d/docker"}, "kept are the data in /d/docker"),
        ({"linger": True}, {}, {"data_root": "/kept", "account": True}, {"data_root": "/kept"}, "kept are the data in /kept"),
        (
            MADE,
            {"daemon_json": '{"data-root": "/s/a"}'},
            {"data_root": "/k", "account": True},
            {"subid": MADE["subid"], "data_root": "/s/a"},
            "/s/a",
        ),
        # Damaged, or of a version that did not write down the home.
        (MADE, {}, {}, None, "its data stays, and so do the subordinate ids"),
        ({"linger": True, "home": 7}, {}, {}, None, "its data stays, and is not on record"),
    ],
)
def test_a_folder_goes_whose_account_is_gone_and_of_which_nothing_runs(made, state, kept, record, says):
    result = plan_without_account(made, {"alice": kept} if kept else {}, **state)
    assert (result["left_out"], result["stop"]) == ([], [])
    assert result["notes"][0].startswith("alice: there is no such account, and its daemon does not run")
    assert says in result["notes"][1]
    assert result["kept"] == ({"alice": record} if record else {})
    gone = [entry["path"] for entry in result["files"] + result["directories"] if entry.get("state") == "absent"]
    assert {f"{core.LINGER}/alice", "/etc/rootless-docker/alice/made.json", "/etc/rootless-docker/alice"} <= set(gone)


def test_of_an_account_that_is_gone_the_ids_go_after_the_data():
    result = plan_without_account({**MADE, "linger": False, "home": "/home/alice"}, remove_data=True)
    assert result["hand_back"] == [{"user": "alice", "data_root": DATA, "account": False}]
    assert core.after_data(result, {"alice": "the data is there"})["subid_back"] == []
    assert [entry["start"] for entry in core.after_data(result, {})["subid_back"]] == [100000]
    assert f"{core.LINGER}/alice" not in [file["path"] for file in result["files"]], "lingering that was there before is not the role's"


def test_the_health_timer_of_a_user_without_a_folder_goes_too():
    timers = [{**TIMER_OF, "user": "alice"}]
    info = {"host": {**HOST, "configured": [], "health": {**HEALTH, "timers": timers}}, "users": {}}
    users = core.users_to_remove(info, False)
    daemons = daemon_plan.make_plan(users, info, TEXTS)
    result = health_plan(daemons, users, info["host"]["health"], {"service": "S", "timer": "T", "directory": "/m"}, True, b"")
    assert result["stop"] == ["rootless-docker-health@alice.timer", "rootless-docker-health@alice.service"]
    gone = [file["path"] for file in result["files"] if file["state"] == "absent"]
    assert gone == ["/m/rootless_docker_alice.prom", link("alice"), f"{RECORDS}/alice.json", SERVICE, TIMER, PROGRAM]
    assert (daemons["left_out"], daemons["stop"], daemons["reasons"], daemons["notes"]) == ([], [], [], [])
    assert {file["path"] for file in daemons["files"] + daemons["directories"]} <= {
        core.CONFIGURATION,
        f"{core.CONFIGURATION}/alice",
        *(f"{core.CONFIGURATION}/alice/{name}" for name in core.FILES),
    }
