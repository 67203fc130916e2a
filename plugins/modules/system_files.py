#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: system_files
short_description: Own many small files of the system in one round trip
version_added: 0.1.0
description:
  - Writes root-owned files, symbolic links and folders so that they are as declared, and only where they differ.
  - Every content is checked first, by the command given in O(files[].validate); one refusal leaves all files as they were.
  - Each file is replaced atomically. A symbolic link that stands where a file is wanted is replaced, never followed.
  - Several runs at once wait for each other, up to 60 seconds, by the lock C(/run/rootless-docker-files.lock).
  - It is made for places below C(/etc) and the like. Do not use it below a user's home, whose owner can redirect folders.
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
  files:
    description:
      - Files and symbolic links.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Absolute path.
        type: path
        required: true
      content:
        description:
          - Text of a regular file.
          - Exactly one of O(files[].content), O(files[].content_base64) and O(files[].target) is needed where O(files[].state=present).
        type: str
      content_base64:
        description:
          - Bytes of a regular file that is no text, in Base64. A difference shows their digests.
        type: str
      target:
        description:
          - Makes it a symbolic link that points there.
        type: str
      mode:
        description:
          - Octal mode of a regular file, as a string.
        type: str
        default: "0644"
      state:
        description:
          - Whether it should be there.
        type: str
        choices: [present, absent]
        default: present
      validate:
        description:
          - A command as a list of arguments that has to exit with 0 before the file is replaced.
          - C(%s) stands for the path of a temporary copy.
        type: list
        elements: str
        default: []
  directories:
    description:
      - Folders.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Absolute path.
        type: path
        required: true
      mode:
        description:
          - Octal mode, as a string.
        type: str
        default: "0755"
      state:
        description:
          - Whether it should be there. With V(absent) it is removed with all that is in it.
          - V(absent_if_empty) removes it where nothing is left in it once the rest of O(files) and O(directories) is done.
        type: str
        choices: [present, absent, absent_if_empty]
        default: present
      exclusive:
        description:
          - Whether what is in it and not declared here counts as foreign; see RV(foreign) and O(remove_foreign).
          - With O(directories[].state=absent) the folder is then removed only where nothing foreign stays in it.
        type: bool
        default: false
  remove_foreign:
    description:
      - Remove what is foreign in exclusive folders, instead of only naming it.
    type: bool
    default: false
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Have a drop-in and take away another
  portside.rootless_docker.system_files:
    files:
      - path: /etc/systemd/system/user@.service.d/delegate.conf
        content: |
          [Service]
          Delegate=cpu memory pids
      - path: /etc/systemd/system/user@.service.d/old.conf
        state: absent

- name: Own a folder, with a file that its program has to accept
  portside.rootless_docker.system_files:
    directories:
      - path: /etc/rootless-docker/alice
        exclusive: true
    files:
      - path: /etc/rootless-docker/alice/daemon.json
        content: "{}"
        validate: [dockerd, --validate, "--config-file=%s"]
"""

RETURN = r"""
paths:
  description: Paths that were changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/rootless-docker/alice/daemon.json]
foreign:
  description: Paths in exclusive folders that nobody declared and that were left alone.
  returned: success
  type: list
  elements: str
  sample: [/etc/rootless-docker/alice/notes.txt]
"""

import base64

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils import _system_files as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._lock import LockError, one_at_a_time


def parse_mode(text: str) -> int:
    """An octal mode.

    :raises core.FilesError: it is none.
    """
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise core.FilesError(f"mode {text!r} is no octal mode such as '0644'")
    return mode


def parse_file(option: dict) -> core.File:
    """One entry of O(files).

    :raises core.FilesError: it contradicts itself.
    """
    path, present = option["path"], option["state"] == "present"
    if not path.startswith("/"):
        raise core.FilesError(f"files: {path!r} is no absolute path")
    given = [name for name in ("content", "content_base64", "target") if option[name] is not None]
    if present and len(given) != 1:
        raise core.FilesError(f"files: {path} needs exactly one of content, content_base64 and target")
    try:
        data = None if option["content_base64"] is None else base64.b64decode(option["content_base64"], validate=True)
    except ValueError as error:
        raise core.FilesError(f"files: content_base64 of {path} is no Base64 ({error})") from error
    return core.File(path, option["content"], option["target"], parse_mode(option["mode"]), present, tuple(option["validate"]), data)


def parse_directory(option: dict) -> core.Directory:
    """One entry of O(directories).

    :raises core.FilesError: its path is not absolute.
    """
    if not option["path"].startswith("/"):
        raise core.FilesError(f"directories: {option['path']!r} is no absolute path")
    state = option["state"]
    return core.Directory(option["path"], parse_mode(option["mode"]), state == "present", option["exclusive"], state == "absent_if_empty")


def main() -> None:
    """Speak Ansible."""
    state: dict = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str"},
                    "content_base64": {"type": "str"},
                    "target": {"type": "str"},
                    "mode": {"type": "str", "default": "0644"},
                    "state": state,
                    "validate": {"type": "list", "elements": "str", "default": []},
                },
            },
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "mode": {"type": "str", "default": "0755"},
                    "state": {**state, "choices": [*state["choices"], "absent_if_empty"]},
                    "exclusive": {"type": "bool", "default": False},
                },
            },
            "remove_foreign": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        files = [parse_file(option) for option in module.params["files"]]
        directories = [parse_directory(option) for option in module.params["directories"]]
        with one_at_a_time(core.LOCK, Deadline(core.LOCK_SECONDS), module.check_mode):
            plan = core.make_plan(files, directories, module.params["remove_foreign"])
            core.validate(plan)
            if not module.check_mode:
                core.apply(plan)
    except (core.FilesError, LockError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}; what was written before it stays, the next run completes it")
    module.exit_json(
        changed=bool(plan.changes),
        paths=[change.path for change in plan.changes],
        foreign=plan.foreign,
        diff=core.diff(plan),
    )


if __name__ == "__main__":
    main()
