# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pwd

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _account_facts as core

PASSWD = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n+\nodd:x:many\nldap1:x:165536:1::/:/bin/sh\n"
SUBUID = "alice:100000:65536\nbob:165000:65536\n1000:300000:10\n1000:300000:5\nnonsense\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "passwd").write_text(PASSWD)
    (tmp_path / "subuid").write_bytes(b"\xff\xfe:1:2\n" + SUBUID.encode())
    paths = {"uid": str(tmp_path / "subuid"), "gid": str(tmp_path / "none")}
    return core.read_files(paths, {"uid": str(tmp_path / "passwd"), "gid": str(tmp_path / "none")})


def test_subordinate_ids(files):
    facts = core.subordinate_facts(files, "alice", 1000)
    assert (facts["subuid_count"], facts["subgid_count"]) == (65546, 0), "by name and by number, each id once"
    assert facts["subordinate_ids"] == {
        "uids": [
            {"owner": "alice", "first": 100000, "count": 65536},
            {"owner": "1000", "first": 300000, "count": 10},
            {"owner": "1000", "first": 300000, "count": 5},
        ],
        "gids": [],
    }
    assert facts["subordinate_overlaps"] == [{"file": "/etc/subuid", "first": 165000, "count": 536, "whose": "bob"}]


def test_overlaps_with_accounts(files):
    assert core.subordinate_facts(files, "bob", 1001)["subordinate_overlaps"] == [
        {"file": "/etc/subuid", "first": 165000, "count": 536, "whose": "alice"},
        {"file": "/etc/subuid", "first": 165536, "count": 1, "whose": "uid ldap1"},
    ]
    assert core.subordinate_facts(files, "nobody-here", 7)["subordinate_overlaps"] == []


@pytest.mark.parametrize(
    ("daemon_json", "variables", "path"),
    [
        (None, {}, "/home/alice/.local/share/docker"),
        ("{}", {"XDG_DATA_HOME": "/srv/data"}, "/srv/data/docker"),
        ("{}", {"XDG_DATA_HOME": "relative"}, "/home/alice/.local/share/docker"),
        ('{"data-root": "/srv/alice"}', {"XDG_DATA_HOME": "/srv/data"}, "/srv/alice"),
        ('{"data-root": "relative"}', {}, "/home/alice/.local/share/docker"),
        ('{"data-root": 5}', {}, "/home/alice/.local/share/docker"),
        ("{", {}, "/home/alice/.local/share/docker"),
        ("[]", {}, "/home/alice/.local/share/docker"),
    ],
)
def test_where_the_data_is(daemon_json, variables, path):
    assert core.data_root_path("/home/alice", daemon_json, variables) == path


def account(home, uid=None):
    me = list(pwd.getpwuid(os.geteuid()))
    me[2], me[5] = os.geteuid() if uid is None else uid, str(home)
    return pwd.struct_passwd(me)


def test_the_deepest_folder_that_is_there_is_judged(tmp_path):
    facts = core.data_root_facts(str(tmp_path / "a" / "b"), account(tmp_path))
    free = os.statvfs(tmp_path)
    assert facts.pop("free_bytes") == pytest.approx(free.f_bavail * free.f_frsize, rel=0.2)
    assert facts.pop("free_files") in (None, pytest.approx(free.f_favail, rel=0.2))
    assert facts == {
        "path": str(tmp_path / "a" / "b"), "exists": False, "home_exists": True, "folder": str(tmp_path), "read_only": False,
        "owner_is_user": True, "writable": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "own", "writable"),
    [(0o755, True, True), (0o555, True, False), (0o755, False, False), (0o775, False, True), (0o757, False, True)],
)
def test_who_may_write(tmp_path, mode, own, writable):
    tmp_path.chmod(mode)
    facts = core.data_root_facts(str(tmp_path), account("/nonexistent", None if own else 4242))
    assert (facts["owner_is_user"], facts["writable"], facts["exists"], facts["home_exists"]) == (own, writable, True, False)


@pytest.mark.parametrize(
    ("text", "folder", "known"),
    [
        ("", "/home", True),
        ("# HOME=/srv\nHOME=/usr\n", "/usr", True),
        ("HOME=relative\n", "/home", True),
        ("HOME=/nowhere\n", "/nowhere", False),
    ],
)
def test_where_new_homes_are_made(tmp_path, text, folder, known):
    (tmp_path / "useradd").write_text(text)
    facts = core.new_homes(str(tmp_path / "useradd"))
    assert (facts["folder"], facts["read_only"] is not None) == (folder, known)


@pytest.mark.parametrize("target", ["loop", "/nonexistent/x"])
def test_a_link_that_leads_nowhere_is_passed_over(tmp_path, target):
    (tmp_path / "loop").symlink_to(target)
    assert core.data_root_facts(str(tmp_path / "loop" / "docker"), account(tmp_path))["path"] == str(tmp_path / "loop" / "docker")


@pytest.mark.parametrize(
    ("record", "uid", "another"),
    [
        ({}, 1000, None),
        ({"uid": 1000}, 1000, None),
        ({"uid": 999}, 1000, 999),
        ({"uid": 0}, 1000, 0),
        ({"uid": 999}, None, None),
        ({"uid": "999"}, 1000, None),
        ({"uid": True}, 1000, None),
    ],
)
def test_a_record_of_another_account(record, uid, another):
    assert core.another_uid(record, uid) == another
