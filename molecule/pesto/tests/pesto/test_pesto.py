# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pesto: what was asked for answers at once, and nothing else can be seen."""

from __future__ import annotations

from outsider import eventually


def test_pesto_runs(pasta_argv):
    """auto resolved to pesto."""
    assert any(argument.startswith("--conf-path=") for argument in pasta_argv)


def test_loopback_port_is_invisible_from_outside(on_host, outside, address):
    """Refused, as if nothing were there."""
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"
    assert on_host(address, 8080) == "refused"
    assert outside(8080) == "refused"


def test_ports_on_all_addresses(on_host, outside):
    """Answer from both sides."""
    for port in (8081, 8082):
        assert on_host("127.0.0.1", port) == "answered"
        assert outside(port) == "answered"


def test_port_that_the_engine_chose(on_host, outside, published):
    """A port of the ephemeral range answers."""
    port = published("chosen")
    assert port >= 32768
    assert on_host("127.0.0.1", port) == "answered"
    assert outside(port) == "answered"
