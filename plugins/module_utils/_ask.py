# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks what is published, from the place where this runs: what must answer first, again and again, then what must not, once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, Protocol

from ansible_collections.portside.rootless_docker.plugins.module_utils._canary_server import ANSWER, CHALLENGE, answer
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import (
    ANSWERED,
    ANSWERS,
    DOUBT,
    MUST_NOT,
    OPEN,
    PASS,
    UDP,
    Cell,
    outcome_of,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._expectations import Expectation, judge_reading, probe_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._probe import (
    SILENT,
    TIMED_OUT,
    Probe,
    Reading,
    impatient,
    longer_wait,
    retry_probes,
    run_probes,
)

PATIENCE = 4.0
"""Seconds that a port gets to answer: under the port driver implicit, pasta looks for new listeners once a second (up to 1.8 s were
seen)."""
FIRST_WAIT, LAST_WAIT = 0.3, 1.0
"""Seconds for an answer of a canary, which takes milliseconds when the path is open: in the first round, and at most later on."""
FOREIGN_WAIT = 0.3
"""Seconds after which a connection that a foreign service keeps open without a word counts as silent. What is tried again gets the longer
one of the waits above: on a busy host the end of a connection may take its time, and one that ended once is not open because it did not
end as soon the next time."""
DOUBTS = 2
"""How often."""
JUDGE_SECONDS = 2e-4
"""Seconds that are kept for each cell, to judge what came before the deadline: of thousands of ports that takes a while."""
UNSPOKEN = "the connection stays open; whether the service answers was not tried, because nothing is said to a service that is not ours"
UNSPOKEN_UDP = "an empty datagram was sent and nothing came, which proves nothing either way: nothing is said to a service that is not ours"
CUT_OFF = "the time was over before it was tried to the end"
LOCAL_ERRORS = {
    "EMFILE": "this process may open no more files",
    "ENFILE": "this machine may open no more files",
    "ENOBUFS": "this machine has no memory for packets left",
    "ENOMEM": "this machine has no memory left",
    "EADDRNOTAVAIL": "this machine has no address or port left to connect from",
    "EAFNOSUPPORT": "this machine does not speak that protocol family",
}
"""Errors of the machine that tries, by name of the errno. They say nothing about the port."""


class Observation(NamedTuple):
    """What a question came to."""

    outcome: str
    proof: str
    note: str = ""
    seconds: float = 0.0


class Question(Protocol):
    """How one cell is asked, and what a reading says."""

    def probe(self, key: str, attempt: int) -> Probe:
        """The connection to try, the first time with attempt 0."""

    def judge(self, reading: Reading) -> Observation:
        """What the last one came to."""


def new_challenge() -> bytes:
    """What a canary is asked with, once."""
    return secrets.token_hex(CHALLENGE // 2).encode()


class CanaryQuestion:
    """Asks a canary with a fresh challenge each time.

    :param port: that the canary listens on, in its own place.
    """

    def __init__(self, cell: Cell, nonce: str, port: int) -> None:
        self._cell, self._nonce, self._port = cell, nonce, port
        self._challenge = b""

    def probe(self, key: str, attempt: int) -> Probe:
        """See C(Question)."""
        self._challenge = new_challenge()
        wait = min(LAST_WAIT, FIRST_WAIT * (attempt + 1))
        return Probe(key, self._cell.address, self._cell.port, self._challenge, ANSWER, wait, self._cell.protocol)

    def judge(self, reading: Reading) -> Observation:
        """See C(Question)."""
        expected = answer(self._nonce, self._challenge, self._port, self._cell.protocol)
        outcome, proof = outcome_of(reading.event, reading.data, expected)
        return Observation(outcome, proof, seconds=reading.seconds)


class BareQuestion:
    """Says nothing, as to a service that is not ours."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def probe(self, key: str, attempt: int) -> Probe:
        """See C(Question)."""
        wait = LAST_WAIT if attempt else FOREIGN_WAIT
        return Probe(key, self._cell.address, self._cell.port, wait=wait, protocol=self._cell.protocol)

    def judge(self, reading: Reading) -> Observation:
        """See C(Question)."""
        outcome, proof = outcome_of(reading.event, reading.data, None)
        if proof != OPEN:
            return Observation(outcome, proof, seconds=reading.seconds)
        proof, note = (DOUBT, UNSPOKEN_UDP) if self._cell.protocol == UDP else (OPEN, UNSPOKEN)
        return Observation(outcome, proof, note, reading.seconds)


class ExpectationQuestion:
    """Says what the operator wants said, or gives a canary of another run its challenge."""

    def __init__(self, expectation: Expectation) -> None:
        self._expectation = expectation
        self._challenge = b""

    def probe(self, key: str, _attempt: int) -> Probe:
        """See C(Question)."""
        self._challenge = new_challenge()
        return probe_of(self._expectation, key, self._challenge)

    def judge(self, reading: Reading) -> Observation:
        """See C(Question)."""
        return Observation(*judge_reading(self._expectation, reading, self._challenge), reading.seconds)


def untried(reading: Reading, wait: float) -> str:
    """Why a reading says nothing about the port, so that it must not pass for silence; empty when it does.

    :param wait: seconds that the probe was to wait.
    """
    if reading.error in LOCAL_ERRORS:
        return f"{reading.error}: {LOCAL_ERRORS[reading.error]}"
    # A hundredth for the clock: what waited to the end is never shorter than that.
    if reading.event in (TIMED_OUT, SILENT) and not reading.error and reading.seconds < wait - 0.01:
        return CUT_OFF
    return ""


def ask(
    cells: list[Cell],
    questions: Mapping[int, Question],
    deadline: Deadline,
    patience: float = PATIENCE,
    patient: Callable[[float], bool] = impatient,
) -> list[Cell]:
    """The same cells, with what was seen. What could not be tried to the end stays without an outcome, and its note says why.

    :param questions: by position in C(cells); a cell without one stays as it is.
    :param patience: seconds that what must answer is tried again.
    :param patient: says of a connection to what must answer, by the seconds that it has been silent, whether it waits on.
    """
    seen = list(cells)
    attempts: dict[str, int] = {}
    waits: dict[str, float] = {}
    floor = 0.0

    def probe(key: str) -> Probe:
        attempts[key] = attempts.get(key, -1) + 1
        made = questions[int(key)].probe(key, attempts[key])
        made = made._replace(wait=max(made.wait, floor))
        waits[key] = made.wait
        return made

    def note(key: str, reading: Reading) -> bool:
        why = untried(reading, waits[key])
        if why:
            if seen[int(key)].outcome is None:
                seen[int(key)] = replace(seen[int(key)], note=why)
            return False
        observation = questions[int(key)].judge(reading)
        seen[int(key)] = replace(
            seen[int(key)],
            outcome=observation.outcome,
            proof=observation.proof,
            note=observation.note,
            seconds=round(observation.seconds, 4),
        )
        # Silence over UDP stays what it is, however often one asks.
        return seen[int(key)].verdict == PASS or observation.proof == DOUBT

    def left() -> float:
        return deadline.remaining() - JUDGE_SECONDS * len(cells)

    wanted = [str(index) for index in questions if cells[index].expected == ANSWERS]
    retry_probes(wanted, probe, note, patience, limit=left(), patient=patient)
    # What must not answer gets no less time than what did answer needed: on a busy host silence would come too soon.
    floor = longer_wait(cell.seconds for cell in seen if cell.outcome == ANSWERED)
    forbidden = [str(index) for index in questions if cells[index].expected == MUST_NOT]
    for _again in range(1 + DOUBTS):
        for key, reading in run_probes([probe(key) for key in forbidden], left()).items():
            note(key, reading)
        # A connection that is there and silent, a canary's too, may be one whose end takes its time.
        forbidden = [key for key in forbidden if seen[int(key)].outcome == SILENT and seen[int(key)].protocol != UDP and left() > 0]
    return seen
