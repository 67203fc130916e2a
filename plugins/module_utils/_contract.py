# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The publishing contract: what must answer where, and what an observation says about it.

Pure: tables and functions of plain values.
"""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import asdict, dataclass
from typing import Any

TCP, UDP = "tcp", "udp"

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
PATTERN = "pattern"
OPEN = "open"
DOUBT = "doubt"
LISTENER = "listener"
LIKE_CANARY = "canary"
NOTHING = "none"
"""What an observation rests on: a nonce came back; bytes of whoever it is; bytes that match what was expected; a connection that stays
open; silence over UDP, which closed and open ports have in common; the kernel's word that the daemon listens, where a service cannot be
asked; what a canary that is published in the same way showed at the same place; nothing."""

NOBODY = "no process of this host listens there"
"""Note on a cell whose connection was taken all the same."""

ENOUGH = frozenset({OPEN, LISTENER, LIKE_CANARY})
"""Proofs on which a port that must answer passes although no byte came."""

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


@functools.lru_cache(maxsize=4096)
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
    # Another address of the loopback network answers at itself and nowhere else, as one of the host's own does.
    return ("loopback" if str(parsed) in ("127.0.0.1", "::1") else "own") + family


def is_other_loopback(address: str) -> bool:
    """Whether it is one of 127.0.0.0/8 and not 127.0.0.1."""
    return address.startswith("127.") and address != "127.0.0.1"


@functools.lru_cache(maxsize=4096)
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

    :ivar group: one of GROUPS.
    :ivar thing: what was published, as a person would write it.
    :ivar vantage: from where, as a person would say it.
    :ivar host_ip: published on; empty for all addresses, None when not published.
    :ivar expected: V(answers) or V(must_not).
    :ivar outcome: one of OUTCOMES; None when it could not be tried.
    :ivar proof: what the outcome rests on, one of the proofs above.
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
    protocol: str = TCP
    proof: str = NOTHING
    control: bool = False
    note: str = ""
    seconds: float = 0.0

    @property
    def visible(self) -> bool:
        # Over UDP silence is what a port shows that nobody has, too.
        return self.outcome in ((ANSWERED, WRONG_ANSWER) if self.protocol == UDP else CONNECTED)

    @property
    def kind(self) -> str:
        """The row of the contract, as far as it matters at the tried address: all addresses are all of its family."""
        kind = UNPUBLISHED if self.host_ip is None else kind_of(self.host_ip)
        return (ANY6 if ":" in self.address else ANY4) if kind == BOTH else kind

    @property
    def verdict(self) -> str:
        # A listener that nobody published is what must not be: whom it lets in may differ from address to address.
        if self.group == "listener" and self.visible:
            return FAIL
        return judge(self.expected, self.outcome, self.proof, self.control)

    @property
    def where(self) -> str:
        """Address and port, as in a message."""
        place = f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"
        return place if self.protocol == TCP else f"{place}/{self.protocol}"

    def as_result(self) -> dict[str, Any]:
        """The cell as a module returns it."""
        result = asdict(self)
        result.update(visible=self.visible, verdict=self.verdict)
        return result


def judge(expected: str, outcome: str | None, proof: str, control: bool) -> str:
    """The verdict on one observation.

    A port that must answer passes on a nonce, on data, or, where its protocol is not known, on a connection that stays
    open (proof V(open), which the caller sets only then) or, over UDP, on the kernel's word (V(listener)). One that must not
    passes when no byte of the service came and the control answered; a connection that stays open is no proof either way
    where the protocol is not known. V(doubt) is no proof of anything.
    """
    if outcome is None:
        return INCONCLUSIVE
    if expected == ANSWERS and (outcome == ANSWERED or proof in ENOUGH):
        return PASS
    if proof == DOUBT:
        return INCONCLUSIVE
    if expected == ANSWERS or outcome == ANSWERED:
        return FAIL
    return PASS if control and proof != OPEN else INCONCLUSIVE


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


CANARIES = ("canary", "namespace")
"""Groups of cells that are about canaries."""
MARKS = {PASS: "ok", FAIL: "FAIL", INCONCLUSIVE: "?"}


def _entry(cell: Cell) -> str:
    return f"{cell.outcome or 'not tried'} {MARKS[cell.verdict]}"


def _grid(cells: list[Cell], corner: str) -> list[str]:
    """Vantage points down, things across."""
    things = list(dict.fromkeys(cell.thing for cell in cells))
    vantages = list(dict.fromkeys(cell.vantage for cell in cells))
    # Of several of one name, the one that is worst.
    by_place = {(cell.vantage, cell.thing): cell for cell in sorted(cells, key=lambda cell: cell.verdict != PASS)}
    rows = [[corner] + things]
    for vantage in vantages:
        row = [vantage]
        for thing in things:
            cell = by_place.get((vantage, thing))
            row.append(_entry(cell) if cell else "-")
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


GROUPS = {
    "canary": "Published ports, canary container",
    "namespace": "Published ports, canary in RootlessKit's namespace",
    "container": "Published ports of running containers",
    "expectation": "What was expected of this host",
    "outside": "Seen from another machine",
    "listener": "Listeners of the daemon that no container published (must not answer)",
    "host_loopback": "The host's own loopback, from inside (must not answer)",
}
"""What cells are about, in the order of the table, with its headings."""
MAX_WIDTH = 140
"""Characters of a line, unless one column alone is wider."""
MAX_THINGS = 24
"""Columns of a group; of more, only those in which something differs from what is expected are shown."""
LEGENDS = {
    (
        TCP,
        OPEN,
    ): "silent ok: the connection was taken and stays open, as with a service that waits to be spoken to; the service was not asked.",
    (
        UDP,
        LISTENER,
    ): "silent ok (udp): the daemon listens there and nothing came back, as nothing was said; a canary shows whether datagrams "
    "get through.",
    (UDP, LIKE_CANARY): "silent ok (udp): nothing came back, as nothing was said; a canary at the same address did as it must.",
}
"""What an entry means that does not explain itself, by protocol and proof."""


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


def _shown(cells: list[Cell]) -> tuple[list[Cell], list[str]]:
    """Of a long table, the columns in which something differs, and lines that say what is left out."""
    things = list(dict.fromkeys(cell.thing for cell in cells))
    if len(things) <= MAX_THINGS:
        return cells, []
    bad = {cell.thing for cell in cells if cell.verdict != PASS}
    differing = [thing for thing in things if thing in bad]
    shown = set(differing[:MAX_THINGS])
    left_out = []
    if len(differing) > MAX_THINGS:
        left_out.append(f"{len(differing) - MAX_THINGS} more that differ are not shown; the result's cells have them")
    if len(things) > len(differing):
        left_out.append(f"{len(things) - len(differing)} more, in which every cell passes, are not shown")
    return [cell for cell in cells if cell.thing in shown], left_out


def table(cells: list[Cell]) -> list[str]:
    """The truth table, as lines for a person.

    Each entry is an outcome and C(ok), C(FAIL) or C(?) (inconclusive). A table with more columns than fit is continued below, and one with
    more than 24 shows what differs. Last lines say what an entry means that does not explain itself, where there is such a one.
    """
    lines: list[str] = []
    for group, heading in GROUPS.items():
        for protocol in (TCP, UDP):
            mine, left_out = _shown([cell for cell in cells if cell.group == group and cell.protocol == protocol])
            part: list[str] = []
            for page in _pages(mine):
                part += ["", f"{heading}, {protocol.upper()}{' (continued)' if part else ''}", *_grid(page, "from")]
            if left_out and not part:
                part = ["", f"{heading}, {protocol.upper()}"]
            lines += part + left_out
    foreign = {(cell.protocol, cell.proof) for cell in cells if cell.group in ("container", "outside") and cell.verdict == PASS}
    legends = [text for kind, text in LEGENDS.items() if kind in foreign]
    return (lines + ([""] + legends if legends else []))[1:]
