#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_data
short_description: Remove the data of users' rootless daemons, and accounts that were made for them
version_added: 0.1.0
description:
  - Removes the data root of each user with that user's own rights, within a user namespace that has the user's subordinate ids, as the
    files of containers belong to these. Root removes nothing below a home, so a link that a user laid leads it nowhere.
  - Where C(/etc/nsswitch.conf) names another source of subordinate ids than the files, they are asked for with C(getsubids).
  - It removes nothing where a file system is mounted at or below the path, and nothing of a user who still runs the daemon.
  - An account goes with its home. It has to have no process left besides its user manager, which is stopped.
  - What one user's removal fails for keeps it from nobody else's. The module fails at its end then.
  - There is no way back. It is the removing half of the role C(rootless_daemon), which knows whose data is the role's to remove.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  users:
    description: Whose data is to be removed.
    type: list
    elements: dict
    required: true
    suboptions:
      user:
        description: Name of the user. One that has no account any more is passed over.
        type: str
        required: true
      data_root:
        description: Absolute path of the daemon's data, as in the key C(data-root) of daemon.json.
        type: path
        required: true
      account:
        description: Remove the account and its home with all that is in it too.
        type: bool
        default: false
      uid:
        description:
          - The uid that the account had when the daemon was there. Of another account of that name nothing is removed.
          - Without it the account is whichever has the name.
        type: int
  timeout:
    description: Seconds that one user's removal may take.
    type: float
    default: 900
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Remove alice's data, and bob altogether
  portside.rootless_docker.user_data:
    users:
      - user: alice
        data_root: /home/alice/.local/share/docker
      - user: bob
        data_root: /home/bob/.local/share/docker
        account: true
"""

RETURN = r"""
done:
  description: What was removed, or would be in check mode, one sentence each.
  returned: always
  type: list
  elements: str
  sample: ["alice: removed /home/alice/.local/share/docker"]
undone:
  description: For each user of whom something is left that should have gone, what it is, why, and what to do.
  returned: when all users were seen to
  type: dict
  sample:
    alice: >-
      alice: /home/alice/.local/share/docker was left alone, because /home/alice/.local/share/docker/volumes is a mount point.
      Remedy: unmount it, or remove what is to go by hand
others:
  description:
    - For each user whose account has another uid than O(users[].uid), and of whose earlier account nothing is at the path, what was left
      alone, why, and what to do.
  returned: when all users were seen to
  type: dict
  sample: {}
"""

import os
import pwd
import stat
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils import _account_facts, _subid, _subid_files
from ansible_collections.portside.rootless_docker.plugins.module_utils import _user_data as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._mounts import mounts_below
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import list_processes
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import Conversation, NotStarted, run
from ansible_collections.portside.rootless_docker.plugins.module_utils._subid_source import ask_source, host_source
from ansible_collections.portside.rootless_docker.plugins.module_utils._unit import manager_is_up

LEAVE_SECONDS = 10
"""How long a user's last processes may take to end after their manager was stopped."""


def find_account(user: str) -> pwd.struct_passwd | None:
    """A user's account."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def kind(path: str) -> str:
    """What is at a path: C(directory), C(link), C(other), or empty for nothing. Links in the folders above are followed: it only looks."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return ""
    return "directory" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "other"


def refuse_another(account: pwd.struct_passwd, path: str, recorded: int | None) -> None:
    """Go on only where the account is the one that the data was of.

    :param recorded: that one's uid; None where nobody wrote it down.
    :raises core.DataError: it is another, and the data of the earlier one is there.
    :raises core.AnotherAccountError: it is another, and what may be there is its own.
    """
    if recorded in (None, account.pw_uid):
        return
    cause = _account_facts.another_account(account.pw_name, account.pw_uid, recorded)
    try:
        owner = os.lstat(path).st_uid
    except OSError:
        owner = None
    if owner == recorded:
        raise core.DataError(
            f"{cause}. It was left alone, and so was {path}, which is of uid {recorded}: there are no rights to remove it with. "
            "Remedy: look at whose it is, remove it by hand, and run again"
        )
    raise core.AnotherAccountError(
        f"{cause}. It was left alone with its home, its data and its subordinate ids, and nothing of the earlier one is at {path}. "
        "Remedy: none, where that one is gone for good; where it is the same after all (usermod --uid), remove by hand what is to go"
    )


def refuse_mounts(user: str, path: str) -> None:
    """Go on only where nothing is mounted.

    :raises core.DataError: something is.
    """
    mounts = mounts_below(path)
    if mounts:
        raise core.DataError(
            f"{user}: {path} was left alone, because {', '.join(mounts[:5])} is a mount point. "
            "Remedy: unmount it, or remove what is to go by hand"
        )


def id_maps(account: pwd.struct_passwd, deadline: Deadline) -> dict[str, str]:
    """The maps of ids, by kind, of a user namespace with all of the user's subordinate ids, wherever the host takes them from.

    :raises SubidError: nobody says which they are.
    """
    names = _subid.names_of(account.pw_name, account.pw_uid)
    own = {"uid": account.pw_uid, "gid": account.pw_gid}
    from_files, maps = host_source() == "files", {}
    for kind, path in _subid.FILES.items():
        asked = [] if from_files else ask_source(account.pw_name, kind, deadline)
        ids = _subid.owned(_subid_files.read(path) or "", names) if from_files else _subid.merged(asked)
        maps[kind] = core.id_map(own[kind], [(each.start, each.count) for each in ids])
    return maps


def as_user(account: pwd.struct_passwd, command: list[str], maps: dict[str, str], deadline: Deadline) -> str:
    """Run a command with the user's rights, and as the root of a user namespace.

    :param maps: of the ids in it.
    :returns: the last line that it said.
    """
    try:
        talk = Conversation(core.in_namespace(command), account.pw_uid, account.pw_gid)
    except NotStarted as error:
        return str(error)
    try:
        ready, why = talk.hear(deadline)
        if ready is None:
            return why
        for kind, text in maps.items():
            with open(f"/proc/{talk.pid}/{kind}_map", "w", encoding="ascii") as handle:
                handle.write(text)
        talk.say(b"go", deadline)
        said, why = talk.hear(deadline)
        return why if said is None else clean(said.decode("utf-8", "backslashreplace"), 500)
    except OSError as error:
        return f"the ids of the user cannot be mapped: {error.strerror}"
    finally:
        talk.end(1)


def remove_data(account: pwd.struct_passwd, path: str, maps: dict[str, str], deadline: Deadline) -> None:
    """Remove a data root as its user.

    :raises core.DataError: it, or a part of it, is still there.
    """
    said = as_user(account, ["rm", "-rf", "--one-file-system", "--", path], maps, deadline)
    if kind(path):
        raise core.DataError(core.not_removed(account.pw_name, path, said, host_source()))


def remove_account(account: pwd.struct_passwd, maps: dict[str, str], deadline: Deadline) -> None:
    """Remove an account, after what is in its home was removed as the user: so that a home that cannot go keeps its owner.

    :raises core.DataError: it is still there.
    """
    name, home = account.pw_name, account.pw_dir
    own_home = kind(home) == "directory" and os.lstat(home).st_uid == account.pw_uid
    if own_home:
        refuse_mounts(name, home)
    leave(account, deadline)
    if own_home:
        said = as_user(account, ["find", home, "-xdev", "-mindepth", "1", "-delete"], maps, deadline)
        try:
            os.rmdir(home)
        except OSError as error:
            raise core.DataError(core.not_removed(name, home, said or error.strerror or "", host_source())) from error
    done = run(["userdel", "--remove", name], deadline)
    if find_account(name) is not None:
        raise core.DataError(f"{name}: the account cannot be removed: {done.error}. Remedy: see to that, and run again")


def leave(account: pwd.struct_passwd, deadline: Deadline) -> None:
    """Stop a user's manager and wait until nothing of the user's runs.

    :raises core.DataError: something still does.
    """
    if manager_is_up(account.pw_uid):
        run(["systemctl", "stop", f"user@{account.pw_uid}.service"], deadline)
    end = time.monotonic() + LEAVE_SECONDS
    while True:
        left = [process for process in list_processes({account.pw_uid}) if process.alive]
        if not left:
            return
        if time.monotonic() > end:
            named = ", ".join(f"{process.pid} ({process.names[0] if process.names else '?'})" for process in left[:5])
            raise core.DataError(
                f"{account.pw_name}: nothing of the account was removed, because processes of the user still run: {named}. "
                f"Remedy: loginctl terminate-user {account.pw_name}, and run again"
            )
        time.sleep(0.1)


def removal(entry: dict, check_mode: bool, timeout: float) -> list[str]:
    """Remove what one entry asks for; what was, or would be, removed.

    :raises core.DataError: something is in the way; what could be removed before that is.
    :raises core.AnotherAccountError: the account is not the one on record. Nothing was removed.
    :raises SubidError: nobody says which subordinate ids the user has. Nothing was removed.
    """
    user, path, deadline = entry["user"], entry["data_root"], Deadline(timeout)
    account = find_account(user)
    if account is None:
        if kind(path):
            raise core.DataError(
                f"{user}: {path} was left alone: the account is gone, so there are no rights to remove it with. "
                "Remedy: look at whose it is, remove it by hand, and run again"
            )
        return []
    refuse_another(account, path, entry.get("uid"))
    core.check_path(user, path, account.pw_dir)
    done = []
    found = kind(path)
    if found in ("link", "other"):
        raise core.DataError(
            f"{user}: {path} is no folder but a {'symbolic link' if found == 'link' else 'file'}, and was left alone. "
            f"Remedy: as {user}, remove it and what it points to, and run again"
        )
    if not check_mode and (found or entry["account"]):
        # In check mode the daemon that is to be stopped before still runs.
        core.refuse_daemon(user, path if found else account.pw_dir, list_processes({account.pw_uid}))
    maps = id_maps(account, deadline) if found or entry["account"] else {}
    if found:
        refuse_mounts(user, path)
        if not check_mode:
            remove_data(account, path, maps, deadline)
        done.append(f"{user}: removed {path}")
    if entry["account"]:
        if not check_mode:
            remove_account(account, maps, deadline)
        done.append(f"{user}: removed the account and its home {account.pw_dir}")
    return done


def removals(entries: list[dict], check_mode: bool, timeout: float) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Remove what all entries ask for.

    :returns: what was, or would be, removed; for each user of whom something is left, why; and for each whose account is another, that.
    """
    done: list[str] = []
    undone: dict[str, str] = {}
    others: dict[str, str] = {}
    for entry in entries:
        try:
            done += removal(entry, check_mode, timeout)
        except core.AnotherAccountError as error:
            others[entry["user"]] = str(error)
        except (core.DataError, _subid.SubidError) as error:
            undone[entry["user"]] = str(error)
    return done, undone, others


def main() -> None:
    """Speak Ansible."""
    module = AnsibleModule(
        argument_spec={
            "users": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "user": {"type": "str", "required": True},
                    "data_root": {"type": "path", "required": True},
                    "account": {"type": "bool", "default": False},
                    "uid": {"type": "int"},
                },
            },
            "timeout": {"type": "float", "default": 900},
        },
        supports_check_mode=True,
    )
    if os.geteuid() != 0:
        module.fail_json(msg="user_data acts for several users and needs root; run it with become", done=[])
    done, undone, others = removals(module.params["users"], module.check_mode, module.params["timeout"])
    shown = [line.replace(": removed", ": remove") for line in done]
    diff = {"before_header": "data", "after_header": "data", "before": "", "after": "".join(f"{line}\n" for line in shown)}
    result = {"changed": bool(done), "done": done, "undone": undone, "others": others, "diff": diff}
    if undone:
        module.fail_json(msg="\n".join(undone.values()), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
