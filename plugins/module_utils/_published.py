# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is published, as plain values: the canary's ports, and those of running containers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import ANSWERS, Cell, expectation, kind_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean

MAX_SHOWN = 40
"""Characters of a container's name in the table; its cells have more."""


@dataclass(frozen=True)
class Published:
    """One published port.

    :ivar thing: as a person would write it.
    :ivar host_ip: published on; empty for all addresses, None when it is not published.
    :ivar port: on the host; 0 when it is not known, because its container could not be put up.
    :ivar container: name of the container; empty for the canary.
    """

    thing: str
    host_ip: str | None
    port: int
    container_port: int
    container: str = ""

    @property
    def group(self) -> str:
        return "container" if self.container else "canary"


def vantage_of(address: str) -> str:
    """The host as a vantage point, tried at one of its addresses."""
    return f"host {address}"


def canary_ports(ports: list[int], container_ports: list[int], chosen: int) -> list[Published]:
    """The rows of the contract that a canary shows: on 127.0.0.1, on all addresses, on 0.0.0.0, on a port that the Engine chose, and not
    published.

    :param ports: three of the host's.
    :param container_ports: five of the container's, in that order.
    :param chosen: what the Engine chose, 0 when it did not come to that.
    """
    loopback, everywhere, any4 = ports
    inside = container_ports
    return [
        Published(f"127.0.0.1:{loopback}:{inside[0]}", "127.0.0.1", loopback, inside[0]),
        Published(f"{everywhere}:{inside[1]}", "", everywhere, inside[1]),
        Published(f"0.0.0.0:{any4}:{inside[2]}", "0.0.0.0", any4, inside[2]),
        Published(f"{inside[3]} (got {chosen or 'none'})", "", chosen, inside[3]),
        Published(f"{inside[4]}, not published", None, inside[4], inside[4]),
    ]


def canary_bindings(published: list[Published]) -> dict[str, list[dict[str, str]]]:
    """The same as the Engine's API wants it."""
    return {
        f"{entry.container_port}/tcp": [{"HostIp": entry.host_ip, "HostPort": str(entry.port) if entry.port else ""}]
        for entry in published
        if entry.host_ip is not None
    }


def _port(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536 else 0


def container_ports(containers: list[dict[str, Any]]) -> tuple[list[Published], int]:
    """Published TCP ports over IPv4 from the Engine's list of running containers.

    :returns: them, and how many others (UDP, SCTP, IPv6) are published and not looked at.
    """
    found: dict[tuple[str, int, str], Published] = {}
    others = set()
    for entry in containers:
        names = entry.get("Names")
        first = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else str(entry.get("Id", ""))[:12]
        name = clean(first.lstrip("/"), 64) or "unnamed"
        ports = entry.get("Ports")
        for item in ports if isinstance(ports, list) else []:
            port = _port(item.get("PublicPort")) if isinstance(item, dict) else 0
            if not port:
                continue
            # `-p P:C` is listed as 0.0.0.0 (and, with IPv6, also as ::), so an empty address does not occur in practice.
            inside, host_ip = _port(item.get("PrivatePort")), item.get("IP") or "0.0.0.0"
            try:
                kind = kind_of(host_ip if isinstance(host_ip, str) else "no address")
            except ValueError:
                continue
            if item.get("Type") != "tcp" or kind.endswith("6"):
                others.add((name, port, str(item.get("Type")), host_ip))
                continue
            shown = f"{clean(name, MAX_SHOWN)} {host_ip}:{port}->{inside}"
            found.setdefault((host_ip, port, name), Published(shown, host_ip, port, inside, name))
    return list(found.values()), len(others)


def host_cells(published: list[Published], addresses: list[str]) -> list[Cell]:
    """One cell, not tried yet, for each published thing and address.

    A cell in which nothing must answer is left out where something else is published on that very address and port.
    """
    cells = []
    claimed = {
        (address, entry.port)
        for entry in published
        for address in addresses
        if entry.port and expectation(entry.host_ip, address) == ANSWERS
    }
    for address in addresses:
        for entry in published:
            expected = expectation(entry.host_ip, address)
            if expected != ANSWERS and (address, entry.port) in claimed:
                continue
            cells.append(
                Cell(
                    group=entry.group,
                    thing=entry.thing,
                    vantage=vantage_of(address),
                    address=address,
                    port=entry.port,
                    expected=expected,
                    outcome=None,
                    host_ip=entry.host_ip,
                    container=entry.container,
                    container_port=entry.container_port,
                )
            )
    return cells
