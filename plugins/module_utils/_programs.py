# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs: what is on disk, what it is able to do, and whether what runs is what is on disk.

Programs of the system are run as this process; what a user chose is run with that user's rights.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import PROC, Process
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run
from ansible_collections.portside.rootless_docker.plugins.module_utils._system_state import accepts_option

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Docker's packages, and Debian's docker.io.
LAUNCH_SCRIPTS = tuple(
    f"{folder}/dockerd-rootless.sh"
    for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/usr/share/docker.io/contrib")
)
# Which pasta can do what is told by whether it accepts the option; its printed version is empty or cut on several systems.
PASTA_OPTIONS = ("--host-lo-to-ns-lo", "--conf-path")
NAMES = {
    "rootlesskit": ("docker-rootlesskit", "rootlesskit"),
    "dockerd": ("dockerd",),
    "containerd": ("containerd",),
    "pasta": ("pasta",),
    "slirp4netns": ("slirp4netns",),
}
"""The names under which the launch script, RootlessKit or dockerd looks for each, in its order."""

PACKAGES = {"pasta": "passt"}
"""Packages that are named otherwise than their program."""

DEAD = "nothing restarts it, and every published port is refused"

MAX_ARGUMENTS = 64
MAX_ARGUMENT = 1000
Ask = Callable[[list[str]], "tuple[int, str]"]


def which(name: str, path: str = SYSTEM_PATH) -> str | None:
    """Path of a program in the folders of C(path); the environment's own PATH plays no part."""
    return shutil.which(name, path=path)


def asker(deadline: Deadline, uid: int | None = None, gid: int | None = None) -> Ask:
    """A function that runs a program that only prints, and gives its exit status and output; status 127 where it could not run.

    :param uid: whose rights it gets; None is this process's own.
    """

    def ask(argv: list[str]) -> tuple[int, str]:
        done = run(argv, deadline, uid=uid, gid=gid)
        return (127 if done.status is None else done.status), done.output

    return ask


def version_in(text: str) -> str | None:
    """The first thing in a text that looks like a version; pasta's are dates, such as 2026_07_28.1234abc."""
    match = re.search(r"\d{4}_\d\d_\d\d(?:\.[0-9a-f]+)?|\d+\.\d+[0-9A-Za-z.+~-]*", text)
    return clean(match.group(0), 60) if match else None


def package_version(name: str, ask: Ask) -> str | None:
    """The version of the package that a program of this name is in, by dpkg or rpm."""
    package = PACKAGES.get(name, name)
    for argv in (
        ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package],
        ["rpm", "--query", "--queryformat", "installed %{VERSION}-%{RELEASE}", package],
    ):
        status, output = ask(argv)
        fields = output.split()
        if status == 0 and len(fields) == 2 and fields[0] == "installed":
            return clean(fields[1], 60)
    return None


def disk_version(name: str, path: str, ask: Ask) -> str | None:
    """The version of a file on disk: what it prints, or what the package manager says where it prints none and lies in /usr.

    Empty where it ran and neither names one; None where it did not run to its end, so that nobody knows.
    """
    status, output = ask([path, "--version"])
    found = version_in(output) or (package_version(name, ask) if path.startswith("/usr/bin/") else None)
    return found or ("" if status == 0 else None)


def pasta_options(path: str, ask: Ask) -> list[str] | None:
    """Which of the options that matter a pasta knows; None where nobody knows, because it is broken or time was up.

    A refusal counts only where it still runs without the option.
    """
    accepted = [option for option in PASTA_OPTIONS if accepts_option(path, option, ask)]
    return accepted if len(accepted) == len(PASTA_OPTIONS) or ask([path, "--version"])[0] == 0 else None


def would_start(name: str, variables: Mapping[str, str]) -> str | None:
    """The file that a restart would run, symbolic links resolved, by the PATH of the unit's environment."""
    path = variables.get("PATH") or SYSTEM_PATH
    found = next(filter(None, (which(each, path) for each in NAMES[name])), None)
    return os.path.realpath(found) if found else None


def was_replaced(process: Process, proc: str = PROC) -> bool:
    """Whether the path of what a process runs names another file by now, or none.

    The kernel marks one that was removed. One that was moved away and put back under the same path shows by its inode alone.
    """
    if process.exe is None or process.exe_deleted:
        return process.exe_deleted
    try:
        runs = os.stat(f"{proc}/{process.pid}/exe")
    except OSError:
        # Gone, or not to be looked at: nothing is known.
        return False
    try:
        now = os.stat(process.exe)
    except OSError:
        return True
    return (runs.st_dev, runs.st_ino) != (now.st_dev, now.st_ino)


def same_program(first: str, second: str) -> bool:
    """Whether two paths name one program; pasta starts its variant pasta.avx2 by itself where the processor has that."""
    return first.removesuffix(".avx2") == second.removesuffix(".avx2")


def program(
    process: Process | None, replaced: bool = False, installed: str | None = None, label: str | None = None
) -> dict[str, Any] | None:
    """A process as a result names it; C(version) and C(options) are filled in where they are known."""
    if process is None:
        return None
    return {
        "pid": process.pid,
        "exe": None if process.exe is None else clean(process.exe, 300),
        # Where the file cannot be seen, nothing is known.
        "deleted": None if process.exe is None else replaced,
        "installed": None if installed is None else clean(installed, 300),
        "version": None,
        "options": None,
        "argv": [clean(argument, MAX_ARGUMENT) for argument in process.argv[:MAX_ARGUMENTS]],
        "apparmor": label,
    }


def dead_network(running: Mapping[str, Any]) -> str | None:
    """The network driver of which no process is there, though it needs one; None where that is not known; pure."""
    driver = running["network_driver"]
    missing = driver in ("pasta", "slirp4netns") and not running[driver]
    return driver if missing and not running.get("processes_hidden") else None


def stale(running: Mapping[str, Any]) -> list[str]:
    """What runs although something else is installed, one sentence each; pure."""
    found = []
    for name in NAMES:
        runs = running[name]
        if not runs or not runs["exe"]:
            continue
        if runs["deleted"]:
            found.append(f"{name} (pid {runs['pid']}) runs a file that was replaced since: {runs['exe']}")
        elif runs["installed"] and not same_program(runs["exe"], runs["installed"]):
            found.append(f"{name} (pid {runs['pid']}) runs {runs['exe']}, installed is {runs['installed']}")
    driver = dead_network(running)
    if driver:
        found.append(f"{driver} is dead: {DEAD}")
    return found
