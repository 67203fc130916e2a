# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time: a lock against other runs on the same host, and who holds one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from collections.abc import Iterator

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import read_text

FOLDER = "/run"
"""Only root can write there, and a reboot empties it."""
PAUSE = 0.05
"""Seconds between two attempts."""
FLAGS = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class LockError(Exception):
    """Another run holds the lock; the text names it, who holds it, and the remedy."""


def program(pid: int | None) -> str:
    """A process, as a sentence names it."""
    if pid is None:
        return "a process that it does not name"
    comm = (read_text(f"/proc/{pid}/comm", 64) or "").strip()
    return f"process {pid} ({comm if comm.isprintable() else '?'})" if comm else f"process {pid}"


def lock_owner(handle: int) -> int | None:
    """Who holds a lock that keeps this process from a file; None where the kernel does not say."""
    form = "@hhqqi"
    try:
        answer = fcntl.fcntl(handle, fcntl.F_GETLK, struct.pack(form, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return None
    return struct.unpack(form, answer)[4] or None


def taken(handle: int) -> bool:
    """Whether a file could be locked, without waiting."""
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def one_at_a_time(what: str, deadline: Deadline, check_mode: bool = False) -> Iterator[None]:
    """Hold the lock of what a run is about to change. It is of this process: never take it twice.

    :param what: a word for the file's name.
    :param check_mode: nothing is changed, so nothing is locked either, and nobody is waited for.
    :raises LockError: another process holds it until the deadline.
    :raises OSError: it cannot be made.
    """
    if check_mode:
        yield
        return
    path = os.path.join(FOLDER, f"rootless-docker-{what}.lock")
    while True:
        handle = os.open(path, FLAGS, 0o600)
        try:
            if taken(handle):
                # Who held it before has removed the file, so that nothing stays on the host: what is locked must be what has the name.
                if _same(handle, path):
                    try:
                        yield
                    finally:
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(path)
                    return
            elif deadline.expired():
                raise LockError(
                    f"{path} is held by {program(lock_owner(handle))}: another run changes this host at the same time. "
                    "Nothing was changed. Remedy: wait until it has ended, or end it, and run again"
                )
            else:
                time.sleep(PAUSE)
        finally:
            # This gives it back, and so does the end of this process, however it ends.
            os.close(handle)


def _same(handle: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False
