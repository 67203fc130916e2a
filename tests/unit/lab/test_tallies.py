# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from lab.tallies import changed_tasks, differences


@pytest.mark.parametrize(
    ("predicted", "done", "found"),
    [
        ({}, {}, []),
        ({"A": {"changed": 1}}, {"A": {"changed": 1}}, []),
        # What is only read, or left out, says nothing.
        ({"A": {"skipped": 1}}, {"A": {"ok": 2}, "B": {"ok": 1}}, []),
        ({"A": {"changed": 1}}, {"A": {"ok": 1}}, ["A: changed 1 times in check mode, 0 times in the real run"]),
        ({}, {"B": {"changed": 1}}, ["B: changed 0 times in check mode, 1 times in the real run"]),
        # Two tasks of one name are added up, and the items of a loop count.
        ({"A": {"changed": 2}}, {"A": {"changed": 1, "ok": 1}}, ["A: changed 2 times in check mode, 1 times in the real run"]),
        (
            {"A": {"changed": 1, "items": 2}},
            {"A": {"changed": 1, "items": 3}},
            ["A: items 2 times in check mode, 3 times in the real run"],
        ),
        ({"A": {"failed": 1}}, {"A": {"changed": 1}}, [
            "A: changed 0 times in check mode, 1 times in the real run", "A: failed 1 times in check mode, 0 times in the real run",
        ]),
    ],
)  # fmt: skip
def test_differences(predicted, done, found):
    assert differences(predicted, done) == found


def test_changed_tasks():
    assert changed_tasks({"A": {"changed": 1}, "B": {"ok": 3}, "C": {"changed": 0}}) == ["A"]
