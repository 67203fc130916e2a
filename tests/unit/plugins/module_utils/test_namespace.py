# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _namespace as namespace


@pytest.mark.parametrize(
    ("detached", "netns"),
    [(False, "--net"), (True, "--net=/proc/532/root/run/user/1000/dockerd-rootless/netns")],
)
def test_namespace_argv(detached, netns):
    argv = namespace.namespace_argv(532, detached, 1000, ["id"])
    assert argv == ["nsenter", "--target", "532", "--user", "--preserve-credentials", netns, "--", "id"]
