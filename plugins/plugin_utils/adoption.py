# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a daemon of a user's own unit can become one of the role without losing anything, and what changes with that. Pure."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

# What decides where images, containers and volumes are, or which other file says so.
DECIDES_DATA = {"--data-root": "data-root", "-g": "data-root", "--graph": "data-root", "--config-file": ""}
DATA_VARIABLE = "XDG_DATA_HOME"
LAUNCH_SCRIPT = "dockerd-rootless.sh"


def arguments(unit_text: str) -> list[str]:
    """What the unit gives to dockerd: the words behind the launch script in its last ExecStart line."""
    lines = re.findall(r"^ExecStart=(.*)$", unit_text.replace("\\\n", " "), re.MULTILINE)
    try:
        words = shlex.split(lines[-1]) if lines else []
    except ValueError:
        return [lines[-1]]
    names = [number for number, word in enumerate(words) if word.rpartition("/")[2] == LAUNCH_SCRIPT]
    return words[names[0] + 1 :] if names else words


def options(words: list[str]) -> dict[str, str]:
    """C(--name=value) and C(--name value) words; a name without a value has an empty one."""
    found: dict[str, str] = {}
    name = ""
    for word in words:
        if word.startswith("-"):
            name, _equals, value = word.partition("=")
            found[name] = value
        elif name:
            found[name], name = word, ""
    return found


def config_obstacles(own: dict[str, Any], declared: dict[str, Any]) -> list[str]:
    """Keys of the user's own daemon.json that the role's would not have."""
    if own["daemon_json"] is None:
        return []
    path = own["daemon_json_path"]
    try:
        config = json.loads(own["daemon_json"] or "{}")
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        return [f"{path} is no JSON object, so nobody knows what it sets"]
    lost = sorted(str(key)[:60] for key in config if key not in declared)
    found = [f"{path} sets {', '.join(lost)}, which daemon_config does not, and it would not be read any more"] if lost else []
    if "data-root" in config and "data-root" in declared and config["data-root"] != declared["data-root"]:
        found.append(f"{path} has its data in {str(config['data-root'])[:200]!r}, and daemon_config in {declared['data-root']!r}")
    return found


def data_obstacles(user: dict[str, Any], state: dict[str, Any]) -> list[str]:
    """Where the unit itself says that the data is elsewhere."""
    found = []
    for name, value in options(arguments(state["own"]["unit"] or "")).items():
        key = DECIDES_DATA.get(name)
        if key is not None and (not key or user["daemon_config"].get(key) != value):
            lost = f"daemon_config does not have as {key}" if key else "would be lost"
            found.append(f"its ExecStart has {name} {value[:200]}, which {lost}")
    variable = state["unit"].get("environment", {}).get(DATA_VARIABLE)
    if variable is not None and user["environment"].get(DATA_VARIABLE) != variable:
        found.append(f"its Environment has {DATA_VARIABLE}={variable[:200]}, which the user's option environment does not")
    return found


def adoption_obstacles(user: dict[str, Any], state: dict[str, Any]) -> list[str]:
    """Why the unit in force cannot be adopted although that was asked for; empty where it can."""
    unit, own = state["unit"], state.get("own")
    if own is None:
        return [f"the unit in force is {unit['fragment']}, which is not in the user's home. Remove it"]
    found = list(own["errors"])
    if not own["errors"] and own["unit"] is None:
        found.append(f"{unit['fragment']} is not there any more; systemctl --user daemon-reload")
    found += [f"{path} would add to the role's unit, too. Remove it" for path in unit["shadows"] if path != unit["fragment"]]
    return found or [*config_obstacles(own, user["daemon_config"]), *data_obstacles(user, state)]


def adoption_changes(user: dict[str, Any], port_driver: str, state: dict[str, Any]) -> list[str]:
    """What the daemon will be otherwise; what is declared holds."""
    network = state["network"]
    was = {name: network[name]["in_effect"] or network[name]["asked"] for name in ("driver", "port_driver", "mtu")}
    wanted = {"driver": user["network_driver"], "port_driver": port_driver, "mtu": user["mtu"]}
    words = {"driver": "network driver", "port_driver": "port driver", "mtu": "MTU"}
    changes = [f"{words[name]} {was[name] or 'unknown'} -> {wanted[name]}" for name in was if was[name] != wanted[name]]
    extra = [word[:100] for word in arguments(state["own"]["unit"] or "") if word.startswith("-")]
    return changes + ([f"no more dockerd {' '.join(extra[:10])}"] if extra else [])
