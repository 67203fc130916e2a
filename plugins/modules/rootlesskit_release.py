#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rootlesskit_release
short_description: Install a pinned RootlessKit release, verified and switched atomically
version_added: 0.1.0
description:
  - Has one version of RootlessKit in a folder of its own, C(DIRECTORY/VERSION), and C(DIRECTORY/current) pointing to it.
  - An archive is verified by SHA-256 before it is unpacked, has to hold exactly C(rootlesskit), C(rootlessctl) and
    C(rootlesskit-docker-proxy), and becomes visible by one rename. Until then what is installed keeps working.
  - A link C(docker-rootlesskit) is made beside the programs, because the Engine's launch scripts look for that name first.
  - On each run the installed programs are compared with the sums taken when they were unpacked. What differs is repaired, and what
    else lies in the version's folder is removed, because that folder comes first on the PATH of the daemons.
  - Daemons that run are not touched; they go on with the version that they were started with.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
    details: Downloads nothing, so a dead mirror shows only in a real run.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - Whether RootlessKit should be there.
      - With V(absent) all versions that this module installed and C(current) are removed, and O(directory) itself if nothing else is in it.
        A folder that is named as a version counts as one where it has C(.files.json), be it damaged, or nothing but what a version consists
        of. What stays is named in a warning and in RV(stays).
    type: str
    choices: [present, absent]
    default: present
  version:
    description:
      - The version, such as V(3.2.0). Required with O(state=present).
    type: str
  checksums:
    description:
      - The SHA-256 of the version's archive for each architecture, named as C(uname -m) does. The host's own is needed.
      - Where it is empty, only a version that is installed already will do, which is what a way back needs. The sum that was recorded when
        it was unpacked counts then.
    type: dict
    default: {}
  base_url:
    description:
      - The archive is fetched from C(BASE_URL/vVERSION/rootlesskit-ARCHITECTURE.tar.gz). Proxies are taken from the environment.
      - One of O(base_url) and O(archive) is required where something has to be installed.
    type: str
  archive:
    description:
      - Path of an archive on the managed host, used instead of O(base_url).
    type: path
  directory:
    description:
      - The folder that all versions are below.
    type: path
    default: /opt/rootlesskit
  keep:
    description:
      - How many other versions stay for a rollback, first the one that was in use before, then the newest. The current one is never
        removed.
    type: int
    default: 2
  upgrade_record:
    description:
      - File in which the role C(rootless_upgrade) notes what it goes back to. As long as it is there, the version that it names stays,
        before all others and whatever O(keep) is.
    type: path
  timeout:
    description:
      - Seconds that the whole download may take.
    type: float
    default: 120.0
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Have RootlessKit from a mirror
  portside.rootless_docker.rootlesskit_release:
    version: 3.2.0
    base_url: https://mirror.example.org/rootlesskit
    checksums:
      x86_64: ff612d1d35854a52569acc4a4e9152f41504e69dcc13ff4c94cc9040dc28b3d9

- name: Take all versions away
  portside.rootless_docker.rootlesskit_release:
    state: absent
"""

RETURN = r"""
version:
  description: The version that C(current) points to after the run; empty where there is none.
  returned: success
  type: str
  sample: 3.2.0
previous:
  description: The version that C(current) pointed to before the run; empty where there was none.
  returned: success
  type: str
  sample: 3.1.0
path:
  description: Folder of the current version's programs, for the PATH of whoever starts them. It stays the same over upgrades.
  returned: success
  type: str
  sample: /opt/rootlesskit/current
installed:
  description: Whether programs were unpacked, or would be in check mode. An archive is needed for that.
  returned: success
  type: bool
  sample: true
damage:
  description: What was wrong with the wanted version before the run.
  returned: success
  type: list
  elements: str
  sample: [not installed]
rewritten:
  description: Paths of the programs that were unpacked, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/opt/rootlesskit/3.2.0/rootlesskit, /opt/rootlesskit/3.2.0/rootlessctl, /opt/rootlesskit/3.2.0/rootlesskit-docker-proxy]
foreign:
  description: Paths in the version's folder that did not come from its archive and were removed, or would be.
  returned: success
  type: list
  elements: str
  sample: [/opt/rootlesskit/3.2.0/pasta]
removed:
  description: Versions that were removed, or would be.
  returned: success
  type: list
  elements: str
  sample: [2.3.6]
stays:
  description: Paths in O(directory) that are not known to be this module's and stay, or would.
  returned: with O(state=absent)
  type: list
  elements: str
  sample: [/opt/rootlesskit/notes.txt]
versions:
  description: All versions after the run, newest first.
  returned: success
  type: list
  elements: str
  sample: [3.2.0, 3.1.0]
"""

import os
import platform

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url
from ansible_collections.portside.rootless_docker.plugins.module_utils import _rootlesskit_release as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._lock import LockError, one_at_a_time

MAX_NAMED = 5
"""Paths that a warning names; the rest is counted."""


class Release:
    """One run: compare, then act on the difference."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.present = module.params["state"] == "present"
        self.version = module.params["version"] or ""
        self.directory = module.params["directory"]
        self.checksum = ""
        if self.present:
            if not core.VERSION_NAME.match(self.version):
                raise core.ReleaseError(f"version {self.version!r} is none such as '3.2.0'")
            if module.params["keep"] < 0:
                raise core.ReleaseError(f"keep is {module.params['keep']}; it has to be 0 or more")
            recorded = "" if module.params["checksums"] else core.recorded_checksum(self.directory, self.version)
            self.checksum = recorded or core.wanted_checksum(self.version, platform.machine(), module.params["checksums"])

    def run(self) -> dict:
        """The module's result."""
        before = core.read_state(self.directory, self.version if self.present else "", self.checksum)
        after = self.wanted(before)
        install = self.present and bool(before.damage)
        removed = [version for version in before.versions if version not in after.versions]
        changed = install or bool(removed or before.leftovers or before.foreign) or before.current != after.current
        # A run that was killed before it removed the folder itself.
        changed = changed or (not self.present and os.path.isdir(self.directory) and not os.listdir(self.directory))
        if changed and not self.module.check_mode:
            self.act(before, install, removed)
        stays = [] if self.present else [os.path.join(self.directory, name) for name in before.others]
        if stays:
            named = ", ".join(stays[:MAX_NAMED]) + (f" and {len(stays) - MAX_NAMED} more" if len(stays) > MAX_NAMED else "")
            self.module.warn(f"{self.directory} stays, as nothing says that this came from here: {named}. Remove by hand what nobody needs")
        return {
            **({} if self.present else {"stays": stays}),
            "changed": changed,
            "version": after.current,
            "previous": before.current,
            "path": os.path.join(self.directory, "current"),
            "installed": install,
            "damage": before.damage,
            "rewritten": [os.path.join(self.directory, self.version, name) for name in core.PROGRAMS] if install else [],
            "foreign": [os.path.join(self.directory, self.version, name) for name in before.foreign],
            "removed": removed,
            "versions": after.versions,
            "diff": {
                "before_header": self.directory,
                "after_header": self.directory,
                "before": self.shown(before),
                "after": self.shown(after),
            },
        }

    def wanted(self, before: core.State) -> core.State:
        """The state after the run."""
        if not self.present:
            return core.State()
        versions = sorted({*before.versions, self.version}, key=core.version_key, reverse=True)
        record = self.module.params["upgrade_record"]
        needed = core.version_of_upgrade(record) if record else ""
        surplus = core.versions_to_remove(versions, self.version, self.module.params["keep"], before.current, needed)
        return core.State([version for version in versions if version not in surplus], self.version)

    def act(self, before: core.State, install: bool, removed: list[str]) -> None:
        """Install, switch, and only then remove, so that there is a working version at every moment."""
        core.remove(self.directory, before.leftovers)
        core.remove_foreign(os.path.join(self.directory, self.version), before.foreign)
        if install:
            archive = self.module.params["archive"] or self.fetch()
            core.verify_archive(archive, self.checksum, self.module.params["archive"] or self.url())
            core.install(self.directory, self.version, self.checksum, archive)
        if self.present and before.current != self.version:
            core.switch(self.directory, self.version)
        if not self.present and before.current:
            core.remove(self.directory, ["current"])
        core.remove(self.directory, removed)
        if not self.present and not os.listdir(self.directory):
            os.rmdir(self.directory)

    def url(self) -> str:
        """Where the archive is."""
        base = (self.module.params["base_url"] or "").rstrip("/")
        return f"{base}/v{self.version}/rootlesskit-{platform.machine()}.tar.gz"

    def fetch(self) -> str:
        """Download the archive to the module's own temporary folder."""
        if not self.module.params["base_url"]:
            raise core.ReleaseError(f"RootlessKit {self.version} has to be installed, and neither base_url nor archive is given")
        target = os.path.join(self.module.tmpdir, "rootlesskit.tar.gz")
        core.download(self.url(), target, self.module.params["timeout"], open_url)
        return target

    @staticmethod
    def shown(state: core.State) -> str:
        """A state as the diff shows it."""
        lines = [f"current: {state.current or 'none'}", *(f"version: {version}" for version in state.versions)]
        lines += [f"damage: {phrase}" for phrase in state.damage] + [f"foreign: {name}" for name in state.foreign]
        lines += [f"leftover: {name}" for name in state.leftovers]
        return "\n".join(lines) + "\n"


def main() -> None:
    """Speak Ansible."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "version": {"type": "str"},
            "checksums": {"type": "dict", "default": {}},
            "base_url": {"type": "str"},
            "archive": {"type": "path"},
            "directory": {"type": "path", "default": "/opt/rootlesskit"},
            "keep": {"type": "int", "default": 2},
            "upgrade_record": {"type": "path"},
            "timeout": {"type": "float", "default": 120.0},
        },
        required_if=[("state", "present", ["version"])],
        mutually_exclusive=[("base_url", "archive")],
        supports_check_mode=True,
    )
    try:
        # What another run is unpacking looks like what a killed one left. It may be downloading still.
        with one_at_a_time("rootlesskit", Deadline(module.params["timeout"] + 60), module.check_mode):
            result = Release(module).run()
        module.exit_json(**result)
    except (core.ReleaseError, LockError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}. The version in use was left as it is; mend that and run again")


if __name__ == "__main__":
    main()
