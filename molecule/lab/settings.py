# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps its things, and the few helpers that every part of it uses."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

RUN = Path("/run/portside-lab")
LIBRARY = Path("/var/lib/portside-lab")
CACHE = Path(os.environ.get("PORTSIDE_LAB_CACHE", "/var/cache/portside-lab"))
# What the units of ended hosts wrote, one file a host.
JOURNALS = CACHE / "journals"

BRIDGE = "rdlab0"
# RFC 2544 sets this block aside for tests between hosts: nobody's own network is in it.
SUBNET = "198.18.84.0/24"
PREFIX = "198.18.84."
GATEWAY = PREFIX + "1"
# A unique local prefix (RFC 4193) that was drawn for the lab. No IPv6 leaves the lab, and from a unique local address resolvers
# prefer the IPv4 address of a name that has both, so nothing in a host waits for a dead way out.
PREFIX6 = "fd8d:6c4f:2b84:54::"
SUBNET6 = PREFIX6 + "/64"
GATEWAY6 = PREFIX6 + "1"
FIRST_HOST, LAST_HOST = 10, 250
MIRROR_PORT = 8484
MIRROR_URL = f"http://{GATEWAY}:{MIRROR_PORT}"

SSH_KEY = LIBRARY / "ssh_key"
SSH_OPTIONS = [
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
    "-o", "ConnectTimeout=5", "-o", "ServerAliveInterval=10",
]  # fmt: skip


class LabError(Exception):
    """Something the person at the keyboard has to know; the text is the whole message."""


def say(text: str) -> None:
    """Print one line of progress at once."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(text: str):
    """Announce a long step and how long it took."""
    say(f"{text} ...")
    begin = time.monotonic()
    yield
    say(f"{text}: {time.monotonic() - begin:.1f} s")


def run(argv: list[str], *, timeout: float = 60, log: Path | None = None, **options) -> str:
    """Run a command, return what it printed; raise LabError with its last lines where it fails.

    With *log*, the output of a long command goes to that file instead.
    """
    common = {"timeout": timeout, "stdin": subprocess.DEVNULL, **options}
    try:
        if log:
            with log.open("w") as target:
                subprocess.run(argv, stdout=target, stderr=subprocess.STDOUT, check=True, **common)
            return ""
        return subprocess.run(argv, capture_output=True, text=True, check=True, **common).stdout
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{shlex.join(argv)}: no end after {timeout:.0f} s") from error
    except subprocess.CalledProcessError as error:
        output = log.read_text(errors="replace") if log else error.stderr
        raise LabError(f"{shlex.join(argv)}: exit code {error.returncode}\n" + "\n".join(output.splitlines()[-15:])) from error


@contextlib.contextmanager
def locked(name: str = "lock"):
    """One change to the lab at a time: scenarios that run side by side share its bridge and its caches.

    Not to be nested: whoever has a lock waits for itself. What takes minutes and only fills a cache has a lock of its own.
    """
    RUN.mkdir(parents=True, exist_ok=True)
    with (RUN / name).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def process_start(pid: int) -> str | None:
    """When a process started (clock ticks since boot), or None where it is gone: a pid alone may have been used again."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
