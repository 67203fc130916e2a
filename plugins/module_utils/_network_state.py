# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a daemon's network was asked to be, and what it is, from command lines and RootlessKit's own answer. Pure."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import option_value, whole_number
from ansible_collections.portside.rootless_docker.plugins.module_utils._rootlesskit import Info

DEFAULT_CIDR = "10.0.2.0/24"
"""RootlessKit's, where it is given no --cidr."""

PREFIX = "DOCKERD_ROOTLESS_ROOTLESSKIT_"
CLOSED, OPEN, MIRRORED, UNKNOWN = "closed", "open", "mirrored", "unknown"
Argv = Sequence[str]


def own_options(argv: Argv) -> tuple[str, ...]:
    """RootlessKit's own options. What follows the command that it starts is that command's: dockerd has a --mtu, too."""
    for position, argument in enumerate(argv[1:], 1):
        if os.path.basename(argument) in ("dockerd-rootless.sh", "dockerd") and not argument.startswith("-"):
            return tuple(argv[1:position])
    return tuple(argv[1:])


def options_of_environment(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The options that the Engine's launch script makes of its variables; those that are not set, and its defaults, are left out."""
    named = {"NET": "--net", "MTU": "--mtu", "PORT_DRIVER": "--port-driver"}
    options = [f"{option}={variables[PREFIX + name]}" for name, option in named.items() if variables.get(PREFIX + name)]
    # Both are on unless they are switched off; the second only in scripts of Engine 29.5 and later, so unset says nothing.
    if variables.get(f"{PREFIX}DISABLE_HOST_LOOPBACK", "true") != "false":
        options.append("--disable-host-loopback")
    if variables.get(f"{PREFIX}DETACH_NETNS") == "true":
        options.append("--detach-netns")
    return (*options, *variables.get(f"{PREFIX}FLAGS", "").split())


def is_set(options: Argv, name: str) -> bool:
    """Whether a switch is on: C(--name), or C(--name=true)."""
    values = [argument[len(name) + 1 :] or "true" for argument in options if argument == name or argument.startswith(name + "=")]
    return bool(values) and values[-1] not in ("false", "0", "f", "F", "FALSE", "False")


def _text(value: str | None) -> str | None:
    return clean(value, 100) if value else None


def asked_for(options: Argv) -> dict[str, Any]:
    """What RootlessKit was told; null is what it was not told."""
    return {
        "driver": _text(option_value(tuple(options), "--net")),
        "port_driver": _text(option_value(tuple(options), "--port-driver")),
        "mtu": whole_number(option_value(tuple(options), "--mtu") or ""),
        "ipv6": is_set(options, "--ipv6"),
        "cidr": _text(option_value(tuple(options), "--cidr")),
        "host_loopback": CLOSED if is_set(options, "--disable-host-loopback") else OPEN,
        "detached_netns": is_set(options, "--detach-netns"),
        "pasta_binary": _text(option_value(tuple(options), "--pasta-binary")),
    }


def port_driver_in_effect(info: Info | None, asked: str | None) -> str | None:
    """By name: RootlessKit names neither C(implicit) nor C(none), and under pasta what is not C(none) is C(implicit)."""
    if info is None:
        return None
    if info.port_driver is None and info.network_driver == "pasta":
        return "none" if asked == "none" else "implicit"
    return info.port_driver


def pasta_host_loopback(argv: Argv) -> str:
    """Whether the host's loopback can be reached from inside, by pasta's command line.

    C(open): through the gateway's address. C(mirrored): what listens on the host's loopback is also there on the namespace's own.
    """
    mapped = option_value(tuple(argv), "--map-host-loopback") not in (None, "none")
    if mapped or "--no-map-gw" not in argv:
        return OPEN
    closed = all(option_value(tuple(argv), *names) == "none" for names in (("--tcp-ns", "-T"), ("--udp-ns", "-U")))
    return CLOSED if closed else MIRRORED


def host_loopback(driver: str | None, pasta: Argv, slirp4netns: Argv, options: Argv) -> str:
    """The same for every network driver; C(unknown) where no command line tells."""
    if driver == "pasta" and pasta:
        return pasta_host_loopback(pasta)
    if driver == "slirp4netns" and slirp4netns:
        return CLOSED if "--disable-host-loopback" in slirp4netns else OPEN
    if driver == "gvisor-tap-vsock" and options:
        return asked_for(options)["host_loopback"]
    return UNKNOWN


def cidr_in_effect(pasta: Argv, slirp4netns: Argv) -> str | None:
    """The IPv4 network of the namespace, by the command line of what serves it."""
    for position, argument in enumerate(pasta):
        value = argument[len("--address=") :] if argument.startswith("--address=") else ""
        value = pasta[position + 1] if argument in ("-a", "--address") and position + 1 < len(pasta) else value
        netmask = option_value(tuple(pasta), "--netmask", "-n") or "24"
        try:
            # With IPv6 there is a second address.
            return str(ipaddress.IPv4Network(f"{ipaddress.IPv4Address(value)}/{netmask}", strict=False))
        except ValueError:
            continue
    return _text(option_value(tuple(slirp4netns), "--cidr")) or (DEFAULT_CIDR if slirp4netns else None)


def network_state(options: Argv, info: Info | None, pasta: Argv, slirp4netns: Argv, detached: bool | None = None) -> dict[str, Any]:
    """What was asked for beside what is in effect; null is not known.

    :param options: RootlessKit's own, of the running process or else of the unit's environment; empty where there is neither.
    :param info: RootlessKit's answer, None where it gave none.
    :param pasta: arguments of the pasta that runs, as C(slirp4netns) those of slirp4netns; empty where none does.
    :param detached: whether the state folder has a network namespace.
    """
    asked = asked_for(options) if options else dict.fromkeys(asked_for(()))
    driver = info.network_driver if info else None
    ipv6: bool | None = None
    if driver == "pasta" and pasta:
        ipv6 = not {"--ipv4-only", "-4"}.intersection(pasta)
    elif driver == "slirp4netns" and slirp4netns:
        ipv6 = "--enable-ipv6" in slirp4netns or "-6" in slirp4netns
    server = tuple(pasta or slirp4netns)
    return {
        "driver": {"asked": asked["driver"], "in_effect": driver},
        "port_driver": {"asked": asked["port_driver"], "in_effect": port_driver_in_effect(info, asked["port_driver"])},
        "mtu": {"asked": asked["mtu"], "in_effect": whole_number(option_value(server, "--mtu", "-m") or "")},
        "ipv6": {"asked": asked["ipv6"], "in_effect": info.ipv6 if info and info.ipv6 is not None else ipv6},
        "cidr": cidr_in_effect(pasta, slirp4netns) or (asked["cidr"] or DEFAULT_CIDR if options else None),
        "child_ip": info.child_ip if info else None,
        "dns": list(info.dns) if info else [],
        "host_loopback": {"asked": asked["host_loopback"], "in_effect": host_loopback(driver, pasta, slirp4netns, options)},
        "detached_netns": {"asked": asked["detached_netns"], "in_effect": detached},
        "pasta_binary": asked["pasta_binary"],
    }
