# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users of the role rootless_daemon may declare, and what is wrong with what they did. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

DIGEST = "ROOTLESS_DOCKER_DIGEST"

# The same as in the argument spec of the role, which documents them; a test compares the two.
USER_DEFAULTS: dict[str, Any] = {
    "state": "present",
    "remove_data": False,
    "create": True,
    "shell": "/bin/bash",
    "network_driver": "pasta",
    "port_driver": "auto",
    "mtu": 65520,
    "cidr": "",
    "ipv6": False,
    "detach_netns": False,
    "host_loopback": False,
    "rootlesskit_flags": [],
    "environment": {},
    "daemon_config": {},
}

# Options that, left out, follow a variable of the role.
OPTIONAL: dict[str, type] = {"health": bool}

STATES = ("present", "absent")
PORT_DRIVERS = {"pasta": ("auto", "implicit", "pesto"), "slirp4netns": ("auto", "builtin", "slirp4netns")}

# Accounts of a directory service have dots and capitals in their names.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def complete(user: dict[str, Any]) -> dict[str, Any]:
    """A user with every option filled in."""
    return {**USER_DEFAULTS, **user}


def input_errors(users: list[dict[str, Any]]) -> list[str]:
    """What is wrong with what was declared, whatever the host is; empty where it is sound.

    Each text names the user, the option, the value, and what is wanted instead.
    """
    errors = [f"{user!r} is no mapping of options; write it as `- name: {user}`" for user in users if not isinstance(user, dict)]
    declared = [complete(user) for user in users if isinstance(user, dict)]
    names = [str(user.get("name")) for user in declared]
    errors += [f"{name!r} is there {names.count(name)} times; one entry a user" for name in sorted(set(names)) if names.count(name) > 1]
    errors += [f"{user.get('name')}: {error}" for user in declared for error in user_errors(user)]
    return [f"rootless_daemon_users: {error}" for error in errors]


def user_errors(user: dict[str, Any]) -> list[str]:
    """What is wrong with one user's options."""
    errors = []
    known = ["name", *USER_DEFAULTS, *OPTIONAL]
    unknown = sorted(set(user) - set(known))
    if unknown:
        errors.append(f"unknown option {', '.join(unknown)}; known are {', '.join(known)}")
    if not isinstance(user.get("name"), str) or not NAME.fullmatch(user["name"]):
        errors.append(f"name {user.get('name')!r} is no user name")
    if user.get("name") == "root":
        errors.append("root cannot have a rootless daemon; name an unprivileged user")
    types = {**{option: type(default) for option, default in USER_DEFAULTS.items()}, **OPTIONAL}
    mistyped = [
        f"{option} {user[option]!r} is no {kind.__name__}"
        for option, kind in types.items()
        if option in user and not isinstance(user[option], kind)
    ]
    if mistyped:
        return errors + mistyped
    if user["state"] not in STATES:
        errors.append(f"state {user['state']!r} is none of {', '.join(STATES)}")
    if user["remove_data"] and user["state"] == "present":
        errors.append("remove_data is true and state is present; the data goes only with the daemon, so set state: absent")
    allowed = PORT_DRIVERS.get(user["network_driver"])
    if allowed is None:
        errors.append(f"network_driver {user['network_driver']!r} is none of {', '.join(PORT_DRIVERS)}")
    elif user["port_driver"] not in allowed:
        errors.append(f"port_driver {user['port_driver']!r} does not go with {user['network_driver']}; choose one of {', '.join(allowed)}")
    if not 576 <= user["mtu"] <= 65520:
        errors.append(f"mtu {user['mtu']!r} is not between 576 and 65520")
    if user["cidr"]:
        try:
            network = ipaddress.IPv4Network(user["cidr"])
            if network.prefixlen > 25:
                errors.append(f"cidr {user['cidr']} has no room: RootlessKit gives .100 of it to the daemon; use a /24 or larger")
        except ValueError as error:
            errors.append(f"cidr {user['cidr']!r} is no IPv4 network such as 10.0.3.0/24 ({error})")
    if user["port_driver"] == "pesto" and user["ipv6"]:
        errors.append("port_driver pesto cannot be used with ipv6: a plain `-p 8081:80` fails to start then; use implicit")
    for flag in user["rootlesskit_flags"]:
        if not re.fullmatch(r"--\S+", str(flag)):
            errors.append(f"rootlesskit_flags: {flag!r} has to start with -- and have no blank in it (write --name=value)")
        if re.search(r"['\"\\]", str(flag)):
            errors.append(
                f"rootlesskit_flags: {flag!r} has a quote or a backslash, which RootlessKit would get as it is; write the bare value"
            )
    for key, value in user["environment"].items():
        if not VARIABLE.fullmatch(str(key)) or re.search(r"[\n\r\0]", str(value)):
            errors.append(f"environment: {key!r} is no name of a variable, or its value has a line break")
        if str(key).startswith("DOCKERD_ROOTLESS_ROOTLESSKIT_") or key in (DIGEST, "PATH"):
            errors.append(f"environment: {key} is written by this role; use the option of the user that stands for it")
    return errors
