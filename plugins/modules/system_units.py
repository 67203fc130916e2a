#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: system_units
short_description: Stop and start several of the system's units at once, in one round trip
version_added: 0.1.0
description:
  - Stops units of the system, has systemd read its units again, and starts units, in this order. Whether a unit is enabled stays as it
    is.
  - What is stopped is also no longer remembered as failed. A service that is stopped in the middle of its work counts as failed, and
    systemd shows it as such even when its file is gone.
  - It is the acting half for what a role decided by comparing; C(ansible.builtin.systemd_service) takes one unit a call.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details: It does what it is told; whether that is needed is decided before it is called.
options:
  stop:
    description:
      - Units that are stopped.
    type: list
    elements: str
    default: []
  daemon_reload:
    description:
      - Have systemd read its units again.
    type: bool
    default: false
  start:
    description:
      - Units that are started.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds for each of the three.
    type: float
    default: 60
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Take up new units, and start two timers
  portside.rootless_docker.system_units:
    daemon_reload: true
    start:
      - rootless-docker-health@alice.timer
      - rootless-docker-health@bob.timer
"""

RETURN = r"""
done:
  description: What was done, one command each. Forgetting that units failed is among it where one had.
  returned: always
  type: list
  elements: str
  sample: ["systemctl daemon-reload", "systemctl start -- rootless-docker-health@alice.timer"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run

# Ends with an error where none of the units is failed, or systemd has let go of one already: there is nothing to forget then.
FORGET = ["systemctl", "reset-failed", "--"]


def commands(stop: list[str], daemon_reload: bool, start: list[str]) -> list[list[str]]:
    """What has to be run, in this order; pure."""
    return [
        *([["systemctl", "stop", "--", *stop], [*FORGET, *stop]] if stop else []),
        *([["systemctl", "daemon-reload"]] if daemon_reload else []),
        *([["systemctl", "start", "--", *start]] if start else []),
    ]


def main() -> None:
    """Speak Ansible."""
    units = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "stop": units,
            "daemon_reload": {"type": "bool", "default": False},
            "start": units,
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    todo = commands(params["stop"], params["daemon_reload"], params["start"])
    done: list[str] = []
    for argv in [] if module.check_mode else todo:
        ended = run(argv, Deadline(params["timeout"]))
        if ended.status == 0:
            done.append(" ".join(argv))
        elif argv[:3] != FORGET:
            module.fail_json(
                msg=f"{' '.join(argv)}: {ended.error or f'exit status {ended.status}'}. Remedy: systemctl status, and run again",
                done=done,
                changed=bool(done),
            )
    module.exit_json(changed=bool(todo), done=done)


if __name__ == "__main__":
    main()
