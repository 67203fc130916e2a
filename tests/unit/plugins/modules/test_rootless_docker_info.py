# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields that are documented are those that are returned, and wrong parameters are named."""

from __future__ import annotations

import os
import pathlib
import pwd
import re

import pytest
import yaml
from ansible_collections.portside.rootless_docker.plugins.module_utils import (
    _account_facts,
    _engine_state,
    _health_state,
    _inspect,
    _networks,
    _problems,
    _programs,
    _subid,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._arguments import BadArgument
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import Process
from ansible_collections.portside.rootless_docker.plugins.module_utils._rootlesskit import Info
from ansible_collections.portside.rootless_docker.plugins.modules import rootless_docker_info as module

DOCUMENTED = yaml.safe_load(module.RETURN)
ME = pwd.getpwuid(os.geteuid())
HOST = _inspect.inspect_host("/none", Deadline(5))
FILES = _account_facts.SubordinateFiles(
    {"uid": [_subid.Entry(0, ME.pw_name, _subid.Range(100000, 2)), _subid.Entry(1, "ghost", _subid.Range(100000, 1))], "gid": []},
    {"uid": {}, "gid": {}},
)
USER = _inspect.blank(ME.pw_name, ME, FILES)
ROUTE = _networks.Route(_networks.parse_network("10.0.2.0/24"), "eth1")
PORTS = [{"Names": ["/a"], "Ports": [{"IP": "", "PrivatePort": 80, "PublicPort": 80, "Type": "tcp"}]}]
PROGRAM = _programs.program(Process(pid=7, ppid=1, uid=0, state="S", start=1, comm="x"))


def documented(path):
    """The fields that the documentation has at a place."""
    place = DOCUMENTED
    for part in path.split("/"):
        place = place[part]["contains"]
    return set(place)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("host", {*HOST, "problems"}),
        ("host/sysctls", HOST["sysctls"][0]),
        ("host/apparmor", HOST["apparmor"]),
        ("host/health", HOST["health"]),
        ("host/health/program", _health_state.program_state(__file__)),
        ("host/health/timers", _health_state.parse_timers(["alice"], [], None)[0]),
        ("host/new_homes", HOST["new_homes"]),
        ("host/new_homes", _inspect.NEW_HOMES),
        ("host/cgroup", HOST["cgroup"]),
        ("host/problems", {"cause", *_problems.Problem._fields}),
        ("users", {*USER, "state", "problems", "advice"}),
        ("users/problems", {"cause", *_problems.Problem._fields}),
        ("users/unit", USER["unit"]),
        ("users/digest", USER["digest"]),
        ("users/running", USER["running"]),
        ("users/running/rootlesskit", PROGRAM),
        ("users/running/api", Info(None, None, None).as_result()),
        ("users/engine", USER["engine"]),
        ("users/network", USER["network"]),
        ("users/network/mtu", USER["network"]["mtu"]),
        ("users/network/collisions", _networks.collisions({"cidr": ["10.0.2.0/24"]}, [ROUTE])[0]),
        ("users/published", _engine_state.published_ports(PORTS)),
        ("users/published/ports", _engine_state.published_ports(PORTS)["ports"][0]),
        ("users/subordinate_ids", USER["subordinate_ids"]),
        ("users/subordinate_ids/uids", USER["subordinate_ids"]["uids"][0]),
        ("users/subordinate_overlaps", USER["subordinate_overlaps"][0]),
        ("users/data_root", _account_facts.data_root_facts("/nowhere/at/all", ME)),
        ("users/data_root", USER["data_root"]),
    ],
)
def test_documented_fields_are_those_that_are_returned(path, fields):
    assert documented(path) == set(fields)


def test_every_cause_is_documented():
    text = DOCUMENTED["users"]["contains"]["problems"]["contains"]["cause"]["description"]
    causes = [cause for cause, _rule in _problems.RULES]
    assert re.findall(r"V\((\w+)\)", text if isinstance(text, str) else " ".join(text)) == causes
    guide = pathlib.Path(module.__file__).resolve().parents[2] / "docs" / "guide-info.md"
    rows = re.findall(r"^\| `(\w+)`", guide.read_text().partition("## Every problem")[2], re.MULTILINE)
    advice = [cause for cause, _rule in _problems.ADVICE]
    assert rows == [cause for cause, _rule in _problems.HOST_RULES] + causes + advice
    assert re.findall(r"V\((\w+)\)", " ".join(DOCUMENTED["users"]["contains"]["advice"]["description"])) == advice


@pytest.mark.parametrize("name", ["", "../etc", "a/b", "..", "a\0b"])
def test_a_name_that_is_none_is_named(name):
    with pytest.raises(BadArgument, match="users has"):
        module.checked_users([name])


def test_somebody_else_needs_root(monkeypatch):
    monkeypatch.setattr(module.os, "geteuid", lambda: 4711)
    with pytest.raises(BadArgument, match="users has root, and this runs as uid 4711.*become"):
        module.checked_users(["root"])


def test_programs_of_packages_need_root(monkeypatch):
    monkeypatch.setattr(module.os, "geteuid", lambda: 4711)
    assert module.checked_packages([]) == []
    with pytest.raises(BadArgument, match="verified_packages has slirp4netns, and this runs as uid 4711.*become"):
        module.checked_packages(["slirp4netns"])


def test_names_are_taken_once_and_may_be_unknown():
    assert module.checked_users(["no-such-user", "no-such-user"]) == ["no-such-user"]
