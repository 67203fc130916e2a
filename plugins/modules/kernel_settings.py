#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_settings
short_description: Have sysctls and kernel modules as needed, and put them back
version_added: 0.1.0
description:
  - Sets only those sysctls whose value does not already do, now and in a file for the next boot, and remembers what they were before.
  - Loads only those modules that are neither loaded nor built in, now and in a file for the next boot.
  - What is no longer declared leaves the files; its sysctl goes back to the value from before, unless somebody else changed it
    since. A module stays loaded until the next boot, because something may use it.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
    details: Whether the kernel accepts a value or has a module shows only in a real run.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  sysctls:
    description:
      - Sysctls by name, each with exactly one rule, C(minimum), C(maximum) or C(value).
      - A name that the kernel does not have is passed over.
    type: dict
    default: {}
  modules:
    description:
      - Names of kernel modules. On a host without C(/proc/modules), such as many containers, nothing is done about them.
      - Where the running kernel's folder below C(/lib/modules) is gone, as after a kernel upgrade, they are only written to the file for
        the next boot, and a warning names those that are not loaded.
    type: list
    elements: str
    default: []
  sysctl_file:
    description: File below C(/etc/sysctl.d) that belongs to this module. It is removed when it would be empty.
    type: path
    default: /etc/sysctl.d/60-rootless-docker.conf
  modules_file:
    description: File below C(/etc/modules-load.d) that belongs to this module. It is removed when it would be empty.
    type: path
    default: /etc/modules-load.d/rootless-docker.conf
  record:
    description:
      - JSON file in which the values from before are kept, under the key C(sysctls), and those that were set, under the key C(sysctls_set).
        Its other keys are left alone.
    type: path
    default: /var/lib/rootless-docker/rootless_host.json
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Allow user namespaces
  portside.rootless_docker.kernel_settings:
    sysctls:
      user.max_user_namespaces:
        minimum: 28633
      kernel.unprivileged_userns_clone:
        value: 1
    modules:
      - overlay
      - tun

- name: Put everything back
  portside.rootless_docker.kernel_settings:
"""

RETURN = r"""
sysctls:
  description: Sysctls that were set in the running kernel, or would be, those that were put back included.
  returned: success
  type: dict
  sample:
    user.max_user_namespaces: "28633"
modules:
  description: Modules that were loaded, or would be.
  returned: success
  type: list
  elements: str
  sample: [br_netfilter]
paths:
  description: Files that were changed, or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/sysctl.d/60-rootless-docker.conf]
"""

import json
import os
import platform

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils import _kernel_settings as core
from ansible_collections.portside.rootless_docker.plugins.module_utils import _system_files as files
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._lock import LockError, one_at_a_time

HEADER = "# Written by the module portside.rootless_docker.kernel_settings"


def read_text(path: str) -> str | None:
    """A file's text; None where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None


def sysctl_path(name: str) -> str:
    """Where the kernel has it. Dots separate, and a slash stands for a dot within a part, as in sysctl.conf(5)."""
    return "/proc/sys/" + name.translate(str.maketrans("./", "/."))


class KernelSettings:
    """One run: compare, then act on the difference."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.rules = core.parse_rules(module.params["sysctls"])
        self.record = self.read_record()

    def read_record(self) -> dict:
        """The record.

        :raises core.SettingsError: it is damaged.
        """
        path = self.params["record"]
        try:
            record = json.loads(read_text(path) or "{}")
            if isinstance(record, dict) and all(isinstance(record.get(key, {}), dict) for key in ("sysctls", "sysctls_set")):
                return record
        except ValueError:
            pass
        raise core.SettingsError(f"{path} is damaged. It records values from before. Remove it to go on; they are then forgotten")

    def run(self) -> dict:
        """The module's result."""
        written = core.parse_sysctl_file(read_text(self.params["sysctl_file"]) or "")
        was, was_set = self.record.get("sysctls", {}), self.record.get("sysctls_set", {})
        current = {name: read_text(sysctl_path(name)) for name in {*self.rules, *was}}
        current = {name: None if value is None else core.normal(value) for name, value in current.items()}
        plan = core.plan_sysctls(self.rules, current, was, was_set, written)
        directory = f"/lib/modules/{platform.release()}"
        builtin = (read_text(f"{directory}/modules.builtin") or "") if os.path.isdir(directory) else None
        modules = core.plan_modules(self.params["modules"], read_text("/proc/modules"), builtin)
        load = modules.load
        if modules.wait:
            self.module.warn(
                f"kernel modules {', '.join(modules.wait)} are not loaded, and cannot be: {directory} does not exist. If the kernel was "
                "upgraded, reboot: they are loaded then. In a container, load them on the machine that runs it"
            )
        record, rest = self.plan_files(plan, modules.keep)
        if not self.module.check_mode:
            # What was before is on record before it is changed, and forgotten only after it is put back.
            keep_first = {**was, **plan.record}, {**was_set, **plan.set_to}
            if keep_first != (was, was_set):
                files.apply(files.make_plan([self.record_file(*keep_first)], []))
            self.set_sysctls(plan.apply)
            self.load_modules(load)
            files.apply(rest)
            files.apply(files.make_plan([self.record_file(plan.record, plan.set_to)], []))
        changes = [*rest.changes, *record.changes]
        return {
            "changed": bool(plan.apply or load or changes),
            "sysctls": plan.apply,
            "modules": load,
            "paths": [change.path for change in changes],
            "diff": [*self.running_diff(plan, current, load), *files.diff(rest), *files.diff(record)],
        }

    def plan_files(self, plan: core.SysctlPlan, modules: list[str]) -> tuple[files.Plan, files.Plan]:
        """The differences of the record and of the other files."""
        texts = {
            self.params["sysctl_file"]: core.sysctl_file(plan.keep, HEADER),
            self.params["modules_file"]: core.modules_file(modules, HEADER),
        }
        wanted = [files.File(path, text, present=text is not None) for path, text in texts.items()]
        return files.make_plan([self.record_file(plan.record, plan.set_to)], []), files.make_plan(wanted, [])

    def record_file(self, before: dict[str, str], set_to: dict[str, str]) -> files.File:
        """The record with other values from before and that were set; it goes when nothing is left in it."""
        record = {key: value for key, value in {**self.record, "sysctls": before, "sysctls_set": set_to}.items() if value}
        content = json.dumps(record, indent=2, sort_keys=True) + "\n" if record else None
        return files.File(self.params["record"], content, present=content is not None)

    def set_sysctls(self, values: dict[str, str]) -> None:
        """Tell the kernel.

        :raises core.SettingsError: it refuses.
        """
        for name, value in values.items():
            try:
                with open(sysctl_path(name), "w", encoding="ascii") as file:
                    file.write(value + "\n")
            except (OSError, ValueError) as error:
                raise core.SettingsError(
                    f"sysctl {name} cannot be set to {value}: {getattr(error, 'strerror', None) or error}. "
                    "In a container it has to be set on the machine that runs it; otherwise look at the name and the value"
                ) from error

    def load_modules(self, names: list[str]) -> None:
        """Load modules.

        :raises core.SettingsError: one cannot be loaded.
        """
        if not names:
            return
        status, _output, errors = self.module.run_command(["modprobe", "--all", *names])
        if status != 0:
            raise core.SettingsError(
                f"not every kernel module of {', '.join(names)} can be loaded: {errors.strip()}. If the kernel was upgraded since the last "
                "boot, reboot; in a container, load them on the machine that runs it; otherwise take the name out of the list of modules"
            )

    @staticmethod
    def running_diff(plan: core.SysctlPlan, current: dict[str, str | None], load: list[str]) -> list[dict[str, str]]:
        """What changes in the running kernel, as Ansible shows it."""
        if not plan.apply and not load:
            return []
        before = [f"{name} = {current[name]}" for name in sorted(plan.apply)]
        after = [f"{name} = {plan.apply[name]}" for name in sorted(plan.apply)] + [f"module {name}" for name in load]
        return [
            {
                "before_header": "running kernel",
                "after_header": "running kernel",
                "before": "".join(line + "\n" for line in before),
                "after": "".join(line + "\n" for line in after),
            }
        ]


def main() -> None:
    """Speak Ansible."""
    module = AnsibleModule(
        argument_spec={
            "sysctls": {"type": "dict", "default": {}},
            "modules": {"type": "list", "elements": "str", "default": []},
            "sysctl_file": {"type": "path", "default": "/etc/sysctl.d/60-rootless-docker.conf"},
            "modules_file": {"type": "path", "default": "/etc/modules-load.d/rootless-docker.conf"},
            "record": {"type": "path", "default": "/var/lib/rootless-docker/rootless_host.json"},
        },
        supports_check_mode=True,
    )
    try:
        # Another run must not read a value that was changed, and the record as it was before that.
        with one_at_a_time("kernel", Deadline(files.LOCK_SECONDS), module.check_mode):
            result = KernelSettings(module).run()
        module.exit_json(**result)
    except (core.SettingsError, files.FilesError, LockError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; mend that and run again, the next run completes it")


if __name__ == "__main__":
    main()
