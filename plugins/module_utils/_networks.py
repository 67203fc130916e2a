# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's own networks, and what of a daemon's lies in one of them. The parsers and the comparison are pure.

The kernel's main routing table is read; routes of other tables (policy routing) are not seen.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import PROC, read_text

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

MAX_ROUTES = 2000
"""Routes that are looked at in each of the two tables: a host that routes the internet has a million."""

TABLE_LIMIT = 1024 * 1024
_UP, _REJECT = 0x0001, 0x0200
_DOCKER_BRIDGE = re.compile(r"docker\d+|br-[0-9a-f]{12}")


@dataclass(frozen=True)
class Route:
    """One network that the host reaches through one interface."""

    network: Network
    interface: str

    @property
    def is_default(self) -> bool:
        """Whether it leads everywhere."""
        return self.network.prefixlen == 0


def _swapped(word: str) -> int:
    """A word of /proc/net/route, which is printed in the byte order of the machine."""
    return int.from_bytes(bytes.fromhex(word), sys.byteorder)


def parse_routes4(text: str) -> list[Route]:
    """Routes in /proc/net/route that are up and lead somewhere; lines of another form are skipped."""
    found = []
    for line in text.splitlines()[1 : MAX_ROUTES + 1]:
        fields = line.split()
        if len(fields) < 8 or len(fields[1]) != 8 or len(fields[7]) != 8:
            continue
        try:
            destination, mask, flags = _swapped(fields[1]), _swapped(fields[7]), int(fields[3], 16)
            network = ipaddress.IPv4Network((destination, str(ipaddress.IPv4Address(mask))), strict=False)
        except ValueError:
            continue
        if flags & _UP and not flags & _REJECT:
            found.append(Route(network, clean(fields[0], 15)))
    return found


def parse_routes6(text: str) -> list[Route]:
    """Routes in /proc/net/ipv6_route that are up and lead somewhere, without the loopback's; lines of another form are skipped."""
    found = []
    for line in text.splitlines()[:MAX_ROUTES]:
        fields = line.split()
        if len(fields) < 10 or len(fields[0]) != 32:
            continue
        try:
            network = ipaddress.IPv6Network((int(fields[0], 16), int(fields[1], 16)), strict=False)
            flags = int(fields[8], 16)
        except ValueError:
            continue
        local = fields[9] == "lo" or network.is_link_local or network.is_multicast
        if flags & _UP and not flags & _REJECT and not local:
            found.append(Route(network, clean(fields[9], 15)))
    return found


def read_routes(proc: str = PROC) -> list[Route]:
    """Routes of this process's network namespace, IPv4 then IPv6."""
    return parse_routes4(read_text(f"{proc}/net/route", TABLE_LIMIT) or "") + parse_routes6(
        read_text(f"{proc}/net/ipv6_route", TABLE_LIMIT) or ""
    )


def parse_network(text: Any) -> Network | None:
    """A network as C(ADDRESS/PREFIX), host bits allowed; None when it is anything else."""
    try:
        return ipaddress.ip_network(text, strict=False) if isinstance(text, str) and "/" in text and "%" not in text else None
    except ValueError:
        return None


def nameservers(text: str) -> list[str]:
    """The addresses of the resolvers in a text such as /etc/resolv.conf; at most three, as the C library takes. Pure."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            with contextlib.suppress(ValueError):
                found.append(str(ipaddress.ip_address(words[1].partition("%")[0])))
    return found[:3]


def collisions(owned: Mapping[str, Iterable[str]], routes: Iterable[Route]) -> list[dict[str, Any]]:
    """Where a network of the daemon's overlaps one of the host's.

    :param owned: what a network is, such as C(cidr), and the networks.
    :returns: C(what), C(network), C(host_network) and C(interface), and whether that is a bridge of a Docker daemon of the host's
        (C(docker_bridge)); at most one for each network and interface.
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    routes = [route for route in routes if not route.is_default]
    for what, networks in owned.items():
        for text in networks:
            network = parse_network(text)
            for route in routes:
                if network is None or network.version != route.network.version or not network.overlaps(route.network):
                    continue
                found.setdefault(
                    (what, str(network), route.interface),
                    {
                        "what": what,
                        "network": str(network),
                        "host_network": str(route.network),
                        "interface": route.interface,
                        "docker_bridge": bool(_DOCKER_BRIDGE.fullmatch(route.interface)),
                    },
                )
    return list(found.values())
