# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import SEARCH_PATH, run


def test_status_output_and_error():
    assert run(["sh", "-c", "cat; echo bad >&2; exit 3"], Deadline(5), b"in") == (3, "in", "bad")
    assert run(["sh", "-c", "kill -9 $$"], Deadline(5)).status == -9
    assert run(["printf", "\\377"], Deadline(5)).output == "\\xff"


def test_environment_is_its_own(monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    lines = set(run(["env"], Deadline(5), uid=os.geteuid(), environment={"TZ": "UTC"}).output.splitlines())
    assert {f"PATH={SEARCH_PATH}", "LC_ALL=C", f"XDG_RUNTIME_DIR=/run/user/{os.geteuid()}", "TZ=UTC"} == lines


@pytest.mark.parametrize("script", ["exit 0", "exec <&-; exit 0", "wc -c >/dev/null"])
def test_more_input_than_a_pipe_holds(script):
    assert run(["sh", "-c", script], Deadline(5), b"x" * 1000000).status == 0


@pytest.mark.parametrize(
    ("script", "reasons"),
    [
        ("sleep 9", ["not ended in time"]),
        ("sleep 9 & exit 0", ["not ended in time"]),
        ("exec >&- 2>&-; sleep 9", ["not ended in time"]),
        ("while :; do echo x; done", ["not ended in time", "too much output"]),
        ("yes | head -c 3000000", ["too much output"]),
    ],
)
def test_time_and_output_are_bounded(script, reasons):
    begun = time.monotonic()
    finished = run(["sh", "-c", script], Deadline(0.5), b"x" * 1000000)
    assert finished.status is None and finished.error in reasons
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("program", ["/nonexistent", "nonexistent", "/", "a\0b"])
def test_what_cannot_be_run_is_named(program):
    finished = run([program], Deadline(1))
    assert finished.status is None and finished.error.startswith(f"{program}: ")
