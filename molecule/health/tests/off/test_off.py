# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One user's timer was switched off; the other's goes on."""

from __future__ import annotations


def timer(host, user):
    """Its state."""
    return host.run(f"systemctl is-active rootless-docker-health@{user}.timer").stdout.strip()


def test_one_is_off_without_a_trace(host):
    """The daemon itself runs on."""
    assert host.check_output("systemctl list-units --state=failed --plain --no-legend") == ""
    assert host.run("find /etc/systemd /run/systemd/units /var/lib/rootless-docker-health /var/lib/prometheus -name '*Bob*'").stdout == ""
    assert host.check_output("systemctl --user --machine=Bob.b-1@ is-active docker.service") == "active"


def test_the_other_goes_on(host):
    """Timer, record and metrics."""
    assert timer(host, "alice") == "active"
    assert host.file("/var/lib/rootless-docker-health/alice.json").exists
    assert host.file("/var/lib/prometheus/node-exporter/rootless_docker_alice.prom").exists
