# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts for each host and task how often it was ok, changed, skipped or failed, and items of loops, into the file that LAB_TALLY names."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: tally
type: aggregate
short_description: Counts what became of each task
description: For tests that compare a run in check mode with a real one. Tasks go by their names, and those of one name are added up.
"""


class CallbackModule(CallbackBase):
    """Adds up, and writes at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "tally"

    def __init__(self, *arguments, **options):
        """Nothing is counted yet."""
        super().__init__(*arguments, **options)
        self.hosts: dict[str, dict[str, dict[str, int]]] = {}

    def _count(self, result, outcome):
        tasks = self.hosts.setdefault(result.host.get_name(), {})
        # Without the name of the role, which a callback sees and a reader of the output does, too, but no table needs.
        counts = tasks.setdefault(result.task.get_name().partition(" : ")[2] or result.task.get_name(), {})
        counts[outcome] = counts.get(outcome, 0) + 1

    def v2_runner_on_ok(self, result):
        """A task ended well; of a loop its items are counted, if they changed something."""
        self._count(result, "changed" if result.is_changed() else "ok")

    def v2_runner_item_on_ok(self, result):
        """An item ended well."""
        if result.is_changed():
            self._count(result, "items")

    def v2_runner_on_skipped(self, result):
        """A task had nothing to do."""
        self._count(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """A task failed."""
        self._count(result, "failed")

    def v2_playbook_on_stats(self, stats):
        """The end."""
        with open(os.environ["LAB_TALLY"], "w", encoding="utf-8") as file:
            json.dump(self.hosts, file, indent=2, sort_keys=True)
