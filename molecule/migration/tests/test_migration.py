# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon that was adopted: the role's unit runs, nothing was lost, and nothing in the home is root's."""

from __future__ import annotations

from outsider import USER, eventually

OWN = f"/home/{USER}/.config/systemd/user"


def test_the_roles_unit_runs(host):
    """The user's own, and the link that enabled it, are gone."""
    shown = host.check_output(f"systemctl --user --machine={USER}@ show docker.service --property=FragmentPath,ActiveState")
    assert sorted(shown.split()) == ["ActiveState=active", "FragmentPath=/etc/systemd/user/docker.service"]
    assert host.run(f"find {OWN} -name 'docker.service*'").stdout == ""


def test_nothing_in_the_home_is_roots(host):
    """What was done there was done as the user; only the folder that Docker mounts for its containers has other owners."""
    assert host.check_output(f"find /home/{USER} -xdev -path /home/{USER}/.local/share/docker -prune -o -user root -print") == ""


def test_data_and_containers_are_the_same(host, docker):
    """In a volume and in a folder; the running containers and the one that had ended."""
    before = host.file(f"/home/{USER}/before.data").content_string
    assert len(before) > 20
    assert docker("exec keeper /bin/busybox cat /volume/kept") == before.strip()
    assert docker("exec keeper /bin/busybox cat /folder/kept") == before.strip()
    assert sorted(docker("ps --all --no-trunc --quiet").split()) == host.file(f"/home/{USER}/before.containers").content_string.split()


def test_published_ports_answer(on_host, outside):
    """Through pasta now."""
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"
    assert eventually(lambda: outside(8081)) == "answered"


def test_what_the_rootful_daemon_had_is_still_there(host):
    """It is stopped, and its files were not touched."""
    assert host.run("systemctl is-active docker.service").stdout.strip() == "inactive"
    assert len(host.check_output("ls /var/lib/docker/containers").split()) == 1
