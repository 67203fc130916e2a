# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user's docker.service, as that user's manager sees it: read with systemctl from root, or as the user."""

from __future__ import annotations

import datetime
import os
import re
from dataclasses import dataclass, field

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._environment import assignments, split_words
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run
from ansible_collections.portside.rootless_docker.plugins.module_utils._runtime_dir import connect_runtime_socket

UNIT = "docker.service"
PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "Result", "MainPID", "FragmentPath", "DropInPaths", "NeedDaemonReload",
    "ActiveEnterTimestamp", "ExecMainStartTimestamp", "ExecReload", "UnitFileState", "ConditionResult", "Environment", "EnvironmentFiles",
)  # fmt: skip
MAX_PATHS = 100
"""Drop-ins, and environment files, that are looked at. The user's own manager names them, and each costs a look at the disk."""

CONNECT_SECONDS = 1.0
MAX_PATH = 300
"""Characters that are kept of a path."""


@dataclass(frozen=True)
class Unit:
    """What C(systemctl show) says of the unit.

    :ivar active: C(active), C(inactive), C(failed), …; C(no user manager) where there is none to ask.
    :ivar error: why the manager, which is there, gave no answer.
    :ivar load: C(loaded), C(not-found), C(masked), C(bad-setting), …
    :ivar result: why it failed, such as C(exit-code) or C(start-limit-hit); C(success) otherwise.
    :ivar enabled: C(enabled), C(disabled), C(static), …
    :ivar condition: whether its conditions held when it was last started; also False where it never was.
    :ivar drop_ins: paths of all its drop-ins.
    :ivar shadows: paths of the unit or its drop-ins that are not the collection's own.
    :ivar taken_up: when it last took up its configuration, by a start or a reload, in seconds since the epoch; 0 for never.
    :ivar started: when its main process was last started, in the same unit.
    :ivar environment: what its C(Environment=) lines set.
    :ivar environment_files: paths of its C(EnvironmentFile=) lines, whose variables win over those.
    """

    active: str
    sub: str = ""
    main_pid: int = 0
    fragment: str = ""
    shadows: tuple[str, ...] = ()
    needs_daemon_reload: bool = False
    taken_up: float = 0.0
    started: float = 0.0
    error: str = ""
    load: str = ""
    result: str = ""
    enabled: str = ""
    condition: bool = False
    drop_ins: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    environment_files: tuple[str, ...] = ()


NO_MANAGER = Unit("no user manager")


def systemctl(user: str, uid: int) -> list[str]:
    """The argv that talks to a user's manager: from root over its own bus, as the user directly."""
    if os.geteuid() == uid:
        return ["systemctl", "--user"]
    return ["systemctl", "--user", f"--machine={user}@"]


def manager_is_up(uid: int) -> bool:
    """Whether the user's manager listens and its bus is there.

    Of a manager that was stopped, both sockets stay where lingering keeps /run/user/UID.
    """
    try:
        connect_runtime_socket(uid, "systemd", "private", timeout=CONNECT_SECONDS).close()
    except BlockingIOError:
        # It listens and takes nobody on: that it gives no answer is for whoever asks it to find.
        pass
    except OSError:
        return False
    return os.path.exists(f"/run/user/{uid}/bus")


def read_unit(uid: int, gid: int, own: str, deadline: Deadline) -> Unit:
    """Ask the user's manager, with the user's rights: as root too that is ten times as quick as by C(--machine), and safer.

    :param own: path of the unit file that should be in force.
    """
    if not manager_is_up(uid):
        return NO_MANAGER
    argv = ["systemctl", "--user", "show", UNIT, "--timestamp=us", "--property=" + ",".join(PROPERTIES)]
    # In UTC, so that a time reads the same wherever the host is. What answers is the user's own manager: its answer is bounded.
    done = run(argv, deadline, uid=uid, gid=gid, environment={"TZ": "UTC"})
    if done.status != 0:
        return Unit(NO_MANAGER.active, error=clean(done.error or f"systemctl ended with status {done.status}", 300))
    return parse_show(done.output, own)


def _paths(words: list[str]) -> tuple[str, ...]:
    return tuple(clean(word, MAX_PATH) for word in words[:MAX_PATHS])


def parse_show(text: str, own: str) -> Unit:
    """The output of C(systemctl show)."""
    values: dict[str, str] = {}
    files: list[str] = []
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if equals and name == "EnvironmentFiles":
            # One line a file: PATH (ignore_errors=no).
            files.append(value.rpartition(" (")[0] or value)
        elif equals:
            values[name] = value
    fragment = clean(values.get("FragmentPath", ""), MAX_PATH)
    drop_ins = _paths(split_words(values.get("DropInPaths", "")))
    # systemd 252 names the same file by the path of /etc/xdg/systemd/user, a link to /etc/systemd/user.
    ours = os.path.realpath(own)
    others = [path for path in [fragment, *drop_ins] if path and os.path.realpath(path) != ours]
    reload_start = re.search(r"start_time=\[([^\]]*)\]", values.get("ExecReload", ""))
    times = [values.get("ActiveEnterTimestamp", ""), reload_start.group(1) if reload_start else ""]
    pid = values.get("MainPID", "0")
    return Unit(
        active=clean(values.get("ActiveState", "unknown"), 40),
        sub=clean(values.get("SubState", ""), 40),
        main_pid=int(pid) if re.fullmatch(r"[0-9]{1,10}", pid) else 0,
        fragment=fragment,
        shadows=tuple(others),
        needs_daemon_reload=values.get("NeedDaemonReload") == "yes",
        taken_up=max(parse_time(time) for time in times),
        started=parse_time(values.get("ExecMainStartTimestamp", "")),
        load=clean(values.get("LoadState", ""), 40),
        result=clean(values.get("Result", ""), 40),
        enabled=clean(values.get("UnitFileState", ""), 40),
        condition=values.get("ConditionResult") == "yes",
        drop_ins=drop_ins,
        environment=assignments(split_words(values.get("Environment", ""))),
        environment_files=_paths(files),
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
