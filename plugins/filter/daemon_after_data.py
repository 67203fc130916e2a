# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: daemon_after_data
short_description: Decide what follows once the data of removed daemons went
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - It is a part of the deciding half of the role C(rootless_daemon); it changes nothing.
options:
  _input:
    description: What the filter P(portside.rootless_docker.daemon_plan#filter) returned.
    type: dict
    required: true
  undone:
    description: Users of whom something is left, by name, as RV(portside.rootless_docker.user_data#module:undone). They stay on record.
    type: dict
    required: true
  others:
    description:
      - Users whose account is another than the one on record, as RV(portside.rootless_docker.user_data#module:others). They do not stay on
        record, and keep their subordinate ids.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show what stays on record
  ansible.builtin.debug:
    msg: "{{ plan | portside.rootless_docker.daemon_after_data({'alice': 'alice: …'}) }}"
"""

RETURN = r"""
_value:
  description: C(subid_back), the subordinate ids to take away, and C(record), the file to have.
  type: dict
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_removal import after_data


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"daemon_after_data": after_data}
