# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: daemon_input_errors
short_description: Find what is wrong with the users declared for rootless daemons
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - Checks values and combinations of C(rootless_daemon_users) that are wrong on every host, before a host is asked anything.
options:
  _input:
    description: The users, as in the variable C(rootless_daemon_users) of the role.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse bad input
  ansible.builtin.assert:
    that: rootless_daemon_users | portside.rootless_docker.daemon_input_errors | length == 0
"""

RETURN = r"""
_value:
  description: One text an error, naming the user, the option, the value and what is wanted; empty for sound input.
  type: list
  elements: str
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import input_errors


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"daemon_input_errors": input_errors}
