# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _networks as core

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
# From a host; its words are in the byte order of a little-endian machine, so the networks are read as such there.
DEFAULT = "host0\t00000000\t015412C6\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
LAN = "host0\t005412C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
SLIRP = "eth1\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"


def routes4(text):
    return [(str(route.network), route.interface) for route in core.parse_routes4(HEAD + text)]


@pytest.fixture(autouse=True)
def little_endian(monkeypatch):
    monkeypatch.setattr(core.sys, "byteorder", "little")


@pytest.mark.parametrize(
    ("text", "routes"),
    [
        (DEFAULT + LAN, [("0.0.0.0/0", "host0"), ("198.18.84.0/24", "host0")]),
        (SLIRP, [("10.0.2.0/24", "eth1")]),
        # A route that rejects (0x200) or is not up leads nowhere.
        (SLIRP.replace("0001", "0201"), []),
        (SLIRP.replace("\t0001\t", "\t0000\t"), []),
        (SLIRP.replace("00FFFFFF", "FF00FF00"), []),
        (SLIRP.replace("0002000A", "zzzzzzzz"), []),
        (SLIRP.replace("0002000A", "02"), []),
        ("eth1\n\n", []),
        (SLIRP.replace("eth1", "eth\x1b"), [("10.0.2.0/24", "eth\\x1b")]),
    ],
)
def test_routes4(text, routes):
    assert routes4(text) == routes


def test_routes4_on_a_big_endian_machine(monkeypatch):
    monkeypatch.setattr(core.sys, "byteorder", "big")
    assert routes4(SLIRP.replace("0002000A", "0A000200").replace("00FFFFFF", "FFFFFF00")) == [("10.0.2.0/24", "eth1")]


NONE6 = "0" * 32


def line6(destination, prefix, flags="00000001", interface="eth0"):
    return f"{destination} {prefix} {NONE6} 00 {NONE6} 00000100 00000001 00000000 {flags} {interface:>8}\n"


@pytest.mark.parametrize(
    ("text", "routes"),
    [
        (line6("20010db8000000000000000000000000", "40"), [("2001:db8::/64", "eth0")]),
        (line6(NONE6, "00"), [("::/0", "eth0")]),
        # The kernel's own: reject everything.
        (line6(NONE6, "00", "00200200", "lo"), []),
        (line6("00000000000000000000000000000001", "80", "80200001", "lo"), []),
        (line6("fe800000000000000000000000000000", "40"), []),
        (line6("ff000000000000000000000000000000", "08"), []),
        (line6("20010db8", "40"), []),
        (line6("20010db8000000000000000000000000", "ff"), []),
        ("nothing\n", []),
    ],
)
def test_routes6(text, routes):
    assert [(str(route.network), route.interface) for route in core.parse_routes6(text)] == routes


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.2.0/24", "10.0.2.0/24"),
        ("10.0.2.100/24", "10.0.2.0/24"),
        ("fd00::/64", "fd00::/64"),
        ("10.0.2.0", None),
        ("10.0.2.0/33", None),
        ("fe80::%eth0/64", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_network(text, network):
    assert core.parse_network(text) == (network and ipaddress.ip_network(network))


def route(network, interface="eth0"):
    return core.Route(ipaddress.ip_network(network), interface)


@pytest.mark.parametrize(
    ("title", "owned", "routes", "found"),
    [
        ("apart", {"cidr": ["10.0.2.0/24"]}, [route("192.168.0.0/16")], []),
        ("the same", {"cidr": ["10.0.2.0/24"]}, [route("10.0.2.0/24")], [("cidr", "10.0.2.0/24", "10.0.2.0/24", "eth0", False)]),
        ("inside a greater one", {"cidr": ["10.0.2.0/24"]}, [route("10.0.0.0/8")], [("cidr", "10.0.2.0/24", "10.0.0.0/8", "eth0", False)]),
        ("the way to everywhere is none", {"cidr": ["10.0.2.0/24"]}, [route("0.0.0.0/0")], []),
        ("the other family", {"cidr": ["10.0.2.0/24"]}, [route("fd00::/8")], []),
        ("IPv6", {"docker network v6": ["fd00:1::/64"]}, [route("fd00::/8")],
         [("docker network v6", "fd00:1::/64", "fd00::/8", "eth0", False)]),
        ("once for each interface", {"cidr": ["10.0.2.0/24"]}, [route("10.0.2.0/24"), route("10.0.2.1/32")],
         [("cidr", "10.0.2.0/24", "10.0.2.0/24", "eth0", False)]),
        ("a rootful Docker's bridge", {"docker network bridge": ["172.17.0.0/16"]}, [route("172.17.0.0/16", "docker0")],
         [("docker network bridge", "172.17.0.0/16", "172.17.0.0/16", "docker0", True)]),
        ("no network", {"cidr": ["nonsense"]}, [route("10.0.2.0/24")], []),
    ],
)  # fmt: skip
def test_collisions(title, owned, routes, found):
    assert [tuple(each.values()) for each in core.collisions(owned, routes)] == found, title


def test_a_host_that_routes_the_internet_is_cut():
    assert len(core.parse_routes4(HEAD + SLIRP * (core.MAX_ROUTES + 10))) == core.MAX_ROUTES


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("# by systemd-resolved\nnameserver 127.0.0.53\noptions edns0\nsearch .\n", ["127.0.0.53"]),
        ("nameserver fe80::1%eth0\nnameserver\nnameserver x\n nameserver 192.0.2.1 # one\n", ["fe80::1", "192.0.2.1"]),
        ("nameserver 192.0.2.1\n" * 9, ["192.0.2.1"] * 3),
        ("", []),
    ],
)
def test_nameservers(text, servers):
    assert core.nameservers(text) == servers
