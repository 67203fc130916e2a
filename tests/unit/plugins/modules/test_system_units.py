# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.modules import system_units as module


@pytest.mark.parametrize(
    ("stop", "reload", "start", "wanted"),
    [
        ([], False, [], []),
        (
            ["a.timer", "b.timer"],
            False,
            [],
            [["systemctl", "stop", "--", "a.timer", "b.timer"], ["systemctl", "reset-failed", "--", "a.timer", "b.timer"]],
        ),
        ([], True, [], [["systemctl", "daemon-reload"]]),
        (
            ["a"],
            True,
            ["-b"],
            [
                ["systemctl", "stop", "--", "a"],
                ["systemctl", "reset-failed", "--", "a"],
                ["systemctl", "daemon-reload"],
                ["systemctl", "start", "--", "-b"],
            ],
        ),
    ],
)
def test_commands(stop, reload, start, wanted):
    assert module.commands(stop, reload, start) == wanted
