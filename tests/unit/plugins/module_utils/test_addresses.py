# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import struct

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _addresses as addresses
from ansible_collections.portside.rootless_docker.plugins.module_utils import _arguments as arguments


def message(kind, family=socket.AF_INET, scope=0, attributes=(), flags=0):
    body = struct.pack("=BBBBI", family, 24, flags, scope, 2)
    for number, raw in attributes:
        body += struct.pack("=HH", 4 + len(raw), number) + raw + b"\0" * (-len(raw) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


V4 = socket.inet_aton("192.0.2.7")
PEER = socket.inet_aton("192.0.2.9")
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7")


def test_parse_addresses():
    data = (
        message(20, attributes=[(1, PEER), (2, V4), (3, b"eth0\0")]) + message(20, socket.AF_INET6, 0, [(1, V6)]) + message(16) + message(3)
    )
    found, done = addresses.parse_addresses(data)
    assert done and [(a.address, a.family) for a in found] == [("192.0.2.7", 4), ("2001:db8::7", 6)]


@pytest.mark.parametrize("data", [b"", b"\0" * 15, b"\0" * 16, message(20)[:18], message(20, attributes=[(1, b"xy")])])
def test_parse_addresses_of_something_else(data):
    assert addresses.parse_addresses(data)[0] == []


KNOWN = [
    addresses.HostAddress(*row)
    for row in (("127.0.0.1", 254, 8), ("2001:db8::7", 0, 64), ("10.0.2.15", 0, 24), ("10.0.2.15", 0, 24), ("fe80::1", 253, 64))
]


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (0x00, ["2001:db8::7"]),
        (0x80, ["2001:db8::7"]),  # permanent
        (0x21, ["2001:db8::7"]),  # temporary and deprecated
        (0xC0, []),  # permanent, and nobody knows yet whether another host has it
        (0x08, []),  # another host has it
        (0xC8, []),
    ],
)
def test_an_address_that_cannot_be_bound_is_not_tried_unless_named(flags, found):
    known, _done = addresses.parse_addresses(message(20, socket.AF_INET6, 0, [(1, V6)], flags))
    assert [a.address for a in known] == ["2001:db8::7"]
    assert addresses.global_addresses(known) == found


def test_global_addresses():
    assert addresses.global_addresses(KNOWN) == ["10.0.2.15", "2001:db8::7"]


@pytest.mark.parametrize(
    ("network", "found"),
    [("10.0.2.0/24", ["10.0.2.0/24"]), ("10.0.0.0/8", ["10.0.2.0/24"]), ("10.0.3.0/24", []), ("127.0.0.0/8", []), ("fe80::/10", [])],
)
def test_overlapping(network, found):
    assert addresses.overlapping(network, KNOWN) == found


def test_the_kernel_names_the_loopback():
    assert "127.0.0.1" in [a.address for a in addresses.host_addresses()]


@pytest.mark.parametrize("address", ["nonsense", "::1", "127.0.0.1", "0.0.0.0", "203.0.113.254"])
def test_addresses_that_cannot_be_tried(address):
    with pytest.raises(arguments.BadArgument, match="host_addresses has"):
        arguments.own_addresses([address])


def test_other_arguments():
    assert arguments.own_addresses([]) == []
    assert arguments.checked_timeout(20.0) == 20.0
    for seconds in (0.5, 601, float("nan")):
        with pytest.raises(arguments.BadArgument, match="timeout"):
            arguments.checked_timeout(seconds)
    with pytest.raises(arguments.BadArgument, match="does not exist"):
        arguments.find_account("no such user")
