# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what a role compares with its declaration: packages, units, files, programs, apt sources. Nothing is changed.

Each reader takes ``run``, a function from an argument list to ``(exit status, standard output)``, so that this file
needs neither Ansible nor a shell.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Callable, Sequence

Run = Callable[[list[str]], tuple[int, str]]

FILE_LIMIT = 65536
"""A configuration file or record is read up to this many bytes."""

UNIT_PROPERTIES = {
    "load": "LoadState", "active": "ActiveState", "enabled": "UnitFileState", "fragment": "FragmentPath", "drop_ins": "DropInPaths",
    "delegated": "DelegateControllers", "needs_daemon_reload": "NeedDaemonReload",
}  # fmt: skip
"""The names used here, and systemd's own."""


def package_versions(names: Sequence[str], run: Run) -> dict[str, str]:
    """The installed version of each package by dpkg's own record; empty where a package is not fully installed."""
    versions = dict.fromkeys(names, "")
    if names:
        # dpkg-query exits 1 when one name is unknown to it and still prints the others.
        output = run(["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\\n", *names])[1]
        for line in output.splitlines():
            fields = line.split()
            if len(fields) == 3 and fields[0] == "installed":
                versions[fields[1]] = fields[2]
    return versions


def unit_states(names: Sequence[str], run: Run) -> dict[str, dict[str, str]]:
    """systemd's view of each unit, in its own words; empty words where systemd gives no answer."""
    blocks: list[str] = []
    if names:
        output = run(["systemctl", "show", "--property=" + ",".join(UNIT_PROPERTIES.values()), *names])[1]
        blocks = output.strip("\n").split("\n\n")
    states = {}
    for position, name in enumerate(names):
        lines = blocks[position].splitlines() if position < len(blocks) else []
        values = dict(line.partition("=")[::2] for line in lines)
        states[name] = {key: values.get(label, "") for key, label in UNIT_PROPERTIES.items()}
    return states


def file_contents(paths: Sequence[str]) -> dict[str, str | None]:
    """The text of each file; None where there is none.

    :raises OSError: a path exists and cannot be read as a file.
    """
    contents: dict[str, str | None] = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                contents[path] = file.read(FILE_LIMIT).decode("utf-8", "replace")
        except FileNotFoundError:
            contents[path] = None
    return contents


def entry_counts(patterns: Sequence[str]) -> dict[str, int]:
    """How many entries the folders that match each pattern have together; what cannot be listed has none."""
    counts = dict.fromkeys(patterns, 0)
    for pattern in patterns:
        for path in glob.glob(pattern):
            if os.path.isdir(path) and not os.path.islink(path):
                counts[pattern] += len(os.listdir(path))
    return counts


def file_attributes(paths: Sequence[str]) -> dict[str, str | None]:
    """Owner, group and mode of each file itself, such as C(0:0 0644), with C(link) for the mode of a symbolic link; None without one."""
    found: dict[str, str | None] = {}
    for path in paths:
        try:
            state = os.lstat(path)
        except FileNotFoundError:
            found[path] = None
            continue
        mode = "link" if stat.S_ISLNK(state.st_mode) else f"{stat.S_IMODE(state.st_mode):04o}"
        found[path] = f"{state.st_uid}:{state.st_gid} {mode}"
    return found


def find_programs(names: Sequence[str], directories: Sequence[str]) -> dict[str, str]:
    """The first executable file of each name in the directories; empty where there is none."""
    found = dict.fromkeys(names, "")
    for name in names:
        for directory in directories:
            path = os.path.join(directory, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                found[name] = path
                break
    return found


def accepts_option(program: str, option: str, run: Run) -> bool:
    """Whether a program takes a long option, by exit status: with it and ``--version`` an unknown option fails.

    passt's programs stop at ``--version`` before they do anything; what they print is not looked at, because Debian 13's prints
    nothing into a pipe. The form with a value comes first: an option that wants one would otherwise swallow
    ``--version``, and pasta would really start.
    """
    if run([program, option if "=" in option else option + "=/nonexistent", "--version"])[0] == 0:
        return True
    return "=" not in option and run([program, option, "--version"])[0] == 0


APT_FORMAT = "$(CREATED_BY)|$(COMPONENT)|$(RELEASE)|$(CODENAME)|$(REPO_URI)|$(SOURCESENTRY)"
"""The fields that apt_sources wants from ``apt-get indextargets --format``. Its CODENAME is known only after an update."""


def apt_sources(output: str) -> dict[str, list[dict[str, str]]]:
    """The archives of each suite, under the name that the sources file gives it (``suite``) and under its code name."""
    suites: dict[str, list[dict[str, str]]] = {}
    for line in output.splitlines():
        fields = line.split("|")
        if len(fields) != 6 or fields[:2] != ["Packages", "main"]:
            continue
        entry = {"uri": fields[4], "suite": fields[2], "file": re.sub(r":\d+$", "", fields[5])}
        for suite in sorted({fields[2], fields[3]} - {"$(CODENAME)", ""}):
            entries = suites.setdefault(suite, [])
            if entry not in entries:
                entries.append(entry)
    return suites
