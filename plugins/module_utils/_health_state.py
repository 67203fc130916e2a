# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the health timer's files are, and what of it is there on a host. Reads only."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run

UNITS = "/etc/systemd/system"
NAME = "rootless-docker-health@"
SERVICE = f"{UNITS}/{NAME}.service"
TIMER = f"{UNITS}/{NAME}.timer"
WANTED = f"{UNITS}/timers.target.wants"
PROGRAM = "/usr/local/libexec/rootless-docker/health.pyz"
RECORDS = "/var/lib/rootless-docker-health"
MAX_TIMERS = 1000
SHOW_SECONDS = 2.0
UNKNOWN = "unknown"
"""State of a timer of which systemd said nothing."""


def timer(user: str) -> str:
    """Name of a user's timer. Names of accounts need no escaping: their characters are those that a unit's name may have."""
    return f"{NAME}{user}.timer"


def link(user: str) -> str:
    """What has a user's timer started at boot."""
    return f"{WANTED}/{timer(user)}"


def metrics_file(folder: str, user: str) -> str:
    """A user's metrics in the folder of node_exporter's textfile collector."""
    return f"{folder}/rootless_docker_{user}.prom"


def linked_users(folder: str = WANTED) -> list[str]:
    """Users whose timer is started at boot."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    found = (re.fullmatch(re.escape(NAME) + r"(.+)\.timer", name) for name in names)
    return [match.group(1) for match in found if match]


def program_state(path: str = PROGRAM) -> dict[str, str] | None:
    """Digest, mode and owner of the program; null where there is no regular file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        return None
    with open(handle, "rb") as file:
        digest = hashlib.sha256(file.read(1 << 24)).hexdigest()
    return {"sha256": digest, "mode": f"{stat.S_IMODE(found.st_mode):04o}", "owner": f"{found.st_uid}:{found.st_gid}"}


def text_of(path: str) -> str | None:
    """Text of a unit; null where it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read(1 << 16)
    except OSError:
        return None


def textfile_directory(service: str | None) -> str | None:
    """The folder that a service's text names for metrics. Pure."""
    match = re.search(r"--textfile-directory=(\S+)", service or "")
    return match.group(1) if match else None


def parse_timers(users: list[str], linked: Iterable[str], output: str | None) -> list[dict[str, Any]]:
    """Each user's timer, from what C(systemctl show) says of them; pure.

    :param output: its blocks in the order of C(users); None where it did not answer.
    """
    blocks = [] if output is None else output.strip("\n").split("\n\n")
    if len(blocks) != len(users):
        blocks = [""] * len(users)
    found = []
    for user, block in zip(users, blocks):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        found.append(
            {
                "user": user,
                "linked": user in linked,
                "active": values.get("ActiveState", UNKNOWN),
                "load": values.get("LoadState", UNKNOWN),
                "needs_daemon_reload": values.get("NeedDaemonReload") == "yes",
            }
        )
    return found


def read_health(configured: list[str], deadline: Deadline) -> dict[str, Any]:
    """What of the health timer is there.

    :param configured: users that have a folder in C(/etc/rootless-docker).
    """
    linked = linked_users()
    users = sorted({*configured, *linked})[:MAX_TIMERS]
    output = None
    if users:
        argv = ["systemctl", "show", "--property=LoadState,ActiveState,NeedDaemonReload", *map(timer, users)]
        done = run(argv, deadline.within(SHOW_SECONDS))
        output = done.output if done.status == 0 else None
    service = text_of(SERVICE)
    return {
        "program": program_state(),
        "service": service,
        "timer": text_of(TIMER),
        "textfile_directory": textfile_directory(service),
        "timers": parse_timers(users, linked, output),
    }
