# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is installed on a host, and what a user's daemon is and does: everything that one read can give."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _procfs, _rootlesskit, _run, _unit
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._system_state import accepts_option
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

CONFIGURATION = "/etc/rootless-docker"
UNIT_FILE = "/etc/systemd/user/docker.service"
LINGER = "/var/lib/systemd/linger"
# What decides how a daemon runs, and the digest that stands for the rest.
VARIABLES = (
    "DOCKERD_ROOTLESS_ROOTLESSKIT_NET", "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER", "DOCKERD_ROOTLESS_ROOTLESSKIT_MTU",
    "DOCKERD_ROOTLESS_ROOTLESSKIT_DISABLE_HOST_LOOPBACK", "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS", "ROOTLESS_DOCKER_DIGEST",
)  # fmt: skip
# SUB_UID_MIN of login.defs as distributions ship it.
FIRST_SUBORDINATE_ID = 100000
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Docker's packages, and Debian's docker.io.
LAUNCH_SCRIPTS = tuple(
    f"{folder}/dockerd-rootless.sh"
    for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/usr/share/docker.io/contrib")
)
# Which pasta can do what is told by whether it accepts the option; its printed version is empty or cut on several systems.
PASTA_OPTIONS = ("--host-lo-to-ns-lo", "--conf-path")


def which(name: str, first: str = "") -> str | None:
    """Path of a program, looked for in C(first) before the system's directories; the environment's PATH plays no part."""
    return shutil.which(name, path=f"{first}:{SYSTEM_PATH}" if first else SYSTEM_PATH)


def ask(argv: list[str]) -> tuple[int, str]:
    """Exit status and output of one of the system's own programs that only prints; status 127 where it could not run."""
    done = _run.run(argv, Deadline(10))
    return (127 if done.status is None else done.status), done.output


def printed_version(argv: list[str]) -> str | None:
    """The first thing in a command's output that looks like a version."""
    match = re.search(r"\d+\.\d+[0-9A-Za-z.+~-]*", ask(argv)[1])
    return match.group(0) if match else None


def inspect_host(rootlesskit_directory: str) -> dict[str, Any]:
    """The programs on disk, and the settings of the kernel that choices depend on."""
    dockerd, pasta = which("dockerd"), which("pasta")
    current = os.path.join(rootlesskit_directory, "current")
    rootlesskit = which("docker-rootlesskit", current) or which("rootlesskit", current)
    low, high = (_procfs.read_text("/proc/sys/net/ipv4/ip_local_port_range") or "32768 60999").split()
    return {
        "dockerd": dockerd,
        "dockerd_version": printed_version([dockerd, "--version"]) if dockerd else None,
        "launch_script": next((path for path in LAUNCH_SCRIPTS if os.path.exists(path)), None),
        "rootlesskit": os.path.realpath(rootlesskit) if rootlesskit else None,
        "rootlesskit_version": printed_version([rootlesskit, "--version"]) if rootlesskit else None,
        "pasta": pasta,
        "pasta_options": [option for option in PASTA_OPTIONS if pasta and accepts_option(pasta, option, ask)],
        "slirp4netns": which("slirp4netns"),
        "ephemeral_ports": [int(low), int(high)],
        "configured": configured_users(),
        "unit_text": text_of(UNIT_FILE),
        "missing_subordinate_files": [path for path in ("/etc/subuid", "/etc/subgid") if not os.path.exists(path)],
        "next_subordinate_id": max(next_subordinate_id("/etc/subuid"), next_subordinate_id("/etc/subgid")),
    }


def configured_users() -> list[str]:
    """Every user that has a folder in C(/etc/rootless-docker)."""
    try:
        return sorted(entry.name for entry in os.scandir(CONFIGURATION) if entry.is_dir())
    except FileNotFoundError:
        return []


def subordinate_entries(path: str) -> list[tuple[str, int, int]]:
    """Owner, first id and count of each line of a file such as /etc/subuid; lines of another form are skipped."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            parts = [line.strip().split(":") for line in handle]
    except OSError:
        return []
    return [(entry[0], int(entry[1]), int(entry[2])) for entry in parts if len(entry) == 3 and all(map(str.isdecimal, entry[1:]))]


def next_subordinate_id(path: str) -> int:
    """The first id behind every range of a file: a new range there overlaps none."""
    return max([FIRST_SUBORDINATE_ID] + [first + count for _owner, first, count in subordinate_entries(path)])


def subordinate_count(path: str, user: str, uid: int) -> int:
    """How many subordinate ids a file gives to a user, by name and by number."""
    return sum(count for owner, _first, count in subordinate_entries(path) if owner in (user, str(uid)))


def modified(path: str) -> float:
    """When a file was last written, in seconds since the epoch; 0 where there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def text_of(path: str) -> str | None:
    """Text of one of root's own files, at most 1 MiB; None where it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as handle:
            return handle.read(1 << 20)
    except OSError:
        return None


def own_file(user: str, name: str) -> str | None:
    """Text of one of the files that root keeps for a user."""
    return text_of(os.path.join(CONFIGURATION, user, name))


def made(user: str) -> dict[str, Any]:
    """The record of what the collection made for a user; empty where there is none."""
    try:
        record = json.loads(own_file(user, "made.json") or "{}")
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def inspect_user(user: str, host: dict[str, Any], timeout: float = 5.0) -> dict[str, Any]:
    """One user's account, unit, and what runs."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return {"exists": False, "made": made(user)}
    uid = account.pw_uid
    unit = _unit.read_unit(user, uid, UNIT_FILE, timeout)
    running = inspect_running(uid, timeout)
    configuration = os.path.join(CONFIGURATION, user, "daemon.json")
    return {
        "exists": True,
        "uid": uid,
        "home": account.pw_dir,
        "shell": account.pw_shell,
        "linger": os.path.exists(os.path.join(LINGER, user)),
        "manager": _unit.manager_is_up(uid),
        "subuid_count": subordinate_count("/etc/subuid", user, uid),
        "subgid_count": subordinate_count("/etc/subgid", user, uid),
        "made": made(user),
        "unit": {
            "active": unit.active,
            "sub": unit.sub,
            "main_pid": unit.main_pid,
            "fragment": unit.fragment,
            "shadows": list(unit.shadows),
            "needs_daemon_reload": unit.needs_daemon_reload,
        },
        "environment": own_file(user, "environment"),
        "daemon_json": own_file(user, "daemon.json"),
        "reload_pending": unit.active == "active" and modified(configuration) > unit.taken_up,
        "running": running,
        "stale": stale(running, host),
    }


def inspect_running(uid: int, timeout: float) -> dict[str, Any]:
    """The processes of a user's daemon, from /proc and from RootlessKit's own API."""
    found = _procfs.daemon_processes(uid, _rootlesskit.read_child_pid(uid), _procfs.list_processes({uid}))
    try:
        info = _rootlesskit.get_info(uid, Deadline(timeout)) if found.child else None
    except (HttpError, OSError):
        info = None
    return {
        "variables": {name: _procfs.environ_value(found.parent.pid, name) for name in VARIABLES} if found.parent else {},
        "rootlesskit": program(found.parent),
        "rootlesskit_version": info.version if info else None,
        "network_driver": info.network_driver if info else None,
        "port_driver": info.port_driver if info else None,
        "dockerd": program(found.dockerd),
        "pasta": program(found.live_pasta),
    }


def program(process: _procfs.Process | None) -> dict[str, Any] | None:
    """A process as the result names it."""
    if process is None:
        return None
    return {"pid": process.pid, "exe": process.exe, "deleted": process.exe_deleted, "argv": list(process.argv[:64])}


def stale(running: dict[str, Any], host: dict[str, Any]) -> list[str]:
    """What runs although something else is installed, one sentence each; pure."""
    found = []
    for name in ("rootlesskit", "dockerd", "pasta"):
        process = running[name]
        if process and process["deleted"]:
            found.append(f"{name} (pid {process['pid']}) runs a file that was replaced since: {process['exe']}")
    runs, installed = running["rootlesskit"], host["rootlesskit"]
    if runs and runs["exe"] and installed and not runs["deleted"] and runs["exe"] != installed:
        found.append(f"rootlesskit (pid {runs['pid']}) runs {runs['exe']}, installed is {installed}")
    if running["network_driver"] == "pasta" and not running["pasta"]:
        found.append("pasta is dead: nothing restarts it, and every published port is refused")
    return found
