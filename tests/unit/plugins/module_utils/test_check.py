# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _check as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import Cell
from ansible_collections.portside.rootless_docker.plugins.module_utils._evidence import Holder

SSH, SSH6 = Holder("0.0.0.0", 22, 0, 1, "sshd", False), Holder("::", 22, 0, 1, "sshd", False)
DATABASE = Holder("127.0.0.1", 5432, 114, 2, "postgres", False)
HOLDERS = [SSH, SSH6, DATABASE]


@pytest.mark.parametrize(
    ("places", "exact", "found"),
    [
        ([(22, "127.0.0.1"), (22, "::1"), (5432, "127.0.0.1")], True, [("0.0.0.0", 22), ("::", 22), ("127.0.0.1", 5432)]),
        # It listens on IPv4 only.
        ([(5432, "::1")], True, []),
        # Through a gateway of the namespace, which is no address of the host's.
        ([(5432, "gateway"), (22, "gateway")], False, [("127.0.0.1", 5432), ("0.0.0.0", 22)]),
        ([(80, "127.0.0.1")], True, []),
        ([(80, "gateway")], False, []),
    ],
)
def test_services_at(places, exact, found):
    services = core.services_at(places, HOLDERS, exact)
    assert [(service.address, service.port) for service in services] == found
    assert {(service.port, service.through) for service in services} <= set(places)


@pytest.mark.parametrize(
    ("reading", "is_open"),
    [(["data", "", 0, ""], True), (["silent"], True), (["refused", "", 0, ""], False), ([], False), ("data", False), (None, False),
     ([["data"]], False)],
)  # fmt: skip
def test_is_open(reading, is_open):
    assert core.is_open(reading) is is_open


PASTA = Holder("0.0.0.0", 8080, 1000, 318, "pasta.avx2", True)
LIKE = frozenset({("must_not", "loopback4", "192.0.2.7", "udp")})


@pytest.mark.parametrize(
    ("protocol", "address", "expected", "seen", "holder", "implicit", "verdict"),
    [
        ("tcp", "127.0.0.1", "answers", ("silent", "open"), PASTA, True, "pass"),
        ("tcp", "127.0.0.1", "answers", ("silent", "open"), replace(PASTA, ours=False), True, "fail"),
        ("tcp", "127.0.0.1", "answers", ("answered", "data"), replace(PASTA, ours=False), True, "fail"),
        ("tcp", "127.0.0.1", "answers", ("silent", "open"), None, True, "fail"),
        ("udp", "127.0.0.1", "answers", ("silent", "doubt"), PASTA, True, "pass"),
        ("udp", "127.0.0.1", "answers", ("silent", "doubt"), None, True, "fail"),
        # Whatever is published there, pasta hands it to 127.0.0.1 inside.
        ("udp", "127.0.0.2", "answers", ("silent", "doubt"), PASTA, True, "fail"),
        ("udp", "127.0.0.2", "answers", ("silent", "doubt"), PASTA, False, "pass"),
        ("udp", "192.0.2.7", "must_not", ("silent", "doubt"), PASTA, True, "pass"),
        ("udp", "192.0.2.8", "must_not", ("silent", "doubt"), PASTA, True, "inconclusive"),
    ],
)
def test_weigh(protocol, address, expected, seen, holder, implicit, verdict):
    cell = Cell("container", "web", f"host {address}", address, 8080, expected, seen[0], "127.0.0.1", "web", 80, protocol, seen[1], True)
    assert core.weigh(cell, holder, LIKE, implicit).verdict == verdict
