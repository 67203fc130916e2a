# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long published ports of a user's containers do not answer while the user's daemon is restarted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.portside.rootless_docker.plugins.module_utils._probe import DATA, SILENT, TCP, Probe, Reading, run_probes

MAX_WATCHED = 200
"""Ports that are watched for one user; the others share their daemon's fate."""

PATIENCE = 0.3
"""Seconds for a connection, and again for it to stay open. Where no container takes it, pasta and the others break it off at once."""

PAUSE = 0.1
"""Seconds between two rounds of probes."""

ROUND_SECONDS = 3.0
"""Seconds that one round may take."""

HERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where the host itself tries a port that is published on all addresses."""


def place(address: str, port: int) -> str:
    """An address and a port as one word."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def split_place(text: str) -> tuple[str, int]:
    """The reverse of :func:`place`.

    :raises ValueError: it is no such word.
    """
    address, _colon, port = text.rpartition(":")
    if not address:
        raise ValueError(f"{text!r} is no address with a port such as 127.0.0.1:8080")
    return address.strip("[]"), int(port)


def is_own(address: str) -> bool:
    """Whether an address is one of this host's. A user's Engine may name any, and root does not connect elsewhere for it."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as handle:
            handle.bind((address, 0))
    except OSError:
        return False
    return True


def published_places(published: dict[str, Any] | None) -> list[str]:
    """Where the host reaches the TCP ports that running containers publish, at most C(MAX_WATCHED).

    :param published: as C(read_engine) returns it; None where the Engine gave no answer.
    """
    listed = [(entry["host_ip"], entry["host_port"]) for entry in (published or {}).get("ports", []) if entry["protocol"] == TCP]
    # One on all addresses is listed as 0.0.0.0 and as ::. Over IPv6 some drivers answer also where the daemon has none.
    kept = [(address, port) for address, port in listed if address != "::" or ("0.0.0.0", port) not in listed]
    found = [place(HERE.get(address, address), port) for address, port in kept]
    return [each for each in list(dict.fromkeys(found))[:MAX_WATCHED] if is_own(split_place(each)[0])]


def answering(places: Iterable[str], probe: Callable[[list[Probe], float], dict[str, Reading]] = run_probes) -> set[str]:
    """Those places where a connection stays open or brings data: a bare connect proves nothing under pasta, which takes any."""
    readings = probe([Probe(each, *split_place(each), wait=PATIENCE) for each in places], ROUND_SECONDS)
    return {each for each, reading in readings.items() if reading.event in (DATA, SILENT)}


@dataclass
class Outage:
    """From rounds of probes to how long it took. Pure.

    :ivar awaited: places that have to answer again.
    :ivar since: when the first of them was found silent, in seconds on the monotonic clock; None as long as none was.
    :ivar until: when all of them were found to answer again; None before.
    :ivar missing: those that did not answer in the last round.
    """

    awaited: set[str]
    since: float | None = None
    until: float | None = None
    missing: set[str] = field(default_factory=set)

    def note(self, now: float, found: set[str]) -> None:
        """Take up what one round found; C(now) is when it began."""
        self.missing = self.awaited - found
        if self.missing:
            self.since, self.until = (now if self.since is None else self.since), None
        elif self.since is not None and self.until is None:
            self.until = now

    def forget(self, gone: set[str]) -> None:
        """Leave out places that nobody publishes any more."""
        self.awaited -= gone
        self.missing -= gone

    def as_result(self, now: float) -> dict[str, Any]:
        """As the module returns it; C(seconds) up to C(now) where it goes on."""
        end = now if self.until is None else self.until
        return {
            "ports": len(self.awaited),
            "seconds": 0.0 if self.since is None else round(end - self.since, 1),
            "since": self.since,
            "missing": sorted(self.missing),
        }


class Watch:
    """Probes ports again and again from a thread of its own.

    :param places: those of them that answer now are awaited.
    :param down: places that an earlier watch found missing, all awaited.
    :param since: since when they were.
    """

    def __init__(self, places: Iterable[str], down: Iterable[str] = (), since: float | None = None) -> None:
        missing = set(down)
        self.outage = Outage(answering(places) | missing, since=since if missing else None, missing=missing)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        if self.outage.awaited:
            self._thread.start()

    def _work(self) -> None:
        while not self._stop.wait(PAUSE):
            now = time.monotonic()
            self.outage.note(now, answering(sorted(self.outage.awaited)))

    def finish(self, published: list[str] | None, seconds: float) -> dict[str, Any] | None:
        """Wait until all that is still published answers again, or time is up.

        :param published: what running containers publish now; None where nobody knows.
        :returns: the outage, with C(gone), what is published no more; None where no port was awaited.
        """
        if not self.outage.awaited:
            return None
        gone = self.outage.awaited - set(published) if published is not None else set()
        if published is not None:
            self.outage.forget(gone)
        end = time.monotonic() + seconds
        # The last word is of a round that began after the daemon was up.
        rounds = 0
        while time.monotonic() < end and self.outage.awaited:
            time.sleep(PAUSE + PATIENCE)
            rounds += 1
            if rounds > 1 and not self.outage.missing:
                break
        self._stop.set()
        self._thread.join(ROUND_SECONDS)
        return {**self.outage.as_result(time.monotonic()), "gone": sorted(gone)}
