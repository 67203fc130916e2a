# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: daemon_plan
short_description: Decide what has to be done for users' rootless daemons
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - Compares what is declared for each user with what a host is and runs, and returns what has to be done, with reasons.
  - It is the deciding half of the role C(rootless_daemon); it changes nothing.
options:
  _input:
    description: The users, as in the variable C(rootless_daemon_users) of the role.
    type: list
    elements: dict
    required: true
  info:
    description: What M(portside.rootless_docker.rootless_docker_info) returned.
    type: dict
    required: true
  texts:
    description: The rendered C(unit), C(wrapper) and C(shell) snippet; an empty C(shell) stands for none.
    type: dict
    required: true
  replace_unit:
    description: Whether a unit at the role's path that is not the role's may be replaced.
    type: bool
    default: false
  adopt:
    description: Whether a unit in a user's home that hides the role's is removed, and its daemon's data taken over.
  unstopped:
    description:
      - Users to be absent whose daemon could not be stopped, by name, as RV(portside.rootless_docker.user_unit#module:undone).
      - What it needs stays.
    type: dict
    default: {}
  spare:
    description: Whether what a daemon needs stays also for daemons that are not stopped, whoever made them.
    type: bool
    default: false
  restart:
    description: When a daemon is restarted, as the variable C(rootless_daemon_restart) of the role.
    type: str
    choices: [now, defer, never]
    default: now
  remove_foreign:
    description: Whether root's drop-ins that nobody declared are removed.
    type: bool
    default: false
  check_mode:
    description: Whether programs may be missing because another role did not really install them.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show which port driver auto means on this host
  ansible.builtin.debug:
    msg: "{{ (rootless_daemon_users | portside.rootless_docker.daemon_plan(info, texts)).resolved }}"
"""

RETURN = r"""
_value:
  description:
    - C(errors), combinations that are known not to work here, each with its reason and remedy; nothing may be done then.
    - C(left_out), users who cannot be served while the others are, and why; C(notes), what is worth knowing.
    - C(repair), C(packages), C(preparations), C(accounts), C(subordinate_ids), C(stop), C(directories), C(files) and C(start), what each
      task has to do.
    - C(deferred), one line for each restart or adoption that is put off with C(restart=defer), and C(previous), users who run as they
      were started.
    - C(unserved), those of C(left_out) that are to be present and for whom nothing is done; C(unanswered), those that are to be absent
      and whose daemon may run, because nobody knows, it could not be stopped, or it runs without an account; with O(spare) also everybody
      whose daemon is not stopped.
    - C(reasons), one line for each unit that is touched, and C(resolved), the port driver of each user.
  type: dict
"""

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_plan import make_plan


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"daemon_plan": make_plan}
