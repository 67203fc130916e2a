# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _namespace_canary as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary import FreePorts


def places(driver="implicit"):
    return core.places(driver, False, FreePorts(set(), (32768, 60999), random.Random(1)))


@pytest.mark.parametrize(
    ("title", "text", "connected", "by_chance"),
    [
        ("all is well", "", {1}, False),
        ("the namespace's own UDP conversation has it", "Address already in use", set(), True),
        ("RootlessKit met somebody on the host", "listen tcp4 0.0.0.0:40001: bind: address already in use", set(), True),
        ("no matter of luck", "Permission denied", set(), False),
        ("a connection of the host has it", "", "its own", True),
    ],
)
def test_taken_by_chance(title, text, connected, by_chance):
    wanted = places()
    one = wanted[-1]
    assert core.taken_by_chance(wanted, {one.key: text}, {one.published.port} if connected == "its own" else connected) is by_chance, title


def test_without_a_canary_in_the_namespace_nothing_was_taken():
    assert not core.taken_by_chance([], {core.CONTROL: "Address already in use"}, {20000})
