# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: outage_texts
short_description: Say how long published ports did not answer
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - Turns RV(portside.rootless_docker.user_unit#module:outages) into sentences, one a user.
options:
  _input:
    description: The outages.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Print what a restart cost
  ansible.builtin.debug:
    msg: "{{ restarted.outages | portside.rootless_docker.outage_texts }}"
"""

RETURN = r"""
_value:
  description: The sentences.
  type: list
  elements: str
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.upgrade_plan import outage_texts


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"outage_texts": outage_texts}
