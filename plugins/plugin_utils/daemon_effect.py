# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a running daemon differs from what is declared, although its variables are right: its command lines. Pure.

What RootlessKit and pasta are told is read from /proc, so it is the user's own doing where it differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._network_state import own_options

PREFIX = "DOCKERD_ROOTLESS_ROOTLESSKIT_"


# What the launch scripts of Engine 20.10 to 29.7 give to RootlessKit besides, and what follows from their variables that the role does not
# write, whatever its value.
OF_SCRIPTS = ("--copy-up=/etc", "--copy-up=/run", "--propagation=rslave")
OF_SCRIPTS_ANY = ("--state-dir=", "--slirp4netns-sandbox=", "--slirp4netns-seccomp=")
MAX_NAMED = 10
"""Arguments that are named: a user's process can have many."""


def surplus(program: str, found: Sequence[str]) -> list[str]:
    """A phrase for arguments that nobody declared."""
    return [f"{program} runs with {' '.join(found[:MAX_NAMED])}"] if found else []


def asked_phrases(variables: Mapping[str, str], argv: Sequence[str]) -> list[str]:
    """Where RootlessKit was not given the options that the declared variables stand for, or was given others."""
    options = own_options(argv)
    named = {"NET": "--net", "MTU": "--mtu", "PORT_DRIVER": "--port-driver"}
    wanted = [f"{option}={variables[PREFIX + name]}" for name, option in named.items()]
    wanted += ["--disable-host-loopback"] if variables[f"{PREFIX}DISABLE_HOST_LOOPBACK"] != "false" else []
    # As the script has them: the shell parts them at blanks, and takes no quotes away.
    wanted += variables[f"{PREFIX}FLAGS"].split()
    missing = [f"rootlesskit runs without {option}" for option in wanted if option not in options]
    # Only scripts of Engine 29.5 and later do that.
    known = {*wanted, *OF_SCRIPTS, *(["--detach-netns"] if variables[f"{PREFIX}DETACH_NETNS"] == "true" else [])}
    others = [option for option in options if option not in known and not option.startswith(OF_SCRIPTS_ANY)]
    # Where its command cannot be told, nobody knows which arguments are that one's.
    return missing + (surplus("rootlesskit", others) if len(options) + 1 < len(argv) else [])


def dockerd_phrases(variables: Mapping[str, str], config_file: str, argv: Sequence[str]) -> list[str]:
    """Whether dockerd reads the declared configuration, and is told nothing besides. No launch script adds to what the unit has."""
    option = f"--config-file={config_file}"
    if option not in argv:
        return [f"dockerd runs without {option}"]
    # A program of the operator's in its place may add what it likes.
    return surplus("dockerd", [argument for argument in argv[1:] if argument != option]) if "DOCKERD" not in variables else []


def network_phrases(network: Mapping[str, Any]) -> list[str]:
    """Where pasta or slirp4netns was told something else than RootlessKit: somebody started another one in its place."""
    names = {"mtu": "the MTU", "host_loopback": "the host's loopback"}
    found = []
    for name, words in names.items():
        asked, effect = network[name]["asked"], network[name]["in_effect"]
        # RootlessKit below 3.1.0 leaves the host's loopback mirrored, however it is told.
        if asked is not None and effect not in (None, "unknown", "mirrored", asked):
            found.append(f"{words} is {effect}, and RootlessKit was told {asked}")
    return found


def wrapper_phrases(wrapper_text: str, pasta: Mapping[str, Any] | None) -> list[str]:
    """Whether the pasta that runs was given what the wrapper adds.

    :param wrapper_text: what the wrapper should be; empty where there is none.
    """
    if not wrapper_text or not pasta or any(argument.endswith(",auto") for argument in pasta["argv"]):
        return []
    return [f"pasta (pid {pasta['pid']}) runs without the ephemeral range that the wrapper adds"]


def unlike_asked(variables: Mapping[str, str], config_file: str, state: Mapping[str, Any]) -> list[str]:
    """Where RootlessKit and dockerd were told something else than what is declared, one phrase each; empty for a daemon that is down.

    An override tells them the same again after a restart.
    """
    running = state["running"]
    if not running["rootlesskit"]:
        return []
    return [
        *asked_phrases(variables, running["rootlesskit"]["argv"]),
        *(dockerd_phrases(variables, config_file, running["dockerd"]["argv"]) if running["dockerd"] else []),
    ]


def unlike_told(wrapper_text: str, state: Mapping[str, Any]) -> list[str]:
    """Where the network is served by something that RootlessKit did not start so, one phrase each. A restart always mends it."""
    if not state["running"]["rootlesskit"]:
        return []
    return [*network_phrases(state["network"]), *wrapper_phrases(wrapper_text, state["running"]["pasta"])]
