# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that root owns: compare what is there with what is wanted, then write only the difference.

Nothing here follows a symbolic link at the path itself: a link that stands where a file is wanted is replaced. The folders
above it are the system's own. So this is for places that only root can write to, never for a user's home.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run

LOCK = "files"
"""Held by who compares and writes (:func:`_lock.one_at_a_time`): a copy of another run's looks like one that a killed run left."""
LOCK_SECONDS = 60
MAX_SHOWN = 64 * 1024
VALIDATION_TIMEOUT = 30
"""Seconds that a file's own checker may take."""


class FilesError(Exception):
    """What is wanted cannot be had; the text names the path, the cause and the remedy."""


@dataclass(frozen=True)
class File:
    """One wanted file or symbolic link.

    :ivar content: text of a regular file; None for a link, or where absent.
    :ivar data: bytes of a regular file, instead of C(content). A difference shows their digest.
    :ivar target: what a symbolic link points to.
    :ivar validate: argv of a command that has to accept the content; C(%s) stands for a temporary copy.
    """

    path: str
    content: str | None = None
    target: str | None = None
    mode: int = 0o644
    present: bool = True
    validate: tuple[str, ...] = ()
    data: bytes | None = None


@dataclass(frozen=True)
class Directory:
    """One wanted folder.

    :ivar exclusive: what is not wanted in it counts as foreign; a folder that is to go stays while there is something foreign in it.
    :ivar if_empty: it goes only where nothing is left in it.
    """

    path: str
    mode: int = 0o755
    present: bool = True
    exclusive: bool = False
    if_empty: bool = False


@dataclass
class Change:
    """One difference, and how it reads before and after."""

    path: str
    before: dict[str, Any]
    after: dict[str, Any]
    wanted: File | Directory


@dataclass
class Plan:
    """All differences.

    :ivar foreign: what lies in exclusive folders and was not declared.
    """

    changes: list[Change] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def state_of(path: str, binary: bool = False) -> dict[str, Any]:
    """What is at a path: its kind, owner, mode, and target, or content, of which with C(binary) the digest."""
    try:
        return _state_of(path, binary)
    except (FileNotFoundError, NotADirectoryError):
        # Or it went while it was read: check mode looks while another run may write.
        return {"state": "absent"}


def _state_of(path: str, binary: bool) -> dict[str, Any]:
    found = os.lstat(path)
    state: dict[str, Any] = {"owner": f"{found.st_uid}:{found.st_gid}"}
    if stat.S_ISLNK(found.st_mode):
        return {**state, "state": "link", "target": os.readlink(path)}
    state["mode"] = f"{stat.S_IMODE(found.st_mode):04o}"
    if stat.S_ISDIR(found.st_mode):
        return {**state, "state": "directory"}
    if stat.S_ISREG(found.st_mode) and binary:
        with open(path, "rb") as handle:
            return {**state, "state": "file", "sha256": hashlib.sha256(handle.read()).hexdigest()}
    if stat.S_ISREG(found.st_mode):
        # Line ends as they are: those of another system are a difference.
        with open(path, encoding="utf-8", errors="backslashreplace", newline="") as handle:
            return {**state, "state": "file", "content": handle.read()}
    return {**state, "state": "special"}


def wanted_state(wanted: File | Directory) -> dict[str, Any]:
    """The same description, of what is wanted. The owner is who runs this, which is root."""
    if not wanted.present:
        return {"state": "absent"}
    owner = f"{os.geteuid()}:{os.getegid()}"
    if isinstance(wanted, Directory):
        return {"state": "directory", "owner": owner, "mode": f"{wanted.mode:04o}"}
    if wanted.target is not None:
        return {"state": "link", "owner": owner, "target": wanted.target}
    content = {"content": wanted.content} if wanted.data is None else {"sha256": hashlib.sha256(wanted.data).hexdigest()}
    return {"state": "file", "owner": owner, "mode": f"{wanted.mode:04o}", **content}


def make_plan(files: list[File], directories: list[Directory], remove_foreign: bool = False) -> Plan:
    """Compare; nothing is changed.

    :raises FilesError: something stands in the way that would have to be removed with its content.
    """
    plan = Plan()
    # What a run that was killed in the middle of writing left is this module's own, too.
    halves = [File(half, present=False) for half in map(copy_of, files) if state_of(half)["state"] != "absent"]
    declared = {wanted.path for wanted in [*files, *directories, *halves]}
    foreign = []
    for directory in directories:
        if directory.exclusive:
            foreign += [path for path in contents(directory.path) if path not in declared]
    if not remove_foreign:
        plan.foreign = foreign
    removals = halves + ([File(path, present=False) for path in foreign] if remove_foreign else [])
    # Folders come before what lies in them; what goes away goes last, and the folder after its files and the folders in it.
    present = [wanted for wanted in [*directories, *files] if wanted.present]
    absent: list[File | Directory] = [wanted for wanted in files if not wanted.present]
    gone = {wanted.path for wanted in [*removals, *absent]}
    for directory in sorted(directories, key=lambda each: each.path.count("/"), reverse=True):
        left = [path for path in contents(directory.path) if path not in gone]
        stays = directory.if_empty and state_of(directory.path)["state"] != "directory"
        if not directory.present and not stays and not (left and (directory.if_empty or directory.exclusive)):
            absent.append(directory)
            gone.add(directory.path)
    for wanted in [*present, *removals, *absent]:
        before = state_of(wanted.path, binary=isinstance(wanted, File) and wanted.data is not None)
        after = wanted_state(wanted)
        if before == after:
            continue
        if before["state"] == "directory" and after["state"] not in ("directory", "absent"):
            raise FilesError(f"{wanted.path} is a directory where a {after['state']} is wanted; move it away and run again")
        plan.changes.append(Change(wanted.path, before, after, wanted))
    return plan


def copy_of(wanted: File) -> str:
    """Where a file is written before it takes its place. Always the same name, so that the next run finds what a killed one left."""
    folder, name = os.path.split(wanted.path)
    return os.path.join(folder, f".{name}.new")


def contents(path: str) -> list[str]:
    """Paths of what lies in a folder; none where there is no folder at this very path."""
    try:
        return [] if os.path.islink(path) else [os.path.join(path, name) for name in sorted(os.listdir(path))]
    except (FileNotFoundError, NotADirectoryError):
        return []


def validate(plan: Plan) -> None:
    """Ask each file's own checker about the new content, before anything is written.

    :raises FilesError: with what the checker said.
    """
    for change in plan.changes:
        wanted = change.wanted
        if not isinstance(wanted, File) or not wanted.present or not wanted.validate or wanted.content is None:
            continue
        with tempfile.NamedTemporaryFile("w", prefix="rootless-docker-", encoding="utf-8") as copy:
            copy.write(wanted.content)
            copy.flush()
            argv = [part.replace("%s", copy.name) for part in wanted.validate]
            done = run(argv, Deadline(VALIDATION_TIMEOUT))
            if done.status is None:
                raise FilesError(f"{wanted.path}: cannot be checked, and nothing was changed. {done.error or argv[0]}")
            if done.status != 0:
                said = (done.error or done.output).strip().replace(copy.name, wanted.path)
                raise FilesError(f"{wanted.path}: the new content was refused and nothing was changed. {argv[0]} says: {said[:2000]}")


def apply(plan: Plan) -> None:
    """Make each change, every one atomic by itself."""
    # Folders that are made on the way have to be open to the users who read what lies in them, whatever root's umask is.
    umask = os.umask(0o022)
    try:
        for change in plan.changes:
            wanted = change.wanted
            if isinstance(wanted, Directory) and wanted.if_empty:
                os.rmdir(wanted.path)
            elif not wanted.present:
                _remove(wanted.path, change.before["state"])
            elif isinstance(wanted, Directory):
                _directory(wanted, change.before["state"])
            else:
                _file(wanted, change)
    finally:
        os.umask(umask)


def _remove(path: str, state: str) -> None:
    # What lay in a folder that was removed before it is gone already.
    if not os.path.lexists(path):
        return
    if state == "directory":
        shutil.rmtree(path)
    elif state != "absent":
        os.unlink(path)


def _directory(wanted: Directory, state: str) -> None:
    if state != "directory":
        _remove(wanted.path, state)
        os.makedirs(wanted.path, exist_ok=True)
    os.chmod(wanted.path, wanted.mode)
    os.chown(wanted.path, os.geteuid(), os.getegid())


def _file(wanted: File, change: Change) -> None:
    same = all(change.before.get(key) == change.after.get(key) for key in ("state", "content", "sha256"))
    if wanted.target is None and same:
        # The same text keeps its time: who compares times takes a new one for a new text.
        os.chmod(wanted.path, wanted.mode)
        os.chown(wanted.path, os.geteuid(), os.getegid())
        return
    os.makedirs(os.path.dirname(wanted.path), exist_ok=True)
    copy = copy_of(wanted)
    _remove(copy, state_of(copy)["state"])
    try:
        if wanted.target is not None:
            os.symlink(wanted.target, copy)
        else:
            with open(copy, "xb") as handle:
                handle.write((wanted.content or "").encode() if wanted.data is None else wanted.data)
                handle.flush()
                os.fsync(handle.fileno())
        # A folder with the bit setgid, such as Debian's /usr/local may be, gives its own group to what is made in it.
        os.chown(copy, os.geteuid(), os.getegid(), follow_symlinks=False)
        if wanted.target is None:
            os.chmod(copy, wanted.mode)
        os.rename(copy, wanted.path)
    except BaseException:
        _remove(copy, state_of(copy)["state"])
        raise


def diff(plan: Plan) -> list[dict[str, str]]:
    """The differences as Ansible shows them."""
    return [
        {
            "before_header": change.path,
            "after_header": change.path,
            "before": _shown(change.before),
            "after": _shown(change.after),
        }
        for change in plan.changes
    ]


def _shown(state: dict[str, Any]) -> str:
    about = " ".join(f"{key}={value}" for key, value in state.items() if key != "content")
    return f"# {about}\n{(state.get('content') or '')[:MAX_SHOWN]}"
