# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade remembers, and how a host becomes that again."""

from __future__ import annotations

import copy
import json

import pytest
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import upgrade_plan as core

FOLDER = "/etc/rootless-docker/alice"
RECORD_FILE = "/var/lib/rootless-docker/upgrade.json"
FILES = {f"{FOLDER}/environment": "NET=pasta\n", f"{FOLDER}/daemon.json": "{}\n", core.WRAPPER: None}
PASST = {"version": "1", "file": "/var/lib/rootless-docker/passt/passt_1_amd64.deb"}
SOUND = {
    "exists": True, "folder": True, "state": "running", "stale": [], "reload_pending": False,
    "environment": "NET=pasta\n", "unit": {"active": "active", "started": 1.5, "fragment": "", "shadows": []},
    "digest": {"declared": "a", "running": "a"}, "network": {"port_driver": {"asked": "implicit", "in_effect": "implicit"}},
}  # fmt: skip
INFO = {
    "host": {"rootlesskit": "/opt/rootlesskit/2.3.6/rootlesskit", "rootlesskit_version": "2.3.6", "pasta_version": "1"},
    "users": {"alice": SOUND},
}


def info(**changes):
    result = copy.deepcopy(INFO)
    result["users"]["alice"].update(changes)
    return result


def record(**changes):
    return {**core.make_record(INFO, FILES, PASST, "/opt/rootlesskit", "now", ["alice"]), **changes}


RESTARTED = {"active": "active", "started": 2.5}


def test_the_record_holds_what_the_way_back_needs():
    result = core.upgrade_record(INFO, {**FILES, RECORD_FILE: None}, PASST, "/opt/rootlesskit/", RECORD_FILE, "now", ["alice"])
    assert not result["unfinished"]
    assert result["before"]["rootlesskit"] == "2.3.6"
    assert result["before"]["files"] == FILES
    assert result["before"]["users"] == {"alice": {"active": True, "started": 1.5, "declared": True}}
    assert result["before"]["unproved"] == ""
    assert result["before"]["text"] == "RootlessKit 2.3.6; passt 1; alice running, port driver implicit"


def test_a_record_of_an_earlier_run_wins():
    earlier = record(begun="then", rootlesskit="2.3.2")
    result = core.upgrade_record(INFO, {**FILES, RECORD_FILE: json.dumps(earlier)}, PASST, "/opt/rootlesskit", RECORD_FILE, "now", [])
    assert result == {"unfinished": True, "before": earlier}


@pytest.mark.parametrize(("earlier", "now", "declared"), [([], [], False), (["alice"], [], True), ([], ["alice"], True)])
def test_whom_either_run_declares_is_brought_back(earlier, now, declared):
    files = {RECORD_FILE: json.dumps(core.make_record(INFO, FILES, PASST, "/opt/rootlesskit", "then", earlier))}
    result = core.upgrade_record(INFO, files, PASST, "/opt/rootlesskit", RECORD_FILE, "now", now)
    assert result["before"]["users"]["alice"]["declared"] is declared


@pytest.mark.parametrize(
    ("environment", "active", "counts"), [("NET=pasta\n", "inactive", True), (None, "active", True), (None, "inactive", False)]
)
def test_a_folder_alone_is_no_daemon(environment, active, counts):
    bob = {**SOUND, "environment": environment, "unit": {**SOUND["unit"], "active": active}}
    result = core.make_record({**INFO, "users": {"bob": bob}}, FILES, PASST, "/opt/rootlesskit", "now", ["bob"])
    assert list(result["users"]) == ["bob"] * counts
    assert ("bob" in result["text"]) is counts


@pytest.mark.parametrize("unproved", ["", "alice: 4 of 60 cells do not pass", None])
def test_a_record_says_whether_there_was_a_proof(unproved):
    text = json.dumps({key: value for key, value in record(unproved=unproved).items() if value is not None})
    assert core.parse_record(text, RECORD_FILE) == record(unproved=unproved or "")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"begun": 1}', json.dumps({**record(), "files": []}), json.dumps({**record(), "unproved": True})]
)
def test_a_damaged_record_is_refused(text):
    with pytest.raises(core.RecordError, match="is damaged"):
        core.parse_record(text, RECORD_FILE)


@pytest.mark.parametrize("path", ["/usr/bin/rootlesskit", "/opt/rootlesskit/rootlesskit", None])
def test_a_rootlesskit_of_another_origin_cannot_be_switched_back_to(path):
    host = {**INFO["host"], "rootlesskit": path}
    assert core.make_record({**INFO, "host": host}, FILES, PASST, "/opt/rootlesskit", "now", [])["rootlesskit"] == ""


def test_files_are_as_they_were():
    way = core.way_back(record(), INFO, [])
    assert {"path": core.WRAPPER, "state": "absent"} in way["files"]
    assert {"path": f"{FOLDER}/environment", "content": "NET=pasta\n", "mode": "0644"} in way["files"]
    assert core.files_back({"files": {core.WRAPPER: "#!/bin/sh\n"}})[0]["mode"] == "0755"


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({}, ""),
        ({"unit": RESTARTED}, ""),
        ({"unit": RESTARTED, "stale": ["rootlesskit (pid 7) runs /opt/rootlesskit/3.2.0/rootlesskit"]}, "restart"),
        ({"unit": RESTARTED, "state": "unusable"}, "restart"),
        ({"unit": {"active": "failed", "started": 2.5}}, "restart"),
        ({"unit": {"active": "failed", "started": 1.5}}, "restart"),
        ({"unit": RESTARTED, "digest": {"declared": "a", "running": "b"}}, "restart"),
        # The upgrade did not come to its restart.
        ({"stale": ["pasta (pid 8) runs a file that was replaced since: /usr/bin/pasta"]}, ""),
        ({"digest": {"declared": "a", "running": "b"}}, ""),
        ({"reload_pending": True}, "reload"),
        ({"exists": False}, ""),
    ],
)
def test_only_what_does_not_run_as_before_is_touched(changes, action):
    assert core.way_back(record(), info(**changes), [])["units"] == ([{"user": "alice", "action": action}] if action else [])


@pytest.mark.parametrize(
    ("was", "action"),
    [
        ({"active": False, "started": None, "declared": True}, ""),
        ({"active": True, "started": 1.5, "declared": False}, ""),
        ({"active": True, "started": None, "declared": True}, "restart"),
        # As earlier versions of the collection have it.
        ({"active": False}, ""),
        ({"active": True}, "restart"),
    ],
)
def test_the_record_says_whose_daemon_is_brought_back(was, action):
    for unit in ({"active": "failed", "started": 1.5}, RESTARTED):
        way = core.way_back(record(users={"alice": was}), info(unit=unit, stale=["dockerd"], reload_pending=True), [])
        assert way["units"] == ([{"user": "alice", "action": action}] if action else [])


def test_ports_that_are_away_are_waited_for():
    outages = [{"user": "alice", "missing": ["127.0.0.1:80"], "since": 7.0}]
    assert core.way_back(record(), info(state="down", unit={"active": "failed", "started": 2.5}), outages)["units"] == [
        {"user": "alice", "action": "restart", "missing": ["127.0.0.1:80"], "since": 7.0}
    ]


OWN_UNIT = "/home/bob/.config/systemd/user/docker.service"


@pytest.mark.parametrize(
    ("fragment", "shadows", "units"),
    [
        ("/etc/systemd/user/docker.service", [], [{"user": "bob", "action": "stop"}]),
        ("/etc/systemd/user/docker.service", ["/home/bob/a.conf"], [{"user": "bob", "action": "stop"}]),
        (OWN_UNIT, [OWN_UNIT], []),
    ],
)
def test_a_new_user_goes_again(fragment, shadows, units):
    files = {**FILES, "/etc/rootless-docker/bob/environment": None, "/etc/rootless-docker/bob/daemon.json": None}
    bob = {**SOUND, "environment": None, "unit": {**RESTARTED, "fragment": fragment, "shadows": shadows}}
    both = {**INFO, "users": {"alice": SOUND, "bob": bob}}
    way = core.way_back(record(files=files), both, [])
    assert {"path": "/etc/rootless-docker/bob/environment", "state": "absent"} in way["files"]
    assert way["units"] == units


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "alice: 2 published ports did not answer for 3.4 s"),
        ({"ports": 1, "missing": ["127.0.0.1:80"]}, "alice: 1 published port did not answer for 3.4 s; still silent: 127.0.0.1:80"),
        ({"gone": ["127.0.0.1:81"]}, "alice: 2 published ports did not answer for 3.4 s; not published any more: 127.0.0.1:81"),
    ],
)
def test_outages_are_said(changes, text):
    assert core.outage_texts([{"user": "alice", "ports": 2, "seconds": 3.4, "since": 1.0, "missing": [], "gone": [], **changes}]) == [text]
