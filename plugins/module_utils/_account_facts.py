# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an account brings for a rootless daemon: its subordinate ids, and a place for its data. Reads only."""

from __future__ import annotations

import json
import os
import pwd
import re
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.portside.rootless_docker.plugins.module_utils import _subid
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import read_text, whole_number
from ansible_collections.portside.rootless_docker.plugins.module_utils._subid_source import ask_source

DATABASES = {"uid": "/etc/passwd", "gid": "/etc/group"}
USERADD = "/etc/default/useradd"
MAX_TEXT = 16 * 1024 * 1024
MAX_RANGES = 64
MAX_OVERLAPS = 16


def recorded_uid(record: Mapping[str, Any]) -> int | None:
    """The uid that a record is of; None where it names none."""
    uid = record.get("uid")
    return uid if isinstance(uid, int) and not isinstance(uid, bool) else None


def another_uid(record: Mapping[str, Any], uid: int | None) -> int | None:
    """The uid that a record is of, where the account of that name has another now; None where it is the same, or where nobody knows.

    :param uid: of the account; None for none.
    """
    recorded = recorded_uid(record)
    return None if uid in (None, recorded) else recorded


def without_made(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record less what the role made of the account, which is not that of the record any more."""
    return {key: value for key, value in record.items() if key not in ("account", "subid")}


def another_account(user: str, uid: int, recorded: int) -> str:
    """The cause, for a sentence, that what is on record is of another account of the same name."""
    return f"{user}: the account has uid {uid}, and uid {recorded} is on record, so it is another one of that name"


def another_note(user: str, uid: int, recorded: int) -> str:
    """What follows from that for an account that has a daemon, or had one until now."""
    return (
        f"{another_account(user, uid, recorded)}. The role did not make it, nor the subordinate ids that it had, and removes neither. "
        f"Remedy: none, where the earlier one is gone for good; what is left of uid {recorded} is to be removed by hand"
    )


class SubordinateFiles(NamedTuple):
    """What the files say, read once for all users.

    :ivar entries: of /etc/subuid and /etc/subgid, by kind.
    :ivar real: whose each real id is, by kind, as /etc/passwd and /etc/group have it.
    """

    entries: dict[str, list[_subid.Entry]]
    real: dict[str, dict[int, str]]


def real_ids(text: str) -> dict[int, str]:
    """Names by the number in the third field, of a file such as /etc/passwd; lines of another form are left out."""
    fields = [line.split(":") for line in text.split("\n")]
    numbers = [(each[0], whole_number(each[2])) for each in fields if len(each) > 2]
    return {number: name for name, number in numbers if number is not None}


def read_files(files: Mapping[str, str], databases: Mapping[str, str]) -> SubordinateFiles:
    """Read them, by kind; one that is not there gives nothing."""
    return SubordinateFiles(
        {kind: _subid.entries(read_text(path, MAX_TEXT) or "") for kind, path in files.items()},
        {kind: real_ids(read_text(path, MAX_TEXT) or "") for kind, path in databases.items()},
    )


def subordinate_facts(files: SubordinateFiles, user: str, uid: int) -> dict[str, Any]:
    """The ids that the files give to a user, by name and by number, and which of them are somebody else's too."""
    names = _subid.names_of(user, uid)
    mine = {kind: [entry for entry in files.entries[kind] if entry.owner in names] for kind in _subid.KINDS}
    shared = [each for kind in _subid.KINDS for each in _subid.overlaps(kind, files.entries[kind], names, files.real[kind])]
    return {
        **{f"sub{kind}_count": _subid.total(entry.ids for entry in mine[kind]) for kind in _subid.KINDS},
        "subordinate_ids": {
            f"{kind}s": [{"owner": entry.owner, "first": entry.ids.start, "count": entry.ids.count} for entry in mine[kind][:MAX_RANGES]]
            for kind in _subid.KINDS
        },
        "subordinate_overlaps": [
            {"file": _subid.FILES[each.kind], "first": each.ids.start, "count": each.ids.count, "whose": each.whose}
            for each in shared[:MAX_OVERLAPS]
        ],
    }


def subordinate_facts_of_source(user: str, deadline: Deadline) -> dict[str, Any]:
    """The same from another source than the files, which says nothing of other users.

    :raises SourceError: it gives no answer.
    """
    found = {kind: ask_source(user, kind, deadline) for kind in _subid.KINDS}
    return {
        **{f"sub{kind}_count": _subid.total(found[kind]) for kind in _subid.KINDS},
        "subordinate_ids": {
            f"{kind}s": [{"owner": user, "first": each.start, "count": each.count} for each in found[kind][:MAX_RANGES]]
            for kind in _subid.KINDS
        },
        "subordinate_overlaps": [],
    }


# -- the place for the data ----------------------------------------------------


def data_root_path(home: str, daemon_json: str | None, variables: Mapping[str, str]) -> str:
    """Where dockerd keeps a user's data: data-root of daemon.json, or C(docker) in the folder that XDG names for data."""
    try:
        config = json.loads(daemon_json or "{}")
    except (ValueError, RecursionError):
        config = {}
    configured = config.get("data-root") if isinstance(config, dict) else None
    if isinstance(configured, str) and os.path.isabs(configured):
        return configured
    folder = variables.get("XDG_DATA_HOME", "")
    return os.path.join(folder if os.path.isabs(folder) else os.path.join(home, ".local", "share"), "docker")


def _is_missing(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        # Root may not look into a home on a network file system: it is there all the same.
        return False
    return False


def room(folder: str) -> dict[str, Any]:
    """What the file system of a folder has room for.

    :raises OSError: it cannot be asked.
    """
    system = os.statvfs(folder)
    return {
        "read_only": bool(system.f_flag & os.ST_RDONLY),
        "free_bytes": system.f_bavail * system.f_frsize,
        "free_files": system.f_favail if system.f_files else None,
    }


def new_homes(defaults: str = USERADD) -> dict[str, Any]:
    """Where useradd makes homes, and what there is room for."""
    found = re.search(r"^HOME=(/\S*)\s*$", read_text(defaults, 65536) or "", re.MULTILINE)
    folder = found.group(1) if found else "/home"
    try:
        return {"folder": folder, **room(folder)}
    except OSError:
        return {"folder": folder, **dict.fromkeys(("read_only", "free_bytes", "free_files"))}


def data_root_facts(path: str, account: pwd.struct_passwd) -> dict[str, Any]:
    """Whether a user's data can be written at a path; nothing is opened.

    What is judged is the deepest folder on the way that is there, because dockerd makes the rest as the user.
    """
    folder = path
    while _is_missing(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    facts: dict[str, Any] = {
        "path": path,
        "exists": not _is_missing(path),
        "home_exists": not _is_missing(account.pw_dir),
        "folder": folder,
        **dict.fromkeys(("read_only", "free_bytes", "free_files", "owner_is_user", "writable")),
    }
    try:
        about = os.stat(folder)
        facts.update(room(folder))
    except OSError:
        return facts
    # The group's bits stand for an access list where there is one; whom it names only the kernel knows.
    others = bool(about.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
    mine = about.st_uid == account.pw_uid
    return {
        **facts,
        "owner_is_user": mine,
        "writable": others or (mine and bool(about.st_mode & stat.S_IWUSR)),
    }
