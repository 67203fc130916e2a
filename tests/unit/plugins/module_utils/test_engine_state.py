# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _engine_state as core


def container(ports, name="/web"):
    return {"Id": "fa6a61384235706e", "Names": [name], "Ports": ports}


def port(**changes):
    return {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8081, "Type": "tcp", **changes}


@pytest.mark.parametrize(
    ("title", "containers", "ports"),
    [
        ("one", [container([port()])], [("web", "0.0.0.0", 8081, "tcp", 80)]),
        ("both families", [container([port(), port(IP="::")])], [("web", "0.0.0.0", 8081, "tcp", 80), ("web", "::", 8081, "tcp", 80)]),
        ("UDP", [container([port(Type="udp")])], [("web", "0.0.0.0", 8081, "udp", 80)]),
        ("twice the same", [container([port(), port()])], [("web", "0.0.0.0", 8081, "tcp", 80)]),
        ("exposed, not published", [container([{"PrivatePort": 80, "Type": "tcp"}])], []),
        ("no address", [container([port(IP="")])], [("web", "", 8081, "tcp", 80)]),
        ("hostile address", [container([port(IP="\x1b]0;x")])], [("web", "", 8081, "tcp", 80)]),
        ("hostile name", [container([port()], "/\x1b[2J" + "x" * 99)], [("\\x1b[2J" + "x" * 54 + "...", "0.0.0.0", 8081, "tcp", 80)]),
        ("no name", [{"Id": "fa6a61384235706e", "Ports": [port()]}], [("fa6a61384235", "0.0.0.0", 8081, "tcp", 80)]),
        (
            "ports that are none",
            [container([port(PublicPort=0), port(PublicPort=65536), port(PublicPort="80"), port(PublicPort=True)])],
            [],
        ),
        ("a protocol that is none", [container([port(Type="icmp"), port(Type=["tcp"])])], []),
        ("garbage", [None, 7, {}, container("x"), container([None])], []),
        ("no list", {"a": 1}, []),
    ],
)
def test_published(title, containers, ports):
    found = core.published_ports(containers)
    assert [tuple(each.values()) for each in found["ports"]] == ports, title
    assert found["count"] == len(ports)


def test_all_are_counted_and_some_are_listed():
    found = core.published_ports([container([port(PublicPort=number) for number in range(1, 10001)])])
    assert (found["count"], len(found["ports"])) == (10000, core.MAX_PORTS)


@pytest.mark.parametrize(
    ("networks", "subnets"),
    [
        ([{"Name": "bridge", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]}}], {"bridge": ["172.17.0.0/16"]}),
        ([{"Name": "host", "IPAM": {"Config": []}}, {"Name": "none", "IPAM": {"Config": None}}], {}),
        ([{"Name": "a", "IPAM": {"Config": [{"Subnet": "x"}, {"Subnet": 7}, None]}}], {}),
        ([{"Name": "a", "IPAM": "x"}, None, 7, {}], {}),
        (None, {}),
    ],
)
def test_subnets(networks, subnets):
    assert core.network_subnets(networks) == subnets
