# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run readers side by side, all under one deadline."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline

Key = TypeVar("Key", bound=Hashable)

GRACE = 0.3
"""Seconds beyond the deadline for a reader that keeps it to hand in what it has, and to end the program that it runs."""


def run_all(tasks: Mapping[Key, Callable[[], Any]], deadline: Deadline, workers: int = 32, grace: float = GRACE) -> dict[Key, Any]:
    """What each task returned. A task that did not end in time is missing in the answer.

    Daemon threads and no executor: that one waits, when Python ends, for a thread that hangs in a read of a dead network file system.

    :param workers: most threads at a time.
    :param grace: seconds beyond the deadline; more where a task calls this function itself: that call has to end first, or what it has is
        lost.
    :raises Exception: what a task raised.
    """
    waiting: queue.SimpleQueue[Key] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[Key, Any, BaseException | None]] = queue.SimpleQueue()
    for key in tasks:
        waiting.put(key)

    def work() -> None:
        while True:
            try:
                key = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                ended.put((key, tasks[key](), None))
            except Exception as error:
                ended.put((key, None, error))

    for _number in range(min(workers, len(tasks))):
        threading.Thread(target=work, daemon=True).start()
    results: dict[Key, Any] = {}
    end = Deadline(deadline.remaining() + grace)
    while len(results) < len(tasks):
        try:
            key, value, failure = ended.get(timeout=end.remaining())
        except queue.Empty:
            break
        if failure is not None:
            raise failure
        results[key] = value
    return results
