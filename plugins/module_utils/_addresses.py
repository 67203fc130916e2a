# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's own addresses, from the kernel (rtnetlink): without C(ip), and with scope and family."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass

_RTM_NEWADDR, _RTM_GETADDR, _NLMSG_ERROR, _NLMSG_DONE = 20, 22, 2, 3
_NLM_F_REQUEST_DUMP = 0x301
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_HEADER = struct.Struct("=IHHII")
_ADDRESS = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
SCOPE_GLOBAL = 0
_IFA_F_DADFAILED, _IFA_F_TENTATIVE = 0x08, 0x40


@dataclass(frozen=True)
class HostAddress:
    """One address of an interface.

    :ivar scope: as the kernel numbers it: 0 global, 253 link, 254 host.
    :ivar prefix: length of its network's prefix.
    :ivar usable: not one over IPv6 of which is not known yet whether another host has it, or that another host has: nobody can bind that.
    """

    address: str
    scope: int
    prefix: int = 0
    usable: bool = True

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4


def parse_addresses(data: bytes) -> tuple[list[HostAddress], bool]:
    """Addresses in one datagram of an RTM_GETADDR dump, and whether the dump ends here."""
    found: list[HostAddress] = []
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind = _HEADER.unpack_from(data, offset)[:2]
        if kind in (_NLMSG_DONE, _NLMSG_ERROR) or length < _HEADER.size or offset + length > len(data):
            return found, True
        if kind == _RTM_NEWADDR and length >= _HEADER.size + _ADDRESS.size:
            _family, prefix, flags, scope, _index = _ADDRESS.unpack_from(data, offset + _HEADER.size)
            raw = _attributes(data[offset + _HEADER.size + _ADDRESS.size : offset + length])
            # On a point-to-point link ADDRESS is the peer's and LOCAL is ours.
            local = raw.get(_IFA_LOCAL) or raw.get(_IFA_ADDRESS)
            if local and len(local) in (4, 16):
                usable = not flags & (_IFA_F_DADFAILED | _IFA_F_TENTATIVE)
                found.append(HostAddress(str(ipaddress.ip_address(local)), scope, prefix, usable))
        offset += (length + 3) & ~3
    return found, False


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


def host_addresses(seconds: float = 2.0) -> list[HostAddress]:
    """Every address of this network namespace's interfaces.

    :param seconds: longest wait for the kernel.
    :raises OSError: when the kernel does not answer.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(seconds)
        body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        netlink.send(_HEADER.pack(_HEADER.size + len(body), _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0) + body)
        found: list[HostAddress] = []
        done = False
        while not done:
            part, done = parse_addresses(netlink.recv(65536))
            found += part
    return found


def global_addresses(addresses: list[HostAddress]) -> list[str]:
    """The addresses of global scope that can be used, each once, in the kernel's order, IPv4 first."""
    chosen = [a.address for family in (4, 6) for a in addresses if a.family == family and a.scope == SCOPE_GLOBAL and a.usable]
    return list(dict.fromkeys(chosen))


def overlapping(network: str, addresses: list[HostAddress]) -> list[str]:
    """Networks of these addresses that overlap with a network, such as V(10.0.2.0/24).

    :raises ValueError: when it is none.
    """
    wanted = ipaddress.ip_network(network, strict=False)
    found = [ipaddress.ip_network(f"{a.address}/{a.prefix}", strict=False) for a in addresses if a.scope == SCOPE_GLOBAL and a.prefix]
    return list(dict.fromkeys(str(each) for each in found if each.version == wanted.version and each.overlaps(wanted)))
