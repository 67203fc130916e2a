# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs beside each other, each a real process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _lock as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline

HOLD = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
WRITE = """
import contextlib, io, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.portside.rootless_docker.plugins.module_utils import _lock
from ansible_collections.portside.rootless_docker.plugins.modules import system_files
_lock.FOLDER = sys.argv[1]
for number in range(60):
    arguments = {"files": [{"path": f"{sys.argv[1]}/file", "content": f"{sys.argv[2]} {number}"}]}
    said = io.StringIO()
    try:
        with patch_module_args(arguments), contextlib.redirect_stdout(said):
            system_files.main()
    except SystemExit as end:
        if end.code:
            sys.exit(said.getvalue())
"""


@pytest.fixture
def lock(tmp_path, monkeypatch):
    monkeypatch.setattr(core, "FOLDER", str(tmp_path))
    return tmp_path / "rootless-docker-files.lock"


def test_nothing_of_it_stays(lock):
    for _time in range(2):
        with core.one_at_a_time("files", Deadline(1)):
            assert (lock.stat().st_mode & 0o777, lock.read_bytes()) == (0o600, b"")
        assert not lock.exists()


def test_it_is_given_back_after_a_failure(lock):
    with pytest.raises(ZeroDivisionError), core.one_at_a_time("files", Deadline(1)):
        raise ZeroDivisionError
    assert not lock.exists()


def test_a_file_that_a_killed_run_left_holds_nobody(lock):
    lock.touch()
    with core.one_at_a_time("files", Deadline(0)):
        pass
    assert not lock.exists()


def test_check_mode_takes_none(lock):
    with core.one_at_a_time("files", Deadline(0), check_mode=True):
        assert not lock.exists()


def test_a_link_is_not_followed(lock, tmp_path):
    lock.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="rootless-docker-files.lock"), core.one_at_a_time("files", Deadline(0)):
        pass
    assert not (tmp_path / "other").exists()


def test_who_holds_it_is_named_and_waited_for(lock):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(core.LockError) as error, core.one_at_a_time("files", Deadline(0.2)):
            pass
        assert f"{lock} is held by process {other.pid} (python" in str(error.value)
        assert "Nothing was changed. Remedy: " in str(error.value)
        timer = threading.Timer(0.3, other.stdin.close)
        timer.start()
        with core.one_at_a_time("files", Deadline(20)):
            pass
        timer.join()


def test_two_runs_that_write_one_file_both_end_well(tmp_path):
    runs = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path), name], stderr=subprocess.PIPE, text=True) for name in ("one", "other")
    ]
    assert [run.communicate(timeout=60)[1] for run in runs] == ["", ""]
    assert [run.returncode for run in runs] == [0, 0]
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() in ("one 59", "other 59")
