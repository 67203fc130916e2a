# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""implicit on a pasta that leaves out the ephemeral range unless told otherwise."""

from __future__ import annotations

from outsider import eventually


def test_implicit_runs_through_the_wrapper(pasta_argv):
    """The range is named before RootlessKit's own options."""
    assert not any(argument.startswith("--conf-path=") for argument in pasta_argv)
    assert pasta_argv[1:5] == ["-t", "32768-60999,auto", "-u", "32768-60999,auto"]


def test_port_that_the_engine_chose(on_host, outside, published):
    """A port of the ephemeral range answers."""
    port = published("chosen")
    assert port >= 32768
    assert eventually(lambda: on_host("127.0.0.1", port)) == "answered"
    assert outside(port) == "answered"


def test_loopback_port(on_host, outside):
    """Answers on loopback, gives nothing to another machine."""
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"
    assert outside(8080) in ("reset", "closed")
