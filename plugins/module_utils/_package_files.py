# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Program files that are no longer what their Debian package brought: replaced, cut short, removed, open to others for writing, or
without the right that they are started for.

dpkg keeps the MD5 sum of each file in its database. A sum is computed only for a file whose inode changed after that database entry was
written, since dpkg writes the entry last: comparing costs nothing on a host where nothing was touched.
"""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Sequence

DATABASE = "/var/lib/dpkg"
PLACES = ("usr/bin/", "usr/sbin/", "usr/libexec/", "usr/lib/systemd/", "usr/share/docker.io/contrib/", "bin/", "sbin/", "lib/systemd/")
"""What is compared: programs, units, and Debian's folder of the Engine's launch script. Configuration is the operator's."""

MODES = {"usr/bin/newuidmap": 0o4755, "usr/bin/newgidmap": 0o4755}
"""Modes that a copy of the file system, or of the file, easily loses. dpkg's database has none; Debian's uidmap brings these."""

LIST_LIMIT = 4 << 20
CHUNK = 1 << 20


def parse_sums(text: str) -> dict[str, str]:
    """Path, without the leading slash, and MD5 of each program in a package's list."""
    sums = {}
    for line in text.splitlines():
        digest, _blank, path = line.partition("  ")
        if len(digest) == 32 and path.startswith(PLACES):
            sums[path] = digest
    return sums


def parse_diversions(text: str) -> dict[str, str]:
    """Where files of packages really lie, by where they would: C(dpkg-divert) moved them away."""
    lines = text.splitlines()
    return {lines[position]: lines[position + 1] for position in range(0, len(lines) - 2, 3)}


def parse_overrides(text: str) -> set[str]:
    """Files whose owner and mode the operator chose with C(dpkg-statoverride): a package that is installed again gets those."""
    return {line.split(" ", 3)[3] for line in text.splitlines() if line.count(" ") >= 3}


def read_database(name: str, root: str = DATABASE) -> tuple[str, float] | None:
    """The text of a file of dpkg's, and when its inode last changed; None where there is none."""
    path = os.path.join(root, name)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(LIST_LIMIT), os.fstat(file.fileno()).st_ctime
    except OSError:
        return None


def lists_of(package: str, root: str = DATABASE) -> list[tuple[str, float]]:
    """A package's lists of sums: of one that can be installed for several architectures each has that in its name."""
    names = [f"{package}.md5sums", *(os.path.basename(path) for path in sorted(glob.glob(f"{root}/info/{glob.escape(package)}:*.md5sums")))]
    return [found for found in (read_database(f"info/{name}", root) for name in names) if found]


def file_sum(path: str) -> str:
    """MD5 of a file: dpkg has no other."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def is_altered(path: str, digest: str, written: float, owner: int = 0, mode: int | None = None) -> bool:
    """Whether a file is not what it was when its package was unpacked.

    :param written: when the package's list was written.
    :param mode: what it has to be, where that is known. A copied file system may have a list that is newer than a file without its mode.
    """
    try:
        found = os.lstat(path)
    except OSError:
        return True
    if not stat.S_ISREG(found.st_mode):
        return True
    if mode is not None and (stat.S_IMODE(found.st_mode) != mode or found.st_uid != owner):
        return True
    if found.st_ctime <= written:
        return False
    return found.st_uid != owner or bool(found.st_mode & 0o022) or file_sum(path) != digest


def programs_of(packages: Sequence[str], root: str = DATABASE) -> list[str]:
    """All programs of these packages, sorted: installed again, every one of them is another file."""
    return sorted({f"/{path}" for package in packages for text, _written in lists_of(package, root) for path in parse_sums(text)})


def altered_files(packages: Sequence[str], root: str = DATABASE, top: str = "/") -> dict[str, list[str]]:
    """Altered files of each of these packages that has some, sorted.

    :param packages: names of installed packages.
    :param top: the folder that paths are below; for tests.
    """
    diverted = parse_diversions((read_database("diversions", root) or ("", 0.0))[0])
    overridden = parse_overrides((read_database("statoverride", root) or ("", 0.0))[0])
    found = {}
    for package in packages:
        altered = set()
        for text, written in lists_of(package, root):
            for path, digest in parse_sums(text).items():
                real = diverted.get(f"/{path}", f"/{path}")
                mode = None if f"/{path}" in overridden else MODES.get(path)
                if is_altered(os.path.join(top, real.lstrip("/")), digest, written, os.geteuid(), mode):
                    altered.add(real)
        if altered:
            found[package] = sorted(altered)
    return found
