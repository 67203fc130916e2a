# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _namespace as namespace
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline


def test_run_gives_status_and_output():
    finished = namespace.run(["sh", "-c", "cat; echo bad >&2; exit 3"], Deadline(5), b"in")
    assert (finished.status, finished.output, finished.error) == (3, b"in", "bad")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("sleep 9", "not ended in time"),
        ("exec >&- 2>&-; sleep 9", "not ended in time"),
        ("while :; do echo x; done", "not ended in time"),
        ("yes | head -c 3000000", "too much output"),
    ],
)
def test_run_is_bounded(script, reason):
    begun = time.monotonic()
    finished = namespace.run(["sh", "-c", script], Deadline(0.5))
    assert (finished.status, finished.error) in ((None, reason), (None, "too much output"))
    assert time.monotonic() - begun < 2


def test_a_program_that_is_not_there():
    finished = namespace.run(["/nonexistent"], Deadline(1))
    assert finished.status is None and "/nonexistent" in finished.error


@pytest.mark.parametrize(
    ("detached", "netns"),
    [(False, "--net"), (True, "--net=/proc/532/root/run/user/1000/dockerd-rootless/netns")],
)
def test_namespace_argv(detached, netns):
    argv = namespace.namespace_argv(532, detached, 1000, ["id"])
    assert argv == ["nsenter", "--target", "532", "--user", "--preserve-credentials", netns, "--", "id"]
