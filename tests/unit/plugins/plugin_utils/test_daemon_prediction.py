# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_prediction as core

KIT = "/opt/rootlesskit/3.2.0/rootlesskit"
GONE = "pasta (pid 3) runs a file that was replaced since: /opt/pasta"
OLD = "/opt/rootlesskit/2.3.6/rootlesskit"


def program(pid, exe, installed=None, deleted=False):
    return {"pid": pid, "exe": exe, "installed": installed or exe, "deleted": deleted}


SLIRP = {"network_driver": "slirp4netns", "pasta": None, "slirp4netns": program(5, "/usr/bin/slirp4netns")}


def info(**differ):
    running = {
        "rootlesskit": program(1, KIT), "dockerd": program(2, "/usr/sbin/dockerd"), "containerd": program(4, "/usr/bin/containerd"),
        "pasta": program(3, "/usr/bin/pasta"), "slirp4netns": None, "network_driver": "pasta", **differ,
    }  # fmt: skip
    host = {
        "rootlesskit": KIT, "rootlesskit_version": "3.2.0", "pasta": None, "pasta_options": None, "launch_script": None,
        "dockerd": None, "dockerd_version": None,
        "unit_text": "[Service]\nExecStart=/usr/bin/dockerd-rootless.sh --config-file=x\n",
    }  # fmt: skip
    return {"host": host, "users": {"alice": {"stale": ["from before"], "running": running}, "bob": {"exists": False}}}


@pytest.mark.parametrize(
    ("differ", "coming", "stale"),
    [
        ({}, {}, []),
        ({}, {"rootlesskit": None, "pasta_options": None, "rewritten": [], "removed": []}, []),
        # The link will be right again, so nothing that runs is old.
        ({"rootlesskit": program(1, KIT, OLD)}, {}, [f"rootlesskit (pid 1) runs {KIT}, installed is {OLD}"]),
        ({"rootlesskit": program(1, KIT, OLD)}, {"rootlesskit": {"path": KIT, "version": "3.2.0"}}, []),
        ({}, {"rootlesskit": {"path": OLD, "version": "2.3.6"}}, [f"rootlesskit (pid 1) runs {KIT}, installed is {OLD}"]),
        ({}, {"rewritten": ["/usr/sbin/dockerd"]}, ["dockerd (pid 2) runs a file that was replaced since: /usr/sbin/dockerd"]),
        ({}, {"rewritten": ["/usr/bin/containerd", "/usr/bin/ctr"]},
         ["containerd (pid 4) runs a file that was replaced since: /usr/bin/containerd"]),
        (SLIRP, {"rewritten": ["/usr/bin/slirp4netns"]}, ["slirp4netns (pid 5) runs a file that was replaced since: /usr/bin/slirp4netns"]),
        # A program beside RootlessKit goes: who did not start it is not touched, who did is.
        ({"pasta": program(3, "/usr/bin/pasta", "/opt/pasta")}, {"removed": ["/opt/pasta"]}, []),
        ({"pasta": program(3, "/opt/pasta")}, {"removed": ["/opt/pasta"]}, [GONE]),
    ],
)  # fmt: skip
def test_stale(differ, coming, stale):
    before = info(**differ)
    kept = copy.deepcopy(before)
    assert core.predicted(before, coming)["users"]["alice"]["stale"] == stale
    assert before == kept, "what was read stays as it was read"


def test_host():
    coming = {"rootlesskit": {"path": OLD, "version": "2.3.6"}, "pasta_options": ["--conf-path"]}
    host = core.predicted(info(), coming)["host"]
    assert (host["rootlesskit"], host["rootlesskit_version"]) == (OLD, "2.3.6")
    assert (host["pasta"], host["pasta_options"]) == ("/usr/bin/pasta", ["--conf-path"])
    assert host["launch_script"] == "/usr/bin/dockerd-rootless.sh"


@pytest.mark.parametrize(
    ("found", "coming", "differ"),
    [
        ({}, {}, {}),
        ({}, {"rewritten": ["/usr/bin/docker"], "pasta_options": None, "dockerd_version": ""}, {}),
        # As they are now they say nothing about what takes their place.
        ({}, {"rewritten": ["/usr/bin/pasta"], "pasta_options": ["--conf-path"]}, {"pasta_options": ["--conf-path"]}),
        ({}, {"rewritten": ["/usr/bin/pasta"], "pasta_options": None}, {"pasta_options": None}),
        ({}, {"rewritten": ["/usr/sbin/dockerd"], "dockerd_version": "26.1.5"}, {"dockerd": None, "dockerd_version": "26.1.5"}),
        ({}, {"rewritten": ["/usr/sbin/dockerd"], "dockerd_version": ""}, {"dockerd": None, "dockerd_version": None}),
        # One that comes first on the PATH and is no package's stays what it is.
        ({"pasta": "/usr/local/bin/pasta"}, {"rewritten": ["/usr/bin/pasta"], "pasta_options": ["--conf-path"]}, {}),
        ({"dockerd": "/usr/local/bin/dockerd"}, {"dockerd_version": "26.1.5"}, {}),
        ({"pasta": None, "pasta_options": None}, {"pasta_options": ["--x"]}, {"pasta": "/usr/bin/pasta", "pasta_options": ["--x"]}),
        ({"dockerd": None, "dockerd_version": None}, {"dockerd_version": "26.1.5"}, {"dockerd_version": "26.1.5"}),
    ],
)
def test_pasta_and_the_engine(found, coming, differ):
    before = info()
    sound = {"pasta": "/usr/bin/pasta", "pasta_options": ["--x"], "dockerd": "/usr/sbin/dockerd", "dockerd_version": "28.5.2"}
    before["host"].update({**sound, **found})
    after = core.predicted(before, coming)["host"]
    assert {name: after[name] for name in sound} == {**sound, **found, **differ}


@pytest.mark.parametrize(
    ("user", "text", "kept"),
    [
        ({"port_driver": "auto"}, 'A="b"\nDOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER="pesto"\n', "pesto"),
        ({"port_driver": "implicit"}, 'DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER="pesto"\n', None),
        ({"port_driver": "auto"}, None, None),
        # Of another network driver.
        ({"port_driver": "auto"}, 'DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER="builtin"\n', None),
        ({"port_driver": "auto"}, "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=a b\n", None),
    ],
)
def test_port_driver_kept(user, text, kept):
    assert core.port_driver_kept(user, text) == kept
