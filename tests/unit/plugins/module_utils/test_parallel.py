# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._parallel import run_all


def test_every_task_gives_its_answer():
    assert run_all({number: lambda number=number: number * 2 for number in range(100)}, Deadline(5), workers=3) == {
        number: number * 2 for number in range(100)
    }


def test_nothing_to_do():
    assert run_all({}, Deadline(0)) == {}


def test_tasks_run_side_by_side():
    barrier = threading.Barrier(4, timeout=5)
    assert len(run_all(dict.fromkeys(range(4), barrier.wait), Deadline(5))) == 4


def test_one_that_hangs_is_missing_and_the_others_are_there():
    release = threading.Event()
    clock = Deadline(60)
    try:
        assert run_all({"hangs": release.wait, "ends": lambda: 1}, Deadline(1)) == {"ends": 1}
    finally:
        release.set()
    assert clock.elapsed() < 5


def test_one_that_waits_for_others_hands_in_what_they_gave():
    release = threading.Event()
    deadline = Deadline(1)
    try:
        inner = {"hangs": release.wait, "ends": lambda: 1}
        assert run_all({"inner": lambda: run_all(inner, deadline)}, deadline, grace=5) == {"inner": {"ends": 1}}
    finally:
        release.set()


def test_an_error_is_raised_where_it_can_be_seen():
    with pytest.raises(ZeroDivisionError):
        run_all({"a": lambda: 1 // 0}, Deadline(5))
