# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other half of the contract: the host's loopback, tried from inside. Pure: what is tried, and what the readings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._ask import new_challenge, untried
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary_server import ANSWER, answer
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import (
    ANSWERED,
    MUST_NOT,
    NONCE,
    NOTHING,
    OUTCOMES,
    TCP,
    UDP,
    Cell,
    outcome_of,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._probe import MAX_DATA, Reading

NAMESPACE, BRIDGE, HOST_NETWORK = "RootlessKit's namespace", "bridge container", "host-network container"
MAX_SECONDS = 3600.0
"""More is no time that a probe took; it counts as none."""
CONTROL_WAIT = 1.0
PROBE_WAIT = 0.5
"""Seconds for an answer. A packet to the gateway is often dropped, and waiting is what a sound host costs most."""


@dataclass(frozen=True)
class Inside:
    """One probe of the host's loopback from inside.

    :ivar vantage: from where.
    :ivar thing: what is tried, as the table shows it.
    :ivar address: what is tried; C(gateway) and C(gateway6) are the default gateways of that place, C(outer) the one of RootlessKit's
        namespace, seen from a container.
    """

    vantage: str
    thing: str
    address: str

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address or self.address == "gateway6" else 4


INSIDE = (
    Inside(NAMESPACE, "127.0.0.1", "127.0.0.1"),
    Inside(NAMESPACE, "[::1]", "::1"),
    Inside(NAMESPACE, "gateway", "gateway"),
    Inside(NAMESPACE, "IPv6 gateway", "gateway6"),
    Inside(HOST_NETWORK, "127.0.0.1", "127.0.0.1"),
    Inside(HOST_NETWORK, "[::1]", "::1"),
    Inside(HOST_NETWORK, "gateway", "gateway"),
    Inside(HOST_NETWORK, "IPv6 gateway", "gateway6"),
    Inside(BRIDGE, "gateway", "gateway"),
    Inside(BRIDGE, "outer gateway", "outer"),
)

CONTROLS = {
    NAMESPACE: {4: "127.0.0.1", 6: "::1"},
    HOST_NETWORK: {4: "127.0.0.1", 6: "::1"},
    BRIDGE: {4: "gateway"},
}
"""Where something that must answer listens, by vantage point and family: at that place's own loopback, where a leak would show; for the
bridge in RootlessKit's namespace, which has its gateway."""


class InsideView:
    """What one place inside tries, and what came of it.

    :param vantage: of INSIDE.
    :param control_port: of what listens for its controls.
    :param host_ports: of the canary on the host's loopback: address, and port.
    :param families: that this place has: 4, 6.
    :param outer: address of the gateway of RootlessKit's namespace; None where it is not known.
    :param ipv6: whether there is an IPv6 gateway to try.
    """

    def __init__(
        self,
        vantage: str,
        nonce: str,
        control_port: int,
        host_ports: Mapping[int, int],
        families: frozenset[int],
        outer: str | None,
        ipv6: bool,
    ) -> None:
        self._nonce = nonce
        self._control_port = control_port
        self._vantage = vantage
        self._outer = outer
        self._host_ports = host_ports
        self._controls = {family: address for family, address in CONTROLS[vantage].items() if family in families}
        absent = [address for address, there in (("outer", outer), ("gateway6", ipv6)) if not there]
        self._rows = [
            row
            for row in INSIDE
            if row.vantage == vantage and row.family in self._controls and row.family in host_ports and row.address not in absent
        ]
        self._challenges: dict[str, bytes] = {}

    def task(self, patience: float, settle: float) -> dict[str, Any]:
        """The work as C(_probe.run_task) takes it.

        :param settle: seconds before the host's loopback is tried.
        """
        controls, probes = [], []
        for protocol in (TCP, UDP):
            for family, address in self._controls.items():
                controls.append(self._row(f"control {family} {protocol}", address, self._control_port, CONTROL_WAIT, protocol))
            for row in self._rows:
                address = self._outer or "" if row.address == "outer" else row.address
                probes.append(self._row(f"{row.thing} {protocol}", address, self._host_ports[row.family], PROBE_WAIT, protocol))
        return {"controls": controls, "probes": probes, "patience": patience, "settle": settle}

    def answered(self, readings: Mapping[str, Any]) -> set[tuple[str, str]]:
        """Address and protocol of the controls that answered."""
        return {
            (address, protocol)
            for family, address in self._controls.items()
            for protocol in (TCP, UDP)
            if self._control(readings, family, protocol)
        }

    def _control(self, readings: Mapping[str, Any], family: int, protocol: str) -> bool:
        return self._outcome(readings, f"control {family} {protocol}", self._control_port, protocol) == (ANSWERED, NONCE)

    def _row(self, key: str, address: str, port: int, wait: float, protocol: str) -> list[Any]:
        challenge = new_challenge()
        self._challenges[key] = challenge
        return [key, address, port, challenge.hex(), ANSWER, wait, protocol]

    def cells(self, readings: Mapping[str, Any]) -> list[Cell]:
        """One cell for each thing that was tried.

        :param readings: of C(_probe.run_task); empty where nothing could be tried. They came through the user's daemon.
        """
        return [self._cell(row, protocol, readings) for protocol in (TCP, UDP) for row in self._rows]

    def _cell(self, row: Inside, protocol: str, readings: Mapping[str, Any]) -> Cell:
        port = self._host_ports[row.family]
        reading = reading_of(readings.get(f"{row.thing} {protocol}"))
        # What was cut off, or could not be tried for a reason of that place's own, is not silence.
        tried = reading is not None and not untried(reading, PROBE_WAIT)
        outcome, proof = self._outcome(readings, f"{row.thing} {protocol}", port, protocol) if tried else (None, NOTHING)
        return Cell(
            group="host_loopback",
            thing=f"{row.thing}:{port}",
            vantage=row.vantage,
            address=row.address,
            port=port,
            expected=MUST_NOT,
            outcome=outcome,
            protocol=protocol,
            proof=proof,
            control=self._control(readings, row.family, protocol),
            seconds=round(reading.seconds, 4) if reading else 0.0,
        )

    def _outcome(self, readings: Mapping[str, Any], key: str, port: int, protocol: str) -> tuple[str | None, str]:
        return inside_outcome(readings.get(key), self._challenges.get(key), self._nonce, port, protocol)


def reading_of(row: Any) -> Reading | None:
    """A reading that came through the user's daemon and may be of whatever form; None when it is unusable.

    :param row: [event, data in hexadecimal, seconds, error].
    """
    if not isinstance(row, list) or len(row) != 4 or not all(isinstance(row[i], str) for i in (0, 1)):
        return None
    if row[0] != "data" and row[0] not in OUTCOMES:
        return None
    # No number of JSON's is too large to be compared, but one may be too large for a float; and what is not a number compares as false.
    seconds = float(row[2]) if isinstance(row[2], (int, float)) and 0 <= row[2] < MAX_SECONDS else 0.0
    try:
        return Reading(row[0], bytes.fromhex(row[1])[:MAX_DATA], seconds, clean(row[3], 20) if isinstance(row[3], str) else "")
    except ValueError:
        return None


def inside_outcome(row: Any, challenge: bytes | None, nonce: str, port: int, protocol: str = TCP) -> tuple[str | None, str]:
    """Outcome and proof of one row of readings.

    :param challenge: that was sent; None when nothing was tried.
    :param port: of the canary that was asked.
    :returns: the outcome None when the reading is unusable.
    """
    reading = reading_of(row)
    if challenge is None or reading is None:
        return None, NOTHING
    return outcome_of(reading.event, reading.data, answer(nonce, challenge, port, protocol))
