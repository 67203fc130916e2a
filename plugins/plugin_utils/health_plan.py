# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done so that the users' health timers are as declared. Pure: it reads and changes nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _health_state as there
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import complete
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_plan import CONFIGURATION

QUIET = ("inactive", "failed", there.UNKNOWN)
"""States of a timer that is not there to be stopped, or of which nothing is known."""


SHORTEST, LONGEST = 10, 86400
"""Seconds between two looks: a look may take some, and one a day is none."""
# What stands in a unit file as it is: neither a blank nor a specifier of systemd's.
DIRECTORY = re.compile(r"(/[A-Za-z0-9_.-]+)+")


def input_errors(interval: Any, directory: Any) -> list[str]:
    """What is wrong with the settings of the timer, whatever the host is; empty where they are sound."""
    errors = []
    if not re.fullmatch("[0-9]{1,6}", str(interval)) or not SHORTEST <= int(interval) <= LONGEST:
        errors.append(f"rootless_daemon_health_interval {interval!r} is no whole number of seconds between {SHORTEST} and {LONGEST}")
    if directory != "" and (not DIRECTORY.fullmatch(str(directory)) or "/../" in f"{directory}/"):
        errors.append(
            f"rootless_daemon_health_textfile_directory {directory!r} is no absolute path of letters, digits, _, . and - that ends in a "
            "name; write '' for no metrics"
        )
    return errors


def is_watched(user: dict[str, Any], default: bool) -> bool:
    """Whether a declared user is to have a timer: its own option decides before the role's variable."""
    return user["state"] == "present" and bool(user.get("health", default))


def program_file(program: bytes, found: dict[str, str] | None) -> list[dict[str, Any]]:
    """The program as a file to be written; none where it is there, so that it does not travel in vain."""
    wanted = {"sha256": hashlib.sha256(program).hexdigest(), "mode": "0644", "owner": "0:0"}
    return [] if found == wanted else [{"path": there.PROGRAM, "content_base64": base64.b64encode(program).decode()}]


def health_plan(
    plan: dict[str, Any], users: list[dict[str, Any]], host: dict[str, Any], texts: dict[str, str], default: bool, program: bytes
) -> dict[str, Any]:
    """Everything that has to be done.

    :param plan: of the daemons. Users whom it leaves out keep what they have, as those do who are not declared.
    :param users: what is declared (O(rootless_daemon_users)).
    :param host: C(host.health) of what the module C(rootless_docker_info) returned.
    :param texts: the rendered C(service) and C(timer), and C(directory), where metrics are written; empty for none.
    :param default: whether users are watched whose option C(health) does not say.
    :param program: what the service runs.
    :returns: C(files) and C(directories) as the module C(system_files) takes them; C(stop), units that have to stop before; C(start) and
        C(reload), timers that have to start afterwards, and whether systemd has to read its units again before that.
    """
    seen_to = {entry["path"] for entry in plan["directories"]}
    declared = [each for each in map(complete, users) if f"{CONFIGURATION}/{each['name']}" in seen_to]
    watched = [user["name"] for user in declared if is_watched(user, default)]
    dropped = [user["name"] for user in declared if not is_watched(user, default)]
    timers = {each["user"]: each for each in host["timers"]}
    others = [name for name, each in timers.items() if each["linked"] and name not in (*watched, *dropped)]

    files: list[dict[str, Any]] = []
    if watched:
        files += [{"path": there.SERVICE, "content": texts["service"]}, {"path": there.TIMER, "content": texts["timer"]}]
        files += program_file(program, host["program"])
    # A unit of one user's own, also a link to /dev/null, would hide ours.
    for name in watched:
        files += [{"path": there.link(name), "target": there.TIMER}]
        files += [{"path": f"{there.UNITS}/{there.NAME}{name}.{kind}", "state": "absent"} for kind in ("service", "timer")]
    folders = {each for each in (texts["directory"], host["textfile_directory"]) if each}
    gone = [there.metrics_file(folder, name) for folder in sorted(folders) for name in dropped]
    gone += [there.metrics_file(folder, name) for folder in sorted(folders - {texts["directory"]}) for name in watched]
    gone += [path for name in dropped for path in (there.link(name), f"{there.RECORDS}/{name}.json")]
    nobody = not watched and not others
    if nobody:
        gone += [there.SERVICE, there.TIMER, there.PROGRAM]
    files += [{"path": path, "state": "absent"} for path in gone]

    stop = [name for name in dropped if timers.get(name, {}).get("active", QUIET[0]) not in QUIET]
    start = [name for name in watched if timers.get(name, {}).get("active", QUIET[0]) in QUIET[:2]]
    # After it has read its units again systemd reckons by the new times, also for timers that run.
    wanted = dict.fromkeys(("service", "timer")) if nobody else texts if watched else host
    unread = any(timers[name]["needs_daemon_reload"] or timers[name]["load"] == "masked" for name in watched if name in timers)
    return {
        "files": files,
        "directories": [{"path": there.RECORDS, "state": "absent"}] if nobody else [],
        "stop": [unit for name in stop for unit in (there.timer(name), f"{there.NAME}{name}.service")],
        "start": [there.timer(name) for name in start],
        "reload": unread or any(host[kind] != wanted[kind] for kind in ("service", "timer")),
    }
