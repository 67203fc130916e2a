#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_unit
short_description: Start, restart, reload or stop docker.service of several users at once
version_added: 0.1.0
description:
  - Acts on C(docker.service) of users' own managers from root, all users side by side, in one round trip. Nothing is run as the user and
    no temporary file is made.
  - It first lets lingering be as wanted and waits for the user's manager, then reloads the manager's view of its units, then acts.
  - Where a daemon does not come up, the failure carries the last lines of its journal.
  - It is the acting half of the role C(rootless_daemon), which decides by comparing what runs with what is declared.
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
  units:
    description:
      - What to do, one entry a user.
    type: list
    elements: dict
    required: true
    suboptions:
      user:
        description:
          - Name of the user.
        type: str
        required: true
      action:
        description:
          - What to do with the unit.
          - V(none) is for an entry that only sets O(units[].linger).
        type: str
        choices: [start, restart, reload, stop, none]
        required: true
      linger:
        description:
          - Enable or disable lingering for the user; enabled before the unit is started, disabled after it is stopped.
          - Left as it is when omitted.
        type: bool
  timeout:
    description:
      - Seconds that one user's unit may take.
    type: float
    default: 120
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Start one daemon for good, restart another
  portside.rootless_docker.user_unit:
    units:
      - user: alice
        action: start
        linger: true
      - user: bob
        action: restart
"""

RETURN = r"""
done:
  description: What was done, one line a user.
  returned: always
  type: list
  elements: str
  sample: ["alice: start, active after 1.4 s"]
"""

import os
import pwd
import time
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run
from ansible_collections.portside.rootless_docker.plugins.module_utils._unit import UNIT, manager_is_up, systemctl

JOURNAL_LINES = 20


class UnitError(Exception):
    """The unit of one user could not be brought where it should be; the text says what, why and what to do."""


def call(argv: list[str], timeout: float) -> str:
    """Run a command and return what it printed.

    :raises UnitError: it failed or took too long.
    """
    done = run(argv, Deadline(timeout))
    if done.status != 0:
        raise UnitError(f"{' '.join(argv)}: {done.error.strip() or f'exit status {done.status}'}")
    return done.output


def have_manager(user: str, uid: int, timeout: float) -> None:
    """Start the user's manager where it is down, and wait for it and its bus: they are there a moment after lingering is enabled.

    :raises UnitError: they did not come up.
    """
    if not manager_is_up(uid):
        call(["systemctl", "start", f"user@{uid}.service"], timeout)
    end = time.monotonic() + timeout
    while not manager_is_up(uid):
        if time.monotonic() > end:
            raise UnitError(
                f"the user manager of {user} has no bus after {timeout:.0f} s; it comes with the package dbus-user-session, which a "
                f"manager that ran before does not see. Remedy: systemctl restart user@{uid}.service (it stops everything the user runs)"
            )
        time.sleep(0.05)


def journal(uid: int) -> str:
    """The last lines that the unit wrote. They are the user's: bounded, and made fit to print."""
    argv = ["journalctl", f"_UID={uid}", f"_SYSTEMD_USER_UNIT={UNIT}", f"--lines={JOURNAL_LINES}", "--no-pager", "--output=cat"]
    try:
        return "\n".join(clean(line, 500) for line in call(argv, 10).splitlines()[-JOURNAL_LINES:])
    except UnitError as error:
        return str(error)


def state(user: str, uid: int) -> str:
    """The unit's active state."""
    return call([*systemctl(user, uid), "show", UNIT, "--property=ActiveState", "--value"], 10).strip()


def act(entry: dict, timeout: float) -> str:
    """Do what one entry asks for, and say what was done.

    :raises UnitError: the unit is not where it should be.
    """
    user, action, linger = entry["user"], entry["action"], entry["linger"]
    begin = time.monotonic()
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError as error:
        raise UnitError(f"{user}: there is no such account") from error
    if linger:
        call(["loginctl", "enable-linger", user], 20)
    reached = ""
    if action in ("start", "restart", "reload"):
        have_manager(user, uid, min(timeout, 30))
        command = systemctl(user, uid)
        call([*command, "daemon-reload"], 30)
        try:
            # Three failed starts within a minute and systemd refuses the next one: this one is asked for by a person.
            call([*command, "reset-failed", UNIT], 30)
            call([*command, action, UNIT], timeout)
            reached = state(user, uid)
            if reached != "active":
                raise UnitError(f"{UNIT} is {reached} after {action}")
        except UnitError as error:
            raise UnitError(f"{user}: {error}\nLast lines of its journal:\n{journal(uid)}") from error
    elif action == "stop" and manager_is_up(uid):
        call([*systemctl(user, uid), "stop", UNIT], timeout)
        call([*systemctl(user, uid), "daemon-reload"], 30)
        reached = state(user, uid)
    if linger is False:
        call(["loginctl", "disable-linger", user], 20)
    words = [word for word in (action if action != "none" else "", "" if linger is None else f"linger {'on' if linger else 'off'}") if word]
    return f"{user}: {', '.join(words)}" + (f", {reached} after {time.monotonic() - begin:.1f} s" if reached else "")


def main() -> None:
    """Speak Ansible."""
    module = AnsibleModule(
        argument_spec={
            "units": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "user": {"type": "str", "required": True},
                    "action": {"type": "str", "choices": ["start", "restart", "reload", "stop", "none"], "required": True},
                    "linger": {"type": "bool"},
                },
            },
            "timeout": {"type": "float", "default": 120},
        },
        supports_check_mode=True,
    )
    units, timeout = module.params["units"], module.params["timeout"]
    if module.check_mode:
        module.exit_json(changed=bool(units), done=[f"{entry['user']}: {entry['action']} (not done in check mode)" for entry in units])
    if os.geteuid() != 0:
        module.fail_json(msg="user_unit acts on other users' managers and needs root; run it with become", done=[])

    def attempt(entry: dict) -> tuple[str, str]:
        try:
            return act(entry, timeout), ""
        except UnitError as error:
            return "", str(error)

    with ThreadPoolExecutor(max_workers=8) as pool:
        results = list(pool.map(attempt, units))
    done = [text for text, _error in results if text]
    errors = [error for _text, error in results if error]
    if errors:
        module.fail_json(msg="\n\n".join(errors), done=done, changed=bool(done))
    module.exit_json(changed=bool(done), done=done)


if __name__ == "__main__":
    main()
