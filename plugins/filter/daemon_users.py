# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: daemon_users
short_description: Fill in the options of the users declared for rootless daemons
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - Returns the users with every option that was left out set to its default, as the role C(rootless_daemon) documents them.
options:
  _input:
    description: The users, as in the variable C(rootless_daemon_users) of the role.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Name the users that should have a daemon
  ansible.builtin.debug:
    msg: "{{ users | selectattr('state', 'eq', 'present') | map(attribute='name') }}"
  vars:
    users: "{{ rootless_daemon_users | portside.rootless_docker.daemon_users }}"
"""

RETURN = r"""
_value:
  description: The users with all options.
  type: list
  elements: dict
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import complete


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"daemon_users": lambda users: [complete(user) for user in users]}
