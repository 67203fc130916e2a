# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _kernel_settings as core

NAME = "user.max_user_namespaces"
RULES = {NAME: ("minimum", "28633")}


@pytest.mark.parametrize(
    ("current", "kind", "wanted", "good"),
    [
        ("96365", "minimum", "28633", True),
        ("28633", "minimum", "28633", True),
        ("0", "minimum", "28633", False),
        ("0", "maximum", "80", True),
        ("1024", "maximum", "80", False),
        ("1", "value", "1", True),
        ("0 2147483647", "value", "0 2147483647", True),
        ("0", "value", "1", False),
        ("many", "minimum", "1", False),
    ],
)
def test_satisfied(current, kind, wanted, good):
    assert core.satisfied(current, kind, wanted) is good


@pytest.mark.parametrize(
    "rule", [{}, {"minimum": 1, "value": 1}, {"least": 1}, {"minimum": "many"}, {"minimum": True}, {"value": None}, {"value": [1]}, 5, "5"]
)
def test_bad_rules(rule):
    with pytest.raises(core.SettingsError, match=NAME):
        core.parse_rules({NAME: rule})


@pytest.mark.parametrize("name", ["", "forward", "../../user.x", "net..ipv4", "net.ipv4.", "/proc/sys/a", "a.b c", "net.ipv4.x\n"])
def test_bad_names(name):
    with pytest.raises(core.SettingsError, match="is no name"):
        core.parse_rules({name: {"value": 1}})


@pytest.mark.parametrize("name", ["net.ipv4.conf.eth0/1.forwarding", "kernel.unprivileged_userns_clone"])
def test_good_names(name):
    assert name in core.parse_rules({name: {"value": 1}})


def test_good_rules():
    assert core.parse_rules({"a.b": {"value": "0\t5"}, "c.d": {"minimum": 3}}) == {"a.b": ("value", "0 5"), "c.d": ("minimum", "3")}


@pytest.mark.parametrize(
    ("title", "rules", "current", "record", "written", "keep", "apply", "after"),
    [
        ("satisfied", RULES, "96365", {}, {}, {}, {}, {}),
        ("not in this kernel", RULES, None, {}, {}, {}, {}, {}),
        ("too low", RULES, "10", {}, {}, {NAME: "28633"}, {NAME: "28633"}, {NAME: "10"}),
        ("set by us, stays", RULES, "28633", {NAME: "10"}, {NAME: "28633"}, {NAME: "28633"}, {}, {NAME: "10"}),
        ("set by us, drifted", RULES, "5", {NAME: "10"}, {NAME: "28633"}, {NAME: "28633"}, {NAME: "28633"}, {NAME: "10"}),
        ("setting it failed before", RULES, "96365", {NAME: "96365"}, {}, {}, {}, {}),
        ("set before a run was cut off", RULES, "28633", {NAME: "10"}, {}, {NAME: "28633"}, {}, {NAME: "10"}),
        ("no longer declared", {}, "28633", {NAME: "10"}, {NAME: "28633"}, {}, {NAME: "10"}, {}),
        ("no longer declared, changed by others", {}, "500", {NAME: "10"}, {NAME: "28633"}, {}, {}, {}),
        ("no longer declared, back already", {}, "10", {NAME: "10"}, {NAME: "28633"}, {}, {}, {}),
    ],
)
def test_plan(title, rules, current, record, written, keep, apply, after):
    # As an earlier version of the collection left the record, too, as long as the file is there.
    for was_set in ({}, dict.fromkeys(record, "28633")):
        plan = core.plan_sysctls(rules, {NAME: current}, record, was_set, written)
        assert (plan.keep, plan.apply, plan.record) == (keep, apply, after), title
        assert plan.set_to == dict.fromkeys(keep, "28633"), title


@pytest.mark.parametrize(
    ("title", "rules", "current", "was_set", "written", "apply", "set_to"),
    [
        ("the file was removed", {}, "28633", {NAME: "28633"}, {}, {NAME: "10"}, {}),
        ("the file was removed, and the value changed", {}, "500", {NAME: "28633"}, {}, {}, {}),
        ("the file was removed, and the host booted", {}, "10", {NAME: "28633"}, {}, {}, {}),
        ("the file was removed, and nothing is on record", {}, "28633", {}, {}, {}, {}),
        ("less would do", {NAME: ("minimum", "5")}, "28633", {NAME: "28633"}, {NAME: "28633"}, {}, {NAME: "28633"}),
        ("less would do, by an old record", {NAME: ("minimum", "5")}, "28633", {}, {NAME: "28633"}, {}, {NAME: "28633"}),
        ("less would have done", {}, "28633", {NAME: "28633"}, {NAME: "5"}, {NAME: "10"}, {}),
        ("less would have done, and the host booted", {}, "5", {NAME: "28633"}, {NAME: "5"}, {NAME: "10"}, {}),
        ("more is needed", {NAME: ("minimum", "90000")}, "28633", {NAME: "28633"}, {NAME: "28633"}, {NAME: "90000"}, {NAME: "90000"}),
    ],
)
def test_the_value_that_was_set_is_known_without_the_file(title, rules, current, was_set, written, apply, set_to):
    plan = core.plan_sysctls(rules, {NAME: current}, {NAME: "10"}, was_set, written)
    assert (plan.apply, plan.set_to) == (apply, set_to), title


def test_files_read_back_as_written():
    text = core.sysctl_file({"b.c": "1", "a.b": "0 5"}, "# header")
    assert text == "# header\na.b = 0 5\nb.c = 1\n"
    assert core.parse_sysctl_file(text + "; x = 1\n-d.e=2\n") == {"a.b": "0 5", "b.c": "1", "d.e": "2"}
    assert core.sysctl_file({}, "# header") is None
    assert core.modules_file(["tun"], "# header") == "# header\ntun\n"
    assert core.modules_file([], "# header") is None


LOADED = "br_netfilter 32768 0 - Live 0x0\nbridge 311296 1 br_netfilter, Live 0x0\n"
NAMES = ["bridge", "br-netfilter", "tun", "a_b", "overlay"]


@pytest.mark.parametrize(
    ("title", "loaded", "builtin", "keep", "load", "wait"),
    [
        ("what is there is not loaded", LOADED, "kernel/drivers/net/tun.ko\nkernel/fs/a-b.ko.xz\n", NAMES, ["overlay"], []),
        ("the running kernel's modules are gone", LOADED, None, NAMES, [], ["tun", "a_b", "overlay"]),
        ("a kernel without modules", None, None, [], [], []),
        ("a kernel without modules, and a folder", None, "", [], [], []),
    ],
)
def test_modules(title, loaded, builtin, keep, load, wait):
    plan = core.plan_modules(NAMES, loaded, builtin)
    assert (plan.keep, plan.load, plan.wait) == (keep, load, wait), title
