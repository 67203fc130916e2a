# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other half of the contract: the host's loopback, tried from inside. Pure: what is tried, and what the readings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._canary_server import answer
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import (
    ANSWERED,
    MUST_NOT,
    NONCE,
    NOTHING,
    OUTCOMES,
    Cell,
    outcome_of,
)

NAMESPACE, BRIDGE, HOST_NETWORK = "RootlessKit's namespace", "bridge container", "host-network container"


@dataclass(frozen=True)
class Inside:
    """One probe of the host's loopback from inside.

    :ivar vantage: from where.
    :ivar address: what is tried; C(gateway) is the default gateway of that place, C(outer) the one that pasta was told.
    """

    vantage: str
    thing: str
    address: str


INSIDE = (
    Inside(NAMESPACE, "its 127.0.0.1", "127.0.0.1"),
    Inside(NAMESPACE, "its gateway", "gateway"),
    Inside(HOST_NETWORK, "its 127.0.0.1", "127.0.0.1"),
    Inside(HOST_NETWORK, "its gateway", "gateway"),
    Inside(BRIDGE, "its gateway", "gateway"),
    Inside(BRIDGE, "pasta's gateway", "outer"),
)


def inside_outcome(row: Any, challenge: bytes | None, nonce: str, port: int) -> tuple[str | None, str]:
    """Outcome and proof of one reading, which came through the user's daemon and may be of whatever form.

    :param row: [event, data in hexadecimal, seconds, error].
    :param challenge: that was sent; None when nothing was tried.
    :param port: of the canary that was asked.
    :returns: the outcome None when the reading is unusable.
    """
    if challenge is None or not isinstance(row, list) or len(row) != 4 or not all(isinstance(row[i], str) for i in (0, 1)):
        return None, NOTHING
    if row[0] != "data" and row[0] not in OUTCOMES:
        return None, NOTHING
    try:
        data = bytes.fromhex(row[1])
    except ValueError:
        return None, NOTHING
    return outcome_of(row[0], data, answer(nonce, challenge, port))


def inside_cells(
    readings: Mapping[str, Mapping[str, Any]], challenges: Mapping[str, bytes], nonce: str, control_port: int, host_port: int
) -> list[Cell]:
    """The cells of the host's loopback.

    :param readings: by vantage point, then by what was tried; the control is called C(control).
    :param challenges: by vantage point and what was tried, joined by C(|).
    """
    cells = []
    for entry in INSIDE:
        mine = readings.get(entry.vantage, {})
        control = inside_outcome(mine.get("control"), challenges.get(f"{entry.vantage}|control"), nonce, control_port)
        outcome, proof = inside_outcome(mine.get(entry.thing), challenges.get(f"{entry.vantage}|{entry.thing}"), nonce, host_port)
        if outcome is None and entry.address == "outer" and mine:
            continue  # pasta was not told a gateway: there was nothing to try
        cells.append(
            Cell(
                group="host_loopback",
                thing=f"{entry.thing}, port {host_port}",
                vantage=entry.vantage,
                address=entry.address,
                port=host_port,
                expected=MUST_NOT,
                outcome=outcome,
                proof=proof,
                control=control == (ANSWERED, NONCE),
            )
        )
    return cells
