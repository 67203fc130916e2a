# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is mounted where, from the kernel's own list: a removal must not reach into another file system, nor through a bind mount."""

from __future__ import annotations

import os
import re

MOUNTINFO = "/proc/self/mountinfo"
MAX_READ = 8 * 1024 * 1024


def mount_points(text: str) -> list[str]:
    """The mount points in a text such as /proc/self/mountinfo. The kernel writes blanks and the like in octal."""
    fields = [line.split(" ") for line in text.splitlines()]
    return [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), entry[4]) for entry in fields if len(entry) > 4]


def below(path: str, points: list[str]) -> list[str]:
    """Those mount points that are a path or lie below it."""
    top = path.rstrip("/") + "/"
    return sorted({point for point in points if (point + "/").startswith(top)})


def mounts_below(path: str) -> list[str]:
    """What is mounted at a path, links in it followed, or below it."""
    with open(MOUNTINFO, encoding="utf-8", errors="surrogateescape") as file:
        return below(os.path.realpath(path), mount_points(file.read(MAX_READ)))
