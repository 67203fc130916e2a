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
        entry("six", IP="::", PublicPort=8082),
        entry("dns", Type="udp", PublicPort=53),
        entry("phone", Type="sctp", PublicPort=5060),
        {"Names": ["/none"], "Ports": [{"PrivatePort": 80, "Type": "tcp"}]},
    ]
    found, others = published.container_ports(containers)
    assert [(p.thing, p.host_ip, p.port, p.container_port, p.protocol) for p in found] == [
        ("web 127.0.0.1:8080->80", "127.0.0.1", 8080, 80, "tcp"),
        ("all 8081->80", "", 8081, 80, "tcp"),
        ("six [::]:8082->80", "::", 8082, 80, "tcp"),
        ("dns 127.0.0.1:53->80", "127.0.0.1", 53, 80, "udp"),
    ]
    assert others == 1


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
    udp = published.Published("udp", "127.0.0.1", 8080, 80, "udp", "udp")
    cells = published.host_cells([one, two, udp], ["127.0.0.1", "192.0.2.7", "192.0.2.9"], False)
    assert [(c.thing, c.address, c.expected) for c in cells] == [
        ("one", "127.0.0.1", "answers"),
        ("udp", "127.0.0.1", "answers"),
        ("two", "192.0.2.7", "answers"),
        ("udp", "192.0.2.7", "must_not"),
        ("one", "192.0.2.9", "must_not"),
        ("two", "192.0.2.9", "must_not"),
        ("udp", "192.0.2.9", "must_not"),
    ]


@pytest.mark.parametrize(
    ("host_ip", "own", "expected"),
    [
        ("192.0.2.7", ["192.0.2.7", "192.0.2.9"], [("192.0.2.7", "")]),
        ("192.0.2.7", ["192.0.2.9"], [("192.0.2.7", published.NO_SUCH_ADDRESS)]),
        ("127.0.0.2", ["192.0.2.9"], [("127.0.0.2", "")]),
        ("2001:db8:0::7", ["2001:db8::7"], [("2001:db8::7", "")]),
        ("2001:db8::7", ["192.0.2.9"], [("2001:db8::7", published.NO_SUCH_ADDRESS)]),
        # It is among those that are tried; it is none of the host's own; nobody knows.
        ("192.0.2.9", ["192.0.2.9"], [("192.0.2.9", "")]),
        ("", ["192.0.2.9"], [("192.0.2.9", "")]),
        ("192.0.2.7", [], []),
    ],
)
def test_what_is_published_on_another_address_has_to_answer_there(host_ip, own, expected):
    cells = published.host_cells([published.Published("web", host_ip, 8080, 80, "web")], ["192.0.2.9"], True, own)
    assert [(c.address, c.note) for c in cells if c.expected == "answers"] == expected


@pytest.mark.parametrize(("ipv6", "expected"), [(True, ["answers", "answers"]), (False, ["answers"])])
def test_what_is_published_for_ipv6_only_has_to_answer_without_ipv6_too(ipv6, expected):
    ports = [published.Published("both", "", 8080, 80, "both"), published.Published("six", "::1", 8081, 80, "six")]
    assert [c.expected for c in published.host_cells(ports, ["::1"], ipv6)] == expected


def test_canary_ports_as_a_person_writes_them():
    things = [published.canary_port(host_ip, chosen, 1001, 11, "udp").thing for host_ip, chosen in published.CANARY_ROWS]
    assert things == [
        "127.0.0.1:1001:11", "1001:11", "0.0.0.0:1001:11", "11 (got 1001)", "11, not published", "[::1]:1001:11", "[::]:1001:11",
    ]  # fmt: skip


def test_canary_bindings_have_a_port_only_where_it_is_ours_to_choose():
    ports = [published.canary_port(*row, 1001, inside, "udp") for inside, row in enumerate(published.CANARY_ROWS[2:5], 11)]
    assert published.canary_bindings(ports, {12}) == {
        "11/udp": [{"HostIp": "0.0.0.0", "HostPort": "1001"}],
        "12/udp": [{"HostIp": "", "HostPort": ""}],
    }
