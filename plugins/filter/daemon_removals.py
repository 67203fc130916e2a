# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: daemon_removals
short_description: Declare every user's daemon that the role configured on a host as absent
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - Returns what C(rootless_daemon_users) would have to be to remove every daemon that the role C(rootless_daemon) configured on a host.
options:
  _input:
    description: What M(portside.rootless_docker.rootless_docker_info) returned.
    type: dict
    required: true
  remove_data:
    description: Whether the data goes too, that which was kept by an earlier removal included.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Show whose daemons would go
  ansible.builtin.debug:
    msg: "{{ info | portside.rootless_docker.daemon_removals(false) | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description: The users, each with C(state=absent).
  type: list
  elements: dict
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_removal import users_to_remove


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"daemon_removals": users_to_remove}
