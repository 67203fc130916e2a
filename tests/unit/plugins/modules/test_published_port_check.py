# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import re

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import RULES
from ansible_collections.portside.rootless_docker.plugins.modules import published_port_check as module


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"user": "no such user"}, ["no such user", "does not exist"]),
        ({"timeout": 0}, ["timeout is 0", "between 1 and 600"]),
        ({"timeout": "soon"}, ["timeout"]),
        ({"host_addresses": ["127.0.0.1"]}, ["127.0.0.1", "must not leave the host"]),
        ({"host_addresses": ["203.0.113.254"]}, ["203.0.113.254", "no address of this host"]),
        ({"host_addresses": ["x; id"]}, ["'x; id'", "no IP address"]),
        ({"canary": "image"}, ["canary", "namespace, container, both"]),
        ({"hold": 601}, ["hold is 601", "between 0 and 600"]),
        ({"hold": 5, "canary": "namespace"}, ["hold", "canary=namespace"]),
        ({"hold": 5, "release": "0" * 12}, ["hold", "release"]),
        ({"release": "x"}, ["release is 'x'", "12 hexadecimal digits"]),
        ({"expectations": [{"address": "localhost", "port": 80}]}, ["expectations[0]", "address", "localhost"]),
        ({"unpublished_listeners": "open"}, ["unpublished_listeners", "closed, any"]),
        ({"host_loopback": "open"}, ["host_loopback", "closed, any"]),
    ],
)
def test_bad_arguments_are_named_before_anything_is_done(arguments, words, capsys):
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    result = json.loads(capsys.readouterr().out)
    assert result["failed"]
    for word in words:
        assert word in result["msg"]


def test_documentation_names_every_cause():
    described = " ".join(yaml.safe_load(module.RETURN)["findings"]["contains"]["cause"]["description"])
    assert set(re.findall(r"V\((\w+)\)", described)) == {cause for cause, _rule in RULES}


def test_guide_has_every_cause_in_the_order_in_which_they_are_looked_for():
    guide = pathlib.Path(__file__).parents[4] / "docs" / "guide-check.md"
    rows = guide.read_text(encoding="utf-8").partition("| cause |")[2].partition("## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE) == [cause for cause, _rule in RULES]


def test_documentation_matches_the_specification(monkeypatch):
    seen = {}

    class Stop(Exception):
        pass

    def record(**arguments):
        seen.update(arguments)
        raise Stop

    monkeypatch.setattr(module, "AnsibleModule", record)
    with pytest.raises(Stop):
        module.main()
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    stripped = {name: {key: value for key, value in option.items() if key != "description"} for name, option in documented.items()}
    # A fragment documents the expectations; the sanity tests compare it.
    assert {name: option for name, option in seen["argument_spec"].items() if name != "expectations"} == stripped
    assert basic.AnsibleModule is not record
