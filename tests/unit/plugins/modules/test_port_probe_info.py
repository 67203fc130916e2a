# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import re
import socket
import threading
import time

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.portside.rootless_docker.plugins.doc_fragments.expectations import ModuleDocFragment
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import GROUPS
from ansible_collections.portside.rootless_docker.plugins.module_utils._expectations import EXPECTATION_SPEC, PROBE_GROUPS
from ansible_collections.portside.rootless_docker.plugins.module_utils._outside import RULES
from ansible_collections.portside.rootless_docker.plugins.modules import port_probe_info as module
from ansible_collections.portside.rootless_docker.plugins.modules import published_port_check

LOOPBACK = "127.0.0.1"
CANARY = {"nonce": "x", "port": 1}


def run(capsys, **arguments):
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


def probe(**options):
    return {"address": LOOPBACK, "port": 9, "wait": 0.1, **options}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, ["probes"]),
        ({"probes": []}, ["probes is empty", "at least one"]),
        ({"probes": [probe()], "timeout": 0}, ["timeout is 0", "between 1 and 600"]),
        ({"probes": [probe()], "patience": -1}, ["patience is -1", "between 0 and 600"]),
        ({"probes": [probe(), probe(name="web", port=0)]}, ["probes[1] (web): port is 0", "between 1 and 65535"]),
        ({"probes": [probe(address="web1")]}, ["probes[0]: address is 'web1'", "names are not looked up"]),
        ({"probes": [probe(protocol="sctp")]}, ["protocol", "tcp, udp", "sctp"]),
        ({"probes": [probe(expected="maybe")]}, ["expected", "answers, must_not", "maybe"]),
        ({"probes": [probe(**{"from": "host"})]}, ["from", "peer"]),
        ({"probes": [probe(group="other")]}, ["group", "outside"]),
        ({"probes": [probe(canary={"nonce": "x"})]}, ["port", "canary"]),
        ({"probes": [probe(canary={"nonce": "", "port": 1})]}, ["canary.nonce has 0 characters"]),
        ({"probes": [probe(canary={"nonce": "x", "port": 0})]}, ["canary.port is 0"]),
        ({"probes": [probe(pattern="[")]}, ["pattern '['", "no regular expression"]),
        ({"probes": [probe(wait=31)]}, ["wait is 31"]),
        ({"probes": [{"port": 1}]}, ["address"]),
    ],
)
def test_bad_arguments_are_named(arguments, words, capsys):
    result = run(capsys, **arguments)
    assert result["failed"]
    for word in words:
        assert word in result["msg"]


def service(answer):
    """A listener that gives every connection the same answer; its port."""
    listener = socket.create_server((LOOPBACK, 0))

    def serve():
        while True:
            client, _peer = listener.accept()
            with client:
                client.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def test_result(capsys):
    entries = [probe(name="web", port=service(b"hello\x1b[31m"), pattern="^hello"), probe(name="nobody", expected="must_not")]
    result = run(capsys, probes=entries, vantage="my\tplace")
    assert result["ok"] and not result["changed"] and result["findings"] == []
    assert result["msg"] == "my\\tplace: all 2 cells pass."
    assert result["table"][1:] == ["from                    web          nobody", "my\\tplace to 127.0.0.1  answered ok  refused ok"]
    assert [cell["proof"] for cell in result["cells"]] == ["pattern", "none"]


@pytest.mark.parametrize("fail", [False, True])
def test_it_fails_only_when_told_to(fail, capsys):
    result = run(capsys, probes=[probe()], patience=0, fail=fail)
    assert not result["ok"] and result["findings"][0]["cause"] == "not_reached"
    assert result.get("failed", False) is fail


def test_the_place_is_called_by_its_host_name(capsys):
    assert run(capsys, probes=[probe()], patience=0)["vantage"] == socket.gethostname()


def test_a_pattern_that_backtracks_without_end_is_cut_off(capsys, monkeypatch):
    monkeypatch.setattr(module, "MARGIN", 0.5)
    begun = time.monotonic()
    result = run(capsys, probes=[probe(port=service(b"a" * 60 + b"b"), pattern="^(a+)+$")], timeout=1)
    assert result["failed"] and "nothing is proved" in result["msg"] and "repetitions" in result["msg"]
    assert time.monotonic() - begun < module.MARGIN + 3


def returned(of):
    return yaml.safe_load(of.RETURN)


def test_documentation_names_every_cause_and_so_does_the_guide():
    described = " ".join(returned(module)["findings"]["contains"]["cause"]["description"])
    causes = [rule.cause for rule in RULES]
    assert re.findall(r"V\((\w+)\)", described) == causes
    guide = pathlib.Path(__file__).parents[4] / "docs" / "guide-probe.md"
    rows = guide.read_text(encoding="utf-8").partition("| cause |")[2].partition("## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE) == causes


def test_the_result_has_the_form_that_it_has_everywhere(capsys):
    mine, theirs = returned(module), returned(published_port_check)
    result = run(capsys, probes=[probe()], patience=0, user="alice")
    assert result["msg"].startswith("alice, from ")
    assert set(mine) == set(result) - {"changed", "invocation"}
    assert set(mine["cells"]["contains"]) == set(result["cells"][0])
    assert set(mine["findings"]["contains"]) == set(result["findings"][0])
    for part in ("cells", "findings"):
        shared = set(theirs[part]["contains"])
        assert shared <= set(mine[part]["contains"])
        assert all(mine[part]["contains"][name]["type"] == theirs[part]["contains"][name]["type"] for name in shared)


def test_every_group_has_a_heading():
    assert set(PROBE_GROUPS) <= set(GROUPS)


def stripped(option):
    """An option of the documentation, as an argument specification."""
    found = {("options" if key == "suboptions" else key): value for key, value in option.items() if key != "description"}
    if "options" in found:
        found["options"] = {name: stripped(each) for name, each in found["options"].items()}
    return found


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
    documented = {**yaml.safe_load(module.DOCUMENTATION)["options"], **yaml.safe_load(ModuleDocFragment.PROBES)["options"]}
    assert seen["argument_spec"] == {name: stripped(option) for name, option in documented.items()}
    assert stripped(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]["expectations"]) == EXPECTATION_SPEC
