# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathers evidence about one user's daemon from the host: reads only."""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
import shutil
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import FLAG
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError, clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._environment import parse_environ
from ansible_collections.portside.rootless_docker.plugins.module_utils._evidence import Holder
from ansible_collections.portside.rootless_docker.plugins.module_utils._network_state import DEFAULT_CIDR, is_set, own_options
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import (
    PROC,
    DaemonProcesses,
    Listener,
    Process,
    daemon_processes,
    list_processes,
    option_value,
    processes_are_hidden,
    read_bytes,
    read_process,
    read_text,
    socket_owners,
    whole_number,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._programs import NAMES, program, stale, was_replaced, would_start
from ansible_collections.portside.rootless_docker.plugins.module_utils._rootlesskit import get_info, has_detached_netns, read_child_pid
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import SEARCH_PATH, run
from ansible_collections.portside.rootless_docker.plugins.module_utils._system_state import accepts_option
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

API_SECONDS = 2.0
PROGRAM_SECONDS = 2.0


def sysctl_numbers(name: str) -> list[int]:
    """The numbers of one sysctl, given as a path below /proc/sys; empty when it cannot be read."""
    words = (read_text(f"/proc/sys/{name}", 256) or "").split()
    return [number for number in map(whole_number, words) if number is not None]


def kernel_facts() -> dict[str, Any]:
    """The sysctls that decide about ports, as fields of C(Evidence); a field whose sysctl cannot be read is left out."""
    facts: dict[str, Any] = {}
    span = sysctl_numbers("net/ipv4/ip_local_port_range")
    if len(span) == 2:
        facts["ephemeral"] = (span[0], span[1])
    first = sysctl_numbers("net/ipv4/ip_unprivileged_port_start")
    if first:
        facts["first_unprivileged"] = first[0]
    return facts


def daemon_facts(account: pwd.struct_passwd, deadline: Deadline) -> tuple[DaemonProcesses, dict[str, Any]]:
    """A user's daemon as its processes and RootlessKit's API show it.

    :returns: the processes, and fields of C(Evidence).
    """
    uid = account.pw_uid
    processes = daemon_processes(uid, read_child_pid(uid), list_processes({uid}))
    facts: dict[str, Any] = {"detached_netns": has_detached_netns(uid), "processes_hidden": processes_are_hidden()}
    if processes.child is not None:
        facts["child_pid"] = processes.child.pid
    if processes.parent is not None:
        facts["rootlesskit_pid"] = processes.parent.pid
        facts.update(facts_of_options(own_options(processes.parent.argv)))
    try:
        info = get_info(uid, deadline.within(API_SECONDS))
    except HttpError:
        pass
    else:
        facts["rootlesskit_version"] = info.version
        facts["network_driver"] = info.network_driver or facts.get("network_driver")
        facts["port_driver"] = info.port_driver or facts.get("port_driver")
    pasta = processes.live_pasta
    if pasta is not None:
        facts.update(pasta_pid=pasta.pid, pasta_path=pasta.exe, pasta_argv=tuple(clean(argument, 300) for argument in pasta.argv[:200]))
    facts["stale"] = stale_programs(processes)
    return processes, facts


def facts_of_options(options: tuple[str, ...]) -> dict[str, Any]:
    """What RootlessKit's own options say, as fields of C(Evidence), and the gateway of its network, which has the second address; pure."""
    facts: dict[str, Any] = {
        "network_driver": option_value(options, "--net"),
        "port_driver": option_value(options, "--port-driver"),
        "host_loopback_disabled": is_set(options, "--disable-host-loopback"),
        "ipv6": is_set(options, "--ipv6"),
    }
    try:
        network = ipaddress.IPv4Network(option_value(options, "--cidr") or DEFAULT_CIDR, strict=False)
    except ValueError:
        return facts
    return {**facts, "network": str(network), "gateway": str(network.network_address + 2)}


def stale_programs(processes: DaemonProcesses) -> tuple[str, ...]:
    """What runs of a daemon although something else is installed: replaced, removed, or switched by a symbolic link; a sentence each."""
    parent = processes.parent
    environ = parse_environ(read_bytes(f"{PROC}/{parent.pid}/environ") or b"") if parent is not None else {}
    running: dict[str, Any] = dict.fromkeys((*NAMES, "network_driver"))
    found = {"rootlesskit": parent, "dockerd": processes.dockerd, "containerd": processes.containerd, "pasta": processes.live_pasta}
    for name, process in found.items():
        # What a wrapper runs only the wrapper knows; nor is it known what a start finds by a PATH that cannot be read.
        wrapped = name == "pasta" and parent is not None and option_value(own_options(parent.argv), "--pasta-binary") is not None
        installed = would_start(name, environ) if environ and not wrapped else None
        running[name] = program(process, process is not None and was_replaced(process), installed)
    return tuple(stale(running))


MAX_INSPECTED = 50
"""Containers that are asked why they did not start."""
_PORT_TROUBLE = re.compile("already in use|already allocated|expose port|external connectivity")


def failed_starts(engine: Engine, containers: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Containers that did not start the last time because of a port: name, and the Engine's words.

    :param containers: the Engine's list, with those that do not run.
    :raises HttpError: no usable answer.
    """
    found = []
    # One that ran before the daemon was restarted and could not start again is exited, and keeps the words of that attempt.
    waiting = [str(entry.get("Id", "")) for state in ("created", "exited") for entry in containers if entry.get("State") == state]
    for identity in [each for each in waiting if re.fullmatch("[0-9a-f]{12,64}", each)][:MAX_INSPECTED]:
        try:
            details = engine.get(f"/containers/{identity}/json")
        except EngineError:
            continue  # it is gone
        state = details.get("State")
        text = state.get("Error") if isinstance(state, dict) else None
        if isinstance(text, str) and _PORT_TROUBLE.search(text[:2000]):
            found.append((clean(str(details.get("Name", "")).lstrip("/"), 64), clean(text, 300)))
    return tuple(found)


class _NotRun(Exception):
    """A program could not be run to its end."""


def knows_option(path: str, option: str, account: pwd.struct_passwd, deadline: Deadline) -> bool | None:
    """Whether a pasta knows an option, which is tried with the user's rights; None when it cannot be run."""

    def as_user(argv: list[str]) -> tuple[int, str]:
        finished = run(argv, deadline.within(PROGRAM_SECONDS), uid=account.pw_uid, gid=account.pw_gid)
        if finished.status is None or finished.status < 0:
            raise _NotRun
        return finished.status, finished.output

    try:
        return accepts_option(path, option, as_user)
    except _NotRun:
        return None


def pasta_facts(path: str | None, argv: tuple[str, ...], account: pwd.struct_passwd, deadline: Deadline) -> dict[str, Any]:
    """What the binary of the running pasta can do, as fields of C(Evidence).

    :param path: of the binary; None where only root may read that, and then what the system's PATH has under its name is asked.
    """
    path = path or (shutil.which(argv[0], path=SEARCH_PATH) if argv else None)
    if not path:
        return {}
    # --conf-path came in the same release in which -t auto began to leave out the ephemeral range.
    return {
        "pasta_has_flag": knows_option(path, FLAG, account, deadline),
        "pasta_skips_ephemeral": knows_option(path, "--conf-path=/nonexistent", account, deadline),
    }


def unit_state(account: pwd.struct_passwd, deadline: Deadline) -> str | None:
    """State of the user's docker.service, such as C(active (running)); None when systemd does not say."""
    scope = [] if os.geteuid() == account.pw_uid else [f"--machine={account.pw_name}@"]
    argv = ["systemctl", "--user", *scope, "show", "docker.service", "--property=LoadState,ActiveState,SubState,Result"]
    own = account.pw_uid if not scope else None
    finished = run(argv, deadline.within(PROGRAM_SECONDS), uid=own)
    if finished.status != 0:
        return None
    pairs = dict(line.split("=", 1) for line in finished.output.splitlines() if "=" in line)
    if pairs.get("LoadState") == "not-found":
        return "not installed"
    text = f"{pairs.get('ActiveState', '')} ({pairs.get('SubState', '')})"
    return clean(text if pairs.get("Result") in (None, "success") else f"{text}, result {pairs['Result']}")


def port_holders(listeners: list[Listener], ports: set[int], processes: DaemonProcesses, uid: int) -> tuple[Holder, ...]:
    """Who listens on these ports of the host."""
    mine = [listener for listener in listeners if listener.port in ports]
    read: dict[int, Process | None] = {}
    # As a rule the daemon holds them all. A host with many containers has thousands of processes and handles to look through otherwise.
    owners = socket_owners({listener.inode for listener in mine}, processes.pids)
    found = []
    for listener in mine:
        owner = owners.get(listener.inode)
        if owner is not None and owner not in read:
            read[owner] = read_process(owner)
        process = read[owner] if owner is not None else None
        ours: bool | None
        if listener.uid != uid:
            ours = False
        elif process is None or processes.child is None:
            # Without RootlessKit's child, which its state folder names, nothing tells this user's daemon from other processes of theirs.
            ours = None
        else:
            parent = processes.parent.pid if processes.parent else 0
            ours = process.pid in processes.pids or process.ppid == parent or "slirp4netns" in process.names
        name = clean(process.comm, 40) if process else ""
        pid = process.pid if process else None
        found.append(Holder(listener.address, listener.port, listener.uid, pid, name, ours, listener.protocol))
    return tuple(found)
