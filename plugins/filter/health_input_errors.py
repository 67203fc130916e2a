# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: health_input_errors
short_description: Find what is wrong with the settings of the health timer
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - Checks what the role C(rootless_daemon) is told in its variables C(rootless_daemon_health_*), before a host is asked anything.
options:
  _input:
    description: Seconds from one look to the next.
    type: int
    required: true
  directory:
    description: Folder for metrics; empty for none.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse bad input
  ansible.builtin.assert:
    that: 60 | portside.rootless_docker.health_input_errors('/var/lib/prometheus/node-exporter') | length == 0
"""

RETURN = r"""
_value:
  description: One text an error, naming the variable, the value and what is wanted; empty for sound input.
  type: list
  elements: str
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.health_plan import input_errors


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"health_input_errors": input_errors}
