# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: health_plan
short_description: Decide what has to be done for the timers that look after users' rootless daemons
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - Compares which users are to have a health timer with what of it is on a host, and returns what has to be done.
  - It is part of the deciding half of the role C(rootless_daemon); it changes nothing.
options:
  _input:
    description: What P(portside.rootless_docker.daemon_plan#filter) returned.
    type: dict
    required: true
  users:
    description: The users, as in the variable C(rootless_daemon_users) of the role.
    type: list
    elements: dict
    required: true
  host:
    description: C(host.health) of what M(portside.rootless_docker.rootless_docker_info) returned.
    type: dict
    required: true
  texts:
    description: The rendered C(service) and C(timer), and C(directory), where metrics are written, empty for nowhere.
    type: dict
    required: true
  default:
    description: Whether users are looked after whose option C(health) is left out.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Name the timers that would be started
  ansible.builtin.debug:
    msg: "{{ (plan | portside.rootless_docker.health_plan(rootless_daemon_users, info.host.health, texts, true)).start }}"
"""

RETURN = r"""
_value:
  description:
    - C(files) and C(directories), as M(portside.rootless_docker.system_files) takes them. The program is among them only where the host
      has not got it.
    - C(stop), units that have to stop before these are written; C(reload), whether systemd has to read its units again afterwards, and
      C(start), timers that have to start then.
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import health_plan, health_program


def plan(
    daemons: dict[str, Any], users: list[dict[str, Any]], host: dict[str, Any] | None, texts: dict[str, str], default: bool
) -> dict[str, Any]:
    """The plan, with the program that this collection would install.

    :raises AnsibleFilterError: nothing is known of the timers.
    """
    if host is None:
        raise AnsibleFilterError("the health timers were not read in time: the host is overloaded. Nothing was changed; run again")
    return health_plan.health_plan(daemons, users, host, texts, default, health_program.build())


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"health_plan": plan}
