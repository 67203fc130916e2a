# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which containers are started again after a restart of their daemon."""

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _comeback as core

AWAY = {"Running": False, "Restarting": False}


@pytest.mark.parametrize(
    ("state", "policy", "starts"),
    [
        (AWAY, {"Name": "always"}, True),
        (AWAY, {"Name": "unless-stopped"}, True),
        (AWAY, {"Name": "no"}, False),
        (AWAY, {"Name": "on-failure"}, False),
        ({**AWAY, "Running": True}, {"Name": "always"}, False),
        ({**AWAY, "Restarting": True}, {"Name": "always"}, False),
        (AWAY, None, False),
        (AWAY, {"Name": ["always"]}, False),
        (None, {"Name": "always"}, False),
    ],
)
def test_should_run(state, policy, starts):
    assert core.should_run({"State": state, "HostConfig": {"RestartPolicy": policy}}) is starts


def test_a_container_of_another_form_is_left_alone():
    assert core.should_run({"HostConfig": 1, "State": AWAY}) is False


def test_identities():
    assert core.identities([{"Id": "0123456789ab"}, {"Id": "../../x"}, {"Id": None}, {}]) == ["0123456789ab"]
