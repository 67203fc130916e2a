# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what a run in check mode predicted with what the real run then did, task by task. Pure; the callback `tally` counts."""

from __future__ import annotations

from collections.abc import Mapping

Tally = Mapping[str, Mapping[str, int]]
"""Of one host: name of a task → outcome → how often."""

COMPARED = ("changed", "items", "failed")
"""What has to be the same. Tasks that read again after a change are left out in check mode, so what was only read is not compared."""


def changed_tasks(tally: Tally) -> list[str]:
    """Names of the tasks that changed something."""
    return [name for name, counts in tally.items() if counts.get("changed")]


def differences(predicted: Tally, done: Tally) -> list[str]:
    """One line for each task that did otherwise than predicted; empty where check mode was right."""
    found = []
    for name in sorted({*predicted, *done}):
        before, after = ({key: each.get(name, {}).get(key, 0) for key in COMPARED} for each in (predicted, done))
        found += [
            f"{name}: {key} {before[key]} times in check mode, {after[key]} times in the real run"
            for key in COMPARED
            if before[key] != after[key]
        ]
    return found
