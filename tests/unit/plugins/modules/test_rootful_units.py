# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.portside.rootless_docker.plugins.modules import rootful_units as module


@pytest.mark.parametrize(
    ("units", "steps"),
    [
        ([], []),
        ([{"name": "a", "enabled": None, "state": None}], []),
        ([{"name": "a", "state": "stopped"}], [("stop", "a")]),
        ([{"name": "a", "enabled": False, "state": "stopped"}, {"name": "b", "enabled": True, "state": "started"}],
         [("disable", "a"), ("stop", "a"), ("enable", "b"), ("start", "b")]),
    ],
)  # fmt: skip
def test_steps(units, steps):
    assert module.steps_of(units) == steps


def test_check_mode_predicts_for_units_that_are_not_there(capsys):
    arguments = {"units": [{"name": "arrives.service", "enabled": False, "state": "stopped"}], "_ansible_check_mode": True}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    result = json.loads(capsys.readouterr().out)
    assert (result["changed"], result["done"]) == (True, ["disable arrives.service", "stop arrives.service"])
