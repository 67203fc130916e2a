# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A daemon of a user's own unit is adopted only where nothing is lost."""

from __future__ import annotations

import json

import pytest
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import adoption as core
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import complete

UNIT = "/home/alice/.config/systemd/user/docker.service"
TEXT = "[Service]\nEnvironment=PATH=/usr/bin\nExecStart=/usr/bin/dockerd-rootless.sh {}\n"
NETWORK = {
    "driver": {"asked": None, "in_effect": "slirp4netns"},
    "port_driver": {"asked": None, "in_effect": "builtin"},
    "mtu": {"asked": 65520, "in_effect": None},
}


def state(config=None, arguments="", variables=None, drop_ins=(), errors=(), text=TEXT):
    return {
        "unit": {"fragment": UNIT, "shadows": [UNIT, *drop_ins], "environment": variables or {}},
        "own": {
            "unit": text.format(arguments), "daemon_json": config, "daemon_json_path": "/home/alice/.config/docker/daemon.json",
            "errors": list(errors),
        },
        "network": NETWORK,
    }  # fmt: skip


def user(**options):
    return complete({"name": "alice", **options})


@pytest.mark.parametrize(
    ("found", "options"),
    [
        (state(), {}),
        (state(config="{}"), {}),
        (state(config=""), {}),
        (state(config='{"debug": true}'), {"daemon_config": {"debug": False}}),
        (state(config='{"data-root": "/data"}'), {"daemon_config": {"data-root": "/data"}}),
        (state(arguments="--data-root /data"), {"daemon_config": {"data-root": "/data"}}),
        (state(arguments="--debug"), {}),
        (state(variables={"XDG_DATA_HOME": "/data"}), {"environment": {"XDG_DATA_HOME": "/data"}}),
    ],
)
def test_adopted(found, options):
    assert core.adoption_obstacles(user(**options), found) == []


@pytest.mark.parametrize(
    ("found", "options", "says"),
    [
        (state(config='{"data-root": "/data", "debug": true}'), {}, "daemon.json sets data-root, debug, which daemon_config does not"),
        (state(config='{"data-root": "/data"}'), {"daemon_config": {"data-root": "/other"}}, "has its data in '/data'"),
        (state(config="{"), {}, "is no JSON object"),
        (state(config="[1]"), {}, "is no JSON object"),
        (state(config="[" * 60000), {}, "is no JSON object"),
        (state(arguments="--data-root=/data"), {}, "its ExecStart has --data-root /data"),
        (state(arguments="-g /data"), {}, "its ExecStart has -g /data"),
        (state(arguments="--config-file /home/alice/d.json"), {}, "--config-file /home/alice/d.json, which would be lost"),
        (state(variables={"XDG_DATA_HOME": "/data"}), {}, "XDG_DATA_HOME=/data"),
        (state(drop_ins=["/home/alice/.config/systemd/user/docker.service.d/a.conf"]), {}, "a.conf would add to the role's unit"),
        (state(errors=["daemon.json cannot be read: not ended in time"]), {}, "not ended in time"),
        ({**state(), "own": None}, {}, "which is not in the user's home"),
    ],
)
def test_not_adopted(found, options, says):
    assert any(says in text for text in core.adoption_obstacles(user(**options), found))


def test_a_hostile_key_is_cut():
    (text,) = core.adoption_obstacles(user(), state(config=json.dumps({"x" * 5000: 1})))
    assert len(text) < 300


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT.format("--debug -H unix:///x"), ["--debug", "-H", "unix:///x"]),
        (TEXT.format("\\\n  --debug"), ["--debug"]),
        ("", []),
        ("ExecStart=\nExecStart=/bin/sh 'x", ["/bin/sh 'x"]),
        ("ExecStart=/usr/bin/rootlesskit dockerd --debug", ["/usr/bin/rootlesskit", "dockerd", "--debug"]),
    ],
)
def test_arguments(text, words):
    assert core.arguments(text) == words


def test_what_changes_is_said():
    assert core.adoption_changes(user(), "implicit", state(arguments="--debug")) == [
        "network driver slirp4netns -> pasta", "port driver builtin -> implicit", "no more dockerd --debug",
    ]  # fmt: skip
