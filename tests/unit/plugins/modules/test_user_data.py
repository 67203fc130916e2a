# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pwd
from types import SimpleNamespace

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _run, _subid, _subid_source
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.modules import user_data as module

NOBODY = ["no-such-user-1", "no-such-user-2", "no-such-user-3"]


@pytest.mark.parametrize("there", [[], NOBODY[:1], NOBODY[1:], NOBODY])
def test_one_users_failure_keeps_nobody_elses_removal(tmp_path, there):
    for user in there:
        (tmp_path / user).mkdir()
    entries = [{"user": user, "data_root": str(tmp_path / user), "account": True} for user in NOBODY]
    done, undone, others = module.removals(entries, check_mode=False, timeout=5)
    assert (done, others) == ([], {})
    assert list(undone) == there
    for user, text in undone.items():
        assert text.startswith(f"{user}: {tmp_path / user} was left alone: the account is gone")
        assert "Remedy: " in text
        assert (tmp_path / user).is_dir()


ALICE = SimpleNamespace(pw_name="alice", pw_uid=1000, pw_gid=1001, pw_dir="/home/alice")


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A host with ids of alice in its files, and, once an answer is given, another source that getsubids asks."""
    files = {"uid": tmp_path / "subuid", "gid": tmp_path / "subgid"}
    files["uid"].write_text("alice:100000:10\n1000:200000:5\nbob:300000:5\n")
    files["gid"].write_text("alice:400000:20\n")
    monkeypatch.setattr(_subid, "FILES", {kind: str(path) for kind, path in files.items()})
    monkeypatch.setattr(_subid_source, "NSSWITCH", str(tmp_path / "nsswitch.conf"))
    monkeypatch.setattr(_run, "SEARCH_PATH", f"{tmp_path}:/usr/bin:/bin")

    def other(script):
        (tmp_path / "nsswitch.conf").write_text("subid: sss\n")
        (tmp_path / "getsubids").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "getsubids").chmod(0o755)

    return other


@pytest.mark.parametrize(
    ("script", "maps"),
    [
        (None, {"uid": "0 1000 1\n1 100000 10\n11 200000 5\n", "gid": "0 1001 1\n1 400000 20\n"}),
        (
            'case $1 in -g) echo "0: $2 900000 7";; *) echo "0: $1 800000 6"; echo "1: $1 800006 4"; echo "2: $1 800000 2";; esac',
            {"uid": "0 1000 1\n1 800000 10\n", "gid": "0 1001 1\n1 900000 7\n"},
        ),
        ("echo Error fetching ranges >&2; exit 1", {"uid": "0 1000 1\n", "gid": "0 1001 1\n"}),
    ],
)
def test_ids_of_the_namespace_are_from_where_the_host_has_them(source, script, maps):
    if script:
        source(script)
    assert module.id_maps(ALICE, Deadline(5)) == maps


def test_a_source_without_an_answer_keeps_the_data(source, tmp_path, monkeypatch):
    source("exit 127")
    monkeypatch.setattr(module, "find_account", lambda _user: pwd.struct_passwd(("alice", "x", 64123, 64123, "", "/home/alice", "/bin/sh")))
    (tmp_path / "data").mkdir()
    for check_mode in (True, False):
        done, undone, others = module.removals([{"user": "alice", "data_root": str(tmp_path / "data"), "account": False}], check_mode, 5)
        assert (done, list(undone), others) == ([], ["alice"], {})
        assert undone["alice"].startswith("alice: getsubids, which asks sss") and "Nothing was changed. Remedy: " in undone["alice"]
    assert (tmp_path / "data").is_dir()


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(
    ("recorded", "data", "outcome"),
    [
        # Of the account that is there, of one that was there before, and of nobody.
        ("another", "own", "others"),
        ("another", "none", "others"),
        ("owner", "own", "undone"),
        ("own", "none", "done"),
        (None, "none", "done"),
    ],
)
def test_nothing_goes_of_another_account_of_the_name(source, tmp_path, monkeypatch, check_mode, recorded, data, outcome):
    """The owner of the data is who runs the tests; the account is another where the data is to be of an earlier one."""
    me = tmp_path.stat().st_uid
    uid = me + 1 if recorded == "owner" else me
    path, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    if data == "own":
        path.mkdir()
    monkeypatch.setattr(module, "find_account", lambda _user: pwd.struct_passwd(("alice", "x", uid, uid, "", str(home), "/bin/sh")))
    removed = []
    monkeypatch.setattr(module, "remove_account", lambda account, *_: removed.append(account.pw_name))
    monkeypatch.setattr(module.core, "refuse_daemon", lambda *_: None)
    entry = {
        "user": "alice",
        "data_root": str(path),
        "account": True,
        "uid": {"another": me + 7, "owner": me, "own": uid, None: None}[recorded],
    }
    found = dict(zip(("done", "undone", "others"), module.removals([entry], check_mode, 5), strict=True))
    assert [name for name, what in found.items() if what] == [outcome]
    if outcome == "done":
        assert removed == ([] if check_mode else ["alice"])
        return
    assert found[outcome]["alice"].startswith(f"alice: the account has uid {uid}, and uid {entry['uid']} is on record")
    assert "Remedy: " in found[outcome]["alice"] and str(path) in found[outcome]["alice"]
    assert (removed, home.is_dir(), path.is_dir()) == ([], True, data == "own")
