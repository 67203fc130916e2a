# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is declared for each user and what a host is, to what has to be done. Pure: it reads and changes nothing.

Where figures about versions come from: docs/facts.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any, NamedTuple

from ansible_collections.portside.rootless_docker.plugins.module_utils._account_facts import another_note
from ansible_collections.portside.rootless_docker.plugins.module_utils._environment import parse_environment_file
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_removal
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.adoption import adoption_changes, adoption_obstacles, data_root
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_accounts import (
    account_obstacle,
    answer_obstacle,
    data_obstacle,
    overlap_notes,
    too_few,
    with_ids,
)
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_action import (
    DEFER,
    NOW,
    edited,
    effective,
    goes_with_files,
    meanwhile,
    put_off,
    reading,
    split_config,
    start_of,
    start_of_no_daemon,
    start_to_name,
    unit_action,
    with_start,
)
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_effect import unlike_asked, unlike_told
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import DIGEST, complete
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_prediction import PORT_DRIVER, port_driver_kept

CONFIGURATION = daemon_removal.CONFIGURATION
WRAPPER = "/usr/local/libexec/rootless-docker/pasta"
UNIT = "/etc/systemd/user/docker.service"
ENABLED = "/etc/systemd/user/default.target.wants/docker.service"
SHELL_SNIPPET = "/etc/profile.d/rootless-docker.sh"
FLAGS = "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS"
# Where packages put their units and drop-ins.
VENDOR = "/usr/lib/"
# The first line of every file of the role, which tells it from somebody else's.
HEAD = "# Written by Ansible, role portside.rootless_docker.rootless_daemon."


def version(text: str | None) -> tuple[int, ...]:
    """The numbers at the start of a version; empty for none."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", text or "")
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()


def engine_is_known_with_pesto(text: str | None) -> bool:
    """Whether publishing through pesto was seen to work with this Engine: 26.1, and 29.8 and later."""
    return version(text)[:2] == (26, 1) or version(text) >= (29, 8)


def resolve_port_driver(user: dict[str, Any], host: dict[str, Any]) -> str | None:
    """What C(auto) means on this host, None where that depends on what nobody knows; every other value as it is.

    pesto binds the address that was asked for, at once, and nothing else; so it is preferred where it was seen to work.
    """
    if user["port_driver"] != "auto":
        return user["port_driver"]
    if user["network_driver"] == "slirp4netns":
        return "builtin"
    rootlesskit, options, engine = host["rootlesskit_version"], host["pasta_options"], host["dockerd_version"]
    needs = [
        not user["ipv6"],
        None if rootlesskit is None else version(rootlesskit) >= (3, 1, 0),
        None if options is None else "--conf-path" in options,
        None if engine is None else engine_is_known_with_pesto(engine),
    ]
    if False in needs:
        return "implicit"
    return None if None in needs else "pesto"


def needs_wrapper(user: dict[str, Any], port_driver: str | None, host: dict[str, Any]) -> bool | None:
    """Whether pasta has to be told to forward the ephemeral range too; None where nobody knows.

    passt from 2026_05_07 on leaves it out of what it forwards by itself. That is the release that learned --conf-path.
    """
    if user["network_driver"] != "pasta" or port_driver != "implicit":
        return False
    return None if host["pasta_options"] is None else "--conf-path" in host["pasta_options"]


def as_chosen_for(host: dict[str, Any], environment_text: str | None) -> dict[str, Any]:
    """The same host; where nobody knows what pasta accepts, with what a user's environment file tells of it: who wrote that, knew.

    Otherwise an overloaded host would be enough to give a user another port driver, with a restart.
    """
    if host["pasta_options"] is not None:
        return host
    variables = parse_environment_file(environment_text or "")
    driver = variables.get(PORT_DRIVER)
    if driver == "pesto" or f"--pasta-binary={WRAPPER}" in variables.get(FLAGS, ""):
        return {**host, "pasta_options": ["--conf-path"]}
    return {**host, "pasta_options": []} if driver == "implicit" else host


def combination_errors(user: dict[str, Any], port_driver: str, host: dict[str, Any]) -> list[str]:
    """Why this combination is known not to work on this host; what nobody knows refuses nothing, but a RootlessKit that does not answer."""
    rootlesskit, engine = host["rootlesskit_version"], host["dockerd_version"]
    known = rootlesskit is not None
    pasta = user["network_driver"] == "pasta"
    pesto = port_driver == "pesto"
    rules = [
        (
            pasta and host["rootlesskit"] and not known,
            f"{host['rootlesskit']} gives no version, so nobody knows whether it is 2.3.2 or later. Remedy: run again when the host is "
            "less busy; if it stays so, role rootlesskit",
        ),
        (
            pasta and known and version(rootlesskit) < (2, 3, 2),
            f"rootlesskit {rootlesskit} is older than 2.3.2: a port published on 127.0.0.1 is reset. Remedy: role rootlesskit",
        ),
        (
            pesto and known and version(rootlesskit) < (3, 1, 0),
            f"port_driver pesto needs rootlesskit 3.1.0, installed is {rootlesskit}. Remedy: role rootlesskit, or port_driver implicit",
        ),
        (
            pesto and host["pasta_options"] is not None and "--conf-path" not in host["pasta_options"],
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


def unanswered(host: dict[str, Any]) -> str:
    """Why nobody knows which port driver a user is to have."""
    asked = {"rootlesskit": "rootlesskit_version", "pasta": "pasta_options", "dockerd": "dockerd_version"}
    silent = [host[name] for name, fact in asked.items() if host[fact] is None]
    return (
        f"which port driver it is to have depends on {' and '.join(silent)}, which gave no answer. Remedy: run again when the host is "
        "less busy; if it stays so, see what it answers to --version"
    )


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


def digest(variables: dict[str, str], config: dict[str, Any], unit: str, wrapper: str) -> str:
    """Stands for everything that needs a restart when it changes.

    Of the keys that dockerd reloads, which are there counts, and their values do not: dockerd takes up a new value, and keeps the old
    one of a key that is gone (daemon/reload.go in moby sets what is set).
    """
    reloadable, other = split_config(config)
    return hashlib.sha256(render_json([variables, sorted(reloadable), other, effective(unit), effective(wrapper)]).encode()).hexdigest()[
        :32
    ]


def make_plan(
    users: list[dict[str, Any]],
    info: dict[str, Any],
    texts: dict[str, str],
    check_mode: bool = False,
    replace_unit: bool = False,
    restart: str = NOW,
    remove_foreign: bool = False,
    adopt: bool = False,
    unstopped: dict[str, str] | None = None,
    spare: bool = False,
) -> dict[str, Any]:
    """Everything that has to be done, before anything is.

    :param users: what is declared (O(rootless_daemon_users)).
    :param info: what the module C(rootless_docker_info) returned.
    :param texts: rendered C(unit), C(wrapper) and C(shell) (empty for no snippet).
    :param check_mode: programs that another role would have installed may be missing then.
    :param replace_unit: whether a unit at our path that is not ours may be replaced.
    :param restart: when a daemon is restarted (O(rootless_daemon_restart)).
    :param remove_foreign: whether drop-ins of root's that nobody declared go.
    :param adopt: whether a unit in a user's home that hides ours is to be removed, and its daemon's data taken over.
    :param unstopped: users to be absent whose daemon could not be stopped, by name, and why. What it needs stays.
    :param spare: whether what a daemon needs stays for those too that this plan does not stop, whoever made them.
    :returns: C(errors), on which nothing may be done; C(left_out), users who cannot be served while the others are; C(notes).
        Lists for the tasks: C(repair), packages whose programs were changed; C(accounts), C(subordinate_ids), C(preparations),
        C(packages), C(stop), C(directories), C(files), C(start), and for users whose data goes too C(hand_back), C(subid_back)
        and C(kept), what is on record until it is gone.
        C(reasons), a line for each unit that is touched; C(resolved), the port driver of each user.
        C(deferred), a line for each restart or adoption that is put off and shows as a change; C(previous), users who run as they were
        started, by which of both; C(unserved), users to be present for whom nothing is done; C(unanswered), users to be
        absent whose daemon may run, because nobody knows, it could not be stopped, or it runs without an account; with C(spare) also
        everybody whose daemon is not stopped.
    """
    host = info["host"]
    info = daemon_removal.with_kept(info)
    plan: dict[str, Any] = {
        "errors": [], "left_out": [], "notes": [], "accounts": [], "subordinate_ids": [], "preparations": [],
        "packages": [], "stop": [], "start": [], "reasons": [], "resolved": {}, "directories": [], "files": [],
        "repair": list(host["altered"]),
        "hand_back": [], "subid_back": [], "kept": {},
        "deferred": [], "previous": [], "gone": [], "unserved": [], "unanswered": [],
    }  # fmt: skip
    if remove_foreign:
        # Those of packages are not this role's to remove.
        plan["gone"] = [path for path in host["drop_ins"] if not path.startswith(VENDOR)]
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
        before = info["users"].get(user["name"], {}).get("environment")
        told = as_chosen_for(host, before)
        port_driver = resolve_port_driver(user, told) or port_driver_kept(user, before)
        wrapper = needs_wrapper(user, port_driver, told)
        # In check mode a program may give no answer because the roles before replace it: then this goes as far as anybody can tell.
        silent = unanswered(host) if (port_driver is None or wrapper is None) and not check_mode else ""
        port_driver = port_driver or "implicit"
        wrapper = bool(wrapper or needs_wrapper(user, port_driver, told))
        wrapper_wanted = wrapper_wanted or wrapper
        plan["errors"] += [f"{user['name']}: {text}" for text in combination_errors(user, port_driver, host)]
        if not silent:
            plan["resolved"][user["name"]] = port_driver
        plan_user(plan, user, port_driver, wrapper, info, texts, restart, adopt, silent)
    # What was kept of users who are declared again is among what was made for them.
    served = {directory["path"] for directory in plan["directories"]}
    kept = {name: entry for name, entry in host.get("kept", {}).items() if f"{CONFIGURATION}/{name}" not in served}
    # The daemon of a user who is left out starts with what its environment says.
    stay = [info["users"].get(name, {}).get("environment") or "" for name in present if f"{CONFIGURATION}/{name}" not in served]
    wrapper_wanted = wrapper_wanted or any(f"--pasta-binary={WRAPPER}" in text for text in stay)
    for name, user in absent.items():
        daemon_removal.plan_removal(plan, user, info["users"].get(name, {}), kept, (unstopped or {}).get(name, ""))
    if spare:
        daemon_removal.spare_others(plan, info["users"])
    if plan["accounts"]:
        # Without these files useradd gives no subordinate ids.
        plan["preparations"] += [{"path": path, "content": ""} for path in host["missing_subordinate_files"]]
    plan_common(plan, host, set(present), texts, wrapper_wanted)
    if kept or host.get("kept"):
        # After made.json of those who come back, which takes over what it says of them. What goes away goes after all that is written.
        plan["files"].append(daemon_removal.record_file(kept))
    plan["kept"] = kept
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
            "`systemctl --user disable --now docker.service`, remove that file, and run again; or let the playbook site do "
            "that and take the data over, with rootless_daemon_adopt: true and rootless_daemon_restart: now (the playbook upgrade adopts "
            "no daemon)"
        )
    if not state["exists"] and not user["create"]:
        return (
            "there is no such account, and its option create is false. Remedy: see whether the directory service answers "
            f"(getent passwd {user['name']})"
        )
    return ""


class Wanted(NamedTuple):
    """What one user's daemon should have been started with.

    :ivar texts: path and text of the files of the unit and of the wrapper, where it is used.
    """

    variables: dict[str, str]
    environment: str
    config: str
    texts: dict[str, str]


def wanted_of(user: dict[str, Any], port_driver: str, wrapper: bool, texts: dict[str, str], start: str) -> Wanted:
    """What one user's daemon should be started with.

    :param start: of a daemon, which the digest names; empty for none.
    """
    variables = environment(user, port_driver, wrapper)
    mark = digest(variables, user["daemon_config"], texts["unit"], texts["wrapper"] if wrapper else "")
    variables[DIGEST] = f"{mark}-{start}" if start else mark
    environment_text = f"{HEAD}\n# Every user of the host can read it.\n" + "".join(
        f"{key}={quoted(value)}\n" for key, value in variables.items()
    )
    wanted_texts = {UNIT: texts["unit"], **({WRAPPER: texts["wrapper"]} if wrapper else {})}
    return Wanted(variables, environment_text, render_json(user["daemon_config"]), wanted_texts)


class Action(NamedTuple):
    """What is done with one user's unit.

    :ivar name: as the module C(user_unit) has it, or C(stuck) where a restart would give the same again.
    :ivar reason: why.
    :ivar reread: whether the user's manager has to read the files of its units again in any case.
    :ivar own: for C(adopt), the user's own unit.
    :ivar passes: whether a reason for a restart goes with the files that this run writes.
    """

    name: str
    reason: str
    reread: bool = False
    own: dict[str, Any] | None = None
    passes: bool = False


def shared_texts(host: dict[str, Any]) -> dict[str, str | None]:
    """Path and text, as they are found, of the files that decide how everybody's daemon starts."""
    return {UNIT: host["unit_text"], WRAPPER: host["wrapper_text"]}


def decide(user: dict[str, Any], port_driver: str, state: dict[str, Any], host: dict[str, Any], gone: list[str], wanted: Wanted) -> Action:
    """What one user's unit needs, whatever the policy for restarts is.

    :param gone: paths of drop-ins that are about to be removed.
    """
    if not state["exists"]:
        return Action("start", "it is new")
    if is_hidden(state):
        changes = "; ".join(adoption_changes(user, port_driver, state)) or "nothing else"
        path = state["unit"]["fragment"]
        own = {"path": path, "text": state["own"]["unit"]}
        return Action("adopt", f"rootless_daemon_adopt is true: {path} is removed. What changes: {changes}", own=own)
    found = shared_texts(host)
    changed = edited(wanted.texts, found, [path for path in gone if path in state["unit"]["drop_ins"]])
    effect = unlike_asked(wanted.variables, f"{CONFIGURATION}/{user['name']}/daemon.json", state)
    state = {**state, "stale": [*state["stale"], *unlike_told(wanted.texts.get(WRAPPER, ""), state)]}
    name, reason = unit_action(wanted.variables, wanted.environment, wanted.config, state, changed, effect)
    # The manager would start it by the old text when it comes back by itself.
    reread = state["manager"] and (state["unit"]["needs_daemon_reload"] or bool(gone) or found[UNIT] != wanted.texts[UNIT])
    passes = name == "restart" and goes_with_files(wanted.variables, wanted.config, state, changed)
    return Action(name, reason, reread, passes=passes)


def place_obstacle(user: dict[str, Any], state: dict[str, Any]) -> str:
    """Why there is no place for a user's data where it is to be; empty where there is, or where it is not known.

    A daemon.json that somebody edited leads elsewhere, and is written anew before the daemon reads it.
    """
    path = (state.get("data_root") or {}).get("path")
    wanted = data_root(user["daemon_config"].get("data-root"), state["home"], user["environment"]) if path else ""
    return data_obstacle(state) if path and (state.get("incomplete") or os.path.normpath(path) == wanted) else ""


def plan_user(
    plan: dict[str, Any],
    user: dict[str, Any],
    port_driver: str,
    wrapper: bool,
    info: dict[str, Any],
    texts: dict[str, str],
    restart: str,
    adopt: bool,
    silent: str,
) -> None:
    """One user that should have a daemon.

    :param silent: why nobody knows which port driver it is to have; empty where that is known.
    """
    name, host = user["name"], info["host"]
    state = info["users"].get(name, {"exists": False, "made": {}})
    wanted = wanted_of(user, port_driver, wrapper, texts, start_to_name(state))
    silent, start = silent or answer_obstacle(state), ""
    reason = silent or obstacle(user, state, adopt)
    if not reason:
        action = decide(user, port_driver, state, host, plan["gone"], wanted)
        if action.passes:
            start = start_of(state)
            wanted = wanted_of(user, port_driver, wrapper, texts, start)
        reason = account_obstacle(state, host) or (place_obstacle(user, state) if action.name in ("start", "restart", "adopt") else "")
    elif silent and edited(wanted.texts, shared_texts(host), plan["gone"]):
        start = start_of_no_daemon(state["environment"] or "")
    if reason:
        plan["left_out"].append(f"{name} was left out: {reason}")
        plan["unserved"].append(name)
        if start and state["environment"] is not None:
            # What all users share is put right in this run, and what this daemon was started with goes with it.
            marked = with_start(state["environment"], start, wanted.variables[DIGEST].partition("-")[0])
            plan["files"].append({"path": f"{CONFIGURATION}/{name}/environment", "content": marked})
        return
    plan["notes"] += [f"{name}: {text}" for text in overlap_notes(state)]
    if state.get("another") is not None:
        plan["notes"].append(another_note(name, state["uid"], state["another"]))
    waits = put_off(restart, action.name, state)
    if waits:
        plan["previous"].append(name)
        word = "an adoption" if action.name == "adopt" else "a restart"
        line = f"{name}: {word} is put off (rootless_daemon_restart: {restart}), and it runs as it was started, because {action.reason}"
        plan["deferred" if restart == DEFER else "notes"].append(line)
    if waits and action.name == "adopt":
        # What the role would write for it does nothing while the user's own unit is there.
        return
    unit = state.get("unit", {"fragment": "", "shadows": []})
    shadows = [path for path in unit["shadows"] if path != unit["fragment"] and path not in host["drop_ins"]]
    plan["notes"] += [f"{name}: {path} adds to the unit, and nobody declared it" for path in shadows]
    folder = f"{CONFIGURATION}/{name}"
    record = state["made"]
    if not state["exists"]:
        plan["accounts"].append({"name": name, "shell": user["shell"]})
        # Known before it is made: a run that is cut off in between must not forget whose account it is. Its uid is known afterwards.
        record = {**{key: value for key, value in record.items() if key != "uid"}, "account": True}
        plan["preparations"].append({"path": f"{folder}/made.json", "content": render_json(record)})
    if not state["exists"] or too_few(state):
        plan["subordinate_ids"].append({"user": name, "record": f"{folder}/made.json"})
    # Of a package that is there without its program apt says that there is nothing to do: that is a repair.
    if user["network_driver"] == "slirp4netns" and not host["slirp4netns"] and "slirp4netns" not in host["altered"]:
        plan["packages"] = ["slirp4netns"]

    linger = state.get("linger", False)
    # Where the data is has to be known also when the account is gone, and which account it was when there is another of that name.
    known = {"home": state["home"], "uid": state["uid"]} if state["exists"] else {}
    record = with_ids({**record, **known, "linger": bool(record.get("linger", not linger))}, state, host)
    validate = [host["dockerd"], "--validate", "--config-file=%s"] if host["dockerd"] else []
    plan["directories"].append({"path": folder, "exclusive": True})
    plan["files"] += [
        {"path": f"{folder}/environment", "content": wanted.environment},
        {"path": f"{folder}/daemon.json", "content": wanted.config, "validate": validate},
        {"path": f"{folder}/made.json", "content": render_json(record)},
    ]
    plan_unit(plan, user, state, waits, wanted, action)


def plan_unit(plan: dict[str, Any], user: dict[str, Any], state: dict[str, Any], waits: bool, wanted: Wanted, decided: Action) -> None:
    """What is done with one user's unit, and what is said about it.

    :param waits: whether its restart is put off.
    """
    name, linger = user["name"], state.get("linger", False)
    action, reason = decided.name, decided.reason
    if action == "stuck":
        overrides = ", ".join(state["unit"]["shadows"]) or "nobody knows what"
        plan["left_out"].append(
            f"{name} does not run as declared, and a restart would change nothing: {reason}. What overrides it: {overrides}. Remedy: look "
            f"at systemctl --user --machine={name}@ cat docker.service, and remove what nobody declared, or declare what it sets"
        )
        action = "none"
    if waits:
        action = meanwhile(wanted.config, state, decided.reread)
        reason = "what a reload takes up changed"
    if action == "none" and decided.reread:
        action = "reread"
    if action == "reread":
        action, reason = reading(state)
    if action != "none" or not linger:
        own = {"own_unit": decided.own} if decided.own else {}
        plan["start"].append({"user": name, "action": action, **({} if linger else {"linger": True}), **own})
    if action != "none":
        plan["reasons"].append(f"{name}: {action}, because {reason}" + CONSEQUENCE.get(action, ""))


CONSEQUENCE = {
    "restart": ". A restart of RootlessKit stops all containers of the user",
    "adopt": ". All containers of the user stop and are kept; those with a restart policy start again",
}


def plan_common(plan: dict[str, Any], host: dict[str, Any], present: set[str], texts: dict[str, str], wrapper_wanted: bool) -> None:
    """What all users share; it goes with the last of them."""
    going = {entry["path"] for entry in plan["directories"] if entry.get("state") == "absent"}
    others = {name for name in host["configured"] if f"{CONFIGURATION}/{name}" not in going} - present
    state = "present" if present or others else "absent"
    plan["directories"] = [
        {"path": CONFIGURATION, "state": state, **({"exclusive": True} if state == "absent" else {})},
        *plan["directories"],
    ]
    plan["files"] += [{"path": path, "state": "absent"} for path in plan["gone"]]
    left = [path for path in host["drop_ins"] if path not in plan["gone"]]
    if present:
        plan["notes"] += [
            f"{path} adds to the unit of every user, and nobody declared it"
            + ("" if path.startswith(VENDOR) else " (rootless_daemon_remove_foreign removes it)")
            for path in left
        ]
    if state == "absent":
        # Where no user has a folder, a unit of that name is somebody else's. Users' own files go last: a cut-off run still has some.
        paths = [ENABLED, SHELL_SNIPPET, WRAPPER] if host["configured"] else []
        if paths and (host["unit_text"] or "").startswith(HEAD):
            paths.insert(0, UNIT)
        plan["files"] = [*({"path": path, "state": "absent"} for path in paths), *plan["files"]]
        # The folder above the wrapper's is Debian's own, of base-files.
        emptied = [os.path.dirname(ENABLED), os.path.dirname(WRAPPER), daemon_removal.STATE] if host["configured"] else []
        plan["directories"] += [{"path": path, "state": "absent_if_empty"} for path in emptied]
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
