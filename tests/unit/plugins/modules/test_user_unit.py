# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.modules import user_unit as module

ENTRY = {"linger": None, "own_unit": None, "missing": [], "since": None}
OUTAGE = {"user": "alice", "ports": 1, "seconds": 2.0, "since": 1.0, "missing": [], "gone": []}
STARTED = ("alice: start, active after 1.0 s", "", None)
RESTARTED = ("alice: restart, active after 1.0 s", "", OUTAGE)
FAILED = ("", "bob: why", None)
SILENT = ("", "bob: why", {**OUTAGE, "user": "bob", "missing": ["127.0.0.1:80"]})


@pytest.mark.parametrize(
    ("users", "results", "changed", "done", "undone", "outages"),
    [
        ([], [], False, [], {}, []),
        (["alice"], [STARTED], True, [STARTED[0]], {}, []),
        (["bob"], [FAILED], False, [], {"bob": "bob: why"}, []),
        (["bob", "alice"], [FAILED, RESTARTED], True, [RESTARTED[0]], {"bob": "bob: why"}, [OUTAGE]),
        # What went silent counts also where the daemon did not come up.
        (["alice", "bob"], [STARTED, SILENT], True, [STARTED[0]], {"bob": "bob: why"}, [SILENT[2]]),
        (["bob", "bob"], [FAILED, ("", "bob: too", None)], False, [], {"bob": "bob: why\nbob: too"}, []),
    ],
)
def test_what_is_returned_of_several_users(users, results, changed, done, undone, outages):
    units = [{**ENTRY, "user": user, "action": "start"} for user in users]
    assert module.summary(units, results) == {"changed": changed, "done": done, "undone": undone, "outages": outages}


@pytest.mark.parametrize("action", module.ACTIONS)
def test_a_user_who_cannot_be_served_is_named_and_raises_nothing(action):
    entry = {**ENTRY, "user": "no-such-user-1", "action": action}
    assert module.act(entry, 5, 0) == ("", "no-such-user-1: there is no such account", None)


def test_a_stop_that_fails_names_cause_and_remedy():
    argv = "systemctl --user --machine=alice@ stop docker.service"
    text = module.unstopped("alice", 1000, 120.0, f"{argv}: not ended in time", "first\nlast")
    assert text.startswith(f"docker.service could not be stopped within 120 s: {argv}: not ended in time. ")
    assert "Remedy: " in text and "systemctl kill --signal=KILL user@1000.service" in text
    assert text.endswith("Last lines of its journal:\nfirst\nlast")
