# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base root file systems: built once, kept by the content of their recipe, copied for each host."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path

import network
from settings import CACHE, LabError, run, step

# What a small server has after its installation. Nothing of what the roles install: they have to do that themselves.
PACKAGES = [
    "systemd", "systemd-sysv", "dbus", "libpam-systemd", "python3", "python3-apt", "iproute2", "procps", "kmod", "sudo",
    "openssh-server", "ca-certificates", "curl", "nftables", "busybox-static", "less",
]  # fmt: skip

# By suite: packages whose files (not more) lie in the host's apt cache, so that no scenario downloads them again.
DISTRIBUTIONS = {
    "trixie": {
        "download": [
            "docker.io", "docker-cli", "passt", "uidmap", "slirp4netns", "dbus-user-session", "iptables", "rootlesskit",
        ],
        "backports": ["passt"],
    },
}  # fmt: skip

BACKPORTS = """
suite="$(. "$1/etc/os-release"; echo "$VERSION_CODENAME")-backports"
chroot "$1" sh -c 'apt-get indextargets --format "\\$(SITE)" "Created-By: Packages" | head -n 1' > "$1/site"
echo "deb $(cat "$1/site") $suite main" > "$1/etc/apt/sources.list.d/lab.list"
rm "$1/site"
chroot "$1" apt-get -q update
chroot "$1" apt-get -q -y --no-install-recommends --download-only install {packages}
rm "$1/etc/apt/sources.list.d/lab.list" "$1"/var/lib/apt/lists/*backports*
"""

# The image that the scenarios run: no registry is needed for it.
WEB_IMAGE = """
mkdir -p "$1/srv/lab/web/bin" "$1/srv/lab/web/www"
cp "$1/bin/busybox" "$1/srv/lab/web/bin/"
echo "portside lab page" > "$1/srv/lab/web/www/index.html"
tar -C "$1/srv/lab/web" -cf "$1/srv/lab/web.tar" bin www
rm -r "$1/srv/lab/web"
"""

# A throw-away host need not survive a power cut: without fsync dpkg is three times as fast.
FAST_DPKG = 'echo force-unsafe-io > "$1/etc/dpkg/dpkg.cfg.d/lab"'
CLEAN = 'chroot "$1" apt-get clean'
NETWORKD = 'chroot "$1" systemctl enable systemd-networkd.service ssh.service'

DAYS_KEPT = 7


def recipe(distribution: str) -> list[str]:
    """The command that makes a base root file system, less its target."""
    if distribution not in DISTRIBUTIONS:
        raise LabError(f"no recipe for the distribution {distribution!r}; there is one for: {', '.join(DISTRIBUTIONS)}")
    wanted = DISTRIBUTIONS[distribution]
    download = 'chroot "$1" apt-get -q -y --no-install-recommends --download-only install ' + " ".join(wanted["download"])
    backports = BACKPORTS.format(packages=" ".join(f"{name}/{distribution}-backports" for name in wanted["backports"]))
    hooks = [FAST_DPKG, NETWORKD, WEB_IMAGE, CLEAN, download, backports]
    proxies = [f'--aptopt={name} "{url}"' for name, url in network.apt_proxies().items()]
    return [
        "mmdebstrap", "--variant=minbase", "--include=" + ",".join(PACKAGES), "--skip=cleanup/apt", *proxies,
        *[f"--customize-hook=set -eu\n{hook}" for hook in hooks], distribution,
    ]  # fmt: skip


def base(distribution: str) -> Path:
    """The folder of the base root file system, built where it is missing or a week old."""
    command = recipe(distribution)
    key = hashlib.sha256(json.dumps(command).encode()).hexdigest()[:12]
    folder = CACHE / "base"
    target = folder / f"{distribution}-{key}"
    fresh = target.exists() and time.time() - (folder / f"{target.name}.built").stat().st_mtime < DAYS_KEPT * 86400
    if fresh:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{distribution}-*"):
        if old.is_dir():
            shutil.rmtree(old)
    partial = folder / f"{target.name}.partial"
    with step(f"building the base root file system of {distribution} (once, kept in {folder})"):
        run([*command, str(partial)], timeout=900, log=folder / f"{distribution}.log")
    (folder / f"{target.name}.built").touch()
    partial.rename(target)
    return target


def copy(distribution: str, target: Path) -> None:
    """A fresh root file system at *target*."""
    source = base(distribution)
    target.parent.mkdir(parents=True, exist_ok=True)
    run(["cp", "-a", "--reflink=auto", str(source), str(target)], timeout=300)
