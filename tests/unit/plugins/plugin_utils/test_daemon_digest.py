# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_plan as core
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_action import RELOADABLE, split_config

CONFIG = {"debug": True, "data-root": "/srv/a"}


@pytest.mark.parametrize(
    ("variables", "config", "unit", "wrapper", "same"),
    [
        ({"A": "1"}, {"data-root": "/srv/a", "debug": False}, "u", "w", True),
        ({"A": "1"}, CONFIG, "# better\nu\n\n", "# better\nw", True),
        # dockerd takes up a new value when it reloads, and keeps the old one of a key that is gone.
        ({"A": "1"}, {"data-root": "/srv/a"}, "u", "w", False),
        *[({"A": "1"}, {**CONFIG, key: ["x"]}, "u", "w", False) for key in sorted(RELOADABLE - {"debug"})],
        ({"A": "2"}, CONFIG, "u", "w", False),
        ({"A": "1", "B": ""}, CONFIG, "u", "w", False),
        ({"A": "1"}, {**CONFIG, "data-root": "/srv/b"}, "u", "w", False),
        ({"A": "1"}, {**CONFIG, "log-driver": "journald"}, "u", "w", False),
        ({"A": "1"}, {"debug": True}, "u", "w", False),
        ({"A": "1"}, CONFIG, "v", "w", False),
        ({"A": "1"}, CONFIG, "u", "", False),
    ],
)
def test_digest_changes_with_what_needs_a_restart(variables, config, unit, wrapper, same):
    assert (core.digest(variables, config, unit, wrapper) == core.digest({"A": "1"}, CONFIG, "u", "w")) is same


def test_split_config():
    assert split_config(CONFIG) == ({"debug": True}, {"data-root": "/srv/a"})
