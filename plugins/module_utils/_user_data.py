# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the data of a user's daemon is removed: with which ids, and which paths are refused. Pure."""

from __future__ import annotations

import os


class DataError(Exception):
    """Something cannot be removed; the text names the user, the path, the cause and the remedy."""


def check_path(user: str, path: str, home: str) -> None:
    """Refuse a path that holds more than a daemon's data.

    :raises DataError: it does, or is none that dockerd would take.
    """
    normal = os.path.normpath(path)
    if not path.startswith("/") or normal != path.rstrip("/") or (home + "/").startswith(normal.rstrip("/") + "/") or normal.count("/") < 2:
        raise DataError(
            f"{user}: the data root {path!r} was left alone: it is no absolute path of a folder of its own, in the home {home} or not. "
            "Remedy: remove what is to go by hand"
        )


def in_namespace(uid: int, gid: int, uids: list[tuple[int, int]], gids: list[tuple[int, int]], command: list[str]) -> list[str]:
    """The argv that runs a command as root of a user namespace in which the user is root, as RootlessKit's is.

    util-linux has newuidmap and newgidmap make it, which allow what /etc/subuid and /etc/subgid do.

    :param uids: first id and count of each range of subordinate ids.
    """
    if not uids or not gids:
        return command
    return ["unshare", *_maps("--map-users", uid, uids), *_maps("--map-groups", gid, gids), "--", *command]


def _maps(option: str, own: int, ranges: list[tuple[int, int]]) -> list[str]:
    maps, inner = [f"{option}=0:{own}:1"], 1
    for first, count in ranges:
        maps.append(f"{option}={inner}:{first}:{count}")
        inner += count
    return maps


def not_removed(user: str, path: str, said: str) -> str:
    """The text of a removal that did not succeed."""
    last = said.strip().splitlines()[-1] if said.strip() else "no reason given"
    return (
        f"{user}: not all of {path} could be removed: {last}. It is removed with the rights of {user} and of its subordinate ids. "
        f"Remedy: look at what is left there and at {user}'s lines in /etc/subuid and /etc/subgid, and run again"
    )
