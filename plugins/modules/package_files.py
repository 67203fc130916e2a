#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_files
short_description: Have the programs of installed packages as the packages brought them
version_added: 0.1.0
description:
  - Compares the programs of packages with the sums that dpkg keeps, and installs those packages again, in the same version, of which a
    program was replaced, cut short, removed, or can be written by others. Configuration files are not touched.
  - Of C(newuidmap) and C(newgidmap) owner and mode are compared, too, unless C(dpkg-statoverride) has others for them. Without the
    set-user-ID bit no rootless daemon starts.
  - A file that was not changed since its package was unpacked is not read, so comparing costs next to nothing.
  - Packages that are not installed are passed over. Debian and what derives from it only.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
    details: Asks no archive, so a version that none has any more shows only in a real run.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  packages:
    description:
      - Names of packages.
    type: list
    elements: str
    required: true
  timeout:
    description:
      - Seconds that apt may take.
    type: float
    default: 600
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Have pasta as its package brought it
  portside.rootless_docker.package_files:
    packages:
      - passt
"""

RETURN = r"""
altered:
  description: For each package that was installed again, or would be in check mode, the programs that were not as it brought them.
  returned: success
  type: dict
  sample:
    passt: [/usr/bin/pasta.avx2]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils import _package_files as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run
from ansible_collections.portside.rootless_docker.plugins.module_utils._system_state import package_versions

APT = ["apt-get", "--quiet", "--yes", "--option=DPkg::Lock::Timeout=60"]
# What the operator wrote into configuration files stays; nothing of somebody else's goes.
INSTALL = [*APT, "--option=Dpkg::Options::=--force-confold", "--no-install-recommends", "--no-remove", "--reinstall", "install"]


class PackageError(Exception):
    """The programs cannot be had as they were; the text says which, why and what to do."""


def apt(argv: list[str], deadline: Deadline) -> tuple[int, str]:
    """Run apt, through the proxies that the task names, and return its exit status and what it said last."""
    variables = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    done = run(argv, deadline, environment={**variables, "DEBIAN_FRONTEND": "noninteractive"})
    return (127 if done.status is None else done.status), (done.error or done.output[-600:]).strip()


def versions_of(packages: list[str], deadline: Deadline) -> dict[str, str]:
    """The installed version of each; empty where it is not installed."""

    def ask(argv: list[str]) -> tuple[int, str]:
        done = run(argv, deadline)
        return (127 if done.status is None else done.status), done.output

    return package_versions(packages, ask)


def reinstall(versions: dict[str, str], deadline: Deadline) -> None:
    """Install these packages again.

    :raises PackageError: programs are still not as they were.
    """
    names = [f"{name}={version}" for name, version in versions.items()]
    said = ""
    # The lists may be too old to have the version; fetching them takes time, so only then.
    for attempt in (INSTALL + names, [*APT, "update"], INSTALL + names):
        said = apt(attempt, deadline)[1]
        left = core.altered_files(list(versions))
        if not left:
            return
    files = ", ".join(path for paths in left.values() for path in paths)
    raise PackageError(
        f"{files}: not as the package brought it, and {' '.join(names)} could not be installed again. apt says: {said or 'nothing'}. "
        "Remedy: see with apt-cache policy which versions the archives have, and install one by hand"
    )


def main() -> None:
    """Speak Ansible."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "float", "default": 600},
        },
        supports_check_mode=True,
    )
    deadline = Deadline(module.params["timeout"])
    versions = {name: version for name, version in versions_of(module.params["packages"], deadline).items() if version}
    altered = core.altered_files(list(versions))
    try:
        if altered and not module.check_mode:
            reinstall({name: versions[name] for name in altered}, deadline)
    except PackageError as error:
        module.fail_json(msg=str(error))
    diff = [
        {"before_header": path, "after_header": path, "before": "altered\n", "after": f"as in {name} {versions[name]}\n"}
        for name, paths in altered.items()
        for path in paths
    ]
    module.exit_json(changed=bool(altered), altered=altered, diff=diff)


if __name__ == "__main__":
    main()
