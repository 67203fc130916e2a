#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rootful_units
short_description: Enable, disable, start and stop the units of a rootful Engine in one round trip
version_added: 0.1.0
description:
  - Has systemd read its units again and acts on them, one after the other.
  - It does what it is told, also in what it predicts, so it can be told in check mode of units that a package would bring, or that a mask
    hides until then. Whether it is needed is decided before it is called.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: none
    details: It does what it is told.
options:
  units:
    description:
      - What to do, in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the unit.
        type: str
        required: true
      enabled:
        description:
          - Whether it is to start by itself. Left as it is when omitted.
        type: bool
      state:
        description:
          - Whether it is to run now. Left as it is when omitted.
        type: str
        choices: [started, stopped]
  timeout:
    description:
      - Seconds that one step may take.
    type: float
    default: 300
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Stop a rootful Docker for good, what starts it first
  portside.rootless_docker.rootful_units:
    units:
      - name: docker.socket
        enabled: false
        state: stopped
      - name: docker.service
        enabled: false
        state: stopped
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode, one line a step.
  returned: always
  type: list
  elements: str
  sample: [disable docker.service, stop docker.service]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run

STEPS = {("enabled", True): "enable", ("enabled", False): "disable", ("state", "started"): "start", ("state", "stopped"): "stop"}


def steps_of(units: list[dict]) -> list[tuple[str, str]]:
    """The verbs of systemctl and the unit that each is for. What starts by itself is settled before what runs."""
    return [(STEPS[key, unit[key]], unit["name"]) for unit in units for key in ("enabled", "state") if unit.get(key) is not None]


def main() -> None:
    """Speak Ansible."""
    module = AnsibleModule(
        argument_spec={
            "units": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "enabled": {"type": "bool"},
                    "state": {"type": "str", "choices": ["started", "stopped"]},
                },
            },
            "timeout": {"type": "float", "default": 300},
        },
        supports_check_mode=True,
    )
    steps = steps_of(module.params["units"])
    words = [f"{verb} {name}" for verb, name in steps]
    commands = [] if module.check_mode else [["systemctl", "daemon-reload"]] * bool(steps) + [["systemctl", *step] for step in steps]
    for position, argv in enumerate(commands):
        finished = run(argv, Deadline(module.params["timeout"]))
        if finished.status != 0:
            module.fail_json(
                msg=f"{' '.join(argv)}: {finished.error.strip() or f'exit status {finished.status}'}. Look at systemctl status {argv[-1]}; "
                "what was done before it stays, the next run completes it",
                done=words[: max(position - 1, 0)],
                changed=position > 1,
            )
    diff = {"before": "", "after": "".join(line + "\n" for line in words)}
    module.exit_json(changed=bool(steps), done=words, diff=diff)


if __name__ == "__main__":
    main()
