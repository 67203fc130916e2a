# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: way_back
short_description: Decide how a host becomes again what it was before an upgrade
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - It is the deciding half of the role C(rootless_upgrade) where an upgrade failed; it changes nothing.
options:
  _input:
    description: The state to go back to, as P(portside.rootless_docker.upgrade_record#filter) gave it.
    type: dict
    required: true
  info:
    description: What M(portside.rootless_docker.rootless_docker_info) returned.
    type: dict
    required: true
  outages:
    description: RV(portside.rootless_docker.user_unit#module:outages) of a restart that failed.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Restart the daemons that do not run as before
  portside.rootless_docker.user_unit:
    units: "{{ (before | portside.rootless_docker.way_back(info, [])).units }}"
"""

RETURN = r"""
_value:
  description: C(files) for the module system_files, C(units) for the module user_unit, and C(text), what is there now.
  type: dict
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.upgrade_plan import way_back


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"way_back": way_back}
