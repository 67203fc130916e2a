# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a host takes subordinate ids from, and what another source than the files gives: reads only."""

from __future__ import annotations

import re

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import read_text
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run
from ansible_collections.portside.rootless_docker.plugins.module_utils._subid import Range, SubidError, source

NSSWITCH = "/etc/nsswitch.conf"
SECONDS = 10.0
"""What a directory service gets for one answer."""


class SourceError(SubidError):
    """A source gives no answer; the text names it, the cause and the remedy."""


def host_source() -> str:
    """C(files), or the source that this host's nsswitch.conf names."""
    return source(read_text(NSSWITCH, 65536) or "")


def parse_answer(output: str, user: str) -> list[Range]:
    """The ranges in what getsubids prints, a line each: C(0: alice 100000 65536)."""
    found = re.findall(rf"^[0-9]+: {re.escape(user)} ([0-9]{{1,15}}) ([0-9]{{1,15}})$", output, re.MULTILINE)
    return [Range(int(start), int(count)) for start, count in found]


def ask_source(user: str, kind: str, deadline: Deadline) -> list[Range]:
    """What the host's source gives to a user, through getsubids.

    :raises SourceError: getsubids cannot be run to its end.
    """
    done = run(["getsubids", *(["-g"] if kind == "gid" else []), user], deadline.within(SECONDS))
    found = parse_answer(done.output, user)
    # It exits with 1 and these words for an error of the source and for a user without ids alike.
    if done.status is None or (done.status != 0 and "Error fetching ranges" not in done.error):
        raise SourceError(
            f"{user}: getsubids, which asks {host_source()} for subordinate {kind}s, gives no answer ({done.error or done.status}). "
            f"Nothing was changed. Remedy: install it (Debian's package uidmap), see whether the source answers, "
            f"or have «subid: files» in {NSSWITCH}"
        )
    return found
