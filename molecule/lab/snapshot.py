# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is, for a comparison of before and after. Runs on the host itself, with the standard library only.

`snapshot.py take FILE` writes it; `snapshot.py compare FILE` prints each difference from what is there now, and fails where there is one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

TREES = ("/etc", "/usr/local", "/opt", "/var/lib", "/var/spool", "/home", "/srv")
# What changes by itself, or by any use of the host's own tools, and what is compared in another way below.
VOLATILE = {
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-": "backup copies that shadow's tools keep of the file before their last change",
    r"/etc/\.pwd\.lock": "the lock file of the same tools, which stays",
    r"/var/lib/dpkg(/.*)?": "dpkg's own books; the packages are compared by what dpkg says",
    r"/var/lib/apt(/.*)?": "apt's lists, a cache; what is marked as installed by hand is compared below",
    r"/var/lib/systemd/(timers|timesync|random-seed|coredump|pstore|catalog)(/.*)?": "systemd's own clocks and caches",
    r"/var/lib/systemd/linger": "logind makes the folder with the first user who lingers; who does is compared",
    r"/var/lib/(docker|containerd)/.*": "a rootful daemon's own books, which each start changes; the tests look at its containers",
    r"/var/lib/logrotate(/.*)?": "when logs were rotated",
}
SYSCTLS = re.compile(
    r"fs\.(dentry-state|file-nr|inode-nr|inode-state|aio-nr|quota\..*)|kernel\.(random\..*|pty\.nr|ns_last_pid)|"
    r"net\.netfilter\.nf_conntrack_count|net\.ipv[46]\.(conf|neigh)\.veth.*|kernel\.sched_domain.*|dev\.cdrom.*"
)
# Units that come and go with users' sessions and with jobs of the system.
UNITS = re.compile(
    r"session-.*|user@.*|user-\d.*|run-user-.*|run-credentials.*|systemd-tmpfiles.*|.*\.(device|scope|slice)|systemd-hostnamed.*|apt-.*|"
    # A container's namespace has a name of chance.
    r"run-docker-netns-.*"
)
MOUNTS = re.compile(r"/run/user/.*|/run/credentials/.*|/proc/.*|/var/lib/docker/.*|/run/docker/.*")


def run(*argv: str) -> list[str]:
    """The lines that a command prints."""
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, timeout=60).stdout.splitlines()


def describe(path: str) -> str:
    """Kind, mode, owner, and content or target of one file."""
    found = os.lstat(path)
    about = f"{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"
    if stat.S_ISLNK(found.st_mode):
        return f"{about} -> {os.readlink(path)}"
    if stat.S_ISREG(found.st_mode):
        return f"{about} {hashlib.sha256(Path(path).read_bytes()).hexdigest()}"
    return about


def tree() -> dict[str, str]:
    """Every file that is compared."""
    skip = re.compile("|".join(VOLATILE))
    paths = [os.path.join(folder, name) for top in TREES for folder, *names in os.walk(top) for name in [*names[0], *names[1]]]
    return {path: describe(path) for path in paths if not skip.fullmatch(path)}


def fields(lines: list[str], key: int = 0) -> dict[str, str]:
    """Lines by one of their words."""
    return {line.split()[key]: " ".join(line.split()) for line in lines if line.strip()}


def sysctls() -> dict[str, str]:
    """Every sysctl that can be read and does not change by itself."""
    done = subprocess.run(["sysctl", "-a"], capture_output=True, text=True, check=False, timeout=60)
    values = dict(line.partition(" = ")[::2] for line in done.stdout.splitlines())
    return {name: value for name, value in values.items() if not SYSCTLS.fullmatch(name)}


def active_units() -> dict[str, str]:
    """Every unit that is not inactive, and how it is."""
    lines = run("systemctl", "list-units", "--all", "--plain", "--no-legend", "--full")
    states = {name: line.split()[2] for name, line in fields(lines).items()}
    return {name: state for name, state in states.items() if state != "inactive" and not UNITS.fullmatch(name)}


def mounts() -> dict[str, str]:
    """Every mount point."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return {point: "mounted" for point in points if not MOUNTS.fullmatch(point)}


def unit_files(*options: str) -> dict[str, str]:
    """Every unit file, and whether it is enabled. Sessions have units without a file."""
    lines = run("systemctl", *options, "list-unit-files", "--no-legend", "--full")
    return fields([line for line in lines if " transient " not in line])


def take() -> dict[str, dict[str, str]]:
    """All of it: what, then name, then how it is."""
    processes = run("ps", "-eo", "user:32=,comm=")
    return {
        "file": tree(),
        "package": fields(run("dpkg-query", "--show", "--showformat=${binary:Package} ${db:Status-Abbrev} ${Version}\\n")),
        "installed by hand": fields(run("apt-mark", "showmanual")),
        "unit file": unit_files(),
        "users' unit file": unit_files("--global"),
        "active unit": active_units(),
        "sysctl": sysctls(),
        "mount": mounts(),
        "interface": {name: "there" for name in os.listdir("/sys/class/net") if not name.startswith("veth")},
        "process of a user": {line: "runs" for line in processes if not line.startswith(("root ", "message", "systemd"))},
    }


def differences(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """One line for each difference."""
    lines = []
    for what in sorted({*before, *after}):
        old, new = before.get(what, {}), after.get(what, {})
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                lines.append(f"{what} {name}: was {old.get(name, 'not there')!r}, is {new.get(name, 'not there')!r}")
    return lines


def main() -> int:
    """Take or compare."""
    command, path = sys.argv[1:3]
    if command == "take":
        Path(path).write_text(json.dumps(take()))
        return 0
    found = differences(json.loads(Path(path).read_text()), take())
    print(*found, f"{len(found)} differences", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
