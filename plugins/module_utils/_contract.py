# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The publishing contract: what must answer where, and what an observation says about it.

Pure: tables and functions of plain values.
"""

from __future__ import annotations

import ipaddress
from dataclasses import asdict, dataclass
from typing import Any

ANSWERS = "answers"
MUST_NOT = "must_not"

PASS = "pass"
FAIL = "fail"
INCONCLUSIVE = "inconclusive"

ANSWERED = "answered"
WRONG_ANSWER = "wrong_answer"

OUTCOMES = (ANSWERED, WRONG_ANSWER, "silent", "reset", "closed", "refused", "timed_out", "unreachable")

CONNECTED = frozenset({ANSWERED, WRONG_ANSWER, "silent", "reset", "closed"})
"""Outcomes in which the handshake succeeded: a scan sees an open port."""

NONCE = "nonce"
DATA = "data"
OPEN = "open"
NOTHING = "none"
"""What an observation rests on: a nonce came back; bytes of whoever it is; a connection that stays open; nothing."""

# Host IP that was published on, by kind.
LOOPBACK4, LOOPBACK6, BOTH, ANY4, ANY6, OWN4, OWN6, UNPUBLISHED = (
    "loopback4",
    "loopback6",
    "both",
    "any4",
    "any6",
    "own4",
    "own6",
    "unpublished",
)

# Rows: published as. Columns: the address that is tried, by kind. A specific address (OWN) answers there and nowhere else.
_CONTRACT: dict[str, frozenset[str]] = {
    LOOPBACK4: frozenset({LOOPBACK4}),
    LOOPBACK6: frozenset({LOOPBACK6}),
    BOTH: frozenset({LOOPBACK4, LOOPBACK6, OWN4, OWN6}),
    ANY4: frozenset({LOOPBACK4, OWN4}),
    ANY6: frozenset({LOOPBACK6, OWN6}),
    UNPUBLISHED: frozenset(),
}
_IPV6 = frozenset({LOOPBACK6, OWN6})


def kind_of(address: str) -> str:
    """The contract's name for a host IP: C(loopback4), C(any6), C(own4) and so on; an empty one is C(both).

    :raises ValueError: when it is no IP address.
    """
    if not address:
        return BOTH
    parsed = ipaddress.ip_address(address)
    family = str(parsed.version)
    if parsed.is_unspecified:
        return "any" + family
    return ("loopback" if parsed.is_loopback else "own") + family


def expectation(published_on: str | None, tried: str, ipv6: bool = False) -> str:
    """Whether a port must answer.

    :param published_on: the host IP it was published on, empty for all addresses, None when it is not published.
    :param tried: the host's address that is tried.
    :param ipv6: whether the daemon was given IPv6.
    :returns: V(answers) or V(must_not).
    :raises ValueError: when one is no IP address.
    """
    vantage = kind_of(tried)
    if vantage in _IPV6 and not ipv6:
        return MUST_NOT
    published = UNPUBLISHED if published_on is None else kind_of(published_on)
    if published in (OWN4, OWN6):
        return ANSWERS if ipaddress.ip_address(published_on or "") == ipaddress.ip_address(tried) else MUST_NOT
    return ANSWERS if vantage in _CONTRACT[published] else MUST_NOT


@dataclass(frozen=True)
class Cell:
    """One published thing, tried from one vantage point.

    :ivar group: C(canary), C(container) or C(host_loopback).
    :ivar thing: what was published, as a person would write it.
    :ivar vantage: from where, as a person would say it.
    :ivar host_ip: published on; empty for all addresses, None when not published.
    :ivar expected: V(answers) or V(must_not).
    :ivar outcome: one of OUTCOMES; None when it could not be tried.
    :ivar proof: what the outcome rests on: V(nonce), V(data), V(open) or V(none).
    :ivar control: whether something that must answer did, from this vantage point, in this run, before.
    :ivar visible: a scan from there sees an open port.
    :ivar note: a doubt or an explanation, empty when there is none.
    """

    group: str
    thing: str
    vantage: str
    address: str
    port: int
    expected: str
    outcome: str | None
    host_ip: str | None = None
    container: str = ""
    container_port: int = 0
    protocol: str = "tcp"
    proof: str = NOTHING
    control: bool = False
    note: str = ""
    seconds: float = 0.0

    @property
    def visible(self) -> bool:
        return self.outcome in CONNECTED

    @property
    def verdict(self) -> str:
        return judge(self.expected, self.outcome, self.proof, self.control)

    @property
    def where(self) -> str:
        """Address and port, as in a message."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def as_result(self) -> dict[str, Any]:
        """The cell as a module returns it."""
        result = asdict(self)
        result.update(visible=self.visible, verdict=self.verdict)
        return result


def judge(expected: str, outcome: str | None, proof: str, control: bool) -> str:
    """The verdict on one observation.

    A port that must answer passes on a nonce, on data, or, where its protocol is not known, on a connection that stays
    open (proof V(open), which the caller sets only then). One that must not passes when no byte of the service came and
    the control answered; a connection that stays open is no proof either way where the protocol is not known.
    """
    if outcome is None:
        return INCONCLUSIVE
    if expected == ANSWERS:
        return PASS if outcome == ANSWERED or proof == OPEN else FAIL
    if outcome == ANSWERED:
        return FAIL
    if proof == OPEN or not control:
        return INCONCLUSIVE
    return PASS


def outcome_of(event: str, data: bytes, expected: bytes | None) -> tuple[str, str]:
    """Outcome and proof of a reading.

    :param event: of the probe, V(data) or the name of an outcome.
    :param expected: the answer that only the canary can give; None for a foreign service, to which nothing is said.
    """
    if expected is None:
        if event == "data":
            return ANSWERED, DATA
        return event, OPEN if event == "silent" else NOTHING
    if event != "data":
        return event, NOTHING
    if data == expected:
        return ANSWERED, NONCE
    # The first bytes of the right answer are bytes of the service, too.
    return (ANSWERED, DATA) if len(data) >= 8 and expected.startswith(data) else (WRONG_ANSWER, DATA)


MARKS = {PASS: "ok", FAIL: "FAIL", INCONCLUSIVE: "?"}


def _entry(cell: Cell) -> str:
    return f"{cell.outcome or 'not tried'} {MARKS[cell.verdict]}"


def _grid(cells: list[Cell], corner: str) -> list[str]:
    """Vantage points down, things across."""
    things = list(dict.fromkeys(cell.thing for cell in cells))
    vantages = list(dict.fromkeys(cell.vantage for cell in cells))
    by_place = {(cell.vantage, cell.thing): cell for cell in cells}
    rows = [[corner] + things]
    for vantage in vantages:
        row = [vantage]
        for thing in things:
            cell = by_place.get((vantage, thing))
            row.append(_entry(cell) if cell else "-")
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


HEADINGS = (
    ("canary", "Published ports, canary", "from"),
    ("container", "Published ports of running containers", "from"),
    ("host_loopback", "The host's own loopback, from inside (must not answer)", "from"),
)
MAX_WIDTH = 140
"""Characters of a line, unless one column alone is wider."""
LEGEND = "silent ok: the container took the connection and waits to be spoken to, so the way is open; its service was not asked."


def _pages(cells: list[Cell]) -> list[list[Cell]]:
    """The cells of a table, cut into parts whose columns fit side by side."""
    first = max((len(cell.vantage) for cell in cells), default=0)
    columns: dict[str, int] = {}
    for cell in cells:
        columns[cell.thing] = max(columns.get(cell.thing, len(cell.thing)), len(_entry(cell)))
    pages: list[set[str]] = []
    used = MAX_WIDTH
    for thing, width in columns.items():
        if used + 2 + width > MAX_WIDTH:
            pages.append(set())
            used = first
        pages[-1].add(thing)
        used += 2 + width
    return [[cell for cell in cells if cell.thing in page] for page in pages]


def table(cells: list[Cell]) -> list[str]:
    """The truth table, as lines for a person.

    Each entry is an outcome and C(ok), C(FAIL) or C(?) (inconclusive). A table with more columns than fit is continued below. A last line
    says what an entry means that does not explain itself, where there is such a one.
    """
    lines: list[str] = []
    for group, heading, corner in HEADINGS:
        mine = [cell for cell in cells if cell.group == group]
        for number, page in enumerate(_pages(mine)):
            lines += ([""] if lines else []) + [heading if number == 0 else heading + " (continued)"]
            lines += _grid(page, corner)
    if any(cell.group == "container" and cell.proof == OPEN and cell.verdict == PASS for cell in cells):
        lines += ["", LEGEND]
    return lines
