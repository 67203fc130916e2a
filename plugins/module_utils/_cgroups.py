# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which cgroup v2 controllers a host has, and which of them reach a user's manager."""

from __future__ import annotations

import os
import re

from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import read_text

ROOT = "/sys/fs/cgroup"
ESSENTIAL = ("cpu", "memory", "pids")
"""What C(docker run --cpus), C(-m) and C(--pids-limit) need; Debian's systemd delegates these by itself."""


def parse_controllers(text: str) -> list[str]:
    """The names in a file such as cgroup.controllers; words that are no such name are left out."""
    return [word for word in text.split()[:64] if re.fullmatch(r"[a-z_]{1,32}", word)]


def unified_root(root: str = ROOT) -> str | None:
    """Where cgroup v2 is mounted: at C(root), or below it on a host that still has v1 besides; None where it is not."""
    return next((path for path in (root, f"{root}/unified") if os.path.exists(f"{path}/cgroup.controllers")), None)


def host_cgroups(root: str = ROOT) -> dict[str, object]:
    """C(version), 2 or 1 (v1, or both side by side), and the C(controllers) of v2."""
    unified = unified_root(root)
    text = read_text(f"{unified}/cgroup.controllers", 4096) if unified else None
    return {"version": 2 if unified == root else 1, "controllers": parse_controllers(text or "")}


def user_controllers(uid: int, root: str = ROOT) -> list[str] | None:
    """The controllers that reach a user's manager; None where it has no cgroup."""
    text = read_text(f"{unified_root(root) or root}/user.slice/user-{uid}.slice/user@{uid}.service/cgroup.controllers", 4096)
    return None if text is None else parse_controllers(text)
