# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user's docker.service, as that user's manager sees it: read with systemctl from root, or as the user."""

from __future__ import annotations

import datetime
import os
import re
from dataclasses import dataclass

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run

UNIT = "docker.service"
PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "MainPID", "FragmentPath", "DropInPaths", "NeedDaemonReload",
    "ActiveEnterTimestamp", "ExecReload",
)  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """What C(systemctl show) says of the unit.

    :ivar active: C(active), C(inactive), C(failed), …; C(no user manager) where there is none to ask.
    :ivar shadows: paths of the unit or its drop-ins that are not the collection's own.
    :ivar taken_up: when it last took up its configuration, by a start or a reload, in seconds since the epoch; 0 for never.
    """

    active: str
    sub: str = ""
    main_pid: int = 0
    fragment: str = ""
    shadows: tuple[str, ...] = ()
    needs_daemon_reload: bool = False
    taken_up: float = 0.0


NO_MANAGER = Unit("no user manager")


def systemctl(user: str, uid: int) -> list[str]:
    """The argv that talks to a user's manager: from root over its own bus, as the user directly."""
    if os.geteuid() == uid:
        return ["systemctl", "--user"]
    return ["systemctl", "--user", f"--machine={user}@"]


def manager_is_up(uid: int) -> bool:
    """Whether the user's manager and its bus are there."""
    return os.path.exists(f"/run/user/{uid}/systemd/private") and os.path.exists(f"/run/user/{uid}/bus")


def read_unit(user: str, uid: int, own: str, timeout: float = 10.0) -> Unit:
    """Ask the user's manager.

    :param own: path of the unit file that should be in force.
    :param timeout: seconds; a manager that does not answer counts as absent.
    """
    if not manager_is_up(uid):
        return NO_MANAGER
    argv = [*systemctl(user, uid), "show", UNIT, "--timestamp=us", "--property=" + ",".join(PROPERTIES)]
    # In UTC, so that a time reads the same wherever the host is. What answers is the user's own manager: its answer is bounded.
    done = run(argv, Deadline(timeout), uid=None if os.geteuid() == 0 else uid, environment={"TZ": "UTC"})
    return parse_show(done.output, own) if done.status == 0 else NO_MANAGER


def parse_show(text: str, own: str) -> Unit:
    """The output of C(systemctl show)."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    fragment = values.get("FragmentPath", "")
    drop_ins = values.get("DropInPaths", "").split()
    # systemd 252 names the same file by the path of /etc/xdg/systemd/user, a link to /etc/systemd/user.
    others = [path for path in [fragment, *drop_ins] if path and os.path.realpath(path) != os.path.realpath(own)]
    reload_start = re.search(r"start_time=\[([^\]]*)\]", values.get("ExecReload", ""))
    times = [values.get("ActiveEnterTimestamp", ""), reload_start.group(1) if reload_start else ""]
    pid = values.get("MainPID", "0")
    return Unit(
        active=values.get("ActiveState", "unknown"),
        sub=values.get("SubState", ""),
        main_pid=int(pid) if re.fullmatch(r"[0-9]{1,10}", pid) else 0,
        fragment=fragment,
        shadows=tuple(others),
        needs_daemon_reload=values.get("NeedDaemonReload") == "yes",
        taken_up=max(parse_time(time) for time in times),
    )


def parse_time(text: str) -> float:
    """A time that systemctl printed in UTC, as seconds since the epoch; 0 for none."""
    match = re.search(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) UTC", text)
    if not match:
        return 0.0
    form = "%Y-%m-%d %H:%M:%S.%f" if "." in match.group(1) else "%Y-%m-%d %H:%M:%S"
    try:
        return datetime.datetime.strptime(match.group(1), form).replace(tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        return 0.0
