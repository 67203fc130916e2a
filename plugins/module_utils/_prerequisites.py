# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel must allow: sysctls and AppArmor."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import PROC, read_text, whole_number

SYS = "/sys"
APPARMOR_PROFILES = "/etc/apparmor.d"


class Sysctl(NamedTuple):
    """A sysctl that decides whether or how a rootless daemon works.

    :ivar minimum: smallest value of the last number in it that will do, None where every value does.
    :ivar needed: that, in words.
    :ivar why: what goes wrong otherwise.
    """

    name: str
    minimum: int | None
    needed: str
    why: str


SYSCTLS = (
    Sysctl("kernel.unprivileged_userns_clone", 1, "1, or absent", "no user may make a user namespace"),
    Sysctl("user.max_user_namespaces", 28633, "28633 or more", "user namespaces run out, also for the users' containers"),
    Sysctl("net.ipv4.ip_unprivileged_port_start", None, "at most the lowest published port", "lower ports are published and dead"),
    Sysctl("net.ipv4.ping_group_range", 1, "first and last group id, such as 0 2147483647", "ping from a container gets no answer"),
    Sysctl(
        "kernel.apparmor_restrict_unprivileged_userns", None, "0, or a profile that allows RootlessKit userns", "RootlessKit cannot start"
    ),
)


def judge(sysctl: Sysctl, text: str | None) -> dict[str, Any]:
    """One sysctl as a result names it; C(ok) is null where that depends on more than its value."""
    words = (text or "").split()
    numbers = [whole_number(word) for word in words]
    last = numbers[-1] if numbers else None
    ok = None if sysctl.minimum is None or (words and last is None) else last is None or last >= sysctl.minimum
    if sysctl.name == "net.ipv4.ping_group_range" and ok and len(numbers) == 2:
        # The kernel's own default is 1 0: a range without a group.
        ok = None not in numbers and numbers[0] <= numbers[1]
    value = " ".join(words)
    return {"name": sysctl.name, "value": clean(value, 60) if words else None, "needed": sysctl.needed, "why": sysctl.why, "ok": ok}


def read_sysctls(proc: str = PROC) -> list[dict[str, Any]]:
    """The sysctls of the table; the value of one that the kernel does not have is null."""
    return [judge(each, read_text(f"{proc}/sys/{each.name.replace('.', '/')}", 256)) for each in SYSCTLS]


def apparmor(sys: str = SYS, proc: str = PROC, profiles: str = APPARMOR_PROFILES) -> dict[str, Any]:
    """C(enabled); C(restrict_unprivileged_userns), null where the kernel has no such switch; C(profiles) that name rootlesskit."""
    restrict = whole_number((read_text(f"{proc}/sys/kernel/apparmor_restrict_unprivileged_userns", 16) or "").strip())
    enabled = (read_text(f"{sys}/module/apparmor/parameters/enabled", 16) or "").strip() == "Y"
    return {
        "enabled": enabled,
        "restrict_unprivileged_userns": None if restrict is None else restrict == 1,
        "profiles": profiles_of_rootlesskit(profiles) if enabled else [],
    }


def profiles_of_rootlesskit(folder: str) -> list[str]:
    """Files of profiles that name a path of rootlesskit, at most 500 files of 64 KiB looked at."""
    try:
        paths = sorted(entry.path for entry in os.scandir(folder) if entry.is_file())[:500]
    except OSError:
        return []
    return [path for path in paths if "rootlesskit" in (read_text(path, 65536) or "")]


def apparmor_label(pid: int, proc: str = PROC) -> str | None:
    """The AppArmor profile of a process, C(unconfined) for none; None where AppArmor is not enabled or it cannot be read."""
    text = read_text(f"{proc}/{pid}/attr/apparmor/current", 256)
    return clean(text.strip("\0\n "), 200) or None if text else None
