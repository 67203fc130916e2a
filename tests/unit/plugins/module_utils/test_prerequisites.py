# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _prerequisites as core

BY_NAME = {sysctl.name: sysctl for sysctl in core.SYSCTLS}


@pytest.mark.parametrize(
    ("name", "text", "value", "ok"),
    [
        ("kernel.unprivileged_userns_clone", "1\n", "1", True),
        ("kernel.unprivileged_userns_clone", "0\n", "0", False),
        ("kernel.unprivileged_userns_clone", None, None, True),
        ("user.max_user_namespaces", "28633\n", "28633", True),
        ("user.max_user_namespaces", "0\n", "0", False),
        ("user.max_user_namespaces", "many\n", "many", None),
        ("net.ipv4.ip_unprivileged_port_start", "1024\n", "1024", None),
        ("net.ipv4.ping_group_range", "1\t0\n", "1 0", False),
        ("net.ipv4.ping_group_range", "0\t2147483647\n", "0 2147483647", True),
        ("net.ipv4.ping_group_range", "2000\t1000\n", "2000 1000", False),
    ],
)
def test_sysctl(name, text, value, ok):
    judged = core.judge(BY_NAME[name], text)
    assert (judged["value"], judged["ok"]) == (value, ok)


def test_every_sysctl_is_read(tmp_path):
    (tmp_path / "sys" / "user").mkdir(parents=True)
    (tmp_path / "sys" / "user" / "max_user_namespaces").write_text("7\n")
    read = {each["name"]: each for each in core.read_sysctls(str(tmp_path))}
    assert list(read) == list(BY_NAME)
    assert (read["user.max_user_namespaces"]["value"], read["user.max_user_namespaces"]["ok"]) == ("7", False)


def kernel(folder, enabled, restrict):
    (folder / "module" / "apparmor" / "parameters").mkdir(parents=True)
    (folder / "module" / "apparmor" / "parameters" / "enabled").write_text(enabled)
    (folder / "sys" / "kernel").mkdir(parents=True)
    if restrict is not None:
        (folder / "sys" / "kernel" / "apparmor_restrict_unprivileged_userns").write_text(restrict)
    (folder / "profiles").mkdir()
    (folder / "profiles" / "opt.rootlesskit").write_text("profile x /opt/rootlesskit/*/rootlesskit flags=(unconfined) { userns, }\n")
    (folder / "profiles" / "other").write_text("profile y /usr/bin/y {}\n")


@pytest.mark.parametrize(
    ("enabled", "restrict", "found"),
    [
        ("Y\n", "1\n", (True, True, ["opt.rootlesskit"])),
        ("Y\n", "0\n", (True, False, ["opt.rootlesskit"])),
        ("Y\n", None, (True, None, ["opt.rootlesskit"])),
        ("N\n", None, (False, None, [])),
    ],
)
def test_apparmor(tmp_path, enabled, restrict, found):
    kernel(tmp_path, enabled, restrict)
    read = core.apparmor(str(tmp_path), str(tmp_path), str(tmp_path / "profiles"))
    assert (read["enabled"], read["restrict_unprivileged_userns"], [os.path.basename(path) for path in read["profiles"]]) == found


def test_a_kernel_without_apparmor(tmp_path):
    assert core.apparmor(str(tmp_path), str(tmp_path), str(tmp_path)) == {
        "enabled": False, "restrict_unprivileged_userns": None, "profiles": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        (b"unconfined\n", "unconfined"),
        (b"passt//pasta (enforce)\n\0", "passt//pasta (enforce)"),
        (b"", None),
        (b"\x1b\n", "\\x1b"),
        (None, None),
    ],
)
def test_label(tmp_path, raw, label):
    (tmp_path / "7" / "attr" / "apparmor").mkdir(parents=True)
    if raw is not None:
        (tmp_path / "7" / "attr" / "apparmor" / "current").write_bytes(raw)
    assert core.apparmor_label(7, str(tmp_path)) == label
