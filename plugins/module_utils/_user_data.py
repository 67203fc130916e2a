# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the data of a user's daemon is removed: with which ids, and which paths are refused. Pure."""

from __future__ import annotations

import os

from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import Process

DAEMONS = {"dockerd", "rootlesskit", "docker-rootlesskit"}


class DataError(Exception):
    """Something cannot be removed; the text names the user, the path, the cause and the remedy."""


class AnotherAccountError(Exception):
    """The account is not the one that the data was of; the text names the user, the cause and the remedy."""


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


def refuse_daemon(user: str, path: str, processes: list[Process]) -> None:
    """Go on only where no daemon of the user's runs, by whatever means it was started.

    :param processes: of the user.
    :raises DataError: one does.
    """
    running = [str(process.pid) for process in processes if process.alive and not DAEMONS.isdisjoint(process.names)]
    if running:
        raise DataError(
            f"{user}: {path} was left alone, because a daemon of the user runs: process {', '.join(running[:5])}. "
            f"Remedy: stop it, as {user} or with loginctl terminate-user {user}, and run again"
        )


SCRIPT = 'echo ready; read -r go && said=$("$@" 2>&1 | tail -n 1); echo "$said"'
"""Says that the namespace is there, waits until it has its ids, and answers with the last line that the command said."""


def in_namespace(command: list[str]) -> list[str]:
    """The argv that runs a command in a user namespace of its own, as soon as it is told to.

    Its ids are written from outside: newuidmap, which could do that too, may be gone with the packages that the roles brought.
    """
    return ["unshare", "--user", "--", "sh", "-c", SCRIPT, "sh", *command]


def id_map(own: int, ranges: list[tuple[int, int]]) -> str:
    """What a user namespace's map of ids has to be for the user to be root in it, with the subordinate ids above, as RootlessKit's is.

    :param ranges: first id and count of each range of subordinate ids.
    """
    lines, inner = [f"0 {own} 1"], 1
    for first, count in ranges:
        lines.append(f"{inner} {first} {count}")
        inner += count
    return "\n".join(lines) + "\n"


def not_removed(user: str, path: str, said: str, source: str) -> str:
    """The text of a removal that did not succeed.

    :param source: where the host takes subordinate ids from.
    """
    last = said.strip().splitlines()[-1] if said.strip() else "no reason given"
    ids = f"{user}'s lines in /etc/subuid and /etc/subgid"
    if source != "files":
        ids = f"what {source} gives (`getsubids {user}` and `getsubids -g {user}`)"
    return (
        f"{user}: not all of {path} could be removed: {last}. It is removed with the rights of {user} and of its subordinate ids. "
        f"Remedy: look at what is left there and at {ids}, and run again"
    )
