# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""TCP probes: what really happens when somebody connects, with data and a deadline.

This file is also sent into RootlessKit's namespace and into the canary containers, so that
every vantage point measures in the same way. Therefore it imports nothing but the standard library, and little of that.
"""

from __future__ import annotations

import errno
import selectors
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any, Callable, NamedTuple

MAX_DATA = 4096
"""Bytes kept of an answer."""

CONCURRENT = 256
"""Connections that are open at the same time."""

DATA = "data"
SILENT = "silent"
RESET = "reset"
CLOSED = "closed"
REFUSED = "refused"
TIMED_OUT = "timed_out"
UNREACHABLE = "unreachable"


class Probe(NamedTuple):
    """One connection to try.

    :ivar key: names it in the result.
    :ivar address: numeric IPv4 or IPv6 address, or C(gateway) for the IPv4 default gateway of the place where the probe runs.
    :ivar send: sent as soon as connected.
    :ivar want: bytes after which the answer is complete; 0 takes what comes first.
    :ivar wait: seconds for the handshake, and again for the answer.
    """

    key: str
    address: str
    port: int
    send: bytes = b""
    want: int = 0
    wait: float = 1.0


class Reading(NamedTuple):
    """What came of it.

    :ivar event: V(data), V(silent) (connected, nothing came), V(reset), V(closed) (connected, closed empty), V(refused), V(timed_out),
        V(unreachable).
    :ivar data: at most 4096 bytes.
    :ivar seconds: from the first packet to the event.
    :ivar error: name of the errno, if there was one.
    """

    event: str
    data: bytes = b""
    seconds: float = 0.0
    error: str = ""


class _Connection:
    """A probe under way."""

    def __init__(self, probe: Probe, handle: socket.socket, now: float) -> None:
        self.probe = probe
        self.handle = handle
        self.begun = now
        self.until = now + probe.wait
        self.connected = False
        self.data = b""


def default_gateway() -> str | None:
    """The IPv4 default gateway of this network namespace."""
    try:
        with open("/proc/self/net/route", encoding="ascii", errors="replace") as table:
            for line in table.read(65536).splitlines()[1:]:
                fields = line.split()
                if len(fields) > 7 and fields[1] == "00000000" and fields[7] == "00000000":
                    number = int(fields[2], 16)
                    if number:
                        return socket.inet_ntoa(number.to_bytes(4, sys.byteorder))
    except (OSError, ValueError):
        pass
    return None


def _name(code: int) -> str:
    return errno.errorcode.get(code, str(code))


def _event_of(code: int, connected: bool) -> str:
    if code == errno.ECONNREFUSED:
        return REFUSED
    if code in (errno.ECONNRESET, errno.EPIPE):
        return RESET
    if code == errno.ETIMEDOUT:
        return SILENT if connected else TIMED_OUT
    return RESET if connected else UNREACHABLE


def _begin(probe: Probe, now: float) -> _Connection | Reading:
    address = default_gateway() if probe.address == "gateway" else probe.address
    if address is None:
        return Reading(UNREACHABLE, error="no gateway")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        handle = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        return Reading(UNREACHABLE, error=_name(error.errno or 0))
    code = handle.connect_ex((address, probe.port))
    if code not in (0, errno.EINPROGRESS):
        handle.close()
        return Reading(_event_of(code, False), error=_name(code))
    return _Connection(probe, handle, now)


def _finished(item: _Connection) -> bool:
    return len(item.data) >= (item.probe.want or 1)


def _step(item: _Connection, now: float) -> Reading | None:
    """Go on with a connection that became ready; a Reading when that ended it."""
    spent = now - item.begun
    try:
        if not item.connected:
            code = item.handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                return Reading(_event_of(code, False), seconds=spent, error=_name(code))
            item.connected = True
            item.until = now + item.probe.wait
            if item.probe.send:
                item.handle.send(item.probe.send)
            return None
        piece = item.handle.recv(MAX_DATA - len(item.data))
    except BlockingIOError:
        return None
    except OSError as error:
        if item.data:
            return Reading(DATA, item.data, spent)
        return Reading(_event_of(error.errno or 0, True), seconds=spent, error=_name(error.errno or 0))
    item.data += piece
    if piece and not _finished(item) and len(item.data) < MAX_DATA:
        return None
    return Reading(DATA, item.data, spent) if item.data else Reading(CLOSED, seconds=spent)


def _overdue(item: _Connection, now: float) -> Reading:
    if item.data:
        return Reading(DATA, item.data, now - item.begun)
    return Reading(SILENT if item.connected else TIMED_OUT, seconds=now - item.begun)


def run_probes(probes: list[Probe], seconds: float) -> dict[str, Reading]:
    """Try all probes, many at a time; the answer has a Reading for each key.

    :param seconds: for all of them; a probe that could not begin in time reads V(timed_out).
    """
    end = time.monotonic() + seconds
    readings: dict[str, Reading] = {}
    waiting = list(reversed(probes))
    with selectors.DefaultSelector() as selector:
        under_way: dict[int, _Connection] = {}

        def finish(item: _Connection, reading: Reading) -> None:
            selector.unregister(item.handle)
            del under_way[item.handle.fileno()]
            item.handle.close()
            readings[item.probe.key] = reading

        while waiting or under_way:
            now = time.monotonic()
            while waiting and len(under_way) < CONCURRENT and now < end:
                probe = waiting.pop()
                begun = _begin(probe, now)
                if isinstance(begun, Reading):
                    readings[probe.key] = begun
                else:
                    under_way[begun.handle.fileno()] = begun
                    selector.register(begun.handle, selectors.EVENT_WRITE)
            for item in [i for i in under_way.values() if now >= min(i.until, end)]:
                finish(item, _overdue(item, now))
            if now >= end:
                readings.update((probe.key, Reading(TIMED_OUT)) for probe in waiting)
                break
            if not under_way:
                continue
            pause = min(min(item.until for item in under_way.values()), end) - now
            for key, _mask in selector.select(max(0.0, pause)):
                item = under_way[key.fd]
                reading = _step(item, time.monotonic())
                if reading is not None:
                    finish(item, reading)
                elif item.connected:
                    selector.modify(item.handle, selectors.EVENT_READ)
    return readings


def retry_probes(
    keys: Iterable[str], make: Callable[[str], Probe], accept: Callable[[str, Reading], bool], seconds: float, pause: float = 0.1
) -> dict[str, Reading]:
    """Try until each probe is accepted, or the time is over; the last Reading of each is kept.

    :param make: gives the probe of a key anew for each round, so that a challenge is never used twice.
    :param accept: gets a key and its Reading.
    """
    end = time.monotonic() + seconds
    readings: dict[str, Reading] = {}
    pending = list(keys)
    while pending:
        got = run_probes([make(key) for key in pending], max(0.0, end - time.monotonic()))
        # A round that the end of time cut off says less than the one before.
        cut = time.monotonic() >= end
        readings.update((key, reading) for key, reading in got.items() if not (cut and reading.event == TIMED_OUT and key in readings))
        pending = [key for key in pending if not accept(key, got[key])]
        if time.monotonic() + pause >= end:
            break
        if pending:
            time.sleep(pause)
    return readings


def run_task(task: dict[str, Any]) -> dict[str, list[Any]]:
    """A vantage point's work, as plain data: first its controls, until they answer, then, not before C(settle), the others.

    :param task: C(controls) and C(probes) (lists of [key, address, port, send, want, wait], send in hexadecimal), C(patience) and
        C(settle) in seconds.
    :returns: key to [event, data in hexadecimal, seconds, error].
    """
    begun = time.monotonic()

    def make(row: list[Any]) -> Probe:
        key, address, port, send, want, wait = row
        return Probe(key, address, port, bytes.fromhex(send), want, wait)

    controls = {row[0]: make(row) for row in task["controls"]}
    readings = retry_probes(controls, controls.__getitem__, lambda key, r: len(r.data) >= controls[key].want, task["patience"])
    time.sleep(max(0.0, begun + task["settle"] - time.monotonic()))
    readings.update(run_probes([make(row) for row in task["probes"]], task["patience"]))
    return {key: [r.event, r.data.hex(), round(r.seconds, 4), r.error] for key, r in readings.items()}
