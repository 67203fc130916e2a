# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rootful_removal
short_description: Decide how the units of a rootful Engine come back to what they were
version_added: 0.1.0
description:
  - The deciding half of the role C(docker_engine) with C(docker_engine_state=absent). It runs on the controller and changes nothing.
options:
  _input:
    description: The result of M(portside.rootless_docker.system_state_info) for the units, their packages and the record named below.
    type: dict
    required: true
  record_path:
    description: Path of the role's record of what it changed.
    type: str
    required: true
  units:
    description: Units of a rootful Engine and the package that each comes with.
    type: dict
    required: true
  removed:
    description: Packages that were removed, or would be in check mode.
    type: list
    elements: str
    required: true
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Decide
  ansible.builtin.set_fact:
    plan: "{{ state | portside.rootless_docker.rootful_removal('/var/lib/rootless-docker/docker_engine.json',
      {'docker.service': 'docker.io'}, ['docker.io']) }}"
"""

RETURN = r"""
_value:
  description:
    - C(files) are the masks to take away, for M(portside.rootless_docker.system_files).
    - C(units) says what to do with each unit that stays.
  type: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import rootful_plan as core


def rootful_removal(state: dict, record_path: str, units: dict, removed: list) -> dict:
    """See DOCUMENTATION."""
    try:
        return core.make_removal(state, record_path, units, removed)
    except core.PlanError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict:
        """Names and functions."""
        return {"rootful_removal": rootful_removal}
