# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _health_state as there
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import health_plan as core

PROGRAM = b"PK\x00\xff"
STATE = {"sha256": hashlib.sha256(PROGRAM).hexdigest(), "mode": "0644", "owner": "0:0"}
TEXTS = {"service": "S --textfile-directory=/m %i", "timer": "T", "directory": "/m"}
BARE = {"program": None, "service": None, "timer": None, "textfile_directory": None, "timers": []}
SHARED = [there.SERVICE, there.TIMER, there.PROGRAM]


def timer(user, **differs):
    return {"user": user, "linked": True, "active": "active", "load": "loaded", "needs_daemon_reload": False, **differs}


def sound(*users, **differs):
    """A host on which these users have timers as declared, or with differences."""
    timers = [timer(user) for user in users]
    return {"program": STATE, "service": TEXTS["service"], "timer": "T", "textfile_directory": "/m", "timers": timers, **differs}


def plan(users, host, texts=None, default=True, left_out=()):
    served = [user["name"] for user in users if user.get("state") != "absent" and user["name"] not in left_out]
    daemons = {"directories": [{"path": "/etc/rootless-docker"}, *({"path": f"/etc/rootless-docker/{name}"} for name in served)]}
    gone = [{"path": f"/etc/rootless-docker/{user['name']}", "state": "absent"} for user in users if user.get("state") == "absent"]
    daemons["directories"] += gone
    return core.health_plan(daemons, users, host, texts or TEXTS, default, PROGRAM)


def paths(result, state="present"):
    return [file["path"] for file in result["files"] if file.get("state", "present") == state]


def to_do(result):
    return {key: result[key] for key in ("stop", "reload", "start") if result[key]}


ALICE, BOB = {"name": "alice"}, {"name": "bob"}
GONE, OFF = {"name": "alice", "state": "absent"}, {"name": "alice", "health": False}


def test_a_bare_host():
    result = plan([ALICE], BARE)
    assert paths(result) == [*SHARED, there.link("alice")]
    assert result["files"][2] == {"path": there.PROGRAM, "content_base64": base64.b64encode(PROGRAM).decode()}
    assert to_do(result) == {"reload": True, "start": ["rootless-docker-health@alice.timer"]}
    assert result["directories"] == []


def test_a_sound_host_has_nothing_to_do_and_the_program_does_not_travel():
    result = plan([ALICE, BOB], sound("alice", "bob"))
    assert to_do(result) == {}
    assert there.PROGRAM not in paths(result)


@pytest.mark.parametrize("name", ["a.b", "C-d", "_x"])
def test_names_are_taken_as_they_are(name):
    assert paths(plan([{"name": name}], BARE))[-1] == f"/etc/systemd/system/timers.target.wants/rootless-docker-health@{name}.timer"


@pytest.mark.parametrize(
    ("differs", "todo", "travels"),
    [
        ({"program": None}, {}, True),
        ({"program": {**STATE, "sha256": "0"}}, {}, True),
        ({"program": {**STATE, "mode": "0666"}}, {}, True),
        ({"program": {**STATE, "owner": "1000:0"}}, {}, True),
        ({"service": "old"}, {"reload": True}, False),
        ({"timer": "old"}, {"reload": True}, False),
        ({"timer": None}, {"reload": True}, False),
        ({"timers": [timer("alice", active="inactive")]}, {"start": [there.timer("alice")]}, False),
        ({"timers": [timer("alice", active="failed")]}, {"start": [there.timer("alice")]}, False),
        ({"timers": []}, {"start": [there.timer("alice")]}, False),
        ({"timers": [timer("alice", linked=False)]}, {}, False),
        ({"timers": [timer("alice", needs_daemon_reload=True)]}, {"reload": True}, False),
        ({"timers": [timer("alice", load="masked", active="inactive")]}, {"reload": True, "start": [there.timer("alice")]}, False),
        # Where systemd says nothing, nothing is done by guess.
        ({"timers": [timer("alice", active="unknown", load="unknown")]}, {}, False),
    ],
)
def test_drift(differs, todo, travels):
    result = plan([ALICE], sound("alice", **differs))
    assert to_do(result) == todo
    assert (there.PROGRAM in paths(result)) is travels


@pytest.mark.parametrize("user", [GONE, OFF])
def test_the_last_one_goes_with_everything(user):
    result = plan([user], sound("alice"))
    assert to_do(result) == {"stop": ["rootless-docker-health@alice.timer", "rootless-docker-health@alice.service"], "reload": True}
    assert paths(result) == []
    assert paths(result, "absent") == ["/m/rootless_docker_alice.prom", there.link("alice"), f"{there.RECORDS}/alice.json", *SHARED]
    assert result["directories"] == [{"path": there.RECORDS, "state": "absent"}]
    # Cut off before systemd read its units again, and run once more on what is left.
    assert to_do(plan([user], {**BARE, "timers": [timer("alice", linked=False, active="inactive", load="not-found")]})) == {}


def test_one_goes_and_the_other_stays():
    result = plan([OFF, BOB], sound("alice", "bob"))
    assert to_do(result) == {"stop": ["rootless-docker-health@alice.timer", "rootless-docker-health@alice.service"]}
    assert paths(result) == [there.SERVICE, there.TIMER, there.link("bob")]
    assert there.link("alice") in paths(result, "absent") and there.SERVICE not in paths(result, "absent")


def test_those_who_are_not_declared_keep_theirs():
    result = plan([GONE], sound("alice", "bob"))
    assert paths(result, "absent") == ["/m/rootless_docker_alice.prom", there.link("alice"), f"{there.RECORDS}/alice.json"]
    assert not result["reload"] and result["directories"] == []


def test_a_user_who_is_left_out_keeps_theirs():
    result = plan([ALICE], sound("alice"), left_out=("alice",))
    assert paths(result) == paths(result, "absent") == []
    assert to_do(result) == {}


@pytest.mark.parametrize("user", [GONE, OFF])
def test_one_who_is_to_have_none_and_is_left_out_keeps_theirs(user):
    daemons = {"directories": [{"path": "/etc/rootless-docker"}]}
    result = core.health_plan(daemons, [user], sound("alice"), TEXTS, True, PROGRAM)
    assert (paths(result), paths(result, "absent"), result["directories"], to_do(result)) == ([], [], [], {})


def test_a_users_option_decides_before_the_variable():
    users = [{"name": "alice", "health": True}, BOB]
    assert there.link("alice") in paths(plan(users, BARE, default=False))
    assert there.link("bob") in paths(plan(users, BARE, default=False), "absent")
    assert there.link("alice") in paths(plan([OFF], BARE, default=True), "absent")


def test_metrics_go_from_where_they_were():
    texts = {"service": "S %i", "timer": "T", "directory": ""}
    assert "/m/rootless_docker_alice.prom" in paths(plan([ALICE], sound("alice"), texts), "absent")
    texts = {"service": "S --textfile-directory=/n %i", "timer": "T", "directory": "/n"}
    gone = paths(plan([ALICE], sound("alice"), texts), "absent")
    assert "/m/rootless_docker_alice.prom" in gone and "/n/rootless_docker_alice.prom" not in gone


@pytest.mark.parametrize(
    ("interval", "directory", "named"),
    [
        (60, "/var/lib/prometheus/node-exporter", None),
        ("10", "", None),
        (9, "", "rootless_daemon_health_interval 9"),
        (86401, "", "rootless_daemon_health_interval 86401"),
        (1.5, "", "rootless_daemon_health_interval 1.5"),
        ("1m", "", "rootless_daemon_health_interval '1m'"),
        (True, "", "rootless_daemon_health_interval True"),
        (60, "metrics", "rootless_daemon_health_textfile_directory 'metrics'"),
        (60, "/a b", "'/a b'"),
        (60, "/a/%h", "'/a/%h'"),
        (60, "/a/../etc", "'/a/../etc'"),
        (60, "/a/", "'/a/'"),
        (60, "/", "'/'"),
        (60, "/a\n", "/a"),
        (60, None, "None"),
    ],
)
def test_input(interval, directory, named):
    errors = core.input_errors(interval, directory)
    assert len(errors) == (named is not None)
    assert named is None or named in errors[0]
