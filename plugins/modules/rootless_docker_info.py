#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rootless_docker_info
short_description: Read what a host has for rootless Docker, and what its users' daemons run
version_added: 0.1.0
description:
  - Reads in one round trip which programs a host has and what they are able to do, and for each user the account, the
    systemd user unit, the processes that run, and whether those are what is installed.
  - Changes nothing. It works where the daemon is down, half configured or absent, and says so.
  - Root reads every user's daemon; without root a user reads their own.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
attributes:
  check_mode:
    support: full
    details: It only reads.
  diff_mode:
    support: N/A
    details: It only reads.
  idempotent:
    support: full
options:
  users:
    description:
      - Names of the users to look at.
      - Empty for every user that has a folder in C(/etc/rootless-docker).
    type: list
    elements: str
    default: []
  rootlesskit_directory:
    description:
      - Where the role C(rootlesskit) keeps its versions. RootlessKit is looked for in its folder C(current) first, then in the
        system's directories.
    type: path
    default: /opt/rootlesskit
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Read the state of every user that this collection configured
  portside.rootless_docker.rootless_docker_info:
  register: daemons

- name: Show what runs although something else is installed
  ansible.builtin.debug:
    msg: "{{ daemons.users | dict2items | map(attribute='value.stale') | flatten }}"
"""

RETURN = r"""
host:
  description: The programs on disk and the kernel's settings that choices depend on.
  returned: success
  type: dict
  contains:
    dockerd:
      description: Path of C(dockerd); null where there is none.
      type: str
      sample: /usr/sbin/dockerd
    dockerd_version:
      description: What it says its version is.
      type: str
      sample: 26.1.5+dfsg1
    launch_script:
      description: Path of C(dockerd-rootless.sh).
      type: str
      sample: /usr/share/docker.io/contrib/dockerd-rootless.sh
    rootlesskit:
      description: Path of RootlessKit, symbolic links resolved.
      type: str
      sample: /opt/rootlesskit/3.2.0/rootlesskit
    rootlesskit_version:
      description: What it says its version is.
      type: str
      sample: 3.2.0
    pasta:
      description: Path of C(pasta).
      type: str
      sample: /usr/bin/pasta
    pasta_options:
      description: Which of the options that this collection depends on the binary accepts, found by exit status.
      type: list
      elements: str
      sample: [--host-lo-to-ns-lo]
    slirp4netns:
      description: Path of C(slirp4netns).
      type: str
      sample: /usr/bin/slirp4netns
    ephemeral_ports:
      description: First and last port of the kernel's ephemeral range.
      type: list
      elements: int
      sample: [32768, 60999]
    configured:
      description: Users that have a folder in C(/etc/rootless-docker).
      type: list
      elements: str
      sample: [alice]
    unit_text:
      description: Text of C(/etc/systemd/user/docker.service); null where there is none.
      type: str
    missing_subordinate_files:
      description: Which of C(/etc/subuid) and C(/etc/subgid) are not there.
      type: list
      elements: str
    next_subordinate_id:
      description: The first id behind every range in C(/etc/subuid) and C(/etc/subgid).
      type: int
      sample: 165536
users:
  description: One entry a user, by name.
  returned: success
  type: dict
  sample: {"alice": {"exists": true, "uid": 1000, "linger": true, "stale": []}}
  contains:
    exists:
      description: Whether the account exists. Where it does not, only RV(users.made) is there besides.
      type: bool
    made:
      description: The collection's record of what it made for this user.
      type: dict
    uid:
      description: Numeric id.
      type: int
    home:
      description: Home.
      type: str
    shell:
      description: Login shell.
      type: str
    linger:
      description: Whether the user's manager is started at boot and outlives the last session.
      type: bool
    manager:
      description: Whether the user's manager and its bus are up.
      type: bool
    subuid_count:
      description: How many subordinate user ids C(/etc/subuid) gives to the user.
      type: int
    subgid_count:
      description: How many subordinate group ids C(/etc/subgid) gives to the user.
      type: int
    unit:
      description:
        - C(docker.service) of the user's manager; C(active) (V(no user manager) where there is none), C(sub), C(main_pid),
          C(fragment), C(shadows) (paths of a unit or of drop-ins that take effect and are not the collection's) and C(needs_daemon_reload).
      type: dict
    environment:
      description: Text of the user's C(/etc/rootless-docker/USER/environment); null where there is none.
      type: str
    daemon_json:
      description: Text of the user's C(/etc/rootless-docker/USER/daemon.json); null where there is none.
      type: str
    reload_pending:
      description: Whether C(daemon.json) was written after the daemon last took it up.
      type: bool
    running:
      description:
        - What runs. C(variables), those of RootlessKit's environment that decide how it runs, with the digest of what is declared.
        - C(rootlesskit), C(dockerd) and C(pasta), each with C(pid), C(exe), C(deleted) and C(argv), or null.
        - C(rootlesskit_version), C(network_driver) and C(port_driver) as RootlessKit's API states them.
        - C(port_driver) is null under V(implicit), which RootlessKit does not name.
      type: dict
    stale:
      description: What runs although something else is installed, and a dead pasta; one sentence each.
      type: list
      elements: str
"""

from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils import _inspect


def main() -> None:
    """Speak Ansible."""
    module = AnsibleModule(
        argument_spec={
            "users": {"type": "list", "elements": "str", "default": []},
            "rootlesskit_directory": {"type": "path", "default": "/opt/rootlesskit"},
        },
        supports_check_mode=True,
    )
    host = _inspect.inspect_host(module.params["rootlesskit_directory"])
    users = module.params["users"] or host["configured"]
    with ThreadPoolExecutor(max_workers=8) as pool:
        states = list(pool.map(lambda user: _inspect.inspect_user(user, host), users))
    module.exit_json(changed=False, host=host, users=dict(zip(users, states)))


if __name__ == "__main__":
    main()
