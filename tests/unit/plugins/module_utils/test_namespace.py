# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _namespace as namespace
from ansible_collections.portside.rootless_docker.plugins.module_utils import _namespace_agent


@pytest.mark.parametrize(
    ("detached", "netns"),
    [(False, "--net"), (True, "--net=/proc/532/root/run/user/1000/dockerd-rootless/netns")],
)
def test_namespace_argv(detached, netns):
    argv = namespace.namespace_argv(532, detached, 1000, ["id"])
    assert argv == ["nsenter", "--target", "532", "--user", "--preserve-credentials", netns, "--", "id"]


SPECIFICATION = {"proto": "tcp4", "parentIP": "127.0.0.1", "parentPort": 20001, "childPort": 20001}


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([], []),
        ([{"id": 3, "spec": {**SPECIFICATION, "childIP": "10.0.2.100"}}], [3]),
        ([{"id": 3, "spec": {**SPECIFICATION, "parentPort": 20002}}, {"id": 4, "spec": SPECIFICATION}], [4]),
        ([{"id": 3, "spec": {"proto": "tcp4"}}], []),
        ({"message": "no"}, None),
        ([{"spec": SPECIFICATION}], None),
        ([{"id": 3, "spec": "x"}], None),
        (None, None),
    ],
)
def test_ports_that_were_asked_for_without_an_answer_are_found_again(listed, expected):
    assert _namespace_agent.matching(json.dumps(listed), [SPECIFICATION]) == expected


def test_a_list_that_is_no_json_is_none():
    assert _namespace_agent.matching("<html>", [SPECIFICATION]) is None
