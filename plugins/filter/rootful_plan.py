# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rootful_plan
short_description: Decide what to install of the Engine and what to do with its rootful daemon
version_added: 0.1.0
description:
  - The deciding half of the role C(docker_engine). It runs on the controller and changes nothing.
options:
  _input:
    description: The result of M(portside.rootless_docker.system_state_info) for the packages, units and record named below.
    type: dict
    required: true
  record_path:
    description: Path of the role's record of what it changed.
    type: str
    required: true
  source:
    description: The role's C(docker_engine_source).
    type: str
    required: true
  choice:
    description: The role's C(docker_engine_rootful).
    type: str
    required: true
  engine:
    description: The package that is the Engine.
    type: str
    required: true
  packages:
    description: The packages to have.
    type: list
    elements: str
    required: true
  units:
    description: Units of a rootful Engine and the package that each comes with, in the order in which they are to be stopped.
    type: dict
    required: true
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Decide
  ansible.builtin.set_fact:
    plan: "{{ state | portside.rootless_docker.rootful_plan('/var/lib/rootless-docker/docker_engine.json', 'distribution', 'auto',
      'docker.io', ['docker.io', 'docker-cli'], {'docker.service': 'docker.io'}) }}"
"""

RETURN = r"""
_value:
  description:
    - C(mode) is C(mask), C(stop), C(leave), C(keep) (touch nothing) or C(refuse).
    - C(install) lists packages, C(rootful) the units that run or are enabled, C(blocked) paths in the way of a mask.
    - C(mask) and C(unmask) are paths of links; C(files) are these and the role's record, for M(portside.rootless_docker.system_files).
    - C(units) says what to do with each unit that differs, after the packages are installed.
    - C(record_file) is the record to write at the very end where C(record_last) is true.
  type: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import rootful_plan as core


def rootful_plan(state: dict, record_path: str, source: str, choice: str, engine: str, packages: list, units: dict) -> dict:
    """See DOCUMENTATION."""
    try:
        return core.make_plan(state, record_path, source, choice, engine, packages, units)
    except core.PlanError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict:
        """Names and functions."""
        return {"rootful_plan": rootful_plan}
