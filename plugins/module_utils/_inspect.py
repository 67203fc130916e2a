# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is installed on a host, and what a user's daemon is and does: everything that one read can give."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pwd
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import (
    _account_facts,
    _cgroups,
    _environment,
    _health_state,
    _networks,
    _own_unit,
    _package_files,
    _prerequisites,
    _problems,
    _procfs,
    _programs,
    _rootlesskit,
    _subid,
    _unit,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine_state import read_engine
from ansible_collections.portside.rootless_docker.plugins.module_utils._network_state import (
    network_state,
    options_of_environment,
    own_options,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._parallel import GRACE, run_all
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import DaemonProcesses, Process
from ansible_collections.portside.rootless_docker.plugins.module_utils._runtime_dir import RUNTIME_ROOT
from ansible_collections.portside.rootless_docker.plugins.module_utils._subid_source import SourceError, host_source
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

CONFIGURATION = "/etc/rootless-docker"
OWN_FILES = ("environment", "daemon.json", "made.json")
RECORD = "/var/lib/rootless-docker/rootless_daemon.json"
UNIT_FILE = "/etc/systemd/user/docker.service"
WRAPPER_FILE = "/usr/local/libexec/rootless-docker/pasta"
# Root's places for drop-ins of every user's unit, in systemd's order.
DROP_IN_FOLDERS = tuple(f"{folder}/systemd/user/docker.service.d" for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib"))
LINGER = "/var/lib/systemd/linger"
# What decides how a daemon runs, and the digest that stands for the rest.
VARIABLES = (
    "DOCKERD_ROOTLESS_ROOTLESSKIT_NET", "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER", "DOCKERD_ROOTLESS_ROOTLESSKIT_MTU",
    "DOCKERD_ROOTLESS_ROOTLESSKIT_DISABLE_HOST_LOOPBACK", "DOCKERD_ROOTLESS_ROOTLESSKIT_DETACH_NETNS",
    "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS", "ROOTLESS_DOCKER_DIGEST",
)  # fmt: skip
# The kernel cuts the name of a process after 15 characters: the second is docker-rootlesskit.
DAEMON_NAMES = ("rootlesskit", "docker-rootless", "dockerd")
LAUNCH_SCRIPT = "dockerd-rootless.sh"
DATA_ROOT = ("path", "exists", "home_exists", "folder", "read_only", "free_bytes", "free_files", "owner_is_user", "writable")
NEW_HOMES = ("folder", "read_only", "free_bytes", "free_files")
HOMES_SECONDS = 1.0
COMMON_READS = {"host": "what is installed on the host", "users": "who has a daemon, their processes and accounts"}
MAX_USERS = 1000
MAX_NETWORKS = 256
MAX_ARGUMENTS = 200
MAX_ORPHANS = 5
STEP = 0.4
"""Part of the whole time that one read of one user's may take: a socket that hangs must leave time for the others."""
LAST_READS = 1.0
"""Seconds for the short reads of the host that come after those that the deadline ends."""


# -- the host ----------------------------------------------------------------


def inspect_host(rootlesskit_directory: str, deadline: Deadline, packages: Sequence[str] = ()) -> dict[str, Any]:
    """The programs on disk, and what of the kernel and the system choices depend on.

    :param packages: whose programs are compared with what the packages brought.
    """
    ask = _programs.asker(deadline)
    current = os.path.join(rootlesskit_directory, "current")
    found = {
        "dockerd": _programs.which("dockerd"),
        "rootlesskit": next(
            filter(None, (_programs.which(name, f"{current}:{_programs.SYSTEM_PATH}") for name in _programs.NAMES["rootlesskit"])), None
        ),
        "pasta": _programs.which("pasta"),
        "slirp4netns": _programs.which("slirp4netns"),
    }
    readers: dict[str, Any] = {
        f"{name}_version": functools.partial(_programs.disk_version, name, path, ask) for name, path in found.items() if path
    }
    if found["pasta"]:
        readers["pasta_options"] = functools.partial(_programs.pasta_options, found["pasta"], ask)
    readers["apparmor"] = _prerequisites.apparmor
    readers["health"] = functools.partial(_health_state.read_health, configured_users(), deadline)
    # Where homes lie on a network file system whose server is gone, who asks of them waits for ever.
    homes = run_all({"new_homes": _account_facts.new_homes}, deadline.within(HOMES_SECONDS))
    routes = _networks.read_routes()
    low, high = (_procfs.read_text("/proc/sys/net/ipv4/ip_local_port_range") or "32768 60999").split()
    read = run_all(readers, deadline)
    return {
        **found,
        "rootlesskit": os.path.realpath(found["rootlesskit"]) if found["rootlesskit"] else None,
        **{f"{name}_version": read.get(f"{name}_version") for name in found},
        "launch_script": next((path for path in _programs.LAUNCH_SCRIPTS if os.path.exists(path)), None),
        "pasta_options": read.get("pasta_options"),
        "altered": _package_files.altered_files(packages),
        "newuidmap": _programs.which("newuidmap"),
        "ephemeral_ports": [int(low), int(high)],
        "unprivileged_port_start": int(_procfs.read_text("/proc/sys/net/ipv4/ip_unprivileged_port_start") or "1024"),
        "sysctls": _prerequisites.read_sysctls(),
        "apparmor": read.get("apparmor", {"enabled": None, "restrict_unprivileged_userns": None, "profiles": []}),
        "cgroup": _cgroups.host_cgroups(),
        "networks": [{"network": str(route.network), "interface": route.interface} for route in routes[:MAX_NETWORKS]],
        "nameservers": _networks.nameservers(_procfs.read_text("/etc/resolv.conf", 65536) or ""),
        "ipv6_default_route": any(route.is_default and route.network.version == 6 for route in routes),
        "configured": configured_users(),
        "kept": kept(),
        "recorded_ids": recorded_ids(),
        "health": read.get("health"),
        "unit_text": text_of(UNIT_FILE),
        "wrapper_text": text_of(WRAPPER_FILE),
        "drop_ins": drop_ins_of_root(),
        "missing_subordinate_files": [path for path in _subid.FILES.values() if not os.path.exists(path)],
        "subordinate_source": host_source(),
        "new_homes": homes.get("new_homes", dict.fromkeys(NEW_HOMES)),
    }


def drop_ins_of_root(folders: tuple[str, ...] = DROP_IN_FOLDERS) -> list[str]:
    """Root's drop-ins of docker.service, also those that no manager has read yet."""
    found = []
    for folder in folders:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found += [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".conf")]
    return found


def configured_users() -> list[str]:
    """Every user that has a folder in C(/etc/rootless-docker), empty or with one of the role's files in it."""
    try:
        names = sorted(entry.name for entry in os.scandir(CONFIGURATION) if entry.is_dir())
    except FileNotFoundError:
        return []
    return [name for name in names if has_own_folder(name)]


def has_own_folder(user: str) -> bool:
    """Whether there is a folder of the role's for a user; one with nothing but somebody else's files in it is none."""
    try:
        names = os.listdir(os.path.join(CONFIGURATION, user))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not names or not set(OWN_FILES).isdisjoint(names)


def kept() -> dict[str, dict[str, Any]]:
    """What the role C(rootless_daemon) has on record of users whose daemon is gone and whose data is kept; only what is sound in it."""
    try:
        record = json.loads(text_of(RECORD) or "{}")
        entries = record.get("kept", {}).items()
    except (ValueError, RecursionError, AttributeError):
        return {}
    return {name: entry for name, entry in entries if isinstance(entry, dict) and isinstance(entry.get("data_root"), str)}


def recorded_ids() -> list[dict[str, Any]]:
    """The subordinate ids that files of users belong to: of everybody who is configured or of whom data is kept, also ids that are lost."""
    records = [(name, made(name)) for name in configured_users()] + list(kept().items())
    found = [
        (name, kind, ids)
        for name, record in records
        for under in ("ids", "subid")
        for kind, path in _subid.FILES.items()
        for ids in _subid.recorded(record, os.path.basename(path), under)
    ]
    return [{"user": name, "kind": kind, "start": ids.start, "count": ids.count} for name, kind, ids in dict.fromkeys(found)]


def modified(path: str) -> float:
    """When a file was last written, in seconds since the epoch; 0 where there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def text_of(path: str) -> str | None:
    """Text of one of root's own files, at most 1 MiB; None where it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as handle:
            return handle.read(1 << 20)
    except OSError:
        return None


def own_file(user: str, name: str) -> str | None:
    """Text of one of the files that root keeps for a user."""
    return text_of(os.path.join(CONFIGURATION, user, name))


def made(user: str) -> dict[str, Any]:
    """The record of what the collection made for a user; empty where there is none."""
    try:
        record = json.loads(own_file(user, "made.json") or "{}")
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


# -- which users -------------------------------------------------------------


def process_uids(proc: str = _procfs.PROC) -> dict[int, set[str]]:
    """The uids that processes of this host run with, and for each the names of its processes that may be a daemon's.

    One small read a process: who has no daemon costs nothing more.
    """
    found: dict[int, set[str]] = {}
    try:
        pids = [name for name in os.listdir(proc) if _procfs.whole_number(name)][: _procfs.MAX_PROCESSES]
    except OSError:
        return found
    for pid in pids:
        status = _procfs.read_text(f"{proc}/{pid}/status", 8192) or ""
        uid, name = _procfs.parse_uid(status), status.partition("\n")[0].partition(":")[2].strip()
        if uid is not None:
            found.setdefault(uid, set()).update({name}.intersection(DAEMON_NAMES))
    return found


def discovered_uids(root: str = RUNTIME_ROOT) -> set[int]:
    """Users, root apart, of whom a process is named as a daemon's is, or who have a state folder or a socket in /run/user/UID."""
    uids = {uid for uid, names in process_uids().items() if names}
    try:
        numbers = {_procfs.whole_number(name) for name in os.listdir(root)}
    except OSError:
        numbers = set()
    for uid in numbers - {None}:
        if any(os.path.lexists(f"{root}/{uid}/{name}") for name in (_rootlesskit.STATE_DIR, "docker.sock")):
            uids.add(uid)
    return uids - {0}


def users_with_a_daemon() -> list[str]:
    """Every user with a folder in C(/etc/rootless-docker), or with a daemon by whatever means it was made."""
    names = set(configured_users())
    for uid in sorted(discovered_uids())[:MAX_USERS]:
        try:
            names.add(pwd.getpwuid(uid).pw_name)
        except KeyError:
            # No account of this host's: a process in a container, whose uids are subordinate ones.
            continue
    return sorted(names)


def find_orphans(users: Iterable[str], processes: Iterable[Process]) -> dict[str, list[dict[str, int]]]:
    """The processes of each user's daemon, known by the configuration that the unit names to it.

    It is for users without an account, whose uid nobody knows.
    """
    options = {f"--config-file={CONFIGURATION}/{user}/daemon.json": user for user in users}
    found: dict[str, list[dict[str, int]]] = {user: [] for user in options.values()}
    for process in processes:
        for option in set(process.argv).intersection(options) if process.alive else ():
            found[options[option]].append({"pid": process.pid, "uid": process.uid})
    return {user: every[:MAX_ORPHANS] for user, every in found.items()}


# -- a user ------------------------------------------------------------------


def find_account(user: str) -> pwd.struct_passwd | None:
    """A user's account."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def own_name() -> str:
    """The name of the user who runs this; the number where it has no account."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def blank(user: str, account: pwd.struct_passwd | None, files: _account_facts.SubordinateFiles) -> dict[str, Any]:
    """A user of whom nothing is read yet. Readers put values in place of these, so that what was read is there when time is up."""
    state: dict[str, Any] = {
        "name": user,
        "exists": account is not None,
        "folder": has_own_folder(user),
        "made": made(user),
        "environment": own_file(user, "environment"),
        "daemon_json": own_file(user, "daemon.json"),
        "orphans": [],
    }
    if account is None:
        return state
    uid = account.pw_uid
    return {
        **state,
        "uid": uid,
        "home": account.pw_dir,
        "shell": account.pw_shell,
        "linger": os.path.exists(os.path.join(LINGER, user)),
        "manager": _unit.manager_is_up(uid),
        "bus": os.path.exists(f"{RUNTIME_ROOT}/{uid}/bus"),
        "runtime_directory": os.path.isdir(f"{RUNTIME_ROOT}/{uid}"),
        "state_directory": os.path.lexists(f"{RUNTIME_ROOT}/{uid}/{_rootlesskit.STATE_DIR}"),
        **_account_facts.subordinate_facts(files, user, uid),
        "data_root": dict.fromkeys(DATA_ROOT),
        "cgroup_controllers": _cgroups.user_controllers(uid),
        "unit": unit_result(_unit.NO_MANAGER, {}),
        "own": None,
        "digest": {"declared": None, "running": None},
        "reload_pending": False,
        "changed_since_start": [],
        "running": {
            **dict.fromkeys((*_programs.NAMES, "rootlesskit_version", "network_driver", "port_driver")),
            "processes_hidden": False,
            "variables": {},
            "changed_variables": [],
            "api": None,
            "api_error": None,
        },
        "engine": {"version": None, "api_version": None, "error": None, "reason": None, "containers": None},
        "network": {**network_state((), None, (), ()), "collisions": []},
        "published": None,
        "stale": [],
        "incomplete": True,
    }


def unit_result(unit: _unit.Unit, variables: dict[str, str]) -> dict[str, Any]:
    """The unit as a result names it."""
    shown = _environment.decisive(variables)
    return {
        "active": unit.active,
        "sub": unit.sub,
        "load": unit.load,
        "result": unit.result,
        "enabled": unit.enabled,
        "condition": unit.condition,
        "error": unit.error,
        "main_pid": unit.main_pid,
        "started": unit.started or None,
        "fragment": unit.fragment,
        "drop_ins": list(unit.drop_ins),
        "shadows": list(unit.shadows),
        "needs_daemon_reload": unit.needs_daemon_reload,
        "environment": shown,
        "environment_files": list(unit.environment_files),
        "other_variables": sorted(set(variables) - set(shown)),
    }


def declared_variables(unit: _unit.Unit, user: str, text: str | None) -> dict[str, str]:
    """The environment that the unit would start with: its own lines, then the user's file in /etc/rootless-docker.

    Another environment file is the user's to name and maybe not the user's to read, so root does not read it.
    """
    ours = os.path.join(CONFIGURATION, user, "environment")
    applies = text is not None and (ours in unit.environment_files or not unit.load)
    return {**unit.environment, **(_environment.parse_environment_file(text or "") if applies else {})}


def changed_since_start(unit: _unit.Unit, user: str) -> list[str]:
    """Those of root's files that decide how the daemon runs, which were written after it was last started."""
    paths = [*(os.path.join(CONFIGURATION, user, name) for name in ("environment", "daemon.json")), UNIT_FILE, WRAPPER_FILE]
    paths += [path for path in unit.drop_ins if os.path.dirname(path) in DROP_IN_FOLDERS]
    return [path for path in paths if modified(path) > unit.started]


def is_rootlesskit(process: Process) -> bool:
    """Whether a process is a RootlessKit that was started by the Engine's launch script, by its arguments."""
    return (
        process.alive
        and any(os.path.basename(argument) == LAUNCH_SCRIPT for argument in process.argv[:MAX_ARGUMENTS])
        and any(argument.startswith("--net") for argument in process.argv[:MAX_ARGUMENTS])
    )


def find_child(child_pid: int | None, processes: list[Process]) -> int | None:
    """The pid of RootlessKit's child: the one in STATE/child_pid, or else the child that looks like its parent.

    The second finds a daemon whose state folder was moved or removed.
    """
    by_pid = {process.pid: process for process in processes}
    if child_pid in by_pid:
        return child_pid
    kits = [process for process in processes if is_rootlesskit(process)]
    return next((process.pid for process in kits if process.ppid in by_pid and is_rootlesskit(by_pid[process.ppid])), None)


def inspect_user(
    state: dict[str, Any], account: pwd.struct_passwd, processes: list[Process], deadline: Deadline, data_root: str | None = None
) -> None:
    """Read one user's unit, processes and sockets into a C(blank) of theirs.

    :param data_root: where the data will be, if that is not to be read of the configuration that is there.
    """
    user, uid, limit = account.pw_name, account.pw_uid, deadline.remaining() * STEP
    unit = _unit.read_unit(uid, account.pw_gid, UNIT_FILE, deadline.within(limit))
    variables = declared_variables(unit, user, state["environment"])
    state["unit"] = unit_result(unit, variables)
    state["own"] = _own_unit.read_own(account, unit, variables, deadline.within(limit))
    if unit.active == "active":
        state["reload_pending"] = modified(os.path.join(CONFIGURATION, user, "daemon.json")) > unit.taken_up
        state["changed_since_start"] = changed_since_start(unit, user)
    found = _procfs.daemon_processes(uid, find_child(_rootlesskit.read_child_pid(uid), processes), processes)
    slirp4netns = slirp4netns_of(found, processes)
    environ: dict[str, str] = {}
    if found.parent:
        environ = _environment.parse_environ(_procfs.read_bytes(f"{_procfs.PROC}/{found.parent.pid}/environ", 2 * 1024 * 1024) or b"")
    info, api_error = ask_rootlesskit(uid, found, deadline.within(limit))
    options = own_options(found.parent.argv) if found.parent else ()
    if not options and any(name.startswith("DOCKERD_ROOTLESS_") for name in variables):
        options = options_of_environment(variables)
    pasta = found.live_pasta
    detached = _rootlesskit.has_detached_netns(uid) if found.child else None
    network = network_state(options, info, pasta.argv if pasta else (), slirp4netns.argv if slirp4netns else (), detached)
    # PATH decides which programs a restart starts; a process's own where nothing else says it.
    paths = variables if "PATH" in variables else environ
    running: dict[str, Any] = {
        "variables": compared_variables(state["environment"], environ) if found.parent else {},
        "changed_variables": changed_variables(variables, environ, unit) if environ else [],
        "processes_hidden": _procfs.processes_are_hidden(),
        "rootlesskit": described("rootlesskit", found.parent, paths),
        "rootlesskit_version": info.version if info else None,
        "network_driver": info.network_driver if info else None,
        "port_driver": network["port_driver"]["in_effect"],
        "dockerd": described("dockerd", found.dockerd, paths),
        "containerd": described("containerd", found.containerd, paths),
        # What a wrapper runs only the wrapper knows.
        "pasta": described("pasta", pasta, {} if network["pasta_binary"] else paths, elsewhere=bool(network["pasta_binary"])),
        "slirp4netns": described("slirp4netns", slirp4netns, paths),
        "api": info.as_result() if info else None,
        "api_error": api_error,
    }
    state["network"] = {**network, "collisions": []}
    state["running"] = running
    state["digest"] = {"declared": variables.get(_problems.DIGEST), "running": environ.get(_problems.DIGEST)}
    state["stale"] = _programs.stale(running)
    engine = read_engine(uid, deadline.within(limit))
    if engine["version"] and running["dockerd"]:
        running["dockerd"]["version"] = engine["version"]
    state["published"] = engine.pop("published")
    networks = engine.pop("networks") or {}
    state["engine"] = engine
    if running["rootlesskit"]:
        running["rootlesskit"]["version"] = running["rootlesskit_version"]
    owned = {"cidr": [network["cidr"]] if network["cidr"] else []}
    owned.update({f"docker network {name}": subnets for name, subnets in networks.items()})
    state["network"]["collisions"] = _networks.collisions(owned, _networks.read_routes())
    ask_running(running["pasta"], _programs.asker(deadline, uid, account.pw_gid))
    if host_source() != "files":
        with contextlib.suppress(SourceError):
            state.update(_account_facts.subordinate_facts_of_source(user, deadline.within(limit)))
    # Last: a network file system whose server is gone keeps whoever asks.
    path = data_root or _account_facts.data_root_path(account.pw_dir, state["daemon_json"], variables)
    # With the path alone all but this is read.
    state["data_root"] = {**state["data_root"], "path": path}
    state["data_root"] = _account_facts.data_root_facts(path, account)
    state["incomplete"] = False


def slirp4netns_of(found: DaemonProcesses, processes: list[Process]) -> Process | None:
    """The slirp4netns that serves RootlessKit's child, which its arguments name."""
    if found.child is None:
        return None
    mine = str(found.child.pid)
    return next((p for p in processes if p.alive and "slirp4netns" in p.names and mine in p.argv), None)


def ask_rootlesskit(uid: int, found: DaemonProcesses, deadline: Deadline) -> tuple[_rootlesskit.Info | None, str | None]:
    """RootlessKit's answer, or why there is none; neither where none runs."""
    if found.child is None:
        return None, None
    try:
        return _rootlesskit.get_info(uid, deadline), None
    except HttpError as error:
        return None, str(error)


def compared_variables(text: str | None, environ: dict[str, str]) -> dict[str, str | None]:
    """Of a process what decides how it runs, and what else its environment file names, which everybody can read."""
    names = [*VARIABLES, *_environment.parse_environment_file(text or "")]
    return {name: environ.get(name) for name in dict.fromkeys(names)}


def changed_variables(declared: dict[str, str], runs: dict[str, str], unit: _unit.Unit) -> list[str]:
    """Names of decisive variables of which a process has another value than its unit would give it now.

    Where the unit names environment files that were not read, nothing is known.
    """
    if unit.active != "active" or any(not path.startswith(CONFIGURATION + "/") for path in unit.environment_files):
        return []
    return sorted(
        name
        for name, value in _environment.decisive(declared).items()
        if not _environment.is_given(name, value, runs.get(name)) and name != _problems.DIGEST
    )


def described(name: str, process: Process | None, variables: dict[str, str], elsewhere: bool = False) -> dict[str, Any] | None:
    """One of a daemon's processes as a result names it.

    :param variables: of which PATH says what a restart would start.
    :param elsewhere: that is not known, because it is started by a path of its own.
    """
    if process is None:
        return None
    installed = None if elsewhere else _programs.would_start(name, variables)
    return _programs.program(process, _programs.was_replaced(process), installed, _prerequisites.apparmor_label(process.pid))


def ask_running(pasta: dict[str, Any] | None, ask: _programs.Ask) -> None:
    """Version and options of a pasta that is none of the system's, asked with the user's rights; the system's are asked once for all."""
    if pasta and pasta["exe"] and not pasta["deleted"] and not pasta["exe"].startswith("/usr/bin/"):
        pasta["version"] = _programs.disk_version("pasta", pasta["exe"], ask)
        pasta["options"] = _programs.pasta_options(pasta["exe"], ask)


def conclude(state: dict[str, Any], host: dict[str, Any]) -> None:
    """What follows from a user and the host together: versions of what runs from the system's own files, the state, and the problems."""
    if state["exists"]:
        for name in ("pasta", "slirp4netns"):
            runs, path = state["running"][name], host[name]
            if not runs or runs["deleted"] or runs["version"] or not path:
                continue
            # Without root pasta's file cannot be seen; then what a restart would start stands for it.
            if _programs.same_program(runs["exe"] or runs["installed"] or "", os.path.realpath(path)):
                runs["version"] = host[f"{name}_version"]
                runs["options"] = host["pasta_options"] if name == "pasta" else None
    state["state"] = _problems.state_of(state, host)
    state["problems"] = _problems.user_problems(state, host)
    state["advice"] = _problems.user_advice(state, host)


def inspect_users(users: list[str], deadline: Deadline, data_roots: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """What C(inspect_user) reads of each user, and what it has read until the deadline."""
    accounts = {user: find_account(user) for user in users}
    files = _account_facts.read_files(_subid.FILES, _account_facts.DATABASES)
    states = {user: blank(user, account, files) for user, account in accounts.items()}
    there = {user: account for user, account in accounts.items() if account is not None}
    nameless = [user for user, state in states.items() if state["folder"] and not state["exists"]]
    for user, processes in find_orphans(nameless, _procfs.list_processes() if nameless else []).items():
        states[user]["orphans"] = processes
    mine: dict[int, list[Process]] = {account.pw_uid: [] for account in there.values()}
    for process in _procfs.list_processes(set(mine)) if mine else []:
        mine[process.uid].append(process)
    run_all(
        {
            user: functools.partial(inspect_user, states[user], account, mine[account.pw_uid], deadline, (data_roots or {}).get(user))
            for user, account in there.items()
        },
        deadline,
    )
    return {user: dict(state) for user, state in states.items()}


def inspect(
    users: list[str],
    everybody: bool,
    rootlesskit_directory: str,
    seconds: float,
    data_roots: dict[str, str] | None = None,
    packages: Sequence[str] = (),
) -> dict[str, Any]:
    """The host, and the users named, or with C(everybody) those besides who have a daemon.

    :param seconds: for everything.
    :param data_roots: by user, where their data will be.
    :param packages: whose programs are compared with what the packages brought.
    :returns: C(host) and C(users).
    :raises TimeoutError: what is common to all users could not be read in time; it names what is missing.
    """
    deadline = Deadline(seconds)

    def read_users() -> dict[str, dict[str, Any]]:
        return inspect_users(sorted({*users, *users_with_a_daemon()}) if everybody else users, deadline, data_roots)

    readers = {"host": functools.partial(inspect_host, rootlesskit_directory, deadline, packages), "users": read_users}
    # Both read side by side themselves, until the same deadline: they need time to hand in what they have without a reader that hangs.
    read = run_all(readers, deadline, grace=2 * GRACE + LAST_READS)
    missing = [COMMON_READS[name] for name in readers if name not in read]
    if missing:
        raise TimeoutError(
            f"reading {' and '.join(missing)} did not end within {seconds:g} seconds; find what hangs there (an account database, a file "
            "system whose server is gone), or raise timeout"
        )
    host, states = read["host"], read["users"]
    for state in states.values():
        conclude(state, host)
    if everybody:
        states = {name: state for name, state in states.items() if name in users or state["folder"] or state["state"] != _problems.ABSENT}
    wanted = any(state["state"] != _problems.ABSENT for state in states.values())
    host["problems"] = _problems.host_problems(host) if wanted else []
    return {"host": host, "users": states}
