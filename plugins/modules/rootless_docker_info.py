#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rootless_docker_info
short_description: Read what a host has for rootless Docker, what its users' daemons are and run, and what is wrong with them
version_added: 0.1.0
description:
  - Reads in one round trip which programs a host has and what they are able to do, and for each user the account, the systemd user unit
    in force, the processes that run and whether those are what is installed, the network as it was asked for and as it is, and the
    published ports.
  - Says in one word how each daemon is (RV(users.state)), and in sentences what is wrong with it, why, and what to do
    (RV(users.problems)).
  - Changes nothing. It works where the daemon is down, half configured or absent, and for daemons by whatever means they were made.
  - Root reads every user's daemon; without root a user reads their own.
  - It reads and asks; it does not try. Whether a published port answers is proved by M(portside.rootless_docker.published_port_check).
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
      - Names of the users to look at. Another user than the one who runs the module needs root.
      - Empty, as root, for every user that has a folder in C(/etc/rootless-docker), or a rootless daemon by whatever means it was made
        (a process, or a state folder or a socket in C(/run/user/UID)).
      - Empty, without root, for the user who runs the module.
    type: list
    elements: str
    default: []
  rootlesskit_directory:
    description:
      - Absolute path of where the role C(rootlesskit) keeps its versions. RootlessKit is looked for in its folder C(current) first, then
        in the system's directories.
    type: path
    default: /opt/rootlesskit
  data_roots:
    description:
      - Absolute paths, by user, at which data will be kept; RV(users.data_root) is then of these. Users that are not in it, and an empty
        path, stand for what the user's configuration says.
    type: dict
    default: {}
  verified_packages:
    description:
      - Packages whose programs are compared with what they brought (RV(host.altered)). Needs root. Debian and what derives from it only.
      - Those that are not installed have nothing to compare. A file that was not changed since its package was unpacked is not read.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds for everything, between 1 and 600. A socket that hangs gets at most 0.4 of it, so that it does not keep the module from
        the rest.
      - What was not read in time is null, and RV(users.incomplete) is V(true). Ten users take well under one second.
    type: float
    default: 5
seealso:
  - module: portside.rootless_docker.published_port_check
author:
  - The portside.rootless_docker contributors (@portside)
"""

EXAMPLES = r"""
- name: Read every daemon of the host, by whatever means it was made
  portside.rootless_docker.rootless_docker_info:
  register: daemons

- name: Show what runs although something else is installed
  ansible.builtin.debug:
    msg: "{{ daemons.users.values() | map(attribute='stale', default=[]) | flatten }}"

- name: Fail where something is wrong with one
  ansible.builtin.assert:
    that: item.value.problems | length == 0
    fail_msg: "{{ item.value.problems | map(attribute='what') | join('; ') }}"
    quiet: true
  loop: "{{ daemons.users | dict2items }}"
  loop_control:
    label: "{{ item.key }}: {{ item.value.state }}"

- name: Read one's own, without root
  portside.rootless_docker.rootless_docker_info:
  become: false
"""

RETURN = r"""
host:
  description: The programs on disk, and what of the kernel and the system choices depend on.
  returned: success
  type: dict
  contains:
    dockerd:
      description: Path of C(dockerd); null where there is none.
      type: str
      sample: /usr/sbin/dockerd
    dockerd_version:
      description: What it says its version is; empty where it names none, null where there is none or it gave no answer.
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
      description: What it says its version is, as for C(dockerd_version).
      type: str
      sample: 3.2.0
    pasta:
      description: Path of C(pasta).
      type: str
      sample: /usr/bin/pasta
    pasta_version:
      description:
        - What it says its version is, or where it says none into a pipe (as on Debian 13) what the package manager says; else as for
          C(dockerd_version).
      type: str
      sample: 0.0~git20250503.587980c-2+deb13u1
    pasta_options:
      description:
        - Which of the options that this collection depends on the binary accepts, found by exit status.
        - Null where there is no pasta, and where it gave no answer, so that nobody knows.
      type: list
      elements: str
      sample: [--host-lo-to-ns-lo]
    slirp4netns:
      description: Path of C(slirp4netns).
      type: str
      sample: /usr/bin/slirp4netns
    slirp4netns_version:
      description: What it says its version is.
      type: str
      sample: 1.2.1
    altered:
      description:
        - For each package of O(verified_packages) the programs that are not as the package brought them. Packages without are left out.
      type: dict
      sample:
        slirp4netns: [/usr/bin/slirp4netns]
    newuidmap:
      description: Path of C(newuidmap).
      type: str
      sample: /usr/bin/newuidmap
    ephemeral_ports:
      description: First and last port of the kernel's ephemeral range.
      type: list
      elements: int
      sample: [32768, 60999]
    unprivileged_port_start:
      description: The lowest port that a user may bind (C(net.ipv4.ip_unprivileged_port_start)).
      type: int
      sample: 1024
    sysctls:
      description: The sysctls that decide whether or how a rootless daemon works.
      type: list
      elements: dict
      contains:
        name:
          description: Its name.
          type: str
          sample: user.max_user_namespaces
        value:
          description: Its value; null where the kernel has none of that name.
          type: str
          sample: "96365"
        needed:
          description: What it has to be.
          type: str
          sample: 28633 or more
        why:
          description: What goes wrong otherwise.
          type: str
          sample: user namespaces run out
        ok:
          description: Whether it is; null where that depends on more than the value.
          type: bool
          sample: true
    apparmor:
      description: AppArmor.
      type: dict
      contains:
        enabled:
          description: Whether the kernel has it switched on.
          type: bool
          sample: true
        restrict_unprivileged_userns:
          description: Whether only programs with a profile may make user namespaces; null where the kernel has no such switch.
          type: bool
          sample: false
        profiles:
          description: Files in C(/etc/apparmor.d) that name rootlesskit; not looked for where AppArmor is off.
          type: list
          elements: str
          sample: [/etc/apparmor.d/rootlesskit]
    cgroup:
      description: Control groups.
      type: dict
      contains:
        version:
          description: V(2), or V(1) also where both are mounted.
          type: int
          sample: 2
        controllers:
          description: Controllers of version 2 that the host has.
          type: list
          elements: str
          sample: [cpuset, cpu, io, memory, pids]
    networks:
      description:
        - The host's routes in the kernel's main table, IPv4 then IPv6, at most 256; link-local ones and those of the loopback
          interface are left out.
      type: list
      elements: dict
      contains:
        network:
          description: Where it leads.
          type: str
          sample: 198.51.100.0/24
        interface:
          description: Through which interface.
          type: str
          sample: eth0
    nameservers:
      description: Addresses of the resolvers in C(/etc/resolv.conf), at most three.
      type: list
      elements: str
      sample: [127.0.0.53]
    ipv6_default_route:
      description: Whether the host has an IPv6 default route.
      type: bool
      sample: false
    configured:
      description: Users that have a folder in C(/etc/rootless-docker). One with nothing but somebody else's files in it does not count.
      type: list
      elements: str
      sample: [alice]
    kept:
      description:
        - Users whose daemon the role C(rootless_daemon) removed while it kept their data, with C(data_root), and with C(account) and
          C(subid) where it made these; and with the account's C(uid).
      type: dict
      sample: {"alice": {"account": true, "data_root": "/home/alice/.local/share/docker", "uid": 1000}}
    health:
      description: The health timer of the role C(rootless_daemon); null where it was not read in time.
      type: dict
      contains:
        program:
          description: What the timer runs; null where it is not there.
          type: dict
          contains:
            sha256:
              description: Digest of the file.
              type: str
              sample: 3eddcb6e1177fdd41f6d43e64ce59672fc0b990195ed011423b78ad43d9b88b3
            mode:
              description: Octal mode.
              type: str
              sample: "0644"
            owner:
              description: User and group, as numbers.
              type: str
              sample: "0:0"
        service:
          description: Text of C(/etc/systemd/system/rootless-docker-health@.service); null where there is none.
          type: str
        timer:
          description: Text of C(/etc/systemd/system/rootless-docker-health@.timer); null where there is none.
          type: str
        textfile_directory:
          description: Where that service writes metrics; null for nowhere.
          type: str
          sample: /var/lib/prometheus/node-exporter
        timers:
          description: One entry for each user that has a timer or a folder in C(/etc/rootless-docker).
          type: list
          elements: dict
          contains:
            user:
              description: Name of the user.
              type: str
              sample: alice
            linked:
              description: Whether it starts at boot.
              type: bool
              sample: true
            active:
              description: V(active), V(inactive) and so on; V(unknown) where systemd gave no answer.
              type: str
              sample: active
            load:
              description: V(loaded), V(not-found), V(masked) and so on.
              type: str
              sample: loaded
            needs_daemon_reload:
              description: Whether its files were changed since systemd read them.
              type: bool
              sample: false
    unit_text:
      description: Text of C(/etc/systemd/user/docker.service); null where there is none.
      type: str
    wrapper_text:
      description: Text of C(/usr/local/libexec/rootless-docker/pasta); null where there is none.
      type: str
    drop_ins:
      description:
        - Root's drop-ins of every user's C(docker.service), also those that no manager has read yet.
      type: list
      elements: str
      sample: [/etc/systemd/user/docker.service.d/limits.conf]
    recorded_ids:
      description:
        - Ranges of subordinate ids that files of users belong to, as far as the role P(portside.rootless_docker.rootless_daemon#role) has
          them on record, of everybody in RV(host.configured) or whose data is kept. A user need not have them now.
      type: list
      elements: dict
      sample: [{"user": "alice", "kind": "uid", "start": 100000, "count": 65536}]
    missing_subordinate_files:
      description: Which of C(/etc/subuid) and C(/etc/subgid) are not there.
      type: list
      elements: str
      sample: []
    new_homes:
      description: Where C(useradd) makes homes. Null where that was not read.
      type: dict
      contains:
        folder:
          description: The folder that C(/etc/default/useradd) names, or C(/home).
          type: str
          sample: /home
        read_only:
          description: Whether its file system is mounted read-only.
          type: bool
          sample: false
        free_bytes:
          description: Bytes that users may still fill.
          type: int
          sample: 21474836480
        free_files:
          description: Files that users may still make; null where the file system has no limit.
          type: int
          sample: 1310720
    subordinate_source:
      description: V(files), or where else C(/etc/nsswitch.conf) says that subordinate ids come from.
      type: str
      sample: files
    problems:
      description:
        - What is wrong, the most basic first. C(docs/guide-info.md) has every cause.
        - Of the host; empty also where no user in this result has a daemon, or should have one.
      type: list
      elements: dict
      contains:
        cause:
          description: V(program_missing) or V(sysctl).
          type: str
          sample: sysctl
        what:
          description: What is wrong, with the name of the object.
          type: str
          sample: sysctl user.max_user_namespaces is 0, needed is 28633 or more
        why:
          description: The cause, or what follows from it.
          type: str
          sample: user namespaces run out, also for the users' containers
        remedy:
          description: What to do.
          type: str
          sample: role rootless_host, or sysctl.d(5)
users:
  description: One entry a user, by name.
  returned: success
  type: dict
  sample: {"alice": {"name": "alice", "exists": true, "uid": 1000, "state": "running", "problems": [], "stale": []}}
  contains:
    name:
      description: Name of the user.
      type: str
      sample: alice
    exists:
      description:
        - Whether the account exists. Where it does not, only RV(users.name), RV(users.state), RV(users.folder), RV(users.made) and
          RV(users.problems) are there besides.
      type: bool
      sample: true
    state:
      description:
        - V(absent), nothing is there.
        - V(configured), part of it is there, and no unit that could start the daemon is in force.
        - V(down), a unit is there, and nothing runs.
        - V(running), RootlessKit and the Engine answer, and the process that serves the network is there.
        - V(unusable), something runs, and cannot be used.
      type: str
      sample: running
    problems:
      description:
        - What is wrong, the most basic first. C(docs/guide-info.md) has every cause.
        - Empty when nothing is.
      type: list
      elements: dict
      contains:
        cause:
          description:
            - V(account_missing), V(half_configured), V(unit_shadowed), V(drop_in), V(manager_down), V(manager_silent),
              V(no_linger), V(daemon_down), V(rootlesskit_not_found), V(rootlesskit_silent), V(engine_silent), V(network_dead),
              V(stale), V(daemon_reload), V(not_taken_up), V(reload_pending), V(drivers_differ), V(loopback_flag_missing),
              V(host_loopback), V(detached_host_network), V(ephemeral_range), V(combination), V(collision), V(ipv6_no_route),
              V(mtu), V(privileged_port), V(subordinate_ids), V(subordinate_overlap), V(delegation), V(apparmor) or V(out_of_time).
          type: str
          sample: daemon_down
        what:
          description: What is wrong, with the name of the object.
          type: str
          sample: "the daemon does not run: docker.service is inactive (dead)"
        why:
          description: The cause, or what follows from it.
          type: str
          sample: it was stopped
        remedy:
          description: What to do.
          type: str
          sample: systemctl --user --machine=alice@ start docker.service
    incomplete:
      description: Whether time was up before everything was read.
      type: bool
      sample: false
    folder:
      description: Whether there is a folder of the user in C(/etc/rootless-docker), as for RV(host.configured).
      type: bool
      sample: true
    made:
      description:
        - The collection's record of what it made for this user, under C(ids) of the subordinate ids that the user had, and of the C(home)
          and the C(uid).
      type: dict
      sample:
        linger: true
        home: /home/alice
        uid: 1000
        account: true
        subid: {"subuid": [[100000, 65536]], "subgid": [[100000, 65536]]}
    orphans:
      description:
        - Where RV(users.folder) is V(true) and RV(users.exists) is V(false), the processes that have the user's C(daemon.json) among their
          arguments, at most 5. Its daemon runs then, and nobody can name its user. Empty otherwise.
      type: list
      elements: dict
      contains:
        pid:
          description: Process id.
          type: int
          sample: 883
        uid:
          description: Of whom it is.
          type: int
          sample: 200001
    uid:
      description: Numeric id.
      type: int
      sample: 1000
    home:
      description: Home.
      type: str
      sample: /home/alice
    shell:
      description: Login shell.
      type: str
      sample: /bin/bash
    linger:
      description: Whether the user's manager is started at boot and outlives the last session.
      type: bool
      sample: true
    manager:
      description: Whether the user's manager and its bus are up.
      type: bool
      sample: true
    bus:
      description: Whether C(/run/user/UID/bus) is there.
      type: bool
      sample: true
    runtime_directory:
      description: Whether C(/run/user/UID) is there.
      type: bool
      sample: true
    state_directory:
      description: Whether RootlessKit's C(/run/user/UID/dockerd-rootless) is there.
      type: bool
      sample: true
    subuid_count:
      description:
        - How many subordinate user ids C(/etc/subuid), or RV(host.subordinate_source), gives to the user, by name and by number; one
          that is there twice counts once.
      type: int
      sample: 65536
    subgid_count:
      description: How many subordinate group ids C(/etc/subgid), or RV(host.subordinate_source), gives to the user.
      type: int
      sample: 65536
    subordinate_ids:
      description: The ranges in both files, at most 64 each.
      type: dict
      contains:
        uids:
          description: Of C(/etc/subuid).
          type: list
          elements: dict
          contains:
            owner:
              description: Name or number, as the file has it.
              type: str
              sample: alice
            first:
              description: First id.
              type: int
              sample: 100000
            count:
              description: How many.
              type: int
              sample: 65536
        gids:
          description: Of C(/etc/subgid).
          type: list
          elements: dict
          contains:
            owner:
              description: Name or number, as the file has it.
              type: str
              sample: alice
            first:
              description: First id.
              type: int
              sample: 100000
            count:
              description: How many.
              type: int
              sample: 65536
    subordinate_overlaps:
      description:
        - Ids of the files that are somebody else's too, at most 16 ranges. Of real accounts and groups, those in C(/etc/passwd) and
          C(/etc/group) are looked at.
      type: list
      elements: dict
      contains:
        file:
          description: In which file.
          type: str
          sample: /etc/subuid
        first:
          description: First id.
          type: int
          sample: 100000
        count:
          description: How many.
          type: int
          sample: 65536
        whose:
          description: The other owner as the file has it, or C(uid NAME) or C(gid NAME) for a real one.
          type: str
          sample: bob
    data_root:
      description:
        - Where the daemon keeps images, containers and volumes, and whether it can. Null where that was not read; the path alone where what
          it lies on gave no answer.
      type: dict
      contains:
        path:
          description:
            - As in O(data_roots), or as C(daemon.json) in C(/etc/rootless-docker) has it, or in the folder that C(XDG_DATA_HOME) names.
          type: str
          sample: /home/alice/.local/share/docker
        exists:
          description: Whether it is there.
          type: bool
          sample: true
        home_exists:
          description: Whether the home is there.
          type: bool
          sample: true
        folder:
          description: The deepest folder on the way that is there, of which the other fields are. The daemon makes the rest.
          type: str
          sample: /home/alice/.local/share/docker
        read_only:
          description: Whether its file system is mounted read-only.
          type: bool
          sample: false
        free_bytes:
          description: Bytes that users may still fill; a quota is not seen.
          type: int
          sample: 21474836480
        free_files:
          description: Files that users may still make; null where the file system has no limit.
          type: int
          sample: 1310720
        owner_is_user:
          description: Whether the folder belongs to the user.
          type: bool
          sample: true
        writable:
          description: Whether its mode lets the user, or a group, or everybody write.
          type: bool
          sample: true
    cgroup_controllers:
      description: Controllers of version 2 that reach the user's manager; null where it has no control group.
      type: list
      elements: str
      sample: [cpu, memory, pids]
    unit:
      description: C(docker.service) as the user's manager has it.
      type: dict
      contains:
        active:
          description:
            - V(active), V(inactive), V(failed), V(activating) and so on; V(no user manager) where there is none, or none that
              answers.
          type: str
          sample: active
        sub:
          description: The finer state.
          type: str
          sample: running
        load:
          description: V(loaded), V(not-found), V(masked), V(bad-setting) and so on.
          type: str
          sample: loaded
        result:
          description: V(success), or why it failed.
          type: str
          sample: success
        enabled:
          description: V(enabled), V(disabled), V(masked) and so on.
          type: str
          sample: enabled
        condition:
          description: Whether its conditions held when it was last started; V(false) also where it never was.
          type: bool
          sample: true
        error:
          description: Why a manager that is there gave no answer; empty otherwise.
          type: str
          sample: ""
        main_pid:
          description: Its main process, which is RootlessKit; 0 for none.
          type: int
          sample: 883
        started:
          description: When that was last started, in seconds since the epoch; null for never.
          type: float
          sample: 1795946400.25
        fragment:
          description: Path of the unit file in force; empty where there is none.
          type: str
          sample: /etc/systemd/user/docker.service
        drop_ins:
          description: Paths of all drop-ins in force.
          type: list
          elements: str
          sample: []
        shadows:
          description:
            - "Paths of the unit and of drop-ins in force that are not the collection's own: what hides or overrides it. Of a daemon
              that was made otherwise that is its own unit."
          type: list
          elements: str
          sample: []
        needs_daemon_reload:
          description: Whether its files were changed since the manager read them.
          type: bool
          sample: false
        environment:
          description:
            - "The variables that decide, as the next start would have them: C(Environment=) lines, then C(/etc/rootless-
              docker/USER/environment) where the unit reads it."
            - Names that begin with C(DOCKERD_ROOTLESS_) or C(XDG_), C(DOCKERD), C(DOCKER_HOST), C(DOCKER_INSECURE_NO_IPTABLES_RAW),
              C(PATH) and C(ROOTLESS_DOCKER_DIGEST).
          type: dict
          sample: {"DOCKERD_ROOTLESS_ROOTLESSKIT_NET": "pasta"}
        environment_files:
          description:
            - "Paths of its C(EnvironmentFile=) lines. Others than the collection's are named and not read: the user names them, and
              root reads no file for a user."
          type: list
          elements: str
          sample: [/etc/rootless-docker/alice/environment]
        other_variables:
          description: Names of the other variables. Their values may be secrets, and are not returned.
          type: list
          elements: str
          sample: [HTTPS_PROXY]
    own:
      description:
        - Where the unit in force is a file in the user's home, what an adoption by the role C(rootless_daemon) has to know of it, read with
          the user's rights. Null elsewhere.
      type: dict
      contains:
        unit:
          description: Text of the unit file; null where it could not be read.
          type: str
        daemon_json:
          description: Text of the user's own C(daemon.json), at most 64 KiB; null where there is none.
          type: str
        daemon_json_path:
          description: Where that is, or would be.
          type: str
          sample: /home/alice/.config/docker/daemon.json
        errors:
          description: Why one of them could not be read.
          type: list
          elements: str
          sample: []
    environment:
      description: Text of the user's C(/etc/rootless-docker/USER/environment); null where there is none.
      type: str
    daemon_json:
      description: Text of the user's C(/etc/rootless-docker/USER/daemon.json); null where there is none.
      type: str
    digest:
      description:
        - The mark of everything that needs a restart when it changes, by which the role C(rootless_daemon) decides; null where
          there is none.
        - Behind a hyphen it may name, in microseconds since the epoch, the start of a daemon that has to be restarted, or had to be.
      type: dict
      contains:
        declared:
          description: As the next start would have it.
          type: str
          sample: 8c4199157dee928a6fa55567ef97a386
        running:
          description: What runs was started with.
          type: str
          sample: 8c4199157dee928a6fa55567ef97a386
    reload_pending:
      description: Whether C(daemon.json) was written after the daemon last took it up.
      type: bool
      sample: false
    changed_since_start:
      description:
        - Those of root's files that decide how the daemon runs (its environment file, C(daemon.json), the unit, the wrapper, root's
          drop-ins), which were written after its start.
      type: list
      elements: str
      sample: []
    running:
      description: What runs.
      type: dict
      contains:
        variables:
          description:
            - The variables of the role C(rootless_daemon) that decide how RootlessKit runs, the digest, and what else
              C(/etc/rootless-docker/USER/environment) names, as the running process has them; empty where none runs.
          type: dict
          sample: {"DOCKERD_ROOTLESS_ROOTLESSKIT_NET": "pasta"}
        changed_variables:
          description: Names of variables in RV(users.unit.environment) of which the running process has another value.
          type: list
          elements: str
          sample: []
        rootlesskit:
          description: RootlessKit's parent, the main process of the unit; null where none runs.
          type: dict
          contains:
            pid:
              description: Its process id.
              type: int
              sample: 883
            exe:
              description: Path of what it runs; null where only root may see that.
              type: str
              sample: /opt/rootlesskit/3.2.0/rootlesskit
            deleted:
              description: Whether that path names another file by now, or none; null where that cannot be seen.
              type: bool
              sample: false
            installed:
              description: What a restart would run, by the unit's C(PATH); null for a pasta that C(--pasta-binary) names.
              type: str
              sample: /opt/rootlesskit/3.2.0/rootlesskit
            version:
              description: Of what runs; null where that is not known, as of a pasta that was replaced.
              type: str
              sample: 3.2.0
            options:
              description: For pasta, which of the options that this collection depends on it accepts; null otherwise.
              type: list
              elements: str
              sample: null
            argv:
              description: Its arguments, at most 64 of 1000 characters.
              type: list
              elements: str
              sample: [pasta, --mtu=65520]
            apparmor:
              description: Its AppArmor profile; null where AppArmor is off.
              type: str
              sample: unconfined
        dockerd:
          description: The Engine; null where none runs. Fields as in RV(users.running.rootlesskit).
          type: dict
        containerd:
          description:
            - The containerd that the Engine started; null where none runs, or where the Engine was told to use another (C(--containerd)).
              Shims, which outlive it, and what containers run are none. Fields as in RV(users.running.rootlesskit).
          type: dict
        pasta:
          description:
            - The pasta that serves this RootlessKit; null where none runs, or where it is not known because of
              RV(users.running.processes_hidden). Fields as in RV(users.running.rootlesskit).
          type: dict
        processes_hidden:
          description:
            - Whether C(/proc) is mounted with C(hidepid) and hides pasta and slirp4netns, which nobody but root may look into, from their
              own user. Always V(false) for root.
          type: bool
          sample: false
        slirp4netns:
          description: The slirp4netns that serves it; null where none runs. Fields as in RV(users.running.rootlesskit).
          type: dict
        rootlesskit_version:
          description: Of the process, as its API states it.
          type: str
          sample: 3.2.0
        network_driver:
          description: As its API states it.
          type: str
          sample: pasta
        port_driver:
          description:
            - The port driver in effect. RootlessKit names neither V(implicit) nor V(none); under pasta what is not V(none) is
              V(implicit).
          type: str
          sample: implicit
        api:
          description: RootlessKit's own answer; null where it gave none.
          type: dict
          contains:
            version:
              description: Its version.
              type: str
              sample: 3.2.0
            api_version:
              description: Version of its API.
              type: str
              sample: 1.1.3
            network_driver:
              description: Network driver.
              type: str
              sample: pasta
            port_driver:
              description: Port driver; null for V(implicit) and V(none).
              type: str
              sample: null
            child_pid:
              description: Its child, which has the namespaces.
              type: int
              sample: 933
            child_ip:
              description: IPv4 address in the namespace.
              type: str
              sample: 10.0.2.100
            ipv6:
              description: V(true) where the network driver has IPv6; null where it has none, and below 3.0.2, which does not say.
              type: bool
              sample: null
            dns:
              description: Name servers in the namespace.
              type: list
              elements: str
              sample: [10.0.2.3]
            protocols:
              description: What the port driver forwards.
              type: list
              elements: str
              sample: []
        api_error:
          description: Why it gave none.
          type: str
          sample: null
    engine:
      description: The Engine's own answer.
      type: dict
      contains:
        containers:
          description: How many containers run; null where that is not known.
          type: int
          sample: 4
        version:
          description: Of the process.
          type: str
          sample: 26.1.5+dfsg1
        api_version:
          description: Newest version of its API.
          type: str
          sample: "1.45"
        error:
          description: Why it gave none; null where it did.
          type: str
          sample: null
        reason:
          description: "The same in one word: V(absent), V(refused), V(denied), V(untrusted), V(timed_out), V(too_large) or V(garbled)."
          type: str
          sample: null
    network:
      description:
        - What was asked for (by the arguments of the running RootlessKit, or else by the unit's environment), beside what is in
          effect.
      type: dict
      contains:
        driver:
          description: Network driver.
          type: dict
          contains:
            asked:
              description: What RootlessKit was told; null where it was told nothing, and its launch script or itself chose.
              type: str
              sample: pasta
            in_effect:
              description: What is; null where that is not known, as of a daemon that is down.
              type: str
              sample: pasta
        port_driver:
          description: Port driver.
          type: dict
          contains:
            asked:
              description: What RootlessKit was told; null where it was told nothing, and its launch script or itself chose.
              type: str
              sample: implicit
            in_effect:
              description: What is; null where that is not known, as of a daemon that is down.
              type: str
              sample: implicit
        mtu:
          description: MTU; in effect is what pasta or slirp4netns was told.
          type: dict
          contains:
            asked:
              description: What RootlessKit was told; null where it was told nothing, and its launch script or itself chose.
              type: int
              sample: 65520
            in_effect:
              description: What is; null where that is not known, as of a daemon that is down.
              type: int
              sample: 65520
        ipv6:
          description: Whether IPv6 is on.
          type: dict
          contains:
            asked:
              description: What RootlessKit was told; null where it was told nothing, and its launch script or itself chose.
              type: bool
              sample: false
            in_effect:
              description: What is; null where that is not known, as of a daemon that is down.
              type: bool
              sample: false
        cidr:
          description: IPv4 network of the namespace; of a daemon that is down the one that was asked for, or RootlessKit's own default.
          type: str
          sample: 10.0.2.0/24
        child_ip:
          description: IPv4 address in it.
          type: str
          sample: 10.0.2.100
        dns:
          description: Name servers in the namespace.
          type: list
          elements: str
          sample: [10.0.2.3]
        host_loopback:
          description:
            - Whether services on the host's own loopback can be reached from inside, as command lines say it.
            - V(closed); V(open), through the gateway's address; V(mirrored), what listens on the host's 127.0.0.1 is also on the
              namespace's own (pasta without C(--tcp-ns=none) or C(--udp-ns=none)); V(unknown).
          type: dict
          contains:
            asked:
              description: What RootlessKit was told; null where it was told nothing, and its launch script or itself chose.
              type: str
              sample: closed
            in_effect:
              description: What is; null where that is not known, as of a daemon that is down.
              type: str
              sample: closed
        detached_netns:
          description: Whether the network namespace is detached (C(--detach-netns)).
          type: dict
          contains:
            asked:
              description: What RootlessKit was told; null where it was told nothing, and its launch script or itself chose.
              type: bool
              sample: false
            in_effect:
              description: What is; null where that is not known, as of a daemon that is down.
              type: bool
              sample: false
        pasta_binary:
          description: The pasta that RootlessKit was told to start; null for the one on its PATH.
          type: str
          sample: /usr/local/libexec/rootless-docker/pasta
        collisions:
          description: Where the namespace's network or one of the Engine's overlaps a network of the host's.
          type: list
          elements: dict
          contains:
            what:
              description: V(cidr), or C(docker network NAME).
              type: str
              sample: cidr
            network:
              description: The daemon's.
              type: str
              sample: 10.0.2.0/24
            host_network:
              description: The host's.
              type: str
              sample: 10.0.2.0/24
            interface:
              description: Through which the host reaches it.
              type: str
              sample: eth1
            docker_bridge:
              description: Whether that is a bridge of a rootful Docker by its name, which is no problem.
              type: bool
              sample: false
    published:
      description: Published ports of running containers; null where the Engine gave no answer.
      type: dict
      contains:
        count:
          description: How many.
          type: int
          sample: 6
        ports:
          description: The first 4000.
          type: list
          elements: dict
          contains:
            container:
              description: Name of the container.
              type: str
              sample: web
            host_ip:
              description: Address on the host; empty for all.
              type: str
              sample: 127.0.0.1
            host_port:
              description: Port on the host.
              type: int
              sample: 8080
            protocol:
              description: V(tcp), V(udp) or V(sctp).
              type: str
              sample: tcp
            container_port:
              description: Port in the container.
              type: int
              sample: 80
    advice:
      description:
        - Troubles that the versions which run are known for, and of which nothing was seen; in the form of RV(users.problems).
        - Causes are V(loopback_resolver), V(fails_at_boot), V(loopback_tcp_hangs) and V(ipv6_routes).
      type: list
      elements: dict
      sample:
        - cause: loopback_tcp_hangs
          what: a TCP connection over the host's loopback may hang, with passt 0.0~git20250503.587980c-2+deb13u1
          why: that was mended in 2026_06_11 (passt bugs 202 and 207)
          remedy: a newer passt (role pasta), then systemctl --user --machine=alice@ restart docker.service
    stale:
      description:
        - What runs although something else is installed, and a dead pasta or slirp4netns; one sentence each. The role
          C(rootless_daemon) restarts for these.
      type: list
      elements: str
      sample: ["dockerd (pid 1069) runs a file that was replaced since: /usr/sbin/dockerd"]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils import _inspect
from ansible_collections.portside.rootless_docker.plugins.module_utils._arguments import BadArgument, checked_timeout


def checked_users(names: list[str]) -> list[str]:
    """The names, each once.

    :raises BadArgument: when one is no name of an account, or somebody else's without root.
    """
    me = os.geteuid()
    for name in names:
        if not name or "/" in name or "\0" in name or name in (".", ".."):
            raise BadArgument(f"users has {name!r}, which is no name of an account")
        account = _inspect.find_account(name)
        if account is not None and me not in (0, account.pw_uid):
            raise BadArgument(f"users has {name}, and this runs as uid {me}: only root can read another user's daemon (become)")
    return list(dict.fromkeys(names))


def checked_data_roots(given: dict) -> dict[str, str]:
    """The paths that are there.

    :raises BadArgument: one is not absolute.
    """
    for user, path in given.items():
        if path and not os.path.isabs(str(path)):
            raise BadArgument(f"data_roots has {path!r} for {user}: it must be an absolute path")
    return {str(user): str(path) for user, path in given.items() if path}


def checked_packages(names: list[str]) -> list[str]:
    """The names.

    :raises BadArgument: without root, to which files of packages belong.
    """
    if names and os.geteuid() != 0:
        raise BadArgument(f"verified_packages has {names[0]}, and this runs as uid {os.geteuid()}: only root can compare programs (become)")
    return names


def main() -> None:
    """Speak Ansible."""
    module = AnsibleModule(
        argument_spec={
            "users": {"type": "list", "elements": "str", "default": []},
            "rootlesskit_directory": {"type": "path", "default": "/opt/rootlesskit"},
            "data_roots": {"type": "dict", "default": {}},
            "verified_packages": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    directory = module.params["rootlesskit_directory"]
    try:
        users = checked_users(module.params["users"])
        timeout = checked_timeout(module.params["timeout"])
        if not os.path.isabs(directory):
            raise BadArgument(f"rootlesskit_directory is {directory}: it must be an absolute path")
        data_roots = checked_data_roots(module.params["data_roots"])
        packages = checked_packages(module.params["verified_packages"])
    except BadArgument as error:
        module.fail_json(msg=str(error))
    everybody = not users
    if everybody and os.geteuid() != 0:
        users, everybody = [_inspect.own_name()], False
    try:
        result = _inspect.inspect(users, everybody, directory, timeout, data_roots, packages)
    except TimeoutError as error:
        module.fail_json(msg=f"timeout: {error}. Nothing was changed")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
