# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends ansible-playbook as a power cut would, right after the N-th task that changed the host (N is in LAB_CUT)."""

from __future__ import annotations

import os
import signal

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: cut
type: aggregate
short_description: Ends the run after the N-th change
description: For tests. It prints the name of the task it ended after.
"""


class CallbackModule(CallbackBase):
    """Counts changes; says how many there were where it was not reached."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "cut"

    def __init__(self, *arguments, **options):
        """Read where to cut."""
        super().__init__(*arguments, **options)
        self.left = int(os.environ["LAB_CUT"])

    def v2_runner_on_ok(self, result):
        """A task ended well."""
        if not result.is_changed():
            return
        self.left -= 1
        if self.left == 0:
            print(f"\nCUT after: {result.task_name}", flush=True)
            os.killpg(os.getpgid(0), signal.SIGKILL)
