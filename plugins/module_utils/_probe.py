# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""TCP and UDP probes: what really happens when somebody connects, with data and a deadline.

This file is also sent into RootlessKit's namespace and into the canary containers, so that
every vantage point measures in the same way. Therefore it imports nothing but the standard library, and little of that.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterable
from typing import Any, Callable, NamedTuple

MAX_DATA = 4096
"""Bytes kept of an answer."""

CONCURRENT = 512
"""Connections that are open at the same time."""

SHARE = 4
"""One part in so many of the handles that this process may have is for connections."""

LONGEST_WAIT = 2.0
"""Seconds that silence is waited for at most, for the reason that answers took long."""

HANDLE_SECONDS = 0.02
"""Seconds after which a probe for which there was no handle is tried again."""

LOOK_AGAIN_SECONDS = 0.05
"""Seconds after which it is asked again whether a silent connection waits on."""

TCP, UDP = "tcp", "udp"

# Closing ends a connection at once: its port is free again, and not in TIME-WAIT for a minute. The ports of a thousand connections would
# be a thousand that pasta cannot bind.
NO_LINGER = struct.pack("ii", 1, 0)

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
    :ivar address: numeric IPv4 or IPv6 address; C(gateway) or C(gateway6) for the default gateway of the place where the probe runs.
    :ivar send: sent as soon as connected. Over UDP an empty one is an empty datagram: it says nothing, and a closed port refuses it.
    :ivar want: bytes after which the answer is complete; 0 takes what comes first. Over UDP any datagram is.
    :ivar wait: seconds for the handshake, and again for the answer.
    :ivar protocol: V(tcp) or V(udp).
    """

    key: str
    address: str
    port: int
    send: bytes = b""
    want: int = 0
    wait: float = 1.0
    protocol: str = TCP


class Reading(NamedTuple):
    """What came of it.

    :ivar event: V(data), V(silent) (connected, or sent over UDP, and nothing came), V(reset), V(closed) (connected, closed empty),
        V(refused), V(timed_out), V(unreachable).
    :ivar data: at most 4096 bytes.
    :ivar seconds: from the first packet to the event.
    :ivar error: name of the errno, if there was one.
    """

    event: str
    data: bytes = b""
    seconds: float = 0.0
    error: str = ""


def impatient(_seconds: float) -> bool:
    """Waits for nobody longer than the probe says."""
    return False


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
    for fields in _routes("route")[1:]:
        if len(fields) > 7 and fields[1] == fields[7] == "00000000":
            with contextlib.suppress(ValueError):
                number = int(fields[2], 16)
                if number:
                    return socket.inet_ntoa(number.to_bytes(4, sys.byteorder))
    return None


def default_gateway6() -> str | None:
    """The IPv6 default gateway of this network namespace; a link-local one names its interface."""
    for fields in _routes("ipv6_route"):
        if len(fields) > 9 and int(fields[0] + fields[1], 16) == 0 and int(fields[4], 16):
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[4]))
            return f"{address}%{fields[9]}" if address.startswith("fe80:") else address
    return None


def _routes(table: str) -> list[list[str]]:
    """Lines of the kernel's table of routes, as words."""
    try:
        with open(f"/proc/self/net/{table}", encoding="ascii", errors="replace") as handle:
            return [line.split() for line in handle.read(65536).splitlines()]
    except OSError:
        return []


GATEWAYS = {"gateway": default_gateway, "gateway6": default_gateway6}


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


def _begin(probe: Probe, now: float) -> _Connection | Reading | None:
    """Start to connect; None when this process has no handle left."""
    address = GATEWAYS[probe.address]() if probe.address in GATEWAYS else probe.address
    if address is None:
        return Reading(UNREACHABLE, error="no gateway")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if probe.protocol == UDP else socket.SOCK_STREAM
    try:
        handle = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        if kind == socket.SOCK_STREAM:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return None
        return Reading(UNREACHABLE, error=_name(error.errno or 0))
    try:
        code = handle.connect_ex((address, probe.port))
    except OSError as error:
        # An address that is none, or with a scope that is not here, is looked up and not found.
        handle.close()
        return Reading(UNREACHABLE, error=_name(error.errno or 0))
    if code not in (0, errno.EINPROGRESS):
        handle.close()
        return Reading(_event_of(code, False), error=_name(code))
    return _Connection(probe, handle, now)


def _finished(item: _Connection) -> bool:
    return len(item.data) >= (1 if item.probe.protocol == UDP else item.probe.want or 1)


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
            if item.probe.send or item.probe.protocol == UDP:
                item.handle.send(item.probe.send)
            return None
        piece = item.handle.recv(MAX_DATA - len(item.data))
    except BlockingIOError:
        return None
    except OSError as error:
        if item.data:
            return Reading(DATA, item.data, spent)
        # Over UDP nothing was accepted that could be reset: what comes is the word of a packet filter or a router.
        accepted = item.probe.protocol == TCP
        return Reading(_event_of(error.errno or 0, accepted), seconds=spent, error=_name(error.errno or 0))
    item.data += piece
    if (piece or item.probe.protocol == UDP) and not _finished(item) and len(item.data) < MAX_DATA:
        return None
    return Reading(DATA, item.data, spent) if item.data else Reading(CLOSED, seconds=spent)


def _overdue(item: _Connection, now: float) -> Reading:
    if item.data:
        return Reading(DATA, item.data, now - item.begun)
    return Reading(SILENT if item.connected else TIMED_OUT, seconds=now - item.begun)


def most_handles() -> int:
    """Connections that one thread may have open: others need handles, too. The process's limit is raised where that is allowed."""
    wanted = CONCURRENT * SHARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else max(soft, min(wanted, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return CONCURRENT if soft == resource.RLIM_INFINITY else max(1, min(CONCURRENT, soft // SHARE))


def run_probes(probes: list[Probe], seconds: float, patient: Callable[[float], bool] = impatient) -> dict[str, Reading]:
    """Try all probes, many at a time; the answer has a Reading for each key.

    :param seconds: for all of them; a probe that could not begin in time reads V(timed_out).
    :param patient: gets how many seconds a connection has been silent that waited as long as it had to, and says whether it waits on.
    """
    end = time.monotonic() + seconds
    most = most_handles()
    readings: dict[str, Reading] = {}
    waiting = list(reversed(probes))
    with selectors.DefaultSelector() as selector:
        under_way: dict[int, _Connection] = {}
        # No probe is overdue before; so it is not looked for each time that one becomes ready.
        look = end

        def finish(item: _Connection, reading: Reading) -> None:
            selector.unregister(item.handle)
            del under_way[item.handle.fileno()]
            item.handle.close()
            readings[item.probe.key] = reading

        while waiting or under_way:
            now = time.monotonic()
            while waiting and len(under_way) < most and now < end:
                begun = _begin(waiting[-1], now)
                if begun is None:
                    # Handles come back when others end: as "unreachable" it would be a statement about the port.
                    look = min(look, now + HANDLE_SECONDS)
                    break
                probe = waiting.pop()
                if isinstance(begun, Reading):
                    readings[probe.key] = begun
                else:
                    under_way[begun.handle.fileno()] = begun
                    selector.register(begun.handle, selectors.EVENT_WRITE)
                    look = min(look, begun.until)
            if not waiting and not under_way:
                break
            for key, _mask in selector.select(max(0.0, look - now)):
                item = under_way[key.fd]
                reading = _step(item, time.monotonic())
                if reading is not None:
                    finish(item, reading)
                elif item.connected:
                    selector.modify(item.handle, selectors.EVENT_READ)
            # Overdue is what was so before that look at all of them: on a busy host, an answer may have come and not been read yet.
            if now >= look:
                for item in [i for i in under_way.values() if now >= min(i.until, end)]:
                    if now < end and item.connected and not item.data and patient(now - item.begun):
                        item.until = now + LOOK_AGAIN_SECONDS
                    else:
                        finish(item, _overdue(item, now))
                look = min([end, *(item.until for item in under_way.values())])
            if now >= end:
                readings.update((probe.key, Reading(TIMED_OUT)) for probe in waiting)
                break
    return readings


def retry_probes(
    keys: Iterable[str],
    make: Callable[[str], Probe],
    accept: Callable[[str, Reading], bool],
    seconds: float,
    pause: float = 0.1,
    limit: float | None = None,
    patient: Callable[[float], bool] = impatient,
) -> dict[str, Reading]:
    """Try until each probe is accepted, or the time is over; the last Reading of each is kept.

    :param make: gives the probe of a key anew for each round, so that a challenge is never used twice.
    :param accept: gets a key and its Reading.
    :param seconds: in which another round may begin, once the first is complete: that of many probes takes a while by itself.
    :param limit: seconds for everything; as C(seconds) where it is not given.
    :param patient: as for C(run_probes).
    """
    end = time.monotonic() + (seconds if limit is None else limit)
    last = None
    readings: dict[str, Reading] = {}
    pending = list(keys)
    while pending:
        got = run_probes([make(key) for key in pending], max(0.0, end - time.monotonic()), patient)
        # A round that the end of time cut off says less than the one before.
        cut = time.monotonic() >= end
        kept = {key: reading for key, reading in got.items() if not (cut and reading.event == TIMED_OUT and key in readings)}
        readings.update(kept)
        pending = [key for key in pending if key not in kept or not accept(key, kept[key])]
        last = last or min(end, time.monotonic() + seconds)
        if time.monotonic() + pause >= last:
            break
        if pending:
            time.sleep(pause)
    return readings


def longer_wait(answered: Iterable[float]) -> float:
    """Seconds that silence is waited for where answers took these: twice the longest, at most LONGEST_WAIT."""
    return min(LONGEST_WAIT, 2 * max(answered, default=0.0))


def run_task(task: dict[str, Any]) -> dict[str, list[Any]]:
    """A vantage point's work, as plain data: first its controls, until they answer, then, not before C(settle), the others.

    What must not answer gets no less time than what did answer needed: on a busy host silence would come too soon.

    :param task: C(controls) and C(probes) (lists of the fields of a Probe, send in hexadecimal), C(patience) and C(settle) in seconds.
    :returns: key to [event, data in hexadecimal, seconds, error].
    """
    begun = time.monotonic()

    def make(row: list[Any]) -> Probe:
        probe = Probe(*row)
        return probe._replace(send=bytes.fromhex(row[3]))

    controls = {row[0]: make(row) for row in task["controls"]}
    readings = retry_probes(controls, controls.__getitem__, lambda key, r: len(r.data) >= controls[key].want, task["patience"])
    time.sleep(max(0.0, begun + task["settle"] - time.monotonic()))
    floor = longer_wait(reading.seconds for reading in readings.values() if reading.event == DATA)
    probes = [make(row) for row in task["probes"]]
    readings.update(run_probes([probe._replace(wait=max(probe.wait, floor)) for probe in probes], task["patience"]))
    return {key: [r.event, r.data.hex(), round(r.seconds, 4), r.error] for key, r in readings.items()}
