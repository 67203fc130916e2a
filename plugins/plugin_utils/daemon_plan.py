# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is declared for each user and what a host is, to what has to be done. Pure: it reads and changes nothing.

Where figures about versions come from: docs/facts.md.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.adoption import adoption_changes, adoption_obstacles
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_accounts import (
    account_obstacle,
    data_obstacle,
    overlap_notes,
    too_few,
)
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import DIGEST, complete

CONFIGURATION = "/etc/rootless-docker"
WRAPPER = "/usr/local/libexec/rootless-docker/pasta"
UNIT = "/etc/systemd/user/docker.service"
ENABLED = "/etc/systemd/user/default.target.wants/docker.service"
SHELL_SNIPPET = "/etc/profile.d/rootless-docker.sh"
# The first line of every file of the role, which tells it from somebody else's.
HEAD = "# Written by Ansible, role portside.rootless_docker.rootless_daemon."

# dockerd takes these up on SIGHUP (Docker's documentation of daemon.json); every other key needs a restart.
RELOADABLE = {
    "allow-nondistributable-artifacts", "authorization-plugins", "debug", "default-runtime", "features", "insecure-registries", "labels",
    "live-restore", "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts", "registry-mirrors", "runtimes",
    "shutdown-timeout",
}  # fmt: skip


def version(text: str | None) -> tuple[int, ...]:
    """The numbers at the start of a version; empty for none."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", text or "")
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()


def engine_is_known_with_pesto(text: str | None) -> bool:
    """Whether publishing through pesto was seen to work with this Engine: 26.1, and 29.8 and later."""
    return version(text)[:2] == (26, 1) or version(text) >= (29, 8)


def resolve_port_driver(user: dict[str, Any], host: dict[str, Any]) -> str:
    """What C(auto) means on this host; every other value as it is.

    pesto binds the address that was asked for, at once, and nothing else; so it is preferred where it was seen to work.
    """
    if user["port_driver"] != "auto":
        return user["port_driver"]
    if user["network_driver"] == "slirp4netns":
        return "builtin"
    works = (
        version(host["rootlesskit_version"]) >= (3, 1, 0)
        and "--conf-path" in host["pasta_options"]
        and not user["ipv6"]
        and engine_is_known_with_pesto(host["dockerd_version"])
    )
    return "pesto" if works else "implicit"


def needs_wrapper(user: dict[str, Any], port_driver: str, host: dict[str, Any]) -> bool:
    """Whether pasta has to be told to forward the ephemeral range too.

    passt from 2026_05_07 on leaves it out of what it forwards by itself. That is the release that learned --conf-path.
    """
    return user["network_driver"] == "pasta" and port_driver == "implicit" and "--conf-path" in host["pasta_options"]


def combination_errors(user: dict[str, Any], port_driver: str, host: dict[str, Any]) -> list[str]:
    """Why this combination is known not to work on this host."""
    rootlesskit, engine = host["rootlesskit_version"], host["dockerd_version"]
    pasta = user["network_driver"] == "pasta"
    pesto = port_driver == "pesto"
    rules = [
        (
            pasta and version(rootlesskit) < (2, 3, 2),
            f"rootlesskit {rootlesskit} is older than 2.3.2: a port published on 127.0.0.1 is reset. Remedy: role rootlesskit",
        ),
        (
            pesto and version(rootlesskit) < (3, 1, 0),
            f"port_driver pesto needs rootlesskit 3.1.0, installed is {rootlesskit}. Remedy: role rootlesskit, or port_driver implicit",
        ),
        (
            pesto and "--conf-path" not in host["pasta_options"],
            f"port_driver pesto needs a pasta that accepts --conf-path, and {host['pasta']} does not. "
            "Remedy: pasta_source: backports, or port_driver implicit",
        ),
        (
            pesto and version(engine)[:1] == (28,),
            f"port_driver pesto does not work with Docker Engine {engine}: every publish fails with «unsupported ChildIP». "
            "Remedy: port_driver implicit, or another Engine",
        ),
    ]
    return [text for applies, text in rules if applies]


def missing_programs(user: dict[str, Any], host: dict[str, Any]) -> list[str]:
    """Programs that the daemon needs and the host does not have, with where they come from."""
    wanted = {"dockerd": "role docker_engine", "launch_script": "role docker_engine", "rootlesskit": "role rootlesskit"}
    if user["network_driver"] == "pasta":
        wanted["pasta"] = "role pasta"
    return [f"{name.replace('_', ' ')} is not installed. Remedy: {remedy}" for name, remedy in wanted.items() if not host[name]]


def quoted(value: Any) -> str:
    """A value as systemd reads it from an EnvironmentFile, where nothing is expanded."""
    return '"' + re.sub(r'(["\\`$])', r"\\\1", str(value)) + '"'


def environment(user: dict[str, Any], port_driver: str, wrapper: bool) -> dict[str, str]:
    """The variables of the unit: every choice is written out, the launch script's own defaults differ between Engine versions."""
    flags = [f"--pasta-binary={WRAPPER}"] if wrapper else []
    flags += [f"--cidr={user['cidr']}"] if user["cidr"] else []
    flags += ["--ipv6"] if user["ipv6"] else []
    prefix = "DOCKERD_ROOTLESS_ROOTLESSKIT_"
    return {
        f"{prefix}NET": user["network_driver"],
        f"{prefix}PORT_DRIVER": port_driver,
        f"{prefix}MTU": str(user["mtu"]),
        f"{prefix}DISABLE_HOST_LOOPBACK": "false" if user["host_loopback"] else "true",
        # The launch scripts of 29.5 and later detach by themselves, and --net=host is the host's own network then.
        f"{prefix}DETACH_NETNS": "true" if user["detach_netns"] else "false",
        f"{prefix}FLAGS": " ".join([*flags, *user["rootlesskit_flags"]]),
        **{str(key): str(value) for key, value in user["environment"].items()},
    }


def render_json(data: Any) -> str:
    """JSON as the roles write it: the same data gives the same text."""
    return json.dumps(data, indent=2, sort_keys=True) + "\n"


def split_config(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """daemon.json's keys that a reload takes up, and those that need a restart."""
    reloadable = {key: value for key, value in config.items() if key in RELOADABLE}
    return reloadable, {key: value for key, value in config.items() if key not in RELOADABLE}


def effective(text: str) -> str:
    """A file less its comments and blank lines: a better comment is no reason to stop anybody's containers."""
    return "\n".join(line for line in text.splitlines() if line.startswith("#!") or not re.match(r"\s*(#|$)", line))


def digest(variables: dict[str, str], config: dict[str, Any], unit: str, wrapper: str) -> str:
    """Stands for everything that needs a restart when it changes.

    Of the keys that dockerd reloads, which are there counts, and their values do not: dockerd takes up a new value, and keeps the old
    one of a key that is gone (daemon/reload.go in moby sets what is set).
    """
    reloadable, other = split_config(config)
    return hashlib.sha256(render_json([variables, sorted(reloadable), other, effective(unit), effective(wrapper)]).encode()).hexdigest()[
        :32
    ]


REST_CHANGED = "the unit, the environment, the wrapper, or keys of daemon.json that need a restart changed"


def unit_action(variables: dict[str, str], environment_text: str, config: str, state: dict[str, Any]) -> tuple[str, str]:
    """What to do with a user's unit, and why; C(none) where it runs as declared.

    :param variables: what the unit should have been started with, the digest included.
    :param environment_text: the wanted text of the user's environment file.
    :param config: the wanted text of daemon.json.
    """
    if not state.get("exists") or state["unit"]["active"] != "active":
        return "start", f"it is {state['unit']['active'] if state.get('exists') else 'new'}"
    if not state["running"]["rootlesskit"]:
        return "restart", "its RootlessKit cannot be found, so nobody knows what runs (STATE/child_pid names no process of the user's)"
    if state["stale"]:
        return "restart", "; ".join(state["stale"])
    runs = state["running"]["variables"]
    differ = [f"{name} is {value!r}, declared is {variables[name]!r}" for name, value in runs.items() if value != variables[name]]
    if differ:
        # The digest differs with every one of them; alone it stands for what it is made of besides.
        named = [text for text in differ if not text.startswith(DIGEST)]
        return "restart", "; ".join(named) or REST_CHANGED
    if effective(environment_text) != effective(state["environment"] or ""):
        return "restart", "its environment file was changed since, and nobody knows which text it was started with"
    if config != state["daemon_json"] or state["reload_pending"]:
        return "reload", "daemon.json changed in keys that a reload takes up"
    return "none", ""


def make_plan(
    users: list[dict[str, Any]],
    info: dict[str, Any],
    texts: dict[str, str],
    check_mode: bool = False,
    replace_unit: bool = False,
    adopt: bool = False,
) -> dict[str, Any]:
    """Everything that has to be done, before anything is.

    :param users: what is declared (O(rootless_daemon_users)).
    :param info: what the module C(rootless_docker_info) returned.
    :param texts: rendered C(unit), C(wrapper) and C(shell) (empty for no snippet).
    :param check_mode: programs that another role would have installed may be missing then.
    :param replace_unit: whether a unit at our path that is not ours may be replaced.
    :param adopt: whether a unit in a user's home that hides ours is to be removed, and its daemon's data taken over.
    :returns: C(errors), on which nothing may be done; C(left_out), users who cannot be served while the others are; C(notes).
        Lists for the tasks: C(accounts), C(subordinate_ids), C(preparations), C(packages), C(stop), C(directories), C(files),
        C(start).
        C(reasons), a line for each unit that is touched; C(resolved), the port driver of each user.
    """
    host = info["host"]
    plan: dict[str, Any] = {
        "errors": [], "left_out": [], "notes": [], "accounts": [], "subordinate_ids": [], "preparations": [],
        "packages": [], "stop": [], "start": [], "reasons": [], "resolved": {}, "directories": [], "files": [],
    }  # fmt: skip
    declared = [complete(user) for user in users]
    present = {user["name"]: user for user in declared if user["state"] == "present"}
    absent = {user["name"]: user for user in declared if user["state"] == "absent"}
    found = host["unit_text"]
    if present and found is not None and not found.startswith(HEAD) and not replace_unit:
        plan["errors"].append(
            f"{UNIT} is there and was not written by this role. Nothing was changed. Remedy: move it away, or let the role "
            "replace it with rootless_daemon_replace_unit: true"
        )
    wrapper_wanted = False
    for user in present.values():
        missing = missing_programs(user, host)
        if missing and not check_mode:
            plan["errors"] += [f"{user['name']}: {text}" for text in missing]
            continue
        port_driver = resolve_port_driver(user, host)
        wrapper = needs_wrapper(user, port_driver, host)
        wrapper_wanted = wrapper_wanted or wrapper
        if not missing:
            plan["errors"] += [f"{user['name']}: {text}" for text in combination_errors(user, port_driver, host)]
        plan["resolved"][user["name"]] = port_driver
        plan_user(plan, user, port_driver, wrapper, info, texts, adopt)
    for name in absent:
        plan_removal(plan, name, info["users"].get(name, {}))
    if plan["accounts"]:
        # Without these files useradd gives no subordinate ids.
        plan["preparations"] += [{"path": path, "content": ""} for path in host["missing_subordinate_files"]]
    plan_common(plan, host, set(present), set(absent), texts, wrapper_wanted)
    return plan


def is_hidden(state: dict[str, Any]) -> bool:
    """Whether a unit that is not ours is in force for the user."""
    unit = state.get("unit", {"fragment": "", "shadows": []})
    return unit["fragment"] in unit["shadows"]


def obstacle(user: dict[str, Any], state: dict[str, Any], adopt: bool = False) -> str:
    """Why one user's daemon cannot be as declared although all others can; empty where it can.

    These are a user's own doing, or their account's: they must not keep the role from the other users of the host.
    """
    if is_hidden(state) and adopt:
        found = adoption_obstacles(user, state)
        return f"its daemon cannot be adopted: {'; '.join(found)}" if found else ""
    if is_hidden(state):
        return (
            f"the unit in force is {state['unit']['fragment']}, which hides {UNIT}. Remedy: as {user['name']}, "
            "`systemctl --user disable --now docker.service`, remove that file, and run again; or let the role do that and take the data "
            "over, with rootless_daemon_adopt: true"
        )
    if not state["exists"] and not user["create"]:
        return (
            "there is no such account, and its option create is false. Remedy: see whether the directory service answers "
            f"(getent passwd {user['name']})"
        )
    return ""


def plan_user(
    plan: dict[str, Any],
    user: dict[str, Any],
    port_driver: str,
    wrapper: bool,
    info: dict[str, Any],
    texts: dict[str, str],
    adopt: bool = False,
) -> None:
    """One user that should have a daemon."""
    name, host = user["name"], info["host"]
    state = info["users"].get(name, {"exists": False, "made": {}})
    variables = environment(user, port_driver, wrapper)
    mark = digest(variables, user["daemon_config"], texts["unit"], texts["wrapper"] if wrapper else "")
    config = render_json(user["daemon_config"])
    variables = {**variables, DIGEST: mark}
    environment_text = f"{HEAD}\n# Every user of the host can read it.\n" + "".join(
        f"{key}={quoted(value)}\n" for key, value in variables.items()
    )
    action, because = unit_action(variables, environment_text, config, state)
    own: dict[str, Any] = {}
    reason = obstacle(user, state, adopt) or account_obstacle(state, host)
    if not reason and is_hidden(state):
        own = {"own_unit": {"path": state["unit"]["fragment"], "text": state["own"]["unit"]}}
        changes = "; ".join(adoption_changes(user, port_driver, state)) or "nothing else"
        action, because = "adopt", f"rootless_daemon_adopt is true: {state['unit']['fragment']} is removed. What changes: {changes}"
    if not reason and action in ("start", "restart", "adopt"):
        reason = data_obstacle(state)
    if reason:
        plan["left_out"].append(f"{name} was left out: {reason}")
        return
    plan["notes"] += [f"{name}: {text}" for text in overlap_notes(state)]
    unit = state.get("unit", {"fragment": "", "shadows": []})
    plan["notes"] += [f"{name}: {path} adds to the unit, and nobody declared it" for path in unit["shadows"] if path != unit["fragment"]]
    folder = f"{CONFIGURATION}/{name}"
    record = state["made"]
    if not state["exists"]:
        plan["accounts"].append({"name": name, "shell": user["shell"]})
        # Known before it is made: a run that is cut off in between must not forget whose account it is.
        record = {**record, "account": True}
        plan["preparations"].append({"path": f"{folder}/made.json", "content": render_json(record)})
    if not state["exists"] or too_few(state):
        plan["subordinate_ids"].append({"user": name, "record": f"{folder}/made.json"})
    if user["network_driver"] == "slirp4netns" and not host["slirp4netns"]:
        plan["packages"] = ["slirp4netns"]

    linger = state.get("linger", False)
    record = {**record, "linger": bool(record.get("linger", not linger))}
    validate = [host["dockerd"], "--validate", "--config-file=%s"] if host["dockerd"] else []
    plan["directories"].append({"path": folder, "exclusive": True})
    plan["files"] += [
        {"path": f"{folder}/environment", "content": environment_text},
        {"path": f"{folder}/daemon.json", "content": config, "validate": validate},
        {"path": f"{folder}/made.json", "content": render_json(record)},
    ]
    if action != "none" or not linger:
        plan["start"].append({"user": name, "action": action, **({} if linger else {"linger": True}), **own})
    if action != "none":
        plan["reasons"].append(f"{name}: {action}, because {because}" + CONSEQUENCE.get(action, ""))


CONSEQUENCE = {
    "restart": ". A restart of RootlessKit stops all containers of the user",
    "adopt": ". All containers of the user stop and are kept; those with a restart policy start again",
}


def plan_removal(plan: dict[str, Any], name: str, state: dict[str, Any]) -> None:
    """One user that should have no daemon: what the role made goes, the account and the data stay."""
    plan["directories"].append({"path": f"{CONFIGURATION}/{name}", "state": "absent"})
    if not state.get("exists"):
        return
    runs = (
        state["unit"]["active"] not in ("inactive", "failed", "no user manager")
        and state["unit"]["fragment"] not in state["unit"]["shadows"]
    )
    linger = state["made"].get("linger", False) and state["linger"]
    if runs or linger:
        plan["stop"].append({"user": name, "action": "stop" if runs else "none", **({"linger": False} if linger else {})})
    if runs:
        plan["reasons"].append(f"{name}: stop, because its state is absent. All containers of the user stop; their data is kept")


def plan_common(
    plan: dict[str, Any], host: dict[str, Any], present: set[str], absent: set[str], texts: dict[str, str], wrapper_wanted: bool
) -> None:
    """What all users share; it goes with the last of them."""
    others = set(host["configured"]) - present - absent
    state = "present" if present or others else "absent"
    plan["directories"] = [{"path": CONFIGURATION, "state": state}, *plan["directories"]]
    if state == "absent":
        # Where no user has a folder, a unit of that name is somebody else's. Folders go last, so a run that was cut off still has one.
        paths = [ENABLED, SHELL_SNIPPET, WRAPPER] if host["configured"] else []
        if paths and (host["unit_text"] or "").startswith(HEAD):
            paths.insert(0, UNIT)
        plan["files"] += [{"path": path, "state": "absent"} for path in paths]
        return
    plan["files"] += [
        {"path": UNIT, "content": texts["unit"]},
        {"path": ENABLED, "target": UNIT},
        {"path": SHELL_SNIPPET, "content": texts["shell"]} if texts["shell"] else {"path": SHELL_SNIPPET, "state": "absent"},
    ]
    if wrapper_wanted:
        plan["files"].append({"path": WRAPPER, "content": texts["wrapper"], "mode": "0755"})
    elif not others:
        plan["files"].append({"path": WRAPPER, "state": "absent"})
