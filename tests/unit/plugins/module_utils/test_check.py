# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _check as core
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
