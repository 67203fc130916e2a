# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The account files /etc/subuid and /etc/subgid: locked, read and written as shadow-utils does it (lib/commonio.c there).

Its tools first take the system's lock of the account files, /etc/.pwd.lock (lckpwdf(3)), for which they wait 15 seconds; then each file's
own, FILE.lock with the pid in it, for which they do not wait. So who holds the first keeps them waiting instead of failing.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._lock import PAUSE, lock_owner, program, taken
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import read_text, whole_number
from ansible_collections.portside.rootless_docker.plugins.module_utils._subid import SubidError

ACCOUNTS_LOCK = "/etc/.pwd.lock"
MAX_SIZE = 16 * 1024 * 1024
"""Bytes of a file that are taken."""


# -- the locks -----------------------------------------------------------------


@contextlib.contextmanager
def locked(paths: list[str], deadline: Deadline, accounts_lock: str = ACCOUNTS_LOCK) -> Iterator[None]:
    """Hold the system's lock of the account files, and that of each of these files.

    :raises SubidError: somebody else holds one until the deadline.
    :raises OSError: a lock cannot be made.
    """
    with contextlib.ExitStack() as held:
        held.enter_context(_accounts_locked(accounts_lock, deadline))
        for path in paths:
            held.enter_context(_file_locked(path, deadline))
        yield


@contextlib.contextmanager
def _accounts_locked(path: str, deadline: Deadline) -> Iterator[None]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while not taken(handle):
            if deadline.expired():
                raise SubidError(
                    f"{path} is held by {program(lock_owner(handle))}, so another program changes accounts. Nothing was changed. "
                    "Remedy: wait until it has ended, or end it, and run again"
                )
            time.sleep(PAUSE)
        # Closing the handle gives it back, and so does the end of this process, however it ends.
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _file_locked(path: str, deadline: Deadline) -> Iterator[None]:
    lock, own = f"{path}.lock", f"{path}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(own)
    handle = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            # With the zero byte that shadow-utils writes behind it.
            file.write(b"%d\0" % os.getpid())
            file.flush()
            os.fsync(file.fileno())
        while not _linked(own, lock):
            holder = lock_holder(lock)
            if holder is not None and not _alive(holder):
                # As shadow-utils does it: the lock of a process that is gone holds nobody.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(lock)
                continue
            if deadline.expired():
                raise SubidError(
                    f"{lock} is held by {program(holder)}. Nothing was changed. Remedy: wait until it has ended, and run again; "
                    "if that is no program that changes accounts, remove the file"
                )
            time.sleep(PAUSE)
    finally:
        os.unlink(own)
    try:
        yield
    finally:
        os.unlink(lock)


def _linked(own: str, lock: str) -> bool:
    try:
        os.link(own, lock)
    except FileExistsError:
        return False
    return True


def lock_holder(lock: str) -> int | None:
    """The pid in a lock file; None where there is none in it, or no lock any more."""
    text = (read_text(lock, 32) or "").strip("\0\n ")
    return whole_number(text)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


# -- reading and writing -------------------------------------------------------


def read(path: str) -> str | None:
    """The text of a file, bytes that are no UTF-8 included; None where there is no file.

    :raises SubidError: it is a link, no regular file, or too large.
    :raises OSError: it cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if os.path.islink(path):
            raise SubidError(
                f"{path} is a symbolic link, which shadow-utils does not follow. Nothing was changed. Remedy: a file there"
            ) from error
        raise
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_SIZE:
        os.close(handle)
        raise SubidError(f"{path} is no regular file of at most {MAX_SIZE} bytes. Nothing was changed. Remedy: look at what it is")
    with os.fdopen(handle, "rb") as file:
        return file.read().decode("utf-8", "surrogateescape")


def write(texts: dict[str, str]) -> None:
    """Replace files, by path: a backup FILE- of each, then the new text in FILE+, then one rename a file. Owner, mode and ids are kept.

    :raises OSError: it cannot be written; where the first rename was not yet, all files are as they were.
    """
    ready: list[tuple[str, str]] = []
    try:
        for path, text in texts.items():
            try:
                about = os.stat(path)
                owner, mode = (about.st_uid, about.st_gid), stat.S_IMODE(about.st_mode)
                with open(path, "rb") as file:
                    _write_one(f"{path}-", file.read(), owner, mode, ready, f"{path}-.new")
            except FileNotFoundError:
                owner, mode = (-1, -1), 0o644
            _write_one(path, text.encode("utf-8", "surrogateescape"), owner, mode, ready, f"{path}+")
        for copy, path in ready:
            os.rename(copy, path)
    except BaseException:
        for copy, _path in ready:
            with contextlib.suppress(OSError):
                os.unlink(copy)
        raise


def _write_one(path: str, data: bytes, owner: tuple[int, int], mode: int, ready: list[tuple[str, str]], copy: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(copy)
    handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    ready.append((copy, path))
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        os.fchown(handle, *owner)
        os.fchmod(handle, mode)
        file.flush()
        os.fsync(handle)
