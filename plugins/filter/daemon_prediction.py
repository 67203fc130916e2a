# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: daemon_prediction
short_description: Tell what a host will be once the roles before have really run
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - In check mode the roles C(rootlesskit), C(pasta) and C(docker_engine) changed nothing, and what they would change decides whether a
    daemon is restarted. This filter puts it into what M(portside.rootless_docker.rootless_docker_info) returned.
options:
  _input:
    description: What M(portside.rootless_docker.rootless_docker_info) returned.
    type: dict
    required: true
  coming:
    description:
      - C(rewritten) and C(removed), paths of program files that are going to be replaced and removed.
      - C(rootlesskit), the C(path) and C(version) that are going to be active.
      - C(pasta_options), what pasta is going to accept, and C(dockerd_version), the version that C(dockerd) is going to have. They count
        where that program is missing or in C(rewritten); where they are not given, nobody knows.
      - All else that is not in it, or null, stays as it is.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what would be decided with another RootlessKit
  ansible.builtin.debug:
    msg: "{{ rootless_daemon_users | portside.rootless_docker.daemon_plan(after, texts) }}"
  vars:
    after: "{{ info | portside.rootless_docker.daemon_prediction(coming) }}"
    coming:
      rootlesskit:
        path: /opt/rootlesskit/3.2.0/rootlesskit
        version: 3.2.0
"""

RETURN = r"""
_value:
  description: The same, as it will be.
  type: dict
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_prediction import predicted


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"daemon_prediction": predicted}
