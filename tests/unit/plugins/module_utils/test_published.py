# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _published as published


def entry(name="web", **port):
    ports = [{"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp", **port}]
    return {"Names": ["/" + name], "Id": "f" * 64, "Ports": ports}


def test_container_ports():
    containers = [
        entry(),
        entry("all", IP="0.0.0.0", PublicPort=8081),
        entry("all", IP="::", PublicPort=8081),
        entry("dns", Type="udp", PublicPort=53),
        {"Names": ["/none"], "Ports": [{"PrivatePort": 80, "Type": "tcp"}]},
    ]
    found, others = published.container_ports(containers)
    assert [(p.thing, p.host_ip, p.port, p.container_port) for p in found] == [
        ("web 127.0.0.1:8080->80", "127.0.0.1", 8080, 80),
        ("all 0.0.0.0:8081->80", "0.0.0.0", 8081, 80),
    ]
    assert others == 2


@pytest.mark.parametrize(
    "hostile",
    [
        {},
        {"Ports": None},
        {"Ports": ["x", None, 3]},
        {"Ports": {"80/tcp": 1}},
        entry(PublicPort="8080"),
        entry(PublicPort=True),
        entry(PublicPort=70000),
        entry(IP="127.0.0.1; id"),
        entry(IP=["127.0.0.1"]),
        entry(IP={"a": 1}),
        entry(IP=True),
        {"Names": "web", "Id": 3, "Ports": [{}]},
    ],
)
def test_answers_of_another_form_are_skipped(hostile):
    assert published.container_ports([hostile]) == ([], 0)


def test_hostile_name_is_shown_escaped_and_cut():
    found, _others = published.container_ports([entry("a\nb\x1b[2J" + "x" * 500)])
    assert "\n" not in found[0].thing and "\x1b" not in found[0].thing
    assert len(found[0].container) == 64
    assert len(found[0].thing) == published.MAX_SHOWN + len(" 127.0.0.1:8080->80")


def test_host_cells_leave_out_what_another_published_port_claims():
    one = published.Published("one", "127.0.0.1", 8080, 80, "one")
    two = published.Published("two", "192.0.2.7", 8080, 80, "two")
    cells = published.host_cells([one, two], ["127.0.0.1", "192.0.2.7", "192.0.2.9"])
    assert [(c.thing, c.address, c.expected) for c in cells] == [
        ("one", "127.0.0.1", "answers"),
        ("two", "192.0.2.7", "answers"),
        ("one", "192.0.2.9", "must_not"),
        ("two", "192.0.2.9", "must_not"),
    ]


def test_canary_bindings_have_a_port_only_where_it_is_ours_to_choose():
    ports = published.canary_ports([1001, 1002, 1003], [11, 12, 13, 14, 15], 0)
    assert published.canary_bindings(ports) == {
        "11/tcp": [{"HostIp": "127.0.0.1", "HostPort": "1001"}],
        "12/tcp": [{"HostIp": "", "HostPort": "1002"}],
        "13/tcp": [{"HostIp": "0.0.0.0", "HostPort": "1003"}],
        "14/tcp": [{"HostIp": "", "HostPort": ""}],
    }
    assert (ports[4].host_ip, ports[4].port) == (None, 15)
