# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _mounts as core

TEXT = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw
30 22 0:25 / /srv/my\\040data rw - tmpfs tmpfs rw
31 22 0:26 / /srv/data/in rw - tmpfs tmpfs rw
damaged
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/srv", ["/srv/data/in", "/srv/my data"]),
        ("/srv/data", ["/srv/data/in"]),
        ("/srv/data/in", ["/srv/data/in"]),
        ("/srv/data/in/side", []),
        ("/srv/dat", []),
        ("/srv/my data/", ["/srv/my data"]),
    ],
)
def test_below(path, found):
    assert core.below(path, core.mount_points(TEXT)) == found


def test_this_machine_has_a_root():
    assert "/" in core.mounts_below("/")
