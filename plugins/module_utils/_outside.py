# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports tried from wherever this runs: what was seen, and what that means for who stands here.

The rules of C(_diagnosis) look at the host that has the daemon. From elsewhere nothing is known but what came back, so
there are few rules, and they say what kind of thing is in the way rather than what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Callable

from ansible_collections.portside.rootless_docker.plugins.module_utils._ask import CUT_OFF, ExpectationQuestion, ask
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import (
    ANSWERED,
    ANSWERS,
    DOUBT,
    FAIL,
    INCONCLUSIVE,
    LIKE_CANARY,
    MUST_NOT,
    OPEN,
    PASS,
    UDP,
    WRONG_ANSWER,
    Cell,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import Finding
from ansible_collections.portside.rootless_docker.plugins.module_utils._expectations import Expectation, place
from ansible_collections.portside.rootless_docker.plugins.module_utils._probe import SILENT

FORBIDDEN = "EPERM: a packet filter of this machine forbids it"
BY_CANARY = "nothing came, nor a refusal; a canary that is published in the same way did what it must, from here"


@dataclass(frozen=True)
class OutsideCell(Cell):
    """A cell that was tried from elsewhere.

    :ivar may_be_visible: whether a port that must not answer may be seen as open all the same.
    """

    may_be_visible: bool = True

    @property
    def exposed(self) -> bool:
        """Seen, and it must not be."""
        return self.expected == MUST_NOT and self.visible and not self.may_be_visible

    @property
    def verdict(self) -> str:
        verdict = super().verdict
        return FAIL if self.exposed and verdict == PASS else verdict


def try_all(expectations: list[Expectation], vantage: str, seconds: float, patience: float) -> list[Cell]:
    """Try what must answer until it does, then what must not.

    :param vantage: name of this place.
    :param seconds: for all of it.
    :param patience: seconds that what must answer is tried again; never less than one try takes.
    """
    deadline = Deadline(seconds)
    questions = {index: ExpectationQuestion(expectation) for index, expectation in enumerate(expectations)}
    one_try = max(2 * expectation.wait for expectation in expectations)
    cells = ask([_cell(expectation, vantage) for expectation in expectations], questions, deadline, max(patience, one_try))
    # A datagram may be lost, and one that is lost must not pass for one that was kept out.
    again = {
        i: q for i, q in questions.items() if cells[i].expected == MUST_NOT and cells[i].protocol == UDP and cells[i].outcome == SILENT
    }
    if again:
        cells = ask(cells, again, deadline)
    return weigh(cells)


def _cell(expectation: Expectation, vantage: str) -> OutsideCell:
    return OutsideCell(
        group=expectation.group,
        thing=expectation.name,
        vantage=f"{vantage} to {expectation.address}",
        address=expectation.address,
        port=expectation.port,
        expected=expectation.expected,
        outcome=None,
        container_port=expectation.canary[1] if expectation.canary else 0,
        protocol=expectation.protocol,
        may_be_visible=expectation.visible,
    )


def weigh(cells: list[Cell]) -> list[Cell]:
    """The cells, in the light of each other.

    What answered is the control of what must not, at the same address over the same protocol. And a canary speaks for a UDP port to which
    nothing can be said: its silence is that of the canary, or one that the canary shows to be no closed way.
    """
    # Here that says nothing of the port; where the host tries its own ports, it is what the check looks for.
    cells = [replace(c, outcome=None, note=FORBIDDEN) if c.note == "EPERM" else c for c in cells]
    answered = {(c.address, c.protocol) for c in cells if c.expected == ANSWERS and c.outcome == ANSWERED}
    controlled = [replace(cell, control=(cell.address, cell.protocol) in answered) for cell in cells]
    sound = {(c.expected, c.address, c.protocol) for c in controlled if c.container_port and c.verdict == PASS}
    return [
        replace(cell, proof=LIKE_CANARY, note=BY_CANARY)
        if cell.proof == DOUBT and (cell.expected, cell.address, cell.protocol) in sound
        else cell
        for cell in controlled
    ]


# -- what it means ---------------------------------------------------------

_WORDS = {
    "reset": "reset after accept",
    "closed": "closed empty after accept",
    "silent": "connected, and nothing came",
    "timed_out": "no handshake",
    None: "could not be tried",
}


def _seen(cell: Cell) -> str:
    """A cell in words."""
    where = place(cell.address, cell.port, cell.protocol)
    thing = "" if cell.thing == where else f" ({cell.thing})"
    what = "nothing came back" if (cell.protocol, cell.outcome) == (UDP, SILENT) else _WORDS.get(cell.outcome, cell.outcome or "")
    return f"{where}{thing}: {what.replace('_', ' ')}" + (f" ({cell.note})" if cell.note and cell.outcome != SILENT else "")


def _list(cells: list[Cell], most: int = 3) -> str:
    shown = "; ".join(_seen(cell) for cell in cells[:most])
    return shown + (f"; and {len(cells) - most} more" if len(cells) > most else "")


@dataclass(frozen=True)
class Rule:
    """A cause of what did not pass.

    :ivar holds: whether it explains a cell.
    :ivar message: what is wrong; C({vantage}) and C({cells}) are filled in.
    """

    cause: str
    holds: Callable[[Cell], bool]
    message: str
    remedy: str


RULES: tuple[Rule, ...] = (
    Rule(
        "answered_where_it_must_not",
        lambda c: c.expected == MUST_NOT and c.outcome == ANSWERED,
        "{vantage} gets an answer where there must be none: {cells}.",
        "See what lets it through: ss -ltnup on the host (a published address other than meant, another process that forwards), nft list "
        "ruleset (dnat), or a proxy in between. If it is meant to be reachable, expect that it answers.",
    ),
    Rule(
        "visible_where_it_must_not",
        lambda c: getattr(c, "exposed", False),
        "{vantage} sees an open port where none must be seen, though no byte of the service comes: {cells}.",
        "Take the port driver pesto, or let a packet filter on the host reject the port from outside; or allow that it is seen (visible).",
    ),
    Rule(
        "wrong_answer",
        lambda c: c.outcome == WRONG_ANSWER and c.expected == ANSWERS,
        "{vantage} gets an answer that is not the service's: {cells}.",
        "See which process has the port on the host (ss -ltnup) and whether a proxy is in between; or mend the pattern.",
    ),
    Rule(
        "out_of_time",
        lambda c: c.outcome is None and c.note == CUT_OFF,
        "Not everything could be tried in time from {vantage}: {cells}.",
        "Raise timeout, lower wait, or divide the probes among several tasks.",
    ),
    Rule(
        "not_tried",
        lambda c: c.outcome is None,
        "{vantage} could not try everything, for a reason of its own: {cells}.",
        "Mend what the message names on the machine that tries, or try from another one.",
    ),
    Rule(
        "not_reached",
        lambda c: (
            c.expected == ANSWERS
            and (c.outcome in ("timed_out", "unreachable", "refused") or (c.protocol, c.outcome) == (UDP, SILENT))
            and c.proof != DOUBT
        ),
        "{vantage} does not reach what must answer: {cells}.",
        "If published_port_check passes on the host, a firewall or a route is in the way: see nft list ruleset on the host, ip route get "
        "ADDRESS here, and whatever filters in between. If it does not pass, mend that first.",
    ),
    Rule(
        "no_answer",
        lambda c: c.expected == ANSWERS and c.outcome in ("reset", "closed", "silent") and c.proof != DOUBT,
        "{vantage} reaches the host, and no answer comes: {cells}.",
        "The way is open as far as the host, the service behind the port is not. published_port_check on the host says why.",
    ),
    Rule(
        "cannot_tell",
        lambda c: c.proof in (OPEN, DOUBT) and c.verdict == INCONCLUSIVE,
        "From {vantage} it cannot be told whether the service answers, because nothing was said to it: {cells}.",
        "Say what its answer depends on (send, and pattern where another service could answer).",
    ),
    Rule(
        "no_control",
        lambda c: c.verdict == INCONCLUSIVE and not c.control,
        "From {vantage} nothing that must answer did at the same address over the same protocol, so silence proves nothing there: {cells}.",
        "Mend the other findings first; if there are none, add a probe that must answer at that address.",
    ),
    Rule(
        "unknown",
        lambda _cell: True,
        "Seen from {vantage}, and no known cause fits: {cells}.",
        "See the result's cells; a report with them is welcome.",
    ),
)
"""Causes in the order in which they are looked for: what is open before what is closed, doubts last."""


def explain(cells: list[Cell], vantage: str) -> list[Finding]:
    """Findings for the cells that did not pass; each cell is in one finding only."""
    return list(_findings([cell for cell in cells if cell.verdict != PASS], vantage))


def _findings(left: list[Cell], vantage: str) -> Iterator[Finding]:
    for rule in RULES:
        mine = [cell for cell in left if rule.holds(cell)]
        if mine:
            left = [cell for cell in left if not rule.holds(cell)]
            yield Finding(rule.cause, rule.message.format(vantage=vantage, cells=_list(mine)), rule.remedy, mine)
