# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the programs that Ansible starts which task they are started for, in LAB_TASK; see lab/trips.py."""

from __future__ import annotations

import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: trips
type: aggregate
short_description: Names the running task to the processes that are started for it
description: For the count of round trips. It is right for the strategy linear, which has one task at a time.
"""


class CallbackModule(CallbackBase):
    """Sets the variable before the workers are forked."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "trips"

    def v2_playbook_on_task_start(self, task, is_conditional):
        """A task begins."""
        os.environ["LAB_TASK"] = task.get_name()

    def v2_playbook_on_handler_task_start(self, task):
        """A handler begins."""
        os.environ["LAB_TASK"] = task.get_name()
