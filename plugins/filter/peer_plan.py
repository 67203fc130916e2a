# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: peer_plan
short_description: Say what a peer tries of the canaries that checks hold, and what it cannot prove
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - Chooses the probes at the wanted addresses, however these are written, and names what is left without any.
options:
  _input:
    description:
      - Results of M(portside.rootless_docker.published_port_check) with
        O(portside.rootless_docker.published_port_check#module:hold).
    type: list
    elements: dict
    required: true
  addresses:
    description: Addresses that the peer tries. Empty for all that are held.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what a peer tries
  ansible.builtin.debug:
    msg: "{{ (checks.results | portside.rootless_docker.peer_plan(['192.0.2.7'])).probes }}"
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    probes:
      description: What M(portside.rootless_docker.port_probe_info) takes, by user.
      type: dict
    untried:
      description: One entry for each sound check that leaves the peer nothing to try, with its C(user), and why in C(msg).
      type: list
      elements: dict
    unknown:
      description: One message for each address that no check holds.
      type: list
      elements: str
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.peer_plan import peer_plan


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"peer_plan": peer_plan}
