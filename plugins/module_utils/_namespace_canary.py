# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a canary in RootlessKit's namespace listens on and has published, for each port driver. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._canary import FreePorts
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary_server import ANY
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import TCP
from ansible_collections.portside.rootless_docker.plugins.module_utils._published import NAMESPACE_ROWS, PROTOCOLS, Published

CONTROL = "control"


@dataclass(frozen=True)
class Place:
    """One port of the canary in the namespace, over one protocol.

    :ivar published: the port as it is on the host.
    :ivar listen: address that the canary listens on in the namespace.
    :ivar specification: for RootlessKit's API; None where the port driver needs none, or the port is not published.
    """

    published: Published
    listen: str
    specification: dict[str, Any] | None

    @property
    def key(self) -> str:
        """Names it in what the canary reports."""
        return f"{self.published.port}/{self.published.protocol}"


def is_implicit(port_driver: str | None) -> bool:
    """Whether a listener in the namespace is published by being there."""
    return port_driver in (None, "implicit")


def places(port_driver: str | None, ipv6: bool, free: FreePorts) -> list[Place]:
    """What the canary is to listen on and to have published.

    Under C(implicit) a listener is published by being there, at the address that it has; there is no port that is not. The others
    publish what RootlessKit's API is told, and then the listener must be on all addresses.
    """
    implicit = is_implicit(port_driver)
    found = []
    for host_ip, ephemeral in NAMESPACE_ROWS:
        if (host_ip is None and implicit) or (":" in (host_ip or "") and not ipv6):
            continue
        port = free.take_ephemeral() if ephemeral else free.take(1)[0]
        for protocol in PROTOCOLS:
            address = f"[{host_ip}]" if host_ip and ":" in host_ip else host_ip
            thing = f"{port}, not published" if host_ip is None else f"{address}:{port}"
            published = Published(thing + (" (ephemeral)" if ephemeral else ""), host_ip, port, port, protocol=protocol, group="namespace")
            found.append(Place(published, str(host_ip) if implicit else ANY, None if implicit else _specification(published)))
    return found


def taken_by_chance(wanted: list[Place], said: dict[str, str], connected: set[int]) -> bool:
    """Whether somebody else has one of the ports: a matter of luck, and no property of the daemon. With others it goes.

    Linux may give a port of the ephemeral range to any connection or conversation, in the namespace or on the host.

    :param said: by key, why a place could not be listened on or published; an empty text where it could.
    :param connected: ports that the host's own connections and conversations use.
    """
    return any("already in use" in said.get(place.key, "").lower() or place.published.port in connected for place in wanted)


def _specification(published: Published) -> dict[str, Any] | None:
    """A port as RootlessKit's API wants it."""
    if published.host_ip is None:
        return None
    family = "6" if published.ipv6 else "4"
    return {
        "proto": published.protocol + family,
        "parentIP": published.host_ip,
        "parentPort": published.port,
        "childPort": published.port,
    }


def agent_task(
    nonce: str, lifetime: float, api: str, wanted: list[Place], control_port: int, bridge_port: int, nudge: bool
) -> dict[str, Any]:
    """The work of C(_namespace_agent.main): these places, and listeners for controls.

    :param control_port: of those on the namespace's own loopback.
    :param bridge_port: of those for a container on the bridge, whose gateway is in the namespace, too.
    """
    controls = [[f"{CONTROL} {address} {protocol}", address, control_port, protocol] for address in LOOPBACKS for protocol in PROTOCOLS]
    controls += [[f"{CONTROL} {ANY} {protocol}", ANY, bridge_port, protocol] for protocol in PROTOCOLS]
    return {
        "nonce": nonce,
        "lifetime": lifetime,
        "api": api,
        "listen": controls + [[place.key, place.listen, place.published.port, place.published.protocol] for place in wanted],
        "nudge": nudge,
        "publish": [[place.key, place.specification] for place in wanted if place.specification],
    }


LOOPBACKS = ("127.0.0.1", "::1")


def families(listening: dict[str, str]) -> frozenset[int]:
    """The families that the namespace has, by what the canary could listen on at its loopback."""
    return frozenset(family for family, address in ((4, "127.0.0.1"), (6, "::1")) if listening.get(f"{CONTROL} {address} {TCP}") == "")
