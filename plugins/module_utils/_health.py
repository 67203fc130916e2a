# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the health timer makes of what it saw: when it restarts, and how it reports. Pure: plain values in, plain values out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import FAIL, INCONCLUSIVE, PASS, Cell
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean

FIRST_WAIT = 60.0
"""Seconds between a restart and the next one; each further restart in a row doubles it."""
MOST_WAIT = 3600.0
"""Seconds that it grows to at most."""
CALM = 600.0
"""Seconds that a daemon has to be well after a restart before the next one counts as the first again."""
MAX_LINE = 1500
"""Characters of a line in the journal."""

ERROR, WARNING, NOTICE = 3, 4, 5
"""Priorities of the journal, as in syslog(3)."""


# -- restarts ----------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """What is remembered of a user from one run to the next.

    :ivar restarts: how often the daemon was restarted, ever.
    :ivar in_a_row: restarts since it was last well for a while.
    :ivar last: when the last one was, in seconds since the epoch.
    """

    restarts: int = 0
    in_a_row: int = 0
    last: float = 0.0

    def text(self) -> str:
        """As it is kept in a file."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def parse(cls, text: str) -> Record:
        """From such a file; a new one where the text is none, as after a crash of the host."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return cls()
        if not isinstance(data, dict):
            return cls()
        numbers = {name: value for name, value in data.items() if name in asdict(cls()) and type(value) in (int, float) and value >= 0}
        return replace(cls(), **numbers)


def seconds_to_wait(record: Record, now: float) -> float:
    """Seconds until the next restart is due; 0 where it is. A clock that was set back keeps nothing waiting."""
    if not record.in_a_row or record.last > now:
        return 0.0
    wait = min(MOST_WAIT, FIRST_WAIT * 2 ** min(record.in_a_row - 1, 10))
    return max(0.0, record.last + wait - now)


def restarted(record: Record, now: float) -> Record:
    """The record with one restart more."""
    return Record(record.restarts + 1, record.in_a_row + 1, now)


def seen_alive(record: Record, now: float) -> Record:
    """The record when the network was seen alive."""
    return replace(record, in_a_row=0) if record.in_a_row and now - record.last >= CALM else record


# -- the report --------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What one run has to say.

    :ivar priority: of its line in the journal.
    :ivar text: that line, less the user's name.
    :ivar up: whether RootlessKit and the Engine answer and the process that serves the network is there.
    :ivar causes: what is wrong, by the names that docs/guide-info.md and docs/guide-check.md explain.
    :ivar cells: of the check; empty where none was made.
    """

    priority: int
    text: str
    up: bool = False
    causes: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether the daemon is up, every cell passed and nothing stands against it."""
        return self.up and bool(self.cells) and not self.causes and all(cell.verdict == PASS for cell in self.cells)


def report_of_problems(problems: list[dict[str, str]], on_purpose: bool) -> Report:
    """Of a daemon that cannot be checked, because it does not run or does not answer.

    :param problems: as C(_problems) has them, the most basic first.
    :param on_purpose: whether somebody stopped it, which is no error.
    """
    text = "; ".join(f"{each['what']}: {each['why']}. Remedy: {each['remedy']}" for each in problems)
    return Report(WARNING if on_purpose else ERROR, text or "there is no daemon", causes=tuple(each["cause"] for each in problems))


def report_of_check(cells: Iterable[Cell], findings: list[dict[str, Any]], seconds: float) -> Report:
    """Of a daemon that was checked.

    :param findings: as C(Finding.as_result) has them.
    :param seconds: that the check took.
    """
    cells = tuple(cells)
    passed = sum(cell.verdict == PASS for cell in cells)
    text = f"{passed} of {len(cells)} cells pass, {seconds:.1f} s"
    # The first one in full: it is the most basic, and the journal is no place for a table.
    if findings:
        text += f". {findings[0]['message']} Remedy: {findings[0]['remedy']}"
    others = list(dict.fromkeys(finding["cause"] for finding in findings[1:]))
    if others:
        text += f" Besides: {', '.join(others)}"
    report = Report(NOTICE, text, up=True, causes=tuple(dict.fromkeys(finding["cause"] for finding in findings)), cells=cells)
    return report if report.sound else replace(report, priority=ERROR)


def report_of_restart(reason: str, in_a_row: int, outcome: str, came_up: bool) -> Report:
    """Of a daemon that was restarted.

    :param reason: what was wrong.
    :param in_a_row: how many restarts there were in a row, this one included.
    :param outcome: what came of it.
    """
    again = f" This was number {in_a_row} in a row." if in_a_row > 1 else ""
    text = f"{reason}, so docker.service was restarted, with every container of the user; {outcome}.{again}"
    return Report(WARNING if came_up else ERROR, text, causes=("network_dead",))


def report_of_waiting(reason: str, record: Record, seconds: float, remedy: str) -> Report:
    """Of a daemon that is not restarted again yet."""
    text = (
        f"{reason}, and docker.service is not restarted before {seconds:.0f} s from now: {record.in_a_row} restarts in a row did not help. "
        f"Remedy: {remedy}"
    )
    return Report(ERROR, text, causes=("network_dead",))


def journal_line(user: str, report: Report) -> str:
    """The report as one line for standard output, with the priority in front as sd-daemon(3) has it."""
    return f"<{report.priority}>{clean(f'{user}: {report.text}', MAX_LINE)}\n"


# -- metrics -----------------------------------------------------------------

PREFIX = "rootless_docker_"
Sample = tuple[dict[str, str], float]

# Name, type, help. The help of a name has to be the same in the files of all users: node_exporter refuses them otherwise.
METRICS = (
    ("up", "gauge", "Whether RootlessKit and the Engine answer and the process that serves the network is there."),
    ("sound", "gauge", "Whether the daemon is up and the check found nothing against it."),
    ("published_ports", "gauge", "Published ports of running containers, by the worst verdict on each."),
    ("check_cells", "gauge", "Places that the last check tried, by what they are about and by verdict."),
    ("problem", "gauge", "Causes of what is wrong, 1 for each; none when nothing is."),
    ("check_duration_seconds", "gauge", "Time that the last run took."),
    ("last_check_timestamp_seconds", "gauge", "When the last run ended, in seconds since the epoch."),
    ("restarts_total", "counter", "How often the daemon was restarted because its pasta or slirp4netns was dead."),
)
VERDICTS = (PASS, FAIL, INCONCLUSIVE)


def escaped(value: str) -> str:
    """A label's value in the text format of Prometheus."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def worst(verdicts: Iterable[str]) -> str:
    """The verdict on something that was tried at several places."""
    found = set(verdicts)
    return next(verdict for verdict in (FAIL, INCONCLUSIVE, PASS) if verdict in found)


def published_ports(cells: Iterable[Cell]) -> dict[str, int]:
    """How many published ports of containers there are, by verdict."""
    ports: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell.group == "container":
            ports.setdefault((cell.thing, cell.protocol), []).append(cell.verdict)
    verdicts = [worst(each) for each in ports.values()]
    return {verdict: verdicts.count(verdict) for verdict in VERDICTS}


def samples(report: Report, record: Record, seconds: float, now: float) -> dict[str, list[Sample]]:
    """Every metric's samples, less the label of the user. No label has a text that the user chose: each would be a series of its own."""
    places = [(cell.group, cell.verdict) for cell in report.cells]
    return {
        "up": [({}, report.up)],
        "sound": [({}, report.sound)],
        "published_ports": [({"verdict": verdict}, count) for verdict, count in published_ports(report.cells).items()],
        "check_cells": [({"group": group, "verdict": verdict}, places.count((group, verdict))) for group, verdict in sorted(set(places))],
        "problem": [({"cause": cause}, 1) for cause in report.causes],
        "check_duration_seconds": [({}, round(seconds, 3))],
        "last_check_timestamp_seconds": [({}, round(now, 3))],
        "restarts_total": [({}, record.restarts)],
    }


def metrics(user: str, report: Report, record: Record, seconds: float, now: float) -> str:
    """The report in the text format of Prometheus.

    :param seconds: that the run took.
    :param now: in seconds since the epoch.
    """
    found = samples(report, record, seconds, now)
    lines = []
    for name, kind, about in METRICS:
        lines += [f"# HELP {PREFIX}{name} {about}", f"# TYPE {PREFIX}{name} {kind}"]
        for labels, value in found[name]:
            pairs = ",".join(f'{key}="{escaped(text)}"' for key, text in {"user": user, **labels}.items())
            lines.append(f"{PREFIX}{name}{{{pairs}}} {value + 0}")
    return "\n".join(lines) + "\n"
