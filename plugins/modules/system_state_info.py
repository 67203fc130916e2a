#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: system_state_info
short_description: Read packages, units, files, programs and apt sources in one round trip
version_added: 0.1.0
description:
  - Reads what a role compares with its declaration, so that tasks which have nothing to do can be skipped on the controller.
  - Everything is optional; what is not asked for is not read.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
    details: Reads only, so it does the same in check mode.
  diff_mode:
    support: none
    details: Changes nothing.
  idempotent:
    support: full
    details: Changes nothing.
author:
  - The portside.rootless_docker contributors (@portside)
options:
  packages:
    description: Names of packages whose installed version is wanted. Debian and what derives from it only.
    type: list
    elements: str
    default: []
  verified_packages:
    description:
      - Names of packages whose programs are compared with what the package brought. Debian and what derives from it only.
      - Configuration files are not compared.
    type: list
    elements: str
    default: []
  units:
    description: Names of system units.
    type: list
    elements: str
    default: []
  files:
    description: Absolute paths of text files. At most 64 KiB of each are read.
    type: list
    elements: str
    default: []
  entry_counts:
    description: Shell patterns of absolute paths of folders whose entries are counted.
    type: list
    elements: str
    default: []
  programs:
    description: Names of programs to look for in O(program_directories).
    type: list
    elements: str
    default: []
  program_directories:
    description: Where programs are looked for, first match wins.
    type: list
    elements: str
    default:
      - /usr/local/sbin
      - /usr/local/bin
      - /usr/sbin
      - /usr/bin
      - /sbin
      - /bin
  program_options:
    description:
      - For a program of O(programs), the long options that it may or may not accept.
      - Judged by exit status with C(--version) behind the option. Meant for passt's programs, which stop at C(--version) before they do
        anything.
      - An option that takes a value is tried with one of its own; another value is given with an equals sign.
    type: dict
    default: {}
  apt_sources:
    description: Whether the configured archives are wanted, for each suite.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read what there is of pasta
  portside.rootless_docker.system_state_info:
    packages:
      - passt
    programs:
      - pasta
    program_options:
      pasta:
        - --host-lo-to-ns-lo
  register: state

- name: Tell what the installed pasta can do
  ansible.builtin.debug:
    msg: "{{ state.program_options.pasta }}"
"""

RETURN = r"""
packages:
  description: The installed version of each package of O(packages), empty where it is not installed.
  returned: success
  type: dict
  sample:
    passt: 0.0~git20250503.587980c-2
altered:
  description:
    - For each package of O(verified_packages) the programs that are not as the package brought them. Packages without are left out.
  returned: success
  type: dict
  sample:
    passt: [/usr/bin/pasta.avx2]
affected_programs:
  description: All programs of the packages in RV(altered). Installed again, every one of them is another file.
  returned: success
  type: list
  elements: str
  sample: [/usr/bin/pasta, /usr/bin/pasta.avx2]
units:
  description:
    - For each unit of O(units) systemd's words for C(load), C(active), C(enabled) and C(fragment) (the unit file's path), C(drop_ins)
      (their paths), C(delegated) (the cgroup controllers that it hands on) and C(needs_daemon_reload) (C(yes) or C(no)).
    - All are empty where systemd does not answer.
  returned: success
  type: dict
  sample:
    docker.service:
      load: masked
      active: inactive
      enabled: masked
      fragment: ""
      drop_ins: ""
      delegated: ""
      needs_daemon_reload: "no"
files:
  description: The text of each file of O(files), V(null) where it does not exist.
  returned: success
  type: dict
  sample:
    /etc/modules-load.d/rootless-docker.conf: "bridge\ntun\n"
entry_counts:
  description: For each pattern of O(entry_counts) how many entries the folders that match it have together.
  returned: success
  type: dict
  sample:
    /var/lib/docker/containers: 3
attributes:
  description:
    - Owner, group and mode of each file of O(files) itself, with C(link) in place of the mode of a symbolic link; V(null) where it does
      not exist.
  returned: success
  type: dict
  sample:
    /etc/modules-load.d/rootless-docker.conf: "0:0 0644"
programs:
  description: The path of each program of O(programs), empty where there is none.
  returned: success
  type: dict
  sample:
    pasta: /usr/bin/pasta
program_options:
  description: For each program of O(program_options), whether it accepts each option. All V(false) where the program is missing.
  returned: success
  type: dict
  sample:
    pasta:
      --host-lo-to-ns-lo: true
apt_sources:
  description:
    - For each suite the archives that are configured, as C(uri), the C(file) that names it and the C(suite) that it is called there.
    - A suite is under the name from the file and, once the lists were fetched, under its code name. Empty unless asked for.
  returned: success
  type: dict
  sample:
    trixie:
      - uri: http://archive.example.org/debian/
        suite: stable
        file: /etc/apt/sources.list
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils import _package_files, _run
from ansible_collections.portside.rootless_docker.plugins.module_utils import _system_state as system_state
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline

COMMAND_TIMEOUT = 30
"""Seconds that one command may take."""


def run(arguments: list[str]) -> tuple[int, str]:
    """Run a command without a terminal or input; a command that is missing or hangs counts as one that failed."""
    done = _run.run(arguments, Deadline(COMMAND_TIMEOUT))
    return (127 if done.status is None else done.status), done.output


def read(params: dict) -> dict:
    """Everything that was asked for, under the names of RETURN."""
    programs = system_state.find_programs(params["programs"], params["program_directories"])
    altered = _package_files.altered_files(params["verified_packages"])
    return {
        "packages": system_state.package_versions(params["packages"], run),
        "altered": altered,
        "affected_programs": _package_files.programs_of(list(altered)),
        "units": system_state.unit_states(params["units"], run),
        "attributes": system_state.file_attributes(params["files"]),
        "files": system_state.file_contents(params["files"]),
        "entry_counts": system_state.entry_counts(params["entry_counts"]),
        "programs": programs,
        "program_options": {
            name: {option: bool(programs.get(name)) and system_state.accepts_option(programs[name], option, run) for option in options}
            for name, options in params["program_options"].items()
        },
        "apt_sources": system_state.apt_sources(
            run(["apt-get", "indextargets", "--format", system_state.APT_FORMAT])[1] if params["apt_sources"] else ""
        ),
    }


def main() -> None:
    """Speak Ansible."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "packages": names,
            "verified_packages": names,
            "units": names,
            "files": names,
            "entry_counts": names,
            "programs": names,
            "program_directories": {
                "type": "list",
                "elements": "str",
                "default": ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"],
            },
            "program_options": {"type": "dict", "default": {}},
            "apt_sources": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **read(module.params))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: cannot be read: {error.strerror}. Look at what is at that path and move it away.")


if __name__ == "__main__":
    main()
