# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""With the last user the timer is gone, with all that it brought."""

from __future__ import annotations


def test_no_file_is_left(host):
    """Units, links, program, metrics, records; what node_exporter's package made stays."""
    found = "find /etc /usr/local /opt /var/lib -xdev ( -name '*rootless-docker-health*' -o -name 'rootless_docker_*' -o -name health.pyz )"
    assert host.check_output(found.replace("(", "\\(").replace(")", "\\)")) == ""
    assert host.file("/var/lib/prometheus/node-exporter").is_directory


def test_systemd_knows_none(host):
    """Not as failed, and not as running without a file."""
    assert host.check_output("systemctl list-units --all --plain --no-legend 'rootless-docker-health*'") == ""
