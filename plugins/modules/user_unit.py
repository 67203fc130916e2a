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
  - A user whose unit cannot be brought where it should be keeps it from nobody else. The module fails once it has acted for all, and
    RV(undone) says of whom and why.
  - Where a daemon does not come up, or does not stop, the failure carries the last lines of its journal.
  - A restart is timed by what users notice, how long the published TCP ports of running containers do not answer (RV(outages)). Those count
    that answer before; a connection that stays open or brings data is an answer.
  - Containers that ran before a restart, whose restart policy is C(always) or C(unless-stopped) and that the Engine did not start again by
    itself, are started; RV(done) names them. With RootlessKit below 3.1.0 that happens.
  - It is the acting half of the role C(rootless_daemon), which decides by comparing what runs with what is declared.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Shows the unit file that V(adopt) removes, so that it can be had back.
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
          - V(reread) has the user's manager read the files of its units again, and leaves the daemon alone.
          - V(none) is for an entry that only sets O(units[].linger).
          - V(adopt) stops the daemon of a unit of the user's own, removes that unit's file and its links with the user's rights, and starts
            the one in C(/etc/systemd/user). Where that does not start, the user's own is put back and started.
        type: str
        choices: [start, restart, reload, stop, reread, adopt, none]
        required: true
      own_unit:
        description:
          - For V(adopt), the user's own unit file.
        type: dict
        suboptions:
          path:
            description:
              - Absolute path of the file, which has to be called C(docker.service).
            type: path
            required: true
          text:
            description:
              - Its content, which is shown, and put back where need be.
            type: str
            required: true
      missing:
        description:
          - Ports, each written C(ADDRESS:PORT), that do not answer since an earlier call, as in its RV(outages[].missing). They are waited
            for, too.
        type: list
        elements: str
        default: []
      since:
        description:
          - Since when they do not, as in its RV(outages[].since).
        type: float
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
  ports_timeout:
    description:
      - Seconds to wait, after a restart, for the published ports that answered before. Ports that do not come back are named in
        RV(outages), and are no failure.
      - With V(0) no port is looked at.
    type: float
    default: 30
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
undone:
  description:
    - For each user whose unit could not be brought where it should be, why. With one of them the module fails.
    - Where it is missing, nothing was done for anybody.
  returned: when all users were seen to
  type: dict
  sample:
    bob: >-
      bob: docker.service could not be stopped within 120 s: systemctl --user --machine=bob@ stop docker.service: not ended in time. …
outages:
  description:
    - For each user whose daemon was restarted or adopted while published ports answered, how long they did not.
    - Measured from the host itself, a few times a second.
  returned: always
  type: list
  elements: dict
  contains:
    user:
      description: Name of the user.
      type: str
      sample: alice
    ports:
      description: How many ports answered before and are published still; at most 200 are watched.
      type: int
      sample: 4
    seconds:
      description: From the first silence of one of them until all answered again, or until the wait was over.
      type: float
      sample: 3.4
    since:
      description: When the silence began, in seconds since the host was booted; null where there was none.
      type: float
      sample: 81234.5
    missing:
      description: Ports that do not answer at the end.
      type: list
      elements: str
      sample: ["127.0.0.1:8080"]
    gone:
      description: Ports that nobody publishes any more. A container without a restart policy stays stopped.
      type: list
      elements: str
      sample: []
"""

import contextlib
import os
import pwd
import time
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils._comeback import in_words, running, start_again
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine_state import read_engine
from ansible_collections.portside.rootless_docker.plugins.module_utils._outage import Watch, published_places, split_place
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run
from ansible_collections.portside.rootless_docker.plugins.module_utils._unit import UNIT, manager_is_up, systemctl

JOURNAL_LINES = 20
IDENTIFIER = "dockerd-rootless.sh"
"""Of the unit's lines in the journal: the name of what it starts."""
ACTIONS = ("start", "restart", "reload", "stop", "reread", "adopt", "none")
ENGINE_SECONDS = 5
"""Seconds in which a user's Engine has to say what runs, or what is published."""
START_SECONDS = 20
"""Seconds for starting containers that did not come back by themselves."""


class UnitError(Exception):
    """The unit of one user could not be brought where it should be; the text says what, why and what to do."""


def call(argv: list[str], timeout: float, data: bytes = b"", account: pwd.struct_passwd | None = None) -> str:
    """Run a command and return what it printed.

    :param data: its standard input.
    :param account: run it with this user's rights.
    :raises UnitError: it failed or took too long.
    """
    ids = {"uid": account.pw_uid, "gid": account.pw_gid} if account else {}
    done = run(argv, Deadline(timeout), data, **ids)
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
    mine = f"_UID={uid}"
    # journald attributes a line to a unit by the process that wrote it, and one that is gone by then has none; the identifier stays.
    match = [mine, f"_SYSTEMD_USER_UNIT={UNIT}", "+", mine, f"SYSLOG_IDENTIFIER={IDENTIFIER}"]
    # What was written a moment ago may be on its way.
    with contextlib.suppress(UnitError):
        call(["journalctl", "--sync"], 10)
    try:
        said = call(["journalctl", *match, f"--lines={JOURNAL_LINES}", "--no-pager", "--output=cat"], 10)
        return "\n".join(clean(line, 500) for line in said.splitlines()[-JOURNAL_LINES:])
    except UnitError as error:
        return str(error)


def state(user: str, uid: int) -> str:
    """The unit's active state."""
    return call([*systemctl(user, uid), "show", UNIT, "--property=ActiveState", "--value"], 10).strip()


def stop(user: str, uid: int, timeout: float) -> None:
    """Have the unit stopped. It has no time limit of its own (TimeoutSec=0), as its containers may need theirs.

    :raises UnitError: it is not known to be.
    """
    try:
        call([*systemctl(user, uid), "stop", UNIT], timeout)
    except UnitError as error:
        raise UnitError(unstopped(user, uid, timeout, str(error), journal(uid))) from error


def unstopped(user: str, uid: int, timeout: float, error: str, lines: str) -> str:
    """That a unit could not be stopped, and what to do."""
    return (
        f"{UNIT} could not be stopped within {timeout:.0f} s: {error}. Its daemon may run still. Remedy: see what it waits for with "
        f"systemctl --user --machine={user}@ status {UNIT}, and run again when that has ended, or with more time; or end all that {user} "
        f"runs at once, with systemctl kill --signal=KILL user@{uid}.service, and run again\nLast lines of its journal:\n{lines}"
    )


def published(uid: int) -> list[str] | None:
    """What the user's running containers publish; None where the Engine does not say."""
    found = read_engine(uid, Deadline(ENGINE_SECONDS))["published"]
    return None if found is None else published_places(found)


def bring(command: list[str], action: str, timeout: float) -> None:
    """Have the unit active.

    :param command: how systemctl is called for the user.
    :raises UnitError: it is not.
    """
    call([*command, "daemon-reload"], 30)
    # Three failed starts within a minute and systemd refuses the next one: this one is asked for by a person.
    call([*command, "reset-failed", UNIT], 30)
    call([*command, action, UNIT], timeout)
    reached = call([*command, "show", UNIT, "--property=ActiveState", "--value"], 10).strip()
    if reached != "active":
        raise UnitError(f"{UNIT} is {reached} after {action}")


def adopt(account: pwd.struct_passwd, own: dict, timeout: float) -> None:
    """Replace the daemon of a user's own unit by that of the unit in /etc, or have the user's own again.

    All that is done in the user's home is done with the user's rights, by the user's manager or by rm(1) and tee(1).

    :raises UnitError: ours did not start; the text says whether the user's own runs again.
    """
    command, path = systemctl(account.pw_name, account.pw_uid), own["path"]
    # It ends with 1 for a unit that is disabled.
    enabled = run([*command, "is-enabled", UNIT], Deadline(10)).output.strip() == "enabled"
    stop(account.pw_name, account.pw_uid, timeout)
    try:
        call([*command, "disable", UNIT], 30)
        call(["rm", "--force", "--", path], 10, account=account)
        bring(command, "start", timeout)
    except UnitError as error:
        lines = journal(account.pw_uid)
        try:
            call(["tee", "--", path], 10, own["text"].encode(), account)
            call([*command, "daemon-reload"], 30)
            if enabled:
                call([*command, "enable", UNIT], 30)
            bring(command, "start", timeout)
        except UnitError as second:
            raise UnitError(f"{error}\nLast lines of its journal:\n{lines}\n{path} could not be had again either: {second}") from error
        raise UnitError(f"{error}\nLast lines of its journal:\n{lines}\n{path} is back, and its daemon runs again") from error


def act(entry: dict, timeout: float, ports_timeout: float) -> tuple[str, str, dict | None]:
    """Do what one entry asks for.

    :returns: what was done, why the unit is not where it should be (empty where it is), and the outage where one was timed.
    """
    user, action, linger = entry["user"], entry["action"], entry["linger"]
    begin = time.monotonic()
    watch = None
    reached, error_text = "", ""
    started: list[str] = []
    try:
        uid = account_of(user).pw_uid
        command = systemctl(user, uid)
        if linger:
            call(["loginctl", "enable-linger", user], 20)
        if action in ("start", "restart", "reload", "adopt"):
            have_manager(user, uid, min(timeout, 30))
            before = running(uid, Deadline(ENGINE_SECONDS)) if action in ("restart", "adopt") else []
            if action in ("restart", "adopt") and ports_timeout > 0:
                watch = Watch(published(uid) or [], entry["missing"], entry["since"])
            try:
                if action == "adopt":
                    adopt(account_of(user), entry["own_unit"], timeout)
                else:
                    bring(command, action, timeout)
            except UnitError as error:
                raise error if action == "adopt" else UnitError(f"{error}\nLast lines of its journal:\n{journal(uid)}") from error
            reached = "active"
            started = start_again(uid, before, Deadline(START_SECONDS)) if before else []
        elif action == "stop" and manager_is_up(uid):
            stop(user, uid, timeout)
            call([*command, "daemon-reload"], 30)
            reached = state(user, uid)
        elif action == "reread" and manager_is_up(uid):
            call([*command, "daemon-reload"], 30)
        if linger is False:
            call(["loginctl", "disable-linger", user], 20)
    except UnitError as error:
        error_text = f"{user}: {error}"
    seconds = time.monotonic() - begin
    outage = None
    if watch is not None:
        outage = watch.finish(published(uid) if reached else None, ports_timeout if reached else 0)
    words = [word for word in (action if action != "none" else "", "" if linger is None else f"linger {'on' if linger else 'off'}") if word]
    text = f"{user}: {', '.join(words)}" + (f", {reached} after {seconds:.1f} s" if reached else "")
    text += in_words(started)
    return "" if error_text else text, error_text, {"user": user, **outage} if outage else None


def summary(units: list[dict], results: list[tuple[str, str, dict | None]]) -> dict:
    """What the module returns of what :func:`act` returned for each entry."""
    done = [text for text, _error, _outage in results if text]
    undone: dict[str, str] = {}
    for entry, (_text, error, _outage) in zip(units, results):
        if error:
            undone[entry["user"]] = f"{undone[entry['user']]}\n{error}" if entry["user"] in undone else error
    return {"changed": bool(done), "done": done, "undone": undone, "outages": [outage for _text, _error, outage in results if outage]}


def account_of(user: str) -> pwd.struct_passwd:
    """The account.

    :raises UnitError: there is none.
    """
    try:
        return pwd.getpwnam(user)
    except KeyError as error:
        raise UnitError("there is no such account") from error


def checked(units: list[dict]) -> None:
    """Refuse what contradicts itself, before anything is done.

    :raises UnitError: with what is wanted.
    """
    for entry in units:
        own = entry["own_unit"]
        if entry["action"] == "adopt" and (own is None or not own["path"].startswith("/") or os.path.basename(own["path"]) != UNIT):
            raise UnitError(f"units: adopt of {entry['user']} needs own_unit, with the absolute path of a file that is called {UNIT}")
        for text in entry["missing"]:
            try:
                split_place(text)
            except ValueError as error:
                raise UnitError(f"units: missing of {entry['user']}: {error}") from error


def removed(units: list[dict]) -> list[dict]:
    """The unit files that are removed, as a diff shows them."""
    gone = [entry["own_unit"] for entry in units if entry["action"] == "adopt"]
    return [{"before_header": own["path"], "before": own["text"], "after_header": own["path"], "after": ""} for own in gone]


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
                    "action": {
                        "type": "str",
                        "choices": ["start", "restart", "reload", "stop", "reread", "adopt", "none"],
                        "required": True,
                    },
                    "linger": {"type": "bool"},
                    "own_unit": {
                        "type": "dict",
                        "options": {"path": {"type": "path", "required": True}, "text": {"type": "str", "required": True}},
                    },
                    "missing": {"type": "list", "elements": "str", "default": []},
                    "since": {"type": "float"},
                },
            },
            "timeout": {"type": "float", "default": 120},
            "ports_timeout": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    units, timeout, ports_timeout = (module.params[name] for name in ("units", "timeout", "ports_timeout"))
    try:
        checked(units)
    except UnitError as error:
        module.fail_json(msg=str(error), done=[], outages=[])
    if module.check_mode:
        done = [f"{entry['user']}: {entry['action']} (not done in check mode)" for entry in units]
        module.exit_json(changed=bool(units), done=done, undone={}, outages=[], diff=removed(units))
    if os.geteuid() != 0:
        module.fail_json(msg="user_unit acts on other users' managers and needs root; run it with become", done=[], outages=[])
    with ThreadPoolExecutor(max_workers=8) as pool:
        results = list(pool.map(lambda entry: act(entry, timeout, ports_timeout), units))
    result = {**summary(units, results), "diff": removed(units)}
    if result["undone"]:
        module.fail_json(msg="\n\n".join(result["undone"].values()), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
