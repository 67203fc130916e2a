# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""RootlessKit releases below one folder: VERSION/{programs}, and ``current``, a symbolic link to the version in use.

A version becomes visible by one rename, and ``current`` is switched by one rename, so a run that is killed at any
point leaves what was installed before in working order. What it leaves behind has a name of its own and is swept by the
next run. Nothing here knows Ansible; errors are :class:`ReleaseError`.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import os
import re
import shutil
import stat
import tarfile
import tempfile
import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

PROGRAMS = ("rootlesskit", "rootlessctl", "rootlesskit-docker-proxy")
"""What a release's archive holds, nothing else."""

LINK = "docker-rootlesskit"
"""The name that the Engine's launch scripts look for first."""

MANIFEST = ".files.json"
"""The sums of what was installed, in each version's folder."""

ARCHITECTURES = ("x86_64", "aarch64", "armv7l", "ppc64le", "riscv64", "s390x")
"""Architectures that releases are made for, named as in the archives."""

SIZE_LIMIT = 256 << 20
"""Bytes that an archive, or one program in it, may have."""

CHUNK = 1 << 20

VERSION_NAME = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?\Z")
CHECKSUM = re.compile(r"[0-9a-f]{64}\Z")
STAGING = re.compile(r"\.(\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?|current)\.(new|old)-")


class ReleaseError(Exception):
    """What is wanted cannot be had; the text names the object, the cause and the remedy."""


@dataclass
class State:
    """What is below the folder.

    :ivar versions: versions with a manifest, newest first; those that are damaged are among them only where all are looked for.
    :ivar current: what ``current`` points to; empty without one.
    :ivar damage: what is wrong with the wanted version, one phrase each; empty means sound.
    :ivar foreign: what lies in the wanted version's folder and did not come from its archive. That folder comes first on every daemon's
        PATH, so a program there would be started in place of the system's.
    :ivar leftovers: temporary names of runs that were killed.
    :ivar others: names that are none of all this.
    """

    versions: list[str] = field(default_factory=list)
    current: str = ""
    damage: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def version_key(version: str) -> tuple[list[int], bool, str]:
    """For sorting versions; a pre-release comes before its release."""
    numbers, _dash, suffix = version.partition("-")
    return [int(number) for number in numbers.split(".")], not suffix, suffix


def versions_to_remove(versions: list[str], current: str, keep: int, previous: str = "", needed: str = "") -> list[str]:
    """The versions beyond ``keep`` ones, the current one not counted and never among them.

    :param previous: the version that was in use before a switch is the first to be kept, for the way back; then the newest.
    :param needed: a version that an upgrade which is not finished goes back to. It comes before all, and stays whatever ``keep`` is.
    """
    others = sorted((version for version in versions if version != current), key=version_key, reverse=True)
    others.sort(key=lambda version: (version != needed, version != previous))
    return sorted(others[max(keep, int(needed in others)) :], key=version_key, reverse=True)


def version_of_upgrade(record: str) -> str:
    """The version that an upgrade which is not finished goes back to; empty where there is no such record.

    One that is damaged is for the role rootless_upgrade to refuse.
    """
    try:
        with open(record, encoding="utf-8") as file:
            return str(json.load(file)["rootlesskit"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def wanted_checksum(version: str, architecture: str, checksums: dict[str, str]) -> str:
    """The sum for this host.

    :raises ReleaseError: there is none, or it is no SHA-256.
    """
    if architecture not in ARCHITECTURES:
        raise ReleaseError(f"RootlessKit has no release for architecture {architecture!r}; there are: {', '.join(ARCHITECTURES)}")
    checksum = str(checksums.get(architecture, "")).lower()
    if not checksum:
        raise ReleaseError(
            f"no SHA-256 is known for RootlessKit {version} on {architecture}. "
            f'Give it as rootlesskit_checksums: {{"{version}": {{{architecture}: SUM}}}}; an archive is never installed unchecked'
        )
    if not CHECKSUM.match(checksum):
        raise ReleaseError(f"the SHA-256 for RootlessKit {version} on {architecture} is {checksum!r}; it has to be 64 hexadecimal digits")
    return checksum


def recorded_checksum(directory: str, version: str) -> str:
    """The sum of the archive that an installed version was unpacked from; empty where none is recorded."""
    checksum = str(read_manifest(os.path.join(directory, version)).get("archive", ""))
    return checksum if CHECKSUM.match(checksum) else ""


def file_sum(path: str) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def verify_archive(path: str, checksum: str, origin: str) -> None:
    """Compare an archive's sum.

    :raises ReleaseError: with both sums.
    """
    got = file_sum(path)
    if got != checksum:
        raise ReleaseError(
            f"{origin}: SHA-256 is {got}, expected {checksum}. The archive is not the one that was pinned: it was cut short, replaced, "
            "or the sum belongs to another build. Nothing was changed. Compare with the release's SHA256SUMS"
        )


def download(url: str, target: str, timeout: float, open_url: Callable) -> None:
    """Fetch a URL into a file.

    :param timeout: seconds for the whole of it.
    :param open_url: opens a URL as urllib does, proxies from the environment included.
    :raises ReleaseError: it could not be fetched completely.
    """
    deadline = time.monotonic() + timeout
    received, announced = 0, None
    try:
        with open_url(url, timeout=timeout) as answer, open(target, "wb") as file:
            announced = answer.headers.get("Content-Length")
            # read1 gives what has come; read would wait for a whole chunk, past the deadline.
            read = getattr(answer, "read1", answer.read)
            for chunk in iter(lambda: read(CHUNK), b""):
                received += len(chunk)
                if received > SIZE_LIMIT:
                    raise ReleaseError(f"{url}: more than {SIZE_LIMIT} bytes came, which is no RootlessKit archive. Nothing was changed")
                if time.monotonic() > deadline:
                    raise ReleaseError(
                        f"{url}: only {received} bytes came within {timeout:g} s. Nothing was changed. "
                        "Raise rootlesskit_timeout, or set rootlesskit_base_url to a nearer mirror"
                    )
                file.write(chunk)
    except (OSError, ValueError, http.client.HTTPException) as error:
        cause = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", None) or error
        raise ReleaseError(
            f"{url}: the download failed: {cause}. Nothing was changed. Check the address and the proxy from this host, "
            "set rootlesskit_base_url to a mirror, or give a local file as rootlesskit_archive"
        ) from error
    if announced is not None and announced.isdigit() and received != int(announced):
        raise ReleaseError(f"{url}: the download was cut short after {received} of {announced} bytes. Nothing was changed. Run again")


def unpack(archive: str, target: str) -> dict[str, str]:
    """Unpack the programs of a verified archive into a folder.

    :return: each program's SHA-256.
    :raises ReleaseError: the archive holds anything else than the three programs as plain files.
    """
    sums: dict[str, str] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if name in ("", ".") and member.isdir():
                    continue
                if name not in PROGRAMS or name in sums or not member.isreg() or member.size > SIZE_LIMIT:
                    raise ReleaseError(f"the archive has a member {member.name[:100]!r} that does not belong there. Nothing was changed")
                sums[name] = _extract(tar.extractfile(member), os.path.join(target, name))
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            full = f"{os.path.dirname(target)}: {error.strerror}, so the archive cannot be unpacked"
            raise ReleaseError(f"{full}. Nothing was changed. Make room there and run again") from error
        raise ReleaseError(f"the archive cannot be unpacked: {error}. Nothing was changed") from error
    missing = [name for name in PROGRAMS if name not in sums]
    if missing:
        raise ReleaseError(f"the archive lacks {', '.join(missing)}. Nothing was changed")
    return sums


def _extract(source: IO[bytes] | None, path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "xb") as file:
        for chunk in iter(lambda: source.read(CHUNK) if source else b"", b""):
            digest.update(chunk)
            file.write(chunk)
        os.fchmod(file.fileno(), 0o755)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def read_manifest(folder: str) -> dict:
    """A version's record; empty where there is none that can be read."""
    try:
        with open(os.path.join(folder, MANIFEST), encoding="utf-8") as file:
            manifest = json.load(file)
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) else {}


def damage_of(folder: str, checksum: str) -> list[str]:
    """What is wrong with an installed version; empty means that it is as it was unpacked from the archive with this sum."""
    if not os.path.isdir(folder) or os.path.islink(folder):
        return ["not installed"]
    manifest = read_manifest(folder)
    if not manifest:
        return [f"{MANIFEST} is missing or unreadable"]
    if manifest.get("archive") != checksum:
        return ["it came from an archive with another SHA-256"]
    damage = _damage_of_entry(folder, folder, stat.S_IFDIR, "")
    for name in PROGRAMS:
        damage += _damage_of_entry(os.path.join(folder, name), name, stat.S_IFREG, str(manifest["files"].get(name, "")))
    link = os.path.join(folder, LINK)
    if not os.path.islink(link) or os.readlink(link) != PROGRAMS[0]:
        damage.append(f"{LINK} does not point to {PROGRAMS[0]}")
    return damage


def foreign_in(folder: str) -> list[str]:
    """Names in a version's folder that are none of a release's."""
    try:
        return sorted({*os.listdir(folder)} - {*PROGRAMS, LINK, MANIFEST})
    except FileNotFoundError:
        return []


def remove_foreign(folder: str, names: list[str]) -> None:
    """Remove these entries of a version's folder."""
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def _damage_of_entry(path: str, name: str, kind: int, checksum: str) -> list[str]:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return [f"{name} is missing"]
    if stat.S_IFMT(found.st_mode) != kind:
        return [f"{name} is of another kind"]
    damage = []
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o755:
        damage.append(f"{name} has owner {found.st_uid} and mode {stat.S_IMODE(found.st_mode):04o}")
    if kind == stat.S_IFREG and file_sum(path) != checksum:
        damage.append(f"{name} has another content")
    return damage


def is_version(folder: str) -> bool:
    """Whether a version was installed here, however much of it is missing by now."""
    if os.path.islink(folder) or not os.path.isdir(folder):
        return False
    # Without a manifest nothing tells a folder of somebody else's but what is in it.
    names = {*os.listdir(folder)}
    return MANIFEST in names or (bool(names) and names <= {*PROGRAMS, LINK})


def read_state(directory: str, version: str = "", checksum: str = "") -> State:
    """What is below the folder, compared with a wanted version where one is given. Without one all versions are looked for.

    :raises ReleaseError: something else stands at one of the names.
    """
    state = State()
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        names = []
    except NotADirectoryError as error:
        raise ReleaseError(f"{directory} is no folder. Move it away, or set rootlesskit_directory") from error
    state.leftovers = [name for name in names if STAGING.match(name)]
    # One that is damaged is no way back to anything.
    counts = read_manifest if version else is_version
    state.versions = sorted(
        (name for name in names if VERSION_NAME.match(name) and counts(os.path.join(directory, name))), key=version_key, reverse=True
    )
    link = os.path.join(directory, "current")
    if os.path.islink(link):
        state.current = os.readlink(link)
    elif os.path.lexists(link):
        raise ReleaseError(f"{link} is no symbolic link. Move it away and run again")
    state.others = [name for name in names if name not in {*state.versions, *state.leftovers, version, "current"}]
    if version:
        folder = os.path.join(directory, version)
        if os.path.lexists(folder) and (os.path.islink(folder) or not os.path.isdir(folder)):
            raise ReleaseError(f"{folder} is no folder. Move it away and run again")
        state.damage = damage_of(folder, checksum)
        state.foreign = foreign_in(folder)
    return state


def install(directory: str, version: str, checksum: str, archive: str) -> None:
    """Put a verified archive's programs at DIRECTORY/VERSION.

    A version that is there already, damaged, is mended file by file: each is replaced by a rename, so its names never vanish
    under a running daemon.

    :raises ReleaseError: the archive does not hold what it has to.
    """
    os.makedirs(directory, mode=0o755, exist_ok=True)
    folder = os.path.join(directory, version)
    staging = tempfile.mkdtemp(prefix=f".{version}.new-", dir=directory)
    try:
        sums = unpack(archive, staging)
        os.symlink(PROGRAMS[0], os.path.join(staging, LINK))
        with open(os.path.join(staging, MANIFEST), "w", encoding="utf-8") as file:
            json.dump({"archive": checksum, "files": sums}, file, indent=2, sort_keys=True)
            file.write("\n")
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(staging, 0o755)
        _sync_folder(staging)
        if os.path.isdir(folder):
            # The manifest goes last: until it is there the version counts as damaged.
            for name in (*PROGRAMS, LINK, MANIFEST):
                path = os.path.join(folder, name)
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                os.replace(os.path.join(staging, name), path)
            os.chown(folder, os.geteuid(), os.getegid())
            os.chmod(folder, 0o755)
            _sync_folder(folder)
        else:
            os.rename(staging, folder)
        _sync_folder(directory)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def switch(directory: str, version: str) -> None:
    """Point ``current`` at a version by one rename."""
    temporary = tempfile.mkdtemp(prefix=".current.new-", dir=directory)
    try:
        link = os.path.join(temporary, "current")
        os.symlink(version, link)
        os.rename(link, os.path.join(directory, "current"))
        _sync_folder(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove(directory: str, names: list[str]) -> None:
    """Remove entries of the folder; a version is renamed first, so that one half removed is a leftover and never counts as a version."""
    for name in names:
        path = os.path.join(directory, name)
        if os.path.islink(path) or not os.path.isdir(path):
            os.unlink(path)
            continue
        if not STAGING.match(name):
            trash = tempfile.mkdtemp(prefix=f".{name}.old-", dir=directory)
            os.rename(path, trash)
            path = trash
        shutil.rmtree(path)


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
