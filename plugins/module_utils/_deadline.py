# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One deadline that everything in a run shares.

A timeout for each step adds up to more than anybody asked for; a deadline does not.
"""

from __future__ import annotations

import time


class Deadline:
    """A point in time on the monotonic clock.

    :param seconds: how far away it is, in seconds from now.
    """

    def __init__(self, seconds: float) -> None:
        self._start = time.monotonic()
        self._end = self._start + seconds

    def remaining(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._end - time.monotonic())

    def elapsed(self) -> float:
        """Seconds since the deadline was set."""
        return time.monotonic() - self._start

    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining() <= 0.0

    def within(self, seconds: float) -> Deadline:
        """A deadline of its own for one step: C(seconds) from now, but not after this one."""
        return Deadline(min(seconds, self.remaining()))
