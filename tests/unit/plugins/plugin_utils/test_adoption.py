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


def state(config=None, arguments="", variables=None, drop_ins=(), errors=(), text=TEXT, files=(), others=()):
    return {
        "home": "/home/alice",
        "uid": 1000,
        "unit": {
            "fragment": UNIT, "shadows": [UNIT, *drop_ins], "environment": variables or {}, "environment_files": list(files),
            "other_variables": list(others),
        },
        "own": {
            "unit": text.format(arguments), "daemon_json": config, "daemon_json_path": "/home/alice/.config/docker/daemon.json",
            "errors": list(errors),
        },
        "network": NETWORK,
    }  # fmt: skip


def user(**options):
    return complete({"name": "alice", **options})


SNAPSHOTTER = {"features": {"containerd-snapshotter": True}}


@pytest.mark.parametrize(
    ("found", "options"),
    [
        (state(), {}),
        (state(config="{}"), {}),
        (state(config=""), {}),
        (state(config='{"debug": true}'), {"daemon_config": {"debug": False}}),
        (state(config='{"data-root": "/data"}'), {"daemon_config": {"data-root": "/data"}}),
        (state(config='{"data-root": "/data/"}'), {"daemon_config": {"data-root": "/data"}}),
        (state(config='{"storage-driver": "vfs"}'), {"daemon_config": {"storage-driver": "vfs"}}),
        (state(config=json.dumps(SNAPSHOTTER)), {"daemon_config": SNAPSHOTTER}),
        (state(config='{"features": {"buildkit": true}}'), {"daemon_config": {"features": {"buildkit": False}}}),
        (state(arguments="--data-root /data"), {"daemon_config": {"data-root": "/data"}}),
        (state(arguments="--data-root=%h/d -H unix://%t/docker.sock"), {"daemon_config": {"data-root": "/home/alice/d"}}),
        (state(arguments="--data-root=/data/%u/%U/100%%"), {"daemon_config": {"data-root": "/data/alice/1000/100%"}}),
        (state(arguments="--data-root=%h/.local/share/docker"), {}),
        (state(), {"daemon_config": {"data-root": "/home/alice/.local/share/docker"}}),
        (
            state(arguments="-s vfs --storage-opt a=1 --storage-opt b=2"),
            {"daemon_config": {"storage-driver": "vfs", "storage-opts": ["a=1", "b=2"]}},
        ),
        (state(arguments="--feature containerd-snapshotter=true"), {"daemon_config": SNAPSHOTTER}),
        (state(arguments="--debug"), {}),
        (state(variables={"XDG_DATA_HOME": "/data"}), {"environment": {"XDG_DATA_HOME": "/data"}}),
        (state(variables={"XDG_DATA_HOME": "/data"}), {"daemon_config": {"data-root": "/data/docker"}}),
        (state(files=["/etc/rootless-docker/alice/environment"]), {}),
        (state(others=["HOME", "HTTPS_PROXY"]), {"environment": {"HOME": "/data"}}),
        (state(text="[Service]\nExecStart=%h/bin/dockerd-rootless.sh\n"), {}),
    ],
)
def test_adopted(found, options):
    assert core.adoption_obstacles(user(**options), found) == []


@pytest.mark.parametrize(
    ("found", "options", "says"),
    [
        (state(config='{"data-root": "/data", "debug": true}'), {}, "daemon.json sets data-root, debug, which daemon_config does not"),
        (state(config='{"data-root": "/data"}'), {"daemon_config": {"data-root": "/other"}}, "data is in '/data'"),
        (state(config='{"data-root": "d"}'), {"daemon_config": {"data-root": "/home/alice/d"}}, "data is in 'd'"),
        (state(config='{"data-root": 1}'), {"daemon_config": {"data-root": "/data"}}, "data is in 'of another form'"),
        (state(), {"daemon_config": {"data-root": "/other"}}, "data is in '/home/alice/.local/share/docker'"),
        (state(), {"environment": {"XDG_DATA_HOME": "/other"}}, "looked for in '/other/docker'"),
        (state(config="{"), {}, "is no JSON object"),
        (state(config="[1]"), {}, "is no JSON object"),
        (state(config="[" * 60000), {}, "is no JSON object"),
        (
            state(config='{"storage-driver": "fuse-overlayfs"}'),
            {"daemon_config": {"storage-driver": "overlay2"}},
            "storage-driver is 'fuse-overlayfs', and 'overlay2' in daemon_config",
        ),
        (state(), {"daemon_config": {"storage-driver": "overlay2"}}, "storage-driver is not set, and 'overlay2' in daemon_config"),
        (state(arguments="--storage-driver vfs"), {}, "storage-driver is 'vfs', and not set in daemon_config"),
        (state(arguments="-svfs"), {}, "storage-driver is 'vfs', and not set in daemon_config"),
        (state(arguments="--storage-opt a=1"), {"daemon_config": {"storage-opts": ["a=2"]}}, "storage-opts is ['a=1'], and ['a=2']"),
        (state(config='{"containerd": "/a"}'), {"daemon_config": {"containerd": "/b"}}, "containerd is '/a', and '/b'"),
        (state(config=json.dumps(SNAPSHOTTER)), {"daemon_config": {"features": {}}}, "containerd-snapshotter is True, and not set"),
        (state(arguments="--feature=containerd-snapshotter=true"), {}, "containerd-snapshotter is True, and not set"),
        (
            state(arguments="--feature=containerd-snapshotter=0"),
            {"daemon_config": SNAPSHOTTER},
            "containerd-snapshotter is False, and True",
        ),
        (state(arguments="--data-root=/data"), {}, "data is in '/data'"),
        (state(arguments="-g /data"), {}, "data is in '/data'"),
        (state(arguments="-g/data"), {}, "data is in '/data'"),
        (state(arguments="\\\n# --debug\n --data-root=/data"), {}, "data is in '/data'"),
        (state(arguments="--data-root=%E/d"), {"daemon_config": {"data-root": "%E/d"}}, "--data-root=%E/d, and only systemd knows"),
        (state(arguments="$OPTIONS"), {}, "its ExecStart has $OPTIONS, and only systemd knows"),
        (state(arguments="--debug 100%"), {}, "its ExecStart has 100%, and only systemd knows"),
        (state(arguments="--config-file /home/alice/d.json"), {}, "--config-file /home/alice/d.json, which would be lost"),
        (
            state(text="ExecStart=/bin/sh -c 'exec dockerd-rootless.sh --data-root=/x'"),
            {},
            "runs /bin/sh and not dockerd-rootless.sh itself",
        ),
        (state(text="ExecStart=/usr/bin/env A=b /usr/bin/dockerd-rootless.sh"), {}, "runs /usr/bin/env and not"),
        (state(text="[Service]\n"), {}, "unit has no ExecStart"),
        (state(variables={"XDG_DATA_HOME": "/data"}), {}, "data is in '/data/docker'"),
        (state(files=["/home/alice/docker.env"]), {"environment": {"XDG_DATA_HOME": "/data"}}, "EnvironmentFile=/home/alice/docker.env"),
        (state(others=["HOME"]), {}, "its Environment has HOME"),
        (state(others=["DOCKER_DRIVER"]), {}, "its Environment has DOCKER_DRIVER"),
        (state(drop_ins=["/home/alice/.config/systemd/user/docker.service.d/a.conf"]), {}, "a.conf would add to the role's unit"),
        (state(errors=["daemon.json cannot be read: not ended in time"]), {}, "not ended in time"),
        ({**state(), "own": None}, {}, "which is not in the user's home"),
    ],
)
def test_not_adopted(found, options, says):
    (text,) = core.adoption_obstacles(user(**options), found)
    assert says in text


@pytest.mark.parametrize("key", ["data-root", "storage-driver", "storage-opts"])
def test_a_hostile_value_is_cut(key):
    nested = "[" * 900 + "]" * 900
    (text,) = core.adoption_obstacles(user(daemon_config={key: "/x"}), state(config=f'{{"{key}": {nested}}}'))
    assert "'of another form'" in text


def test_a_hostile_key_is_cut():
    (text,) = core.adoption_obstacles(user(), state(config=json.dumps({"x" * 5000: 1})))
    assert len(text) < 300


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT.format("--debug -H unix:///x"), ["/usr/bin/dockerd-rootless.sh", "--debug", "-H", "unix:///x"]),
        (TEXT.format("\\\n  --debug"), ["/usr/bin/dockerd-rootless.sh", "--debug"]),
        (" ExecStart = a.sh 'b c' \\\n; no\n d\n# ExecStart=e\n", ["a.sh", "b c", "d"]),
        ("", []),
        ("ExecStart=\nExecStart=/bin/sh 'x", ["/bin/sh 'x"]),
    ],
)
def test_command(text, words):
    assert core.command(text) == words


def test_what_changes_is_said():
    assert core.adoption_changes(user(), "implicit", state(arguments="--debug")) == [
        "network driver slirp4netns -> pasta", "port driver builtin -> implicit", "no more dockerd --debug",
    ]  # fmt: skip
