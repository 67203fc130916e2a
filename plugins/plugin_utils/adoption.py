# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a daemon of a user's own unit can become one of the role without losing anything, and what changes with that. Pure."""

from __future__ import annotations

import json
import os
import re
import shlex
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._account_facts import data_root_path
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_removal import CONFIGURATION

LAUNCH_SCRIPT = "dockerd-rootless.sh"

# dockerd's options that decide which images, containers and volumes it sees, and their keys in daemon.json.
STORAGE = {
    "--data-root": "data-root", "-g": "data-root", "--graph": "data-root", "--storage-driver": "storage-driver", "-s": "storage-driver",
    "--storage-opt": "storage-opts", "--containerd": "containerd", "--containerd-namespace": "containerd-namespace",
    "--userns-remap": "userns-remap",
}  # fmt: skip
SNAPSHOTTER = "containerd-snapshotter"
# Variables that decide the same and whose values are not returned, as they may be secrets.
HIDDEN = ("HOME", "DOCKER_DRIVER")


def command(unit_text: str) -> list[str]:
    """The words of the unit's last ExecStart line; one word where nobody can tell them apart."""
    # systemd leaves comments out also between the lines of one command.
    text = re.sub(r"^[ \t]*[#;].*\n?", "", unit_text, flags=re.MULTILINE).replace("\\\n", " ")
    lines = re.findall(r"^[ \t]*ExecStart[ \t]*=(.*)$", text, re.MULTILINE)
    try:
        return shlex.split(lines[-1]) if lines else []
    except ValueError:
        return lines[-1:]


def arguments(unit_text: str) -> list[str]:
    """What the unit gives to dockerd: the words behind the launch script."""
    return command(unit_text)[1:]


def options(words: list[str]) -> list[tuple[str, str]]:
    """C(--name=value), C(--name value), C(-n value) and C(-nvalue) words; a name without a value has an empty one."""
    found: list[tuple[str, str]] = []
    for word in words:
        if word.startswith("--"):
            name, _equals, value = word.partition("=")
            found.append((name, value))
        elif word.startswith("-"):
            found.append((word[:2], word[2:].removeprefix("=")))
        elif found and not found[-1][1]:
            found[-1] = (found[-1][0], word)
    return found


def storage(config: dict[str, Any], given: list[tuple[str, str]]) -> dict[str, Any]:
    """What of a daemon.json and of options decides which data the daemon sees, by its key in daemon.json."""
    features = config.get("features")
    found = {key: plain(config[key]) for key in STORAGE.values() if key in config}
    if isinstance(features, dict) and SNAPSHOTTER in features:
        found[f"features.{SNAPSHOTTER}"] = plain(features[SNAPSHOTTER])
    for name, value in given:
        key = STORAGE.get(name)
        if key == "storage-opts":
            found[key] = [*found.get(key, []), value]
        elif key:
            found[key] = value
        elif name == "--feature" and value.partition("=")[0] == SNAPSHOTTER:
            found[f"features.{SNAPSHOTTER}"] = value.partition("=")[2].lower() in ("", "1", "t", "true")
    return found


def plain(value: Any) -> Any:
    """A value as it is where it has a form that dockerd takes: what a user wrote may be nested without end."""
    takes = isinstance(value, (str, bool)) or (isinstance(value, list) and all(isinstance(each, str) for each in value))
    return value if takes else "of another form"


def own_config(own: dict[str, Any]) -> dict[str, Any] | None:
    """The user's own daemon.json; None where it is no JSON object."""
    try:
        config = json.loads(own["daemon_json"] or "{}")
    except (ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) else None


def config_obstacles(user: dict[str, Any], own: dict[str, Any]) -> list[str]:
    """Keys of the user's own daemon.json that the role's would not have."""
    config, path = own_config(own), own["daemon_json_path"]
    if config is None:
        return [f"{path} is no JSON object, so nobody knows what it sets"]
    lost = sorted(str(key)[:60] for key in config if key not in user["daemon_config"])
    return [f"{path} sets {', '.join(lost)}, which daemon_config does not, and it would not be read any more"] if lost else []


def unit_obstacles(user: dict[str, Any], state: dict[str, Any]) -> list[str]:
    """What the unit does so that nobody knows which data its daemon has."""
    words, unit = command(state["own"]["unit"] or ""), state["unit"]
    if not words or words[0].rpartition("/")[2] != LAUNCH_SCRIPT:
        runs = f"ExecStart runs {words[0][:200]}" if words else "unit has no ExecStart"
        return [f"its {runs} and not {LAUNCH_SCRIPT} itself, so nobody knows where its data is"]
    known = specifiers(user, state)
    unclear = [word for word in words[1:] if "$" in word or any(letter not in known for letter in re.findall("%(.?)", word))]
    found = [
        f"its ExecStart has {word[:200]}, and only systemd knows what that stands for. Have the user write it out" for word in unclear[:5]
    ]
    files = [path for path in unit.get("environment_files", []) if path != f"{CONFIGURATION}/{user['name']}/environment"]
    if files:
        found.append(
            f"it has EnvironmentFile={', '.join(files[:5])}, and nobody knows what that sets. Take that over into the user's option "
            "environment, and have the user remove the line"
        )
    hidden = [name for name in HIDDEN if name in unit.get("other_variables", []) and name not in user["environment"]]
    return found + [f"its Environment has {name}, which the user's option environment does not" for name in hidden]


def specifiers(user: dict[str, Any], state: dict[str, Any]) -> dict[str, str]:
    """What systemd puts for C(%) and a letter, of those that have to do with where a user's files are."""
    uid = str(state["uid"])
    return {"h": state["home"], "t": f"/run/user/{uid}", "u": user["name"], "U": uid, "%": "%"}


def data_obstacles(user: dict[str, Any], state: dict[str, Any]) -> list[str]:
    """Where the role's daemon would see other data than the user's own, of a unit without C(unit_obstacles)."""
    declared = user["daemon_config"]
    # A key that daemon_config does not have is named already.
    own = {key: value for key, value in (own_config(state["own"]) or {}).items() if key in declared}
    known = specifiers(user, state)
    given = options([re.sub("%(.)", lambda match: known[match.group(1)], word) for word in arguments(state["own"]["unit"] or "")])
    found = [f"its ExecStart has {name} {value[:200]}, which would be lost" for name, value in given if name == "--config-file"]
    was, will = storage(own, given), storage(declared, [])
    before = data_root(was.pop("data-root", None), state["home"], state["unit"].get("environment", {}))
    after = data_root(will.pop("data-root", None), state["home"], user["environment"])
    if before != after:
        found.append(
            f"its data is in {before[:200]!r}, and with daemon_config and environment as declared it would be looked for in {after!r}"
        )
    differ = [key for key in {**was, **will} if was.get(key) != will.get(key)]
    return found + [
        f"its {key} is {shown(was.get(key))}, and {shown(will.get(key))} in daemon_config, and one does not see what the other has"
        for key in differ
    ]


def data_root(chosen: Any, home: str, variables: dict[str, str]) -> str:
    """Where the data is, in one form; what is no absolute path as it is, since nobody knows where that leads."""
    if chosen is not None and not os.path.isabs(str(chosen)):
        return str(chosen)
    return os.path.normpath(data_root_path(home, json.dumps({"data-root": chosen}), variables))


def shown(value: Any) -> str:
    """A value, or that there is none."""
    return "not set" if value is None else repr(value)[:200]


def adoption_obstacles(user: dict[str, Any], state: dict[str, Any]) -> list[str]:
    """Why the unit in force cannot be adopted although that was asked for; empty where it can."""
    unit, own = state["unit"], state.get("own")
    if own is None:
        return [f"the unit in force is {unit['fragment']}, which is not in the user's home. Remove it"]
    found = list(own["errors"])
    if not own["errors"] and own["unit"] is None:
        found.append(f"{unit['fragment']} is not there any more; systemctl --user daemon-reload")
    found += [f"{path} would add to the role's unit, too. Remove it" for path in unit["shadows"] if path != unit["fragment"]]
    return found or [*config_obstacles(user, own), *(unit_obstacles(user, state) or data_obstacles(user, state))]


def adoption_changes(user: dict[str, Any], port_driver: str, state: dict[str, Any]) -> list[str]:
    """What the daemon will be otherwise; what is declared holds."""
    network = state["network"]
    was = {name: network[name]["in_effect"] or network[name]["asked"] for name in ("driver", "port_driver", "mtu")}
    wanted = {"driver": user["network_driver"], "port_driver": port_driver, "mtu": user["mtu"]}
    words = {"driver": "network driver", "port_driver": "port driver", "mtu": "MTU"}
    changes = [f"{words[name]} {was[name] or 'unknown'} -> {wanted[name]}" for name in was if was[name] != wanted[name]]
    extra = [word[:100] for word in arguments(state["own"]["unit"] or "") if word.startswith("-")]
    return changes + ([f"no more dockerd {' '.join(extra[:10])}"] if extra else [])
