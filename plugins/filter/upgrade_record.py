# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_record
short_description: Note what a host is before an upgrade
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - It is the deciding half of what the role C(rootless_upgrade) remembers; it changes nothing.
options:
  _input:
    description: What M(portside.rootless_docker.rootless_docker_info) returned.
    type: dict
    required: true
  files:
    description: Path to text of everything that an upgrade may change besides programs, V(null) where there is no file.
    type: dict
    required: true
  passt:
    description: C(version) of the installed package passt, and C(file), the path of a copy of it.
    type: dict
    required: true
  directory:
    description: Where the versions of RootlessKit are.
    type: str
    required: true
  path:
    description: Path of the record's own file, which is one of O(files). What it holds wins.
    type: str
    required: true
  begun:
    description: When the upgrade began, as text.
    type: str
    required: true
  declared:
    description: Names of the users whose daemons the upgrade may touch. The way back restarts no other.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say what there would be to go back to
  ansible.builtin.debug:
    msg: "{{ (info | portside.rootless_docker.upgrade_record(files, passt, '/opt/rootlesskit', record, 'now', ['alice'])).before.text }}"
"""

RETURN = r"""
_value:
  description: C(unfinished), whether an earlier run left its record, and C(before), the state to go back to.
  type: dict
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.upgrade_plan import upgrade_record


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"upgrade_record": upgrade_record}
