# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After all of it each user has a daemon of their own, seen from outside the collection."""

from __future__ import annotations

import pytest
from outsider import eventually

DRIVERS = {"alice": "pasta", "bob": "pasta", "carol": "slirp4netns", "dora": "pasta", "erin": "pasta", "hank": "pasta"}


@pytest.mark.parametrize(("user", "driver"), DRIVERS.items())
def test_each_user_has_a_daemon(host, user, driver):
    """It answers on the user's socket, and its network is served by the driver that was declared."""
    uid = host.check_output(f"id -u {user}")
    assert "rootless" in host.check_output(f"curl -sS --unix-socket /run/user/{uid}/docker.sock http://docker/info")
    assert host.check_output(f"pgrep -u {user} -c '^{driver}'") == "1"


def test_published_ports_of_one_user(on_host, outside):
    """alice's, from which nothing was taken."""
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"
    assert outside(8081) == "answered"
    assert outside(8080) == "refused"


def test_the_role_wrote_nothing_below_a_home(host):
    """All files are the users' own."""
    assert host.check_output("find /home /srv/readonly /srv/full -mindepth 2 -uid 0") == ""


def test_no_id_is_in_two_ranges(host):
    """Nobody shares a subordinate id with anybody."""
    for path in ("/etc/subuid", "/etc/subgid"):
        ranges = sorted(
            (int(start), int(count)) for _owner, start, count in (line.split(":") for line in host.file(path).content_string.split())
        )
        assert all(first + count <= following for (first, count), (following, _count) in zip(ranges, ranges[1:], strict=False)), ranges
