#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: brought_packages
short_description: Record which packages an installation brings, and take exactly these away again
version_added: 0.1.0
description:
  - With O(state=present) it asks apt what an installation would bring, and records it, before M(ansible.builtin.apt) installs it.
    So a run that is cut off in between can still be reverted.
  - With O(state=absent) what was recorded goes, configuration files included, as far as no other installed package needs it.
    A package that was there before in another version gets that version back where the host's archives have it.
  - It installs nothing that is new, and removes nothing that it has not on record.
  - Debian and what derives from it only. It uses the package lists as they are.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
    details: An installation that apt cannot simulate, because a real run would first add an archive, counts as a change.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  owner:
    description: Who brings them, the name of a role.
    type: str
    required: true
  state:
    description: Record an installation that is about to come, or take away what was recorded.
    type: str
    choices: [present, absent]
    default: present
  packages:
    description:
      - With O(state=present) what is about to be installed, as apt takes it, C(NAME) or C(NAME=VERSION).
      - With O(state=absent) the names that are not wanted any more, with what came along with them. Empty for all of the owner's.
    type: list
    elements: str
    default: []
  groups:
    description: System groups that the packages make, and that a removal of the packages leaves behind. Those not there yet are recorded.
    type: list
    elements: str
    default: []
  folders:
    description:
      - Data folders that the packages' programs fill. Those not there yet are recorded.
      - They are never removed with the packages, but see O(remove_data).
    type: list
    elements: path
    default: []
  gone:
    description:
      - With O(state=absent), packages that earlier tasks of the same run remove, as in their RV(removed). In check mode they are there yet,
        and count as gone, so that it says what a real run then does.
    type: list
    elements: str
    default: []
  scripts:
    description:
      - With O(state=absent), programs that packages leave behind so that a purge of them removes data.
      - They are removed before the packages' configuration files are, so that it does not.
    type: list
    elements: path
    default: []
  remove_data:
    description: With O(state=absent), remove recorded data folders with their content too.
    type: bool
    default: false
  record:
    description: JSON file of the record, with one entry an owner.
    type: path
    default: /var/lib/rootless-docker/packages.json
  timeout:
    description: Seconds that one command of apt's may take.
    type: float
    default: 900
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Record what comes
  portside.rootless_docker.brought_packages:
    owner: rootless_host
    packages: [uidmap, iptables]

- name: Install
  ansible.builtin.apt:
    name: [uidmap, iptables]
    install_recommends: false

- name: Take it away again
  portside.rootless_docker.brought_packages:
    owner: rootless_host
    state: absent
"""

RETURN = r"""
recorded:
  description: Packages that the owner has on record as its own after this, those that came along included.
  returned: success
  type: list
  elements: str
  sample: [iptables, libip4tc2, uidmap]
removed:
  description: Packages that were removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [iptables, libip4tc2]
restored:
  description: Packages that got back the version from before, and which.
  returned: success
  type: dict
  sample: {"passt": "0.0~git20250503.587980c-2"}
left:
  description: What stays although the owner brought or changed it, and why, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["uidmap stays: podman needs it"]
"""

import grp
import json
import os
import pwd
import shutil
from collections.abc import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils import _brought_packages as core
from ansible_collections.portside.rootless_docker.plugins.module_utils import _system_files as files
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._lock import LockError, one_at_a_time
from ansible_collections.portside.rootless_docker.plugins.module_utils._mounts import mounts_below
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run

# Kept configuration files are kept, nobody is asked, and a lock that somebody holds is waited for.
OPTIONS = ["-o", "DPkg::Lock::Timeout=60", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive"}


class BroughtPackages:
    """One run: compare, then act on the difference."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.owner = module.params["owner"]
        self.path = module.params["record"]
        self.records = self.read_records()
        self.record = self.records.get(self.owner, core.Record())
        # Where nothing is on record nothing goes, and nobody has to be asked.
        self.needless = module.params["state"] == "absent" and self.owner not in self.records
        self.status, self.versions = ({}, {}) if self.needless else self.read_packages()
        # In a real run they are gone, or somebody else installed them since.
        earlier = module.params["gone"] if module.check_mode else []
        self.gone = [name for name in earlier if self.status.get(name) == "installed"]
        self.changes: list[str] = []
        self.written = files.Plan()
        self.refused = ""

    # -- reading ---------------------------------------------------------------

    def read_records(self) -> dict[str, core.Record]:
        """All owners' records.

        :raises core.RecordError: the file is damaged.
        """
        try:
            with open(self.path, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            return {}
        try:
            return core.parse_records(json.loads(text), self.path)
        except (ValueError, RecursionError):
            return core.parse_records(None, self.path)

    def call(self, argv: list[str]) -> str:
        """Run a command and return what it printed.

        :raises core.ChangeError: it failed.
        """
        done = run(argv, Deadline(self.params["timeout"]), environment=ENVIRONMENT)
        if done.status != 0:
            raise core.ChangeError(f"{' '.join(argv)}: {done.error or f'exit status {done.status}'}")
        return done.output

    def read_packages(self) -> tuple[dict[str, str], dict[str, str]]:
        """dpkg's word for each package that it knows, and the installed ones' versions."""
        status: dict[str, str] = {}
        versions: dict[str, str] = {}
        for line in self.call(["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\\n"]).splitlines():
            word, name, version = (line.split(" ") + ["", ""])[:3]
            # One name may stand for several architectures.
            if status.get(name) != "installed":
                status[name] = word
            if word == "installed":
                versions[name] = version
        return status, versions

    def simulate(self, arguments: list[str]) -> str | None:
        """What apt would do; None where it refuses."""
        try:
            return self.call(["apt-get", "--simulate", "--no-install-recommends", *arguments])
        except core.ChangeError as error:
            self.refused = str(error)
            return None

    # -- state: present --------------------------------------------------------

    def present(self) -> dict:
        """Record what is about to come."""
        names = [entry.partition("=")[0] for entry in self.params["packages"]]
        output = self.simulate(["--allow-downgrades", "install", *self.params["packages"]])
        if output is None and not self.module.check_mode:
            raise core.ChangeError(f"apt cannot install {', '.join(self.params['packages'])}, and nothing was changed. {self.refused}")
        if output is None:
            self.changes = [f"record {name}" for name in names if name not in self.record.asked]
            return {"recorded": sorted({*self.record.new, *names})}
        automatic = self.call(["apt-mark", "showauto"]).split()
        groups = [name for name in self.params["groups"] if not group_exists(name)]
        folders = [path for path in self.params["folders"] if not os.path.lexists(path)]
        will = core.parse_simulation(output)
        after = core.with_installation(self.record, names, will, self.status, automatic, groups, folders)
        if will.installs:
            self.write(after)
        return {"recorded": sorted(set(self.record.new))}

    # -- state: absent ---------------------------------------------------------

    def absent(self) -> dict:
        """Take away what was recorded, and forget it. What is recorded is forgotten last, so that a run that is cut off is completed."""
        if self.needless:
            return {"recorded": []}
        record, surplus = self.record, set(self.params["packages"])
        everything = not surplus
        # Whatever came along may be what the rest of the owner's packages needs: apt says so.
        mine = [name for name in record.new if everything or name in surplus or name not in record.asked]
        there = [name for name in mine if self.status.get(name) == "installed"]
        plan = core.plan_removal(there, self.simulate, self.gone)
        residue = [name for name in mine if name in plan.remove or self.status.get(name) == "config-files"]
        residue = [name for name in residue if name not in record.residual]
        going = [*self.gone, *plan.remove]
        restored, left = core.plan_versions(record, self.versions, self.simulate, going) if everything else ({}, [])
        kept = [name for name in plan.needed if name in record.asked]
        left += [f"{name} stays: {', '.join(plan.needed[name])} needs it" for name in kept]
        if plan.remove:
            self.do(f"remove {', '.join(plan.remove)}", lambda: self.apt("remove", plan.remove))
        for path in self.params["scripts"] if residue else []:
            if not self.module.check_mode and os.path.lexists(path):
                os.unlink(path)
        self.purge(residue)
        if restored:
            versions = [f"{name}={version}" for name, version in restored.items()]
            self.do(f"install {', '.join(versions)}", lambda: self.apt("install", ["--allow-downgrades", *versions]))
        automatic = [*kept, *(name for name in record.auto if everything and name in self.versions)]
        manual = set(self.call(["apt-mark", "showmanual"]).split())
        marks = sorted({name for name in automatic if name in manual or name in restored})
        if marks:
            self.do(f"mark as dependencies: {', '.join(marks)}", lambda: self.call(["apt-mark", "auto", *marks]))
        groups, folders = (record.groups, record.folders) if everything else ([], [])
        stay = {
            "groups": [name for name in groups if group_exists(name) and not self.remove_group(name, list(plan.needed), left)],
            "folders": [path for path in folders if os.path.lexists(path) and not self.remove_folder(path, left)],
        }
        self.write(core.Record(**stay) if everything else self.rest(surplus, plan))
        return {"recorded": sorted(set(self.record.new)), "removed": plan.remove, "restored": restored, "left": left}

    def rest(self, surplus: set[str], plan: core.Removal) -> core.Record:
        """What stays on record when only some packages are handed back."""
        gone = {*plan.remove, *surplus}
        values = {key: getattr(self.record, key) for key in core.KEYS}
        rest = {key: [name for name in values[key] if name not in gone] for key in ("asked", "new", "residual", "auto")}
        return core.Record(**{**values, **rest})

    def purge(self, names: list[str]) -> None:
        """Remove configuration files. Which packages have some shows only once they are removed."""
        if not self.module.check_mode:
            status, _versions = self.read_packages()
            names = [name for name in names if status.get(name) == "config-files"]
            if names:
                self.apt("purge", names)
        if names and not any(change.startswith("remove ") for change in self.changes):
            self.changes.append(f"purge {', '.join(names)}")

    def remove_group(self, name: str, packages: list[str], left: list[str]) -> bool:
        """Remove a group that nobody is in; whether it went, or would."""
        found = grp.getgrnam(name)
        members = [*found.gr_mem, *(user.pw_name for user in pwd.getpwall() if user.pw_gid == found.gr_gid)]
        if members or packages:
            left.append(f"group {name} stays: {', '.join(members or packages)} {'is in' if members else 'needs'} it")
            return False
        self.do(f"remove group {name}", lambda: self.call(["groupdel", name]))
        return True

    def remove_folder(self, path: str, left: list[str]) -> bool:
        """Remove a data folder that is empty, or where data is to go; whether it went, or would."""
        mounts = mounts_below(path)
        if mounts:
            left.append(f"{path} stays: {', '.join(mounts)} is mounted there")
        elif os.path.isdir(path) and not os.path.islink(path) and (self.params["remove_data"] or not os.listdir(path)):
            self.do(f"remove {path}", lambda: shutil.rmtree(path))
            return True
        else:
            left.append(f"{path} stays: it holds data, which goes only when data is to be removed too")
        return False

    # -- acting ----------------------------------------------------------------

    def apt(self, command: str, arguments: list[str]) -> None:
        """Have apt do something, and nothing besides."""
        self.call(["apt-get", "--quiet", "--assume-yes", "--no-install-recommends", "--no-auto-remove", *OPTIONS, command, *arguments])

    def do(self, text: str, act: Callable[[], object]) -> None:
        """One change; in check mode only its name."""
        self.changes.append(text)
        if not self.module.check_mode:
            act()

    def write(self, record: core.Record) -> None:
        """Have another record of the owner's; the file goes with the last one."""
        self.record = record
        records = {**self.records, self.owner: record}
        data = {owner: entry.as_json() for owner, entry in sorted(records.items()) if entry.as_json()}
        text = json.dumps(data, indent=2, sort_keys=True) + "\n" if data else None
        self.written = files.make_plan([files.File(self.path, text, present=text is not None)], [])
        if not self.module.check_mode:
            files.apply(self.written)

    def run(self) -> dict:
        """The module's result."""
        result = self.present() if self.params["state"] == "present" else self.absent()
        shown = "".join(f"{change}\n" for change in self.changes)
        diff = [{"before_header": "packages", "after_header": "packages", "before": "", "after": shown}] if self.changes else []
        return {
            "removed": [],
            "restored": {},
            "left": [],
            **result,
            "changed": bool(self.changes or self.written.changes),
            "diff": [*diff, *files.diff(self.written)],
        }


def group_exists(name: str) -> bool:
    """Whether there is such a group."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def main() -> None:
    """Speak Ansible."""
    names = {"type": "list", "elements": "str", "default": []}
    paths = {"type": "list", "elements": "path", "default": []}
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "packages": names,
            "groups": names,
            "folders": paths,
            "gone": names,
            "scripts": paths,
            "remove_data": {"type": "bool", "default": False},
            "record": {"type": "path", "default": "/var/lib/rootless-docker/packages.json"},
            "timeout": {"type": "float", "default": 900},
        },
        supports_check_mode=True,
    )
    try:
        # All owners are in one record: another run must not write one that it read before.
        with one_at_a_time("packages", Deadline(module.params["timeout"]), module.check_mode):
            result = BroughtPackages(module).run()
        module.exit_json(**result)
    except (core.RecordError, core.ChangeError, files.FilesError, LockError) as error:
        module.fail_json(msg=f"{module.params['owner']}: {error}")
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; mend that and run again, the next run completes it")


if __name__ == "__main__":
    main()
