# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what each task, and each item of a loop, cost, one line of JSON each, to the file that LAB_CLOCK names."""

from __future__ import annotations

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: clock
type: aggregate
short_description: Times tasks and the items of loops
description: For the benchmark. It counts from the start of the task, or the end of the item before, on the controller.
"""


class CallbackModule(CallbackBase):
    """Reads the clock at the beginning and at each end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "clock"

    def __init__(self, *arguments, **options):
        """Open the file."""
        super().__init__(*arguments, **options)
        handle = os.open(os.environ["LAB_CLOCK"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self.file = os.fdopen(handle, "w", encoding="utf-8", buffering=1)
        self.begun = 0.0

    def v2_runner_on_start(self, host, task):
        """A task begins on a host."""
        self.begun = time.monotonic()

    def v2_runner_item_on_ok(self, result):
        """An item ended well."""
        self._note(result, "item")
        self.begun = time.monotonic()

    def v2_runner_on_ok(self, result):
        """A task ended well."""
        self._note(result, "task")

    def _note(self, result, what):
        seconds = time.monotonic() - self.begun
        duration = result.result.get("duration")
        self.file.write(json.dumps({"what": what, "task": result.task_name, "seconds": seconds, "duration": duration}) + "\n")
