# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything of the collection's is gone, and users' data and accounts are there."""

from __future__ import annotations

import re

import pytest
from outsider import USER

KEPT = re.compile(
    r"file /home/(alice|bob)(/.*)?"
    # What the role made for users, kept so that it can be handed back with the data.
    r"|file /var/lib/rootless-docker(/rootless_daemon.json)?"
    r"|file /etc/(passwd|group|shadow|gshadow|subuid|subgid)"
)


def test_data_is_kept(host):
    """Layers of images belong to the user's subordinate ids, and volumes are where they were."""
    assert host.check_output(f"find /home/{USER}/.local/share/docker -path '*/www/index.html' | wc -l") != "0"


def test_nothing_else_is_left(host):
    """Whatever differs from before is data, an account, or the record of both."""
    lines = host.run("timeout 60 python3 /run/snapshot.py compare /run/before.json").stdout.splitlines()
    assert [line for line in lines[:-1] if not KEPT.fullmatch(line.partition(": was ")[0])] == []
    assert len(lines) > 5


@pytest.mark.parametrize("program", ["pasta", "rootlesskit", "slirp4netns"])
def test_nothing_runs(host, program):
    """Not for a user; a rootful daemon may."""
    assert host.run(f"pgrep -u alice,bob -f {program}").rc == 1
