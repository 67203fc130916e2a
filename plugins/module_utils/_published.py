# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is published, as plain values: the canaries' ports, and those of running containers. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import (
    ANSWERS,
    OWN4,
    OWN6,
    TCP,
    UDP,
    Cell,
    expectation,
    is_other_loopback,
    kind_of,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean

MAX_SHOWN = 40
"""Characters of a container's name in the table; its cells have more."""
PROTOCOLS = (TCP, UDP)


@dataclass(frozen=True)
class Published:
    """One published port.

    :ivar thing: as a person would write it, less the protocol.
    :ivar host_ip: published on; empty for all addresses, None when it is not published.
    :ivar port: on the host; 0 when it is not known, because its container could not be put up.
    :ivar container: name of the container; empty for a canary.
    """

    thing: str
    host_ip: str | None
    port: int
    container_port: int
    container: str = ""
    protocol: str = TCP
    group: str = "canary"

    @property
    def ipv6(self) -> bool:
        """Published for IPv6 only."""
        return ":" in (self.host_ip or "")


CANARY_ROWS: tuple[tuple[str | None, bool], ...] = (
    ("127.0.0.1", False),
    ("", False),
    ("0.0.0.0", False),
    ("", True),
    (None, False),
    ("::1", False),
    ("::", False),
)
"""The rows of the contract that a canary container shows: the host address it is published on, empty for all, None for not published at
all; and whether the Engine chooses the port."""

NAMESPACE_ROWS: tuple[tuple[str | None, bool], ...] = (
    ("127.0.0.1", False),
    ("0.0.0.0", False),
    ("0.0.0.0", True),
    (None, False),
    ("::1", False),
    ("::", False),
)
"""The same of a canary in RootlessKit's namespace: the host address, and whether the port lies in the host's ephemeral range."""


def vantage_of(address: str) -> str:
    """The host as a vantage point, tried at one of its addresses."""
    return f"host {address}"


def brackets(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def canary_port(host_ip: str | None, chosen: bool, port: int, inside: int, protocol: str) -> Published:
    """One row of CANARY_ROWS, with its ports.

    :param port: on the host, 0 where there is none because the container could not be put up.
    :param inside: in the container.
    """
    if host_ip is None:
        return Published(f"{inside}, not published", None, inside, inside, protocol=protocol)
    if chosen:
        return Published(f"{inside} (got {port or 'none'})", "", port, inside, protocol=protocol)
    return Published(f"{brackets(host_ip)}:{port}:{inside}".lstrip(":"), host_ip, port, inside, protocol=protocol)


def canary_bindings(published: list[Published], chosen: set[int]) -> dict[str, list[dict[str, str]]]:
    """What a canary container publishes, as the Engine's API wants it.

    :param chosen: container ports whose host port the Engine chooses.
    """
    return {
        f"{entry.container_port}/{entry.protocol}": [
            {"HostIp": entry.host_ip, "HostPort": "" if entry.container_port in chosen else str(entry.port)}
        ]
        for entry in published
        if entry.host_ip is not None
    }


def _port(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536 else 0


def container_ports(containers: list[dict[str, Any]]) -> tuple[list[Published], int]:
    """Published ports from the Engine's list of running containers.

    :returns: them, and how many others (SCTP) are published and not looked at.
    """
    found: dict[tuple[str, int, str, str], tuple[str, int]] = {}
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
            # `-p P:C` is listed as 0.0.0.0 and, where the namespace has IPv6, also as ::.
            inside, host_ip, protocol = _port(item.get("PrivatePort")), item.get("IP") or "0.0.0.0", item.get("Type")
            if not is_address(host_ip):
                continue
            if protocol in PROTOCOLS:
                found.setdefault((host_ip, port, protocol, name), (name, inside))
            else:
                others.add((name, port, str(protocol), host_ip))
    return [_container_port(key, *value, found) for key, value in found.items() if not _second_half(key, found)], len(others)


def is_address(value: Any) -> bool:
    """Whether it is an address that can be published on. One with a scope cannot, and after its % any text may follow."""
    try:
        return isinstance(value, str) and "%" not in value and bool(kind_of(value))
    except ValueError:
        return False


def _second_half(key: tuple[str, int, str, str], found: Iterable[Any]) -> bool:
    """Whether an entry on :: belongs to one on 0.0.0.0: together they are one port on all addresses."""
    return key[0] == "::" and ("0.0.0.0", *key[1:]) in found


def _container_port(key: tuple[str, int, str, str], name: str, inside: int, found: Iterable[Any]) -> Published:
    listed, port, protocol, _name = key
    both = listed == "0.0.0.0" and ("::", *key[1:]) in found
    shown = f"{clean(name, MAX_SHOWN)} {'' if both else brackets(listed) + ':'}{port}->{inside}"
    return Published(shown, "" if both else listed, port, inside, name, protocol, "container")


NO_SUCH_ADDRESS = "no interface of this host has that address"


def host_cells(published: list[Published], addresses: list[str], ipv6: bool, own: Collection[str] = ()) -> list[Cell]:
    """One cell, not tried yet, for each published thing and address.

    What is published on an address that is not among these has one there. If the host does not have it, the cell's note says so, and
    nobody may try it: it would be another machine's.

    A cell in which nothing must answer is left out where something else is published on that very address and port. So is one of a port on
    all addresses over IPv6 where the daemon has none: builtin answers there, the others do not, and either is what was asked for.

    :param ipv6: whether the daemon has IPv6. What is published for IPv6 only has to answer in any case: somebody asked for it.
    :param own: all addresses of the host; where they are not known, none.
    """
    expected = {
        (number, address): expectation(entry.host_ip, address, ipv6 or entry.ipv6)
        for number, entry in enumerate(published)
        for address in addresses
    }
    claimed = {
        (address, published[number].port, published[number].protocol)
        for (number, address), wanted in expected.items()
        if wanted == ANSWERS and published[number].port
    }
    cells = []
    for address in addresses:
        for number, entry in enumerate(published):
            wanted = expected[number, address]
            if entry.host_ip == "" and ":" in address and not ipv6:
                continue
            if wanted != ANSWERS and (address, entry.port, entry.protocol) in claimed:
                continue
            cells.append(_host_cell(entry, address, wanted))
    for entry in published if own else []:
        address = str(ipaddress.ip_address(entry.host_ip)) if entry.host_ip else ""
        if entry.port and kind_of(address) in (OWN4, OWN6) and address not in addresses:
            there = address in own or is_other_loopback(address)
            cells.append(_host_cell(entry, address, ANSWERS, "" if there else NO_SUCH_ADDRESS))
    return cells


def _host_cell(entry: Published, address: str, expected: str, note: str = "") -> Cell:
    return Cell(
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
        protocol=entry.protocol,
        note=note,
    )
