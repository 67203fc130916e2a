#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: subid
short_description: Give subordinate user and group ids to users, and take them away
version_added: 0.1.0
description:
  - Sees to it that users have subordinate ids in C(/etc/subuid) and C(/etc/subgid), as many as asked for or an exact range.
  - Ranges only grow. What a user has stays where it is, because files belong to these ids; what is too little gets a further range.
  - New ids are never those of another user's range in either file, by name or by number, nor of an account or a group of the host, nor
    within C(UID_MIN) to C(UID_MAX), C(SYS_UID_MIN) to C(SYS_UID_MAX), or their like for groups, nor below 65536. They lie within
    C(SUB_UID_MIN) to C(SUB_UID_MAX) and C(SUB_GID_MIN) to C(SUB_GID_MAX). All these limits are those of C(/etc/login.defs).
  - A directory service as a rule does not list its accounts. Keep its ids out of C(SUB_UID_MIN) to C(SUB_UID_MAX) there.
  - Takes the locks that C(useradd) and C(usermod) take, and holds them from reading to writing. Writes as they do, with the backups
    C(/etc/subuid-) and C(/etc/subgid-).
  - Ids in O(reserved) are given to nobody but their user, who gets them first.
  - Lines that are somebody else's, or damaged, stay byte for byte and in order. Damaged ones are named in a warning.
  - Where C(/etc/nsswitch.conf) names another source of subordinate ids than the files, nothing is written. The source is asked by
    C(getsubids), and what is not as asked for is a failure.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
    details: An account that is not there is taken for one that C(useradd) is about to make, with the ids that it gives.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  users:
    description:
      - What is asked for. The entries are worked in one after another, and all of them or none.
      - A user may be there more than once.
    type: list
    elements: dict
    required: true
    suboptions:
      user:
        description:
          - Name of the account. With O(users[].state=absent) the account may be gone; what has its name is then taken away.
        type: str
        required: true
      state:
        description:
          - V(present) adds what is too little.
          - V(absent) takes away the range of O(users[].start) and O(users[].count), or without O(users[].start) all that the user has.
            Files that belong to these ids are left as they are.
        type: str
        choices: [present, absent]
        default: present
      start:
        description:
          - First id of an exact range. Without it the first free ids are taken, the same in both files where both need as many.
        type: int
      count:
        description:
          - How many ids. Without O(users[].start) it is how many the user has in all, at least.
        type: int
        default: 65536
      kinds:
        description:
          - V(uid) stands for C(/etc/subuid), V(gid) for C(/etc/subgid).
        type: list
        elements: str
        choices: [uid, gid]
        default: [uid, gid]
      record:
        description:
          - Absolute path of a JSON file in which the ranges that are added are noted under the key C(subid), before they are added, so that
            they can be taken away again. Its other keys are left alone.
          - Where its key C(uid) is not the account's, it is of an earlier account of that name. Where ranges are added then, what was made
            for that one is forgotten, with a warning.
          - Its folder is made where it is missing. Only root may be able to write there.
        type: path
  reserved:
    description:
      - Ranges that files of users belong to, such as RV(portside.rootless_docker.rootless_docker_info#module:host.recorded_ids).
      - A user who has too few ids and no O(users[].start) gets those of the own ranges first, in this order, where they are free. What is
        not is named in a warning.
    type: list
    elements: dict
    default: []
    suboptions:
      user:
        description:
          - Whose files.
        type: str
        required: true
      kind:
        description:
          - V(uid) stands for C(/etc/subuid), V(gid) for C(/etc/subgid).
        type: str
        choices: [uid, gid]
        required: true
      start:
        description:
          - The first id.
        type: int
        required: true
      count:
        description:
          - How many ids.
        type: int
        required: true
  timeout:
    description:
      - Seconds to wait for a program that changes accounts at the same time, between 1 and 600.
    type: float
    default: 15
seealso:
  - module: ansible.builtin.user
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Have 65536 subordinate ids for two users, wherever they are free
  portside.rootless_docker.subid:
    users:
      - user: alice
      - user: bob

- name: Have an exact range, the same on every host
  portside.rootless_docker.subid:
    users:
      - user: carol
        start: 1000000
        count: 131072

- name: Take away one range, and of another user everything
  portside.rootless_docker.subid:
    users:
      - user: carol
        state: absent
        start: 1065536
        count: 65536
      - user: dave
        state: absent
"""

RETURN = r"""
users:
  description: The ranges of each user named, afterwards (in check mode as they would be), in order and without what is there twice.
  returned: success
  type: dict
  sample: {"alice": {"uid": [{"start": 100000, "count": 65536}], "gid": [{"start": 100000, "count": 65536}]}}
added:
  description: The ranges that were added, or would be; only users that got some.
  returned: success
  type: dict
  sample: {"alice": {"uid": [{"start": 100000, "count": 65536}], "gid": []}}
removed:
  description: The ranges that were taken away, or would be; only users that lost some.
  returned: success
  type: dict
  sample: {}
source:
  description: V(files), or the source that C(/etc/nsswitch.conf) names.
  returned: success
  type: str
  sample: files
"""

import contextlib
import grp
import json
import os
import pwd
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils import _account_facts, _system_files
from ansible_collections.portside.rootless_docker.plugins.module_utils import _subid as core
from ansible_collections.portside.rootless_docker.plugins.module_utils import _subid_files as files
from ansible_collections.portside.rootless_docker.plugins.module_utils._arguments import BadArgument, checked_timeout
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._lock import LockError, one_at_a_time
from ansible_collections.portside.rootless_docker.plugins.module_utils._subid_source import SourceError, ask_source, host_source


def parse(option: dict) -> core.Request:
    """One entry of O(users).

    :raises core.SubidError: a value of it cannot be.
    """
    user, start, count = option["user"], option["start"], option["count"]
    if not user or any(character in user for character in ":\n\0/") or user[0] in "+-":
        raise core.SubidError(f"users has {user!r}, which is no name of an account")
    if not 0 < count <= core.END:
        raise core.SubidError(f"{user}: count is {count}; it must be between 1 and {core.END}")
    if start is not None and not 0 <= start <= core.END - count:
        raise core.SubidError(f"{user}: start is {start}; with {count} ids it must be between 0 and {core.END - count}")
    if option["record"] is not None and not os.path.isabs(option["record"]):
        raise core.SubidError(f"{user}: record is {option['record']!r}, which is no absolute path")
    return core.Request(user, option["state"] == "present", start, count, tuple(dict.fromkeys(option["kinds"])))


def uid_of(user: str) -> int | None:
    """The uid of an account; None for none."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def real_ids(uids: dict[str, int | None]) -> dict[str, dict[int, str]]:
    """Whose each id of an account or a group is, as far as the host's databases list them, and of the accounts asked about."""
    accounts = pwd.getpwall()
    for user in uids:
        with contextlib.suppress(KeyError):
            accounts.append(pwd.getpwnam(user))
    groups = {account.pw_gid: f"{account.pw_name}'s group" for account in accounts}
    groups.update({group.gr_gid: group.gr_name for group in grp.getgrall()})
    return {"uid": {account.pw_uid: account.pw_name for account in accounts}, "gid": groups}


def shown(ranges: dict[str, core.Ranges]) -> dict[str, dict[str, list[dict[str, int]]]]:
    """Ranges as a result names them."""
    return {user: {kind: [each._asdict() for each in found] for kind, found in kinds.items()} for user, kinds in ranges.items()}


def read_record(path: str) -> dict[str, Any]:
    """The JSON object in a record; empty where there is no file.

    :raises core.SubidError: it is damaged.
    """
    try:
        record = json.loads(files.read(path) or "{}")
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise core.SubidError(f"{path} is damaged: it is no JSON object. Nothing was changed. Remedy: mend it, or remove it to forget it")
    return record


def own_record(record: dict[str, Any], user: str, uid: int | None) -> tuple[dict[str, Any], list[str]]:
    """A record less what is in it of an earlier account of that name, and a sentence where there was one."""
    another = _account_facts.another_uid(record, uid)
    if uid is None or another is None:
        return record, []
    own = {key: value for key, value in _account_facts.without_made(record).items() if key != "uid"}
    return own, [_account_facts.another_note(user, uid, another)]


def noted(record: dict[str, Any], added: core.Ranges) -> dict[str, Any]:
    """A record with what is added besides. Nothing is forgotten: files may belong to ids that the user has lost."""
    after = {}
    for kind, path in core.FILES.items():
        key = os.path.basename(path)
        after[key] = [list(each) for each in dict.fromkeys([*core.recorded(record, key), *added[kind]])]
    return {**record, "subid": after}


def parse_reserved(options: list[dict]) -> dict[str, core.Ranges]:
    """O(reserved), by user.

    :raises core.SubidError: a range of it cannot be.
    """
    found: dict[str, core.Ranges] = {}
    for option in options:
        user, start, count = option["user"], option["start"], option["count"]
        if not 0 <= start <= core.END - count or count < 0:
            raise core.SubidError(f"reserved: {start} and {count} of {user} are no ids; they must be between 0 and {core.END}")
        found.setdefault(user, {kind: [] for kind in core.KINDS})[option["kind"]].append(core.Range(start, count))
    return found


class Subid:
    """One run."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.requests = [parse(option) for option in module.params["users"]]
        self.reserved = parse_reserved(module.params["reserved"])
        self.records = {option["user"]: option["record"] for option in module.params["users"] if option["record"]}
        self.deadline = Deadline(checked_timeout(module.params["timeout"]))
        self.uids = {request.user: uid_of(request.user) for request in self.requests}
        self.warnings: list[str] = []

    def run(self) -> dict[str, Any]:
        """The module's result.

        :raises core.SubidError: what is asked for cannot be had.
        """
        source = host_source()
        if source != "files":
            return self.ask(source)
        result = self.work()
        # What needs no change needs no lock either, and need not wait for anybody.
        if result["changed"] and not self.module.check_mode:
            with files.locked(list(core.FILES.values()), self.deadline):
                result = self.work(write=True)
        for warning in self.warnings:
            self.module.warn(warning)
        return result

    def work(self, write: bool = False) -> dict[str, Any]:
        """Compare, and with C(write) act."""
        found = {kind: files.read(path) for kind, path in core.FILES.items()}
        texts = {kind: text or "" for kind, text in found.items()}
        defs = files.read(core.LOGIN_DEFS) or ""
        host = core.Host(texts, self.uids, {kind: core.limits(defs, kind) for kind in core.KINDS}, real_ids(self.uids), self.reserved)
        outcome = core.plan(self.requests, host, about_to_be_made=self.module.check_mode)
        differ = {path: outcome.texts[kind] for kind, path in core.FILES.items() if outcome.texts[kind] != texts[kind]}
        users = {
            user: {kind: core.owned(outcome.texts[kind], core.names_of(user, uid)) for kind in core.KINDS}
            for user, uid in self.uids.items()
        }
        self.warnings = outcome.warnings + [
            f"{path} line {line} is damaged, and was left as it is. It gives nobody any ids. Remedy: mend or remove it"
            for kind, path in core.FILES.items()
            for line in core.damaged(outcome.texts[kind])
        ]
        if write:
            self.warnings += self.note(outcome.added)
            files.write(differ)
        return {
            "changed": bool(differ),
            "users": shown(users),
            "added": shown(outcome.added),
            "removed": shown(outcome.removed),
            "source": "files",
            "diff": [
                {"before_header": path, "after_header": path, "before": texts[kind], "after": outcome.texts[kind]}
                for kind, path in core.FILES.items()
                if path in differ
            ],
        }

    def note(self, added: dict[str, core.Ranges]) -> list[str]:
        """Write down what will be added, before it is: a run that is cut off in between must not forget it.

        :returns: whose record was of another account, in a sentence each.
        """
        wanted: list[_system_files.File] = []
        forgotten: list[str] = []
        with one_at_a_time(_system_files.LOCK, self.deadline):
            for user, ranges in added.items():
                path = self.records.get(user)
                if path is not None:
                    record, said = own_record(read_record(path), user, self.uids[user])
                    record, forgotten = noted(record, ranges), forgotten + said
                    wanted.append(_system_files.File(path, json.dumps(record, indent=2, sort_keys=True) + "\n"))
            _system_files.apply(_system_files.make_plan(wanted, []))
        return forgotten

    def ask(self, source: str) -> dict[str, Any]:
        """Compare with another source, which only its own means can change."""
        has: dict[str, core.Ranges] = {}
        for user, uid in self.uids.items():
            if uid is None and self.module.check_mode:
                has[user] = {kind: [core.Range(0, core.END)] for kind in core.KINDS}
                continue
            has[user] = {kind: core.merged(ask_source(user, kind, self.deadline)) for kind in core.KINDS}
        wrong = [
            f"{request.user} {text} subordinate {kind}s"
            for request in self.requests
            if self.uids[request.user] is not None or not self.module.check_mode
            for kind, text in core.missing(request, has[request.user]).items()
        ]
        if wrong:
            raise core.SubidError(
                f"{'; '.join(wrong)}, by getsubids. /etc/nsswitch.conf takes subordinate ids from {source}, so the files do not count, and "
                f"nothing was changed. Remedy: have it changed in {source}, or have the line «subid: files» there"
            )
        known = {user: ranges for user, ranges in has.items() if self.uids[user] is not None}
        return {"changed": False, "users": shown(known), "added": {}, "removed": {}, "source": source}


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
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                    "start": {"type": "int"},
                    "count": {"type": "int", "default": core.COUNT},
                    "kinds": {"type": "list", "elements": "str", "choices": list(core.KINDS), "default": list(core.KINDS)},
                    "record": {"type": "path"},
                },
            },
            "reserved": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "user": {"type": "str", "required": True},
                    "kind": {"type": "str", "choices": list(core.KINDS), "required": True},
                    "start": {"type": "int", "required": True},
                    "count": {"type": "int", "required": True},
                },
            },
            "timeout": {"type": "float", "default": 15},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**Subid(module).run())
    except (core.SubidError, SourceError, BadArgument, LockError, _system_files.FilesError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg=f"{error.filename}: {error.strerror}. What is written is whole. "
            "Remedy: mend that (it needs root), and run again; the rest follows"
        )


if __name__ == "__main__":
    main()
