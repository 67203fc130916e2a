# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines, RootlessKits and passts in several versions, side by side: every host sees them, read-only, below /opt/lab.

Each is a flat folder of programs, KIND/NAME, made once and kept in the lab's cache. Nothing of it is installed in a host: a unit
whose PATH names three of these folders runs that combination, and another PATH and a restart make it another combination.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import images
import mirror
from settings import CACHE, LabError, locked, run, step

FOLDER = CACHE / "programs"
# Where a host has it.
MOUNT = "/opt/lab"

# Debian packages, by suite. Only these come from there; what they link to is the host's own.
ENGINE_PACKAGES = ["docker.io", "containerd", "runc"]
PACKAGES = {
    "engine/26.1.5": ("trixie", ENGINE_PACKAGES),
    "engine/28.5.2": ("sid", ENGINE_PACKAGES),
    "passt/old": ("trixie", ["passt"]),
    "passt/new": ("trixie-backports", ["passt"]),
    "rootlesskit/2.0.2": ("trixie", ["rootlesskit"]),
}
SUITES = ["trixie", "trixie-backports", "sid"]
# Folders of a package whose files go into the flat one.
PROGRAM_FOLDERS = ["usr/sbin", "usr/bin", "usr/libexec/docker", "usr/share/docker.io/contrib"]

# The 29 line, which no suite has: its source is published as a Go module. The launch script is the one that comes with it.
MODULE = "github.com/moby/moby/v2"
MODULE_VERSION = "2.0.0-beta.24"
MODULE_ENGINE = "api-1.56"
MODULE_PROGRAMS = ["dockerd", "docker-proxy"]
# Its containerd and runc: the newest that are packaged. With trixie's runc 1.1.15 no container starts.
MODULE_PARTS = ("sid", ["containerd", "runc"])

ENGINES = ["26.1.5", "28.5.2", MODULE_ENGINE]
# What an Engine consists of, and what `select` links into a host's own path.
ENGINE_PROGRAMS = ["dockerd", "docker-proxy", "dockerd-rootless.sh", "containerd", "containerd-shim-runc-v2", "runc"]


def provide(kind: str, name: str) -> Path:
    """Have a folder of programs in the cache: `engine`, `passt` (old, new) or `rootlesskit` in a version.

    It takes the lab's lock itself, and only for moments.
    """
    target = FOLDER / kind / name
    with locked("programs.lock"):
        if not target.exists():
            partial = target.with_name(f"{name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            make(kind, name, partial)
            partial.rename(target)
    return target


def is_there(kind: str, name: str) -> bool:
    """Whether a folder of programs has been made already."""
    return (FOLDER / kind / name).exists()


def make(kind: str, name: str, target: Path) -> None:
    """Fill a folder with programs."""
    what = f"{kind}/{name}"
    if what in PACKAGES:
        unpack(*PACKAGES[what], target)
    elif what == f"engine/{MODULE_ENGINE}":
        unpack(*MODULE_PARTS, target)
        build_engine(target)
    elif kind == "rootlesskit":
        with locked():
            mirror.provide(name)
        run(["tar", "-xzf", str(mirror.archive(name)), "-C", str(target)])
    else:
        raise LabError(f"the lab knows no {what}; engines are {', '.join(ENGINES)}, passts are old and new")
    if kind == "engine":
        complete(name, target)


def complete(name: str, folder: Path) -> None:
    """Fail unless all of an Engine is there, in the version that its name says."""
    missing = [program for program in ENGINE_PROGRAMS if not (folder / program).exists()]
    if missing:
        raise LabError(f"engine {name}: no {', '.join(missing)} in what was fetched for it")
    packaged = [path.stem for path in folder.glob("docker.io_*.package")]
    if packaged and not packaged[0].startswith(f"docker.io_{name}+"):
        raise LabError(f"engine {name}: the suite has {packaged[0]} now; see PACKAGES in {__file__}")


def unpack(suite: str, names: list[str], target: Path) -> None:
    """Download packages of a suite and put their programs into one folder. No package manager installs anything."""
    with locked():
        base = images.base("trixie")
    with step(f"fetching {' '.join(names)} of {suite}"), tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for folder in ("lists/partial", "cache/archives/partial", "parts"):
            (work / folder).mkdir(parents=True)
        site = run(["chroot", str(base), "apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]).split()[0]
        keys = base / "usr/share/keyrings/debian-archive-keyring.gpg"
        (work / "sources.list").write_text("".join(f"deb [signed-by={keys}] {site} {each} main\n" for each in SUITES))
        # apt as it is on this machine, with sources and folders of its own. The release file of sid may be out of date.
        apt = [
            "apt-get", "-q", "-o", f"Dir::State::lists={work}/lists", "-o", f"Dir::Cache={work}/cache",
            "-o", f"Dir::Etc::sourcelist={work}/sources.list", "-o", f"Dir::Etc::sourceparts={work}/parts",
            "-o", f"Dir::Etc::preferencesparts={work}/parts", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Check-Valid-Until=false",
        ]  # fmt: skip
        run([*apt, "update"], timeout=300)
        run([*apt, "download", *[f"{each}/{suite}" for each in names]], timeout=300, cwd=work)
        for package in sorted(work.glob("*.deb")):
            (target / f"{package.stem}.package").touch()
            run(["dpkg-deb", "-x", str(package), str(work / "root")], timeout=120)
        for folder in PROGRAM_FOLDERS:
            for path in sorted((work / "root" / folder).glob("*")):
                with contextlib.suppress(FileNotFoundError):  # a link that leads to no file of these packages
                    shutil.copy2(path, target)


def build_engine(target: Path) -> None:
    """Build the Engine of the 29 line from its published source."""
    environment = {**mirror.go_environment(target), "CGO_ENABLED": "0"}
    # Built as a dependency, it would call itself library-import.
    flags = f"-ldflags=-s -w -X {MODULE}/dockerversion.Version={MODULE_VERSION}"
    with step(f"building Engine {MODULE_VERSION} (some minutes, once)"):
        packages = [f"{MODULE}/cmd/{program}@v{MODULE_VERSION}" for program in MODULE_PROGRAMS]
        run(["nice", mirror.go(), "install", flags, *packages], timeout=1800, env=environment)
    shutil.copy2(CACHE / f"gopath/pkg/mod/{MODULE}@v{MODULE_VERSION}/contrib/dockerd-rootless.sh", target)
    (target / "dockerd-rootless.sh").chmod(0o755)


def version_of(kind: str, name: str) -> str:
    """What a folder holds, for people: the versions of its packages, or of its module."""
    packages = sorted(path.stem.rpartition("_")[0].replace("_", " ") for path in provide(kind, name).glob("*.package"))
    if name == MODULE_ENGINE:
        packages.insert(0, f"moby {MODULE_VERSION}")
    return ", ".join(packages) or name


def select(root: Path, name: str) -> None:
    """Make an Engine the one that a host finds first, from the next start of a daemon on; `distribution` gives it its own again."""
    for program in ENGINE_PROGRAMS:
        link = root / "usr/local/bin" / program
        link.unlink(missing_ok=True)
        if name != "distribution":
            os.symlink(f"{MOUNT}/engine/{name}/{program}", link)
