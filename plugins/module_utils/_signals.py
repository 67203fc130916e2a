# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals that ask a run to end: the first one becomes an exception, and never in the middle of what cleans up."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)


class Interrupted(BaseException):
    """A signal asked the module to end. No Exception, so that nothing takes it for an error of its own."""


class Interrupts:
    """What a process does about SIGNALS from :meth:`install` on. All but the first are ignored: they must not cut cleaning up short."""

    def __init__(self) -> None:
        self._first = ""
        self._held = False

    def install(self) -> None:
        """Take them."""
        for each in SIGNALS:
            signal.signal(each, self._take)

    def _take(self, number: int, _frame: Any) -> None:
        if self._first:
            return
        self._first = signal.Signals(number).name
        if not self._held:
            raise Interrupted(self._first)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Do something to its end: a signal that comes meanwhile raises after it.

        Blocking them would not do. That is a thread's own matter: another thread takes the signal, and Python's part of it, the
        exception, comes in the main thread all the same.
        """
        before = self._first
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._first != before:
            raise Interrupted(self._first)
