# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.portside.rootless_docker.plugins.filter.peer_plan import FilterModule

V4, V6, DOCKER0 = "192.0.2.7", "2001:db8::7", "172.17.0.1"


def check(*addresses, user="alice", ok=True):
    return {"user": user, "ok": ok, "held": {"id": "0a1b2c3d4e5f", "probes": [{"address": each, "port": 80} for each in addresses]}}


ALICE, BOB = check(V4, V6, DOCKER0, V4), check(V4, user="bob")
NOT_HAD = {"__rootless_verify_user": "typo", "msg": "there is no such user"}


@pytest.mark.parametrize(
    ("checks", "addresses", "tried", "untried", "unknown"),
    [
        ([ALICE, BOB], [], {"alice": [V4, V6, DOCKER0, V4], "bob": [V4]}, {}, []),
        ([ALICE, BOB], [V4], {"alice": [V4, V4], "bob": [V4]}, {}, []),
        ([ALICE], [" 2001:DB8:0:0::0007"], {"alice": [V6]}, {}, []),
        ([ALICE, BOB], [V4, V6], {"alice": [V4, V6, V4], "bob": [V4]}, {}, []),
        ([ALICE, BOB], [V6], {"alice": [V6], "bob": []}, {"bob": [f"which are {V4}", "Name one"]}, []),
        ([ALICE], ["192.0.2.77"], {"alice": []}, {"alice": [f"{V4}, {V6}, {DOCKER0}"]}, ["has 192.0.2.77, and"]),
        ([ALICE], [V4, "192.0.2.300"], {"alice": [V4, V4]}, {}, ["has 192.0.2.300, and"]),
        ([ALICE], [V4, "2001:DB8::77"], {"alice": [V4, V4]}, {}, [f"has 2001:DB8::77, and no check held canaries there, so .* {V4}, {V6}"]),
        ([check()], [], {"alice": []}, {"alice": ["no address, besides loopback", "Give it one"]}, []),
        ([check()], [V4], {"alice": []}, {"alice": ["no address, besides loopback"]}, []),
        ([check(ok=False)], [V4], {"alice": []}, {}, []),
        ([check(V4, ok=False)], [V6], {"alice": []}, {}, ["has 2001:db8::7"]),
        ([NOT_HAD, BOB], [], {"bob": [V4]}, {}, []),
        ([NOT_HAD], [V4], {}, {}, []),
        ([{**BOB, "held": None}], [V4], {}, {}, []),
        ([], [], {}, {}, []),
    ],
)
def test_plan(checks, addresses, tried, untried, unknown):
    plan = FilterModule().filters()["peer_plan"](checks, addresses)
    assert {user: [probe["address"] for probe in probes] for user, probes in plan["probes"].items()} == tried
    assert [each["user"] for each in plan["untried"]] == list(untried)
    assert all(word in each["msg"] for each in plan["untried"] for word in untried[each["user"]])
    assert len(plan["unknown"]) == len(unknown)
    for text, pattern in zip(plan["unknown"], unknown):
        assert re.search(pattern, text)
