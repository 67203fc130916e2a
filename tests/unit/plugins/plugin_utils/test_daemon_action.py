# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_action as core
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import DIGEST

WANTED = {"NET": "pasta", "PROXY": "p", DIGEST: "new"}
UNIT, ENVIRONMENT = "/etc/systemd/user/docker.service", "/etc/rootless-docker/alice/environment"
CONFIG = "/etc/rootless-docker/alice/daemon.json"
SOUND = {
    "exists": True, "unit": {"active": "active"}, "stale": [], "reload_pending": False, "environment": "text", "daemon_json": "{}",
    "changed_since_start": [], "running": {"variables": WANTED, "rootlesskit": {"pid": 318}},
}  # fmt: skip
EDITED = {"environment": "other", "changed_since_start": [ENVIRONMENT]}
LOST = "its RootlessKit cannot be found, so nobody knows what runs (STATE/child_pid names no process of the user's)"
NET_DIFFERS = "NET is 'slirp4netns', declared is 'pasta'"
WITH_UNIT = f"it was started with {UNIT} as somebody changed it"


def runs(**variables):
    return {"running": {**SOUND["running"], "variables": {**WANTED, **variables}}}


def without(name):
    return {"running": {**SOUND["running"], "variables": {key: value for key, value in WANTED.items() if key != name}}}


@pytest.mark.parametrize(
    ("differ", "changed", "effect", "action", "reason"),
    [
        ({}, [], [], "none", ""),
        ({"exists": False}, [], [], "start", "it is new"),
        ({"unit": {"active": "inactive"}, "stale": ["x"]}, [UNIT], ["y"], "start", "it is inactive"),
        ({"unit": {"active": "failed"}}, [], [], "start", "it is failed"),
        ({"unit": {"active": "no user manager"}}, [], [], "start", "it is no user manager"),
        ({"stale": ["dockerd was replaced", "pasta is dead"]}, [], [], "restart", "dockerd was replaced; pasta is dead"),
        ({"running": {"variables": {}, "rootlesskit": None}}, [], [], "restart", LOST),
        # A changed declaration: the file is not as wanted.
        ({**EDITED, **runs(NET="slirp4netns", **{DIGEST: "old"})}, [], [], "restart", NET_DIFFERS),
        ({**EDITED, **runs(**{DIGEST: "old"})}, [], [], "restart", core.REST_CHANGED),
        # A run that was cut off before the restart: the file is as wanted, and newer than the daemon.
        ({"changed_since_start": [ENVIRONMENT], **runs(**{DIGEST: None})}, [], [], "restart", core.REST_CHANGED),
        ({"changed_since_start": [ENVIRONMENT]}, [], ["x"], "restart", "x"),
        # All of it is as wanted and older than the daemon, and still another value is in force: it would be so again.
        (runs(NET="slirp4netns"), [], [], "stuck", NET_DIFFERS),
        ({}, [], ["dockerd runs with -H tcp://"], "stuck", "dockerd runs with -H tcp://"),
        ({"changed_since_start": [CONFIG]}, [], ["dockerd runs with -H tcp://"], "stuck", "dockerd runs with -H tcp://"),
        ({}, [UNIT], ["dockerd runs with -H tcp://"], "restart", "dockerd runs with -H tcp://"),
        # Edited by hand after the start: written anew, and nobody's containers are stopped.
        (EDITED, [], [], "none", ""),
        ({"environment": "# better\ntext"}, [], [], "none", ""),
        ({"changed_since_start": [UNIT]}, [UNIT], [], "none", ""),
        # Edited by hand before the start.
        ({}, [UNIT], [], "restart", WITH_UNIT),
        ({**EDITED, **runs(EXTRA="1")}, [], [], "restart", "EXTRA is set, and nobody declared it"),
        ({**EDITED, **runs(EXTRA=None)}, [], [], "none", ""),
        # A line was taken out, so nobody has looked at what runs.
        ({**EDITED, **without("PROXY")}, [], [], "restart", core.NOBODY_KNOWS),
        ({"environment": None, **without("PROXY")}, [], [], "restart", core.NOBODY_KNOWS),
        ({"environment": None}, [], [], "none", ""),
    ],
)  # fmt: skip
def test_unit_action(differ, changed, effect, action, reason):
    assert core.unit_action(WANTED, "text", "{}", {**SOUND, **differ}, changed, effect) == (action, reason)


TAKEN_UP = "daemon.json was changed by hand, and dockerd took it up: "


@pytest.mark.parametrize(
    ("wanted", "found", "pending", "action", "reason"),
    [
        ({}, {}, False, "none", ""),
        ({}, {}, True, "reload", core.RELOAD),
        ({}, None, False, "reload", core.RELOAD),
        # dockerd has not read what is there now, so it has what is declared.
        ({}, {"data-root": "/x"}, True, "reload", core.RELOAD),
        ({"debug": True}, {"debug": False}, False, "reload", core.RELOAD),
        ({}, {"debug": True}, False, "restart", TAKEN_UP + "debug"),
        ({"mtu": 1500, "debug": True}, {"mtu": 9000, "hosts": []}, False, "restart", TAKEN_UP + "debug, hosts, mtu"),
    ],
)
def test_config_action(wanted, found, pending, action, reason):
    state = {"daemon_json": None if found is None else json.dumps(found, indent=1), "reload_pending": pending}
    wanted = state["daemon_json"] if wanted == found else json.dumps(wanted)
    assert core.config_action(wanted, state) == (action, reason)


@pytest.mark.parametrize("text", ["{", "[]", "1", "[" * 100000])
def test_config_that_is_none(text):
    action, reason = core.config_action("{}", {"daemon_json": text, "reload_pending": False})
    assert (action, reason) == ("restart", "daemon.json was changed by hand since, and cannot be read")


def test_edited():
    wanted = {"unit": "#!/bin/sh\n# a\nb\n", "wrapper": "c\n", "new": "d\n"}
    assert core.edited(wanted, {"unit": "#!/bin/sh\n\n# other\nb\n", "wrapper": "c\n", "new": None}, []) == []
    assert core.edited(wanted, {"unit": "#!/bin/bash\nb\n", "wrapper": "", "new": None}, ["drop-in"]) == ["unit", "wrapper", "drop-in"]


MARK = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("mark", "start"),
    [
        (f"{MARK}-1795946400250000", "1795946400250000"),
        (MARK, ""),
        (None, ""),
        ("", ""),
        # What runs is the user's.
        *((f"{MARK}-{text}", "") for text in ("", "x", "1\n", "1\nPATH=/", "²", "1" * 21, "1-2")),
    ],
)
def test_named_start(mark, start):
    assert core.named_start(mark) == start


@pytest.mark.parametrize(
    ("title", "declared", "runs", "start"),
    [
        ("sound, and never edited", MARK, MARK, ""),
        ("sound, and was once restarted for it", f"{MARK}-7", f"{MARK}-7", "7"),
        ("due, also where it was due once before", f"{MARK}-2500000", f"{MARK}-7", "2500000"),
        ("due for the first time", f"{MARK}-2500000", MARK, "2500000"),
        ("due, and something else is declared, too", f"{MARK[::-1]}-2500000", MARK, "2500000"),
        ("a file that was lost", None, f"{MARK}-7", "7"),
        ("a file that was changed by hand", f"{MARK}-8", f"{MARK}-7", "7"),
        ("a daemon of before", f"{MARK}-8", MARK, ""),
        ("no start could be read, and it still runs", f"{MARK}-01", MARK, "01"),
        ("the same, and it was once restarted for that", f"{MARK}-02", f"{MARK}-01", "02"),
        ("no start could be read, and it was started since", f"{MARK}-01", f"{MARK}-01", "01"),
        ("one that is down", f"{MARK}-8", None, "8"),
        ("one that is down and was never due", MARK, None, ""),
    ],
)
def test_start_to_name(title, declared, runs, start):
    state = {
        **SOUND,
        "unit": {"active": "active", "started": 2.5},
        "environment": declared and f'A="b"\n{DIGEST}="{declared}"\n',
        "running": {"variables": {DIGEST: runs}},
    }
    assert core.start_to_name(state) == start, title


@pytest.mark.parametrize(
    ("declared", "start"),
    [("", "01"), (MARK, "01"), (f"{MARK}-1795946400250000", "01795946400250001"), (f"{MARK}-01", "02"), (f"{MARK}-09", "010"), ("0", "01")],
)
def test_start_of_no_daemon(declared, start):
    assert core.start_of_no_daemon(f'A="b"\n{DIGEST}="{declared}"\n') == start
    assert core.named_start(f"{MARK}-{start}") == start


OTHER = MARK[::-1]


@pytest.mark.parametrize(
    ("text", "others", "mark"),
    [
        (f'# c\nA="b"\n{DIGEST}="{MARK}"\n', '# c\nA="b"\n', MARK),
        (f'A="b"\n{DIGEST}="{MARK}-8"\n', 'A="b"\n', MARK),
        (f'A="b"\n {DIGEST} = {MARK}\n\nB=c', 'A="b"\n\nB=c\n', MARK),
        # Damaged, lost, empty.
        (f'{DIGEST}="0"\nA="b"\n', 'A="b"\n', OTHER),
        (f'A="b"\nX{DIGEST}=1', f'A="b"\nX{DIGEST}=1\n', OTHER),
        ("", "", OTHER),
    ],
)
def test_with_start(text, others, mark):
    assert core.with_start(text, "7", OTHER) == f'{others}{DIGEST}="{mark}-7"\n'


def test_start_to_name_of_a_new_user():
    assert core.start_to_name({"exists": False}) == ""


@pytest.mark.parametrize(
    ("runs", "same"),
    [("--ipv6", True), ("--detach-netns --ipv6", True), ("--detach-netns --debug", False), ("--detach-netns", False), (None, False)],
)
def test_flags_as_newer_launch_scripts_show_them(runs, same):
    variables = {"DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS": "--ipv6", DIGEST: MARK}
    assert (core.unlike_declared(variables, {**variables, "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS": runs}) == []) is same


def test_a_restart_that_an_earlier_run_found_says_so():
    found = core.unlike_declared({"NET": "pasta", DIGEST: f"{MARK}-9"}, {"NET": "pasta", DIGEST: f"{MARK}-7"})
    assert found == [core.PUT_RIGHT]


@pytest.mark.parametrize(
    ("policy", "action", "containers", "waits"),
    [
        ("now", "restart", 3, False),
        ("defer", "restart", 3, True),
        ("defer", "restart", None, True),
        ("defer", "restart", 0, False),
        ("never", "restart", 0, True),
        ("now", "adopt", 3, False),
        ("defer", "adopt", 3, True),
        ("defer", "adopt", None, True),
        ("defer", "adopt", 0, False),
        ("never", "adopt", 0, True),
        *((policy, action, 3, False) for policy in ("defer", "never") for action in ("start", "reload", "none", "stuck")),
    ],
)
def test_put_off(policy, action, containers, waits):
    assert core.put_off(policy, action, {"unit": {"active": "active"}, "engine": {"containers": containers}}) is waits


@pytest.mark.parametrize("policy", ["defer", "never"])
@pytest.mark.parametrize(
    ("active", "waits"), [("inactive", False), ("failed", False), ("no user manager", False), ("activating", True), ("reloading", True)]
)
def test_an_adoption_that_stops_nothing_is_not_put_off(policy, active, waits):
    assert core.put_off(policy, "adopt", {"unit": {"active": active}, "engine": {"containers": None}}) is waits


@pytest.mark.parametrize(
    ("found", "pending", "reread", "action"),
    [("{}", False, False, "none"), ("{}", False, True, "reread"), ("{}", True, True, "reload"), (None, False, False, "reload")],
)
def test_meanwhile(found, pending, reread, action):
    assert core.meanwhile("{}", {"daemon_json": found, "reload_pending": pending}, reread) == action


@pytest.mark.parametrize(
    ("since", "action"), [([], "reread"), ([UNIT, ENVIRONMENT], "reread"), ([CONFIG], "reload"), ([ENVIRONMENT, CONFIG, UNIT], "reload")]
)
def test_reading(since, action):
    assert core.reading({"changed_since_start": since})[0] == action
