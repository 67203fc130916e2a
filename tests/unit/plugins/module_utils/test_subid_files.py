# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _subid_files as core
from ansible_collections.portside.rootless_docker.plugins.module_utils import _subid_source
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._subid import Range, SubidError

HOLD = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"


def take(tmp_path, seconds=0.2):
    with core.locked([str(tmp_path / "subuid"), str(tmp_path / "subgid")], Deadline(seconds), str(tmp_path / "pwd.lock")):
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_locks_are_those_of_shadow_utils(tmp_path):
    mine = b"%d\0" % os.getpid()
    assert take(tmp_path) == {"pwd.lock": b"", "subuid.lock": mine, "subgid.lock": mine}
    assert [path.name for path in tmp_path.iterdir()] == ["pwd.lock"], "given back"


def test_a_lock_of_a_process_that_is_gone_holds_nobody(tmp_path):
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    (tmp_path / "subgid.lock").write_bytes(child.stdout.strip() + b"\0")
    take(tmp_path)
    assert not (tmp_path / "subgid.lock").exists()


@pytest.mark.parametrize(("content", "says"), [(b"1\0", "process 1 ("), (b"", "does not name"), (b"x\0", "does not name")])
def test_a_lock_that_is_held_is_named_and_left(tmp_path, content, says):
    (tmp_path / "subgid.lock").write_bytes(content)
    with pytest.raises(SubidError) as error:
        take(tmp_path)
    assert all(text in str(error.value) for text in (f"{tmp_path}/subgid.lock is held by", says, "Nothing was changed. Remedy: "))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pwd.lock", "subgid.lock"]
    assert (tmp_path / "subgid.lock").read_bytes() == content


def test_who_holds_the_lock_of_the_accounts_is_named_and_waited_for(tmp_path):
    lock = tmp_path / "pwd.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(SubidError, match=f"pwd.lock is held by process {other.pid} \\(python"):
            take(tmp_path)
        timer = threading.Timer(0.3, other.stdin.close)
        timer.start()
        take(tmp_path, 20)
        timer.join()


def test_writing_keeps_owner_and_mode_and_leaves_a_backup(tmp_path):
    old, new = tmp_path / "subuid", tmp_path / "subgid"
    old.write_bytes(b"before\xff\n")
    old.chmod(0o640)
    core.write({str(old): core.read(str(old)) + "after\n", str(new): "new\n"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "subuid": b"before\xff\nafter\n",
        "subuid-": b"before\xff\n",
        "subgid": b"new\n",
    }
    assert [stat.S_IMODE(path.stat().st_mode) for path in (old, tmp_path / "subuid-", new)] == [0o640, 0o640, 0o644]


def test_what_cannot_be_written_leaves_all_files_as_they_were(tmp_path):
    (tmp_path / "subuid").write_text("before\n")
    with pytest.raises(OSError, match="nowhere"):
        core.write({str(tmp_path / "subuid"): "after\n", str(tmp_path / "nowhere" / "subgid"): "new\n"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"subuid": "before\n"}


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/hostname"), lambda path: path.mkdir(), os.mkfifo])
def test_what_is_no_regular_file_is_refused(tmp_path, make):
    make(tmp_path / "subuid")
    with pytest.raises(SubidError, match=r"Nothing was changed\. Remedy"):
        core.read(str(tmp_path / "subuid"))


def test_no_file(tmp_path):
    assert core.read(str(tmp_path / "subuid")) is None


@pytest.mark.parametrize(
    ("output", "ranges"),
    [
        ("0: alice 100000 65536\n1: alice 300000 5\n", [Range(100000, 65536), Range(300000, 5)]),
        ("0: alicia 100000 65536\n", []),
        ("0: alice 100000\nalice 1 2\n", []),
        ("", []),
    ],
)
def test_answers_of_getsubids(output, ranges):
    assert _subid_source.parse_answer(output, "alice") == ranges
