# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix as plain values: which combinations there are, what a measurement says, and the published page. Pure."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Container

ROOTLESSKITS = ["2.0.2", "2.3.2", "2.3.6", "3.0.2", "3.1.0", "3.2.0", "3.3.0"]
PASSTS = ["old", "new"]
# Network driver, port driver, the passts that it is tried with, and the first RootlessKit that has the network driver.
DRIVERS = [
    ("pasta", "implicit", PASSTS, ""),
    ("pasta", "pesto", PASSTS, ""),
    ("slirp4netns", "builtin", ["none"], ""),
    ("slirp4netns", "slirp4netns", ["none"], ""),
    ("gvisor-tap-vsock", "builtin", ["none"], "3.0.2"),
    ("gvisor-tap-vsock", "gvisor-tap-vsock", ["none"], "3.0.2"),
]
# Engine, and the RootlessKits that it is tried with.
ENGINES = {"26.1.5": ROOTLESSKITS, "28.5.2": ROOTLESSKITS[-3:], "api-1.56": ROOTLESSKITS[-3:]}
ENGINE_NAMES = {
    "26.1.5": "Engine 26.1.5",
    "28.5.2": "Engine 28.5.2",
    "api-1.56": "Engine of the 29 line (API 1.56)",
}
LEFT_OUT = [
    ("slirp4netns, gvisor-tap-vsock with each passt", "they do not run it; their rows say `none`"),
    ("builtin and slirp4netns port drivers with pasta", "RootlessKit refuses them before anything else"),
    ("gvisor-tap-vsock with RootlessKit below 3.0", "it came with 3.0.0; 3.0.2 is the oldest tried"),
    ("gvisor-tap-vsock with IPv6", "RootlessKit discards `--ipv6` there, so it is the row without"),
    (
        f"RootlessKit below {ROOTLESSKITS[-3]} with the newer Engines",
        "what differs by RootlessKit shows with Engine 26.1.5; the newer Engines come with newer RootlessKits",
    ),
    ("hosts with IPv6 switched off", "the rows with IPv6 off are those of RootlessKit without `--ipv6`, on a host that has IPv6"),
]


@dataclasses.dataclass(frozen=True)
class Combination:
    """One row before rows are merged."""

    engine: str
    ipv6: bool
    network: str
    port: str
    rootlesskit: str
    passt: str

    @property
    def drivers(self) -> str:
        """Both drivers, as the page has them."""
        return f"{self.network}, {self.port}"

    def __str__(self) -> str:
        ipv6 = "on" if self.ipv6 else "off"
        return f"Engine {self.engine}, IPv6 {ipv6}, {self.drivers}, RootlessKit {self.rootlesskit}, passt {self.passt}"


def combinations() -> list[Combination]:
    """All that are measured, in the order of the page."""
    found = []
    for (engine, rootlesskits), ipv6, (network, port, passts, first) in itertools.product(ENGINES.items(), (False, True), DRIVERS):
        if ipv6 and network == "gvisor-tap-vsock":
            continue
        for rootlesskit, passt in itertools.product(rootlesskits, passts):
            if rootlesskit >= first:
                found.append(Combination(engine, ipv6, network, port, rootlesskit, passt))
    return found


# What `make matrix-sample` measures: each kind of difference once, in three minutes. An Engine that has to be built counts once it is.
SAMPLE = [
    Combination("26.1.5", False, "pasta", "implicit", "2.0.2", "old"),
    Combination("26.1.5", False, "pasta", "implicit", "2.3.6", "new"),
    Combination("26.1.5", False, "pasta", "implicit", "3.2.0", "old"),
    Combination("26.1.5", False, "pasta", "pesto", "3.2.0", "old"),
    Combination("26.1.5", False, "pasta", "pesto", "3.2.0", "new"),
    Combination("26.1.5", False, "slirp4netns", "builtin", "3.2.0", "none"),
    Combination("26.1.5", True, "pasta", "implicit", "3.2.0", "old"),
    Combination("28.5.2", False, "pasta", "pesto", "3.2.0", "new"),
    Combination("api-1.56", False, "pasta", "pesto", "3.2.0", "new"),
]
# Causes that the check has to find in all combinations that have these values: no other scenario has the Engines that they need.
CAUSES = {
    "engine_cannot_publish": {"engine": "28.5.2", "port": "pesto", "ipv6": False},
    "detached_host_network": {"engine": "api-1.56"},
}


def selected(wanted: list[str]) -> list[Combination]:
    """Combinations by conditions like C(engine=26.1.5) or C(rootlesskit=3.2.0,3.3.0), all of which have to hold.

    :raises ValueError: a condition names no axis, or a value that no combination has.
    """
    found = combinations()
    axes = [field.name for field in dataclasses.fields(Combination)]
    for condition in wanted:
        axis, _sign, values = condition.partition("=")
        if axis not in axes:
            raise ValueError(f"{condition!r} selects nothing: it is AXIS=VALUE,..., and the axes are {', '.join(axes)}")
        have = {text(getattr(each, axis)) for each in found}
        if not have.issuperset(values.split(",")):
            raise ValueError(f"{condition!r} selects nothing: what is left has for {axis}: {', '.join(sorted(have))}")
        found = [each for each in found if text(getattr(each, axis)) in values.split(",")]
    return found


def text(value: object) -> str:
    """A value of an axis as it is written on the command line."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


# -- one measurement -------------------------------------------------------

ANSWERS = "answers"
WORDS = {"answered": ANSWERS, "wrong_answer": "wrong answer", "reset": "broken off", "closed": "broken off", "timed_out": "timed out"}
NOT_PUBLISHED = "not published"
NOT_MEASURED = "not measured"
# Places inside, as the check names them.
VANTAGES = {"RootlessKit's namespace": "namespace", "host-network container": "`--net=host`", "bridge container": "bridge"}
PUBLISHES = {"loopback4": "`127.0.0.1:P`", "loopback6": "`[::1]:P`", "all": "`P`", "ephemeral": "ephemeral"}
PLACES = {
    "loopback4": "at 127.0.0.1", "own4": "at its own address", "outside4": "from outside",
    "loopback6": "at ::1", "own6": "at its own address", "outside6": "from outside",
}  # fmt: skip
LOOPBACK4, LOOPBACK6 = "127.0.0.1", "::1"


def word(outcome: str | None) -> str:
    """An outcome in the page's words: whether a connection was reset or closed empty is chance."""
    return NOT_PUBLISHED if outcome is None else WORDS.get(outcome, outcome)


def kind(cell: dict) -> str:
    """What a cell of the check's canary is about: loopback4, loopback6, all or ephemeral; empty for what the page does not show."""
    if "(got" in cell["thing"]:
        return "ephemeral"
    return {"127.0.0.1": "loopback4", "::1": "loopback6", "": "all"}.get(cell["host_ip"], "")


def seen(record: dict, name: str, place: str, protocol: str = "tcp") -> list[str]:
    """Words of one publish at one place: as the matrix's own requests saw it (TCP only), and as the check did.

    :param place: loopback4, own4, loopback6 or own6 from the host itself, outside4 or outside6 from another host.
    """
    own = own_words(record, name, place) if protocol == "tcp" else []
    checked = [
        word(cell["outcome"])
        for cell in record["check"]["cells"]
        if (cell["group"], cell["protocol"]) == ("canary", protocol) and (kind(cell), family(cell["address"])) == (name, place)
    ]
    # The check publishes all at once: where one publish fails it has seen none of the others, and that says nothing of them.
    return list(dict.fromkeys(own + ([each for each in checked if each != NOT_PUBLISHED] if own else checked)))


def own_words(record: dict, name: str, place: str) -> list[str]:
    """The words of the matrix's own requests."""
    published = record["published"].get(name)
    if published is None:
        return []
    if published["error"]:
        return [NOT_PUBLISHED]
    where = "outside" if place.startswith("outside") else "host"
    return [word(outcome) for each, address, outcome in record[where] if each == name and family(address, where) == place]


def family(address: str, where: str = "host") -> str:
    """The place that an address is."""
    if address in (LOOPBACK4, LOOPBACK6):
        return "loopback4" if address == LOOPBACK4 else "loopback6"
    return ("outside" if where == "outside" else "own") + ("6" if ":" in address else "4")


def columns(record: dict, ipv6: bool) -> dict[str, str]:
    """The page's columns from one measurement that started, less the time."""

    def grid(pairs: list[tuple[str, str]], protocol: str = "tcp") -> str:
        found = {(name, place): seen(record, name, place, protocol) for name, place in pairs}
        return summary({key: words for key, words in found.items() if words})

    def everywhere(version: int, *publishes: str) -> list[tuple[str, str]]:
        return list(itertools.product(publishes, [f"loopback{version}", f"own{version}", f"outside{version}"]))

    loopback4, loopback6 = ("loopback4", "loopback4"), ("loopback6", "loopback6")
    found = {
        "loopback": grid([loopback4]),
        "hidden": grid([("loopback4", "own4")]),
        "outside": grid([("loopback4", "outside4")]),
        "all": grid(everywhere(4, "all")),
        "ephemeral": grid(everywhere(4, "ephemeral")),
        "inside": inside(record["check"]["cells"]),
        "udp": grid([loopback4, *everywhere(4, "all", "ephemeral")], "udp"),
    }
    if not ipv6:
        return {**found, "ipv6_off": grid(everywhere(6, "all", "ephemeral"))}
    return {
        **found,
        "ipv6": grid([loopback6, *everywhere(6, "all", "ephemeral")]),
        "hidden6": grid([("loopback6", "own6"), ("loopback6", "outside6")]),
        "udp6": grid([loopback6, *everywhere(6, "all", "ephemeral")], "udp"),
    }


def summary(found: dict[tuple[str, str], list[str]]) -> str:
    """Words by publish and place, as few as say it all: one for everything, or what does not answer by publish, by place, or by both."""
    if not found:
        return NOT_MEASURED
    words = {key: " or ".join(each) for key, each in found.items()}
    if len(set(words.values())) == 1:
        return words.popitem()[1]
    by_publish = {key: PUBLISHES[key[0]] for key in words}
    by_place = {key: PLACES[key[1]] for key in words}
    for labels in (by_publish, by_place, {key: f"{PUBLISHES[key[0]]} {PLACES[key[1]]}" for key in words}):
        groups: dict[str, set[str]] = {}
        for key, label in labels.items():
            groups.setdefault(label, set()).add(words[key])
        if all(len(each) == 1 for each in groups.values()):
            break
    wrong = [f"{label} {value}" for label, (value,) in groups.items() if value != ANSWERS]
    return "; ".join(wrong + ["the rest answers"] * (len(wrong) < len(groups)))


def inside(cells: list[dict]) -> str:
    """Whether the host's loopback can be reached from inside, and from where."""
    mine = [cell for cell in cells if cell["group"] == "host_loopback" and cell["expected"] == "must_not"]
    leaks = dict.fromkeys(VANTAGES.get(cell["vantage"], cell["vantage"]) for cell in mine if cell["outcome"] == "answered")
    if leaks:
        return "leaks to " + ", ".join(leaks)
    if not mine:
        return NOT_MEASURED
    return "closed" if all(cell["verdict"] == "pass" for cell in mine) else "not proved"


# -- the page --------------------------------------------------------------

# Columns by table; a section has two.
TABLES = [
    {
        "loopback": "`127.0.0.1:P`",
        "hidden": "at the host's own address",
        "outside": "from another host",
        "all": "`P`, all addresses",
        "ephemeral": "ephemeral port",
        "inside": "host's loopback",
    },
    {
        "udp": "UDP",
        "ipv6_off": "`P` over IPv6",
        "ipv6": "IPv6",
        "hidden6": "`[::1]:P` elsewhere",
        "udp6": "IPv6, UDP",
    },
]
HEADINGS = {**TABLES[0], **TABLES[1]}
FIRST = ["RootlessKit", "passt", "network driver, port driver"]
LAST = ["first answer, s"]
NO_START = "does not start"
# What is wrong, by column: it is set in bold.
RIGHT = {**dict.fromkeys(["loopback", "all", "ephemeral", "udp", "ipv6", "udp6"], ANSWERS), "inside": "closed"}


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the page: what was seen, of one or more combinations."""

    drivers: str
    cells: tuple[tuple[str, str], ...]
    rootlesskits: tuple[str, ...]
    passts: tuple[str, ...]


def said(record: dict, combination: Combination) -> tuple[tuple[str, str], ...]:
    """What the page says of one measurement."""
    if not record["start"]["active"]:
        return ((NO_START, tidy(record["start"]["reason"])),)
    found = columns(record, combination.ipv6)
    errors = dict.fromkeys(tidy(each["error"]) for each in record["published"].values() if each["error"])
    return (*found.items(), ("errors", "; ".join(errors)))


def tidy(message: str) -> str:
    """A program's message without what differs from run to run: ids, ports, pids, and what would break a table."""
    message = re.sub(r"endpoint \S+ \([0-9a-f]{12,64}\)", "endpoint NAME", message)
    message = re.sub(r"\b[0-9a-f]{12,64}\b", "ID", message)
    message = re.sub(r"(?<=:)\d{4,5}\b|(?<=[Pp]ort[: ])\d{4,5}\b|(?<=[Pp]ort\\\":)\d{4,5}|/tmp/\S+", "N", message)
    message = re.sub(r"\bpid \d+|\[\d+\]", "pid N", message)
    return re.sub(r"[|`\s]+", " ", message).strip()


def merged(measured: dict[Combination, dict], names: Container[str]) -> list[Row]:
    """Rows of one table of a section, with these columns.

    Combinations of the same drivers with equal cells become one row, as far as RootlessKits and passts form a product.
    """
    by_cells: dict[tuple, list[Combination]] = {}
    for combination, record in sorted(measured.items(), key=lambda item: ROOTLESSKITS.index(item[0].rootlesskit)):
        cells = tuple((name, value) for name, value in said(record, combination) if name in names)
        if cells:
            by_cells.setdefault((combination.drivers, cells), []).append(combination)
    rows = []
    for (drivers, cells), members in by_cells.items():
        by_passt: dict[str, list[str]] = {}
        for each in members:
            by_passt.setdefault(each.passt, []).append(each.rootlesskit)
        by_versions: dict[tuple[str, ...], list[str]] = {}
        for passt, versions in by_passt.items():
            by_versions.setdefault(tuple(versions), []).append(passt)
        rows += [Row(drivers, cells, versions, tuple(passts)) for versions, passts in by_versions.items()]
    order = [f"{network}, {port}" for network, port, _passts, _first in DRIVERS]
    return sorted(rows, key=lambda row: (order.index(row.drivers), ROOTLESSKITS.index(row.rootlesskits[0]), row.passts != ("old",)))


def times(row: Row, measured: dict[Combination, dict]) -> str:
    """The least and the most that the first answer took, of the combinations in a row."""
    return span([
        seconds
        for combination, record in measured.items()
        if combination.drivers == row.drivers and combination.rootlesskit in row.rootlesskits and combination.passt in row.passts
        for seconds in record["first_answer"].values()
    ])  # fmt: skip


def span(values: list[float]) -> str:
    """The least and the most, rounded."""
    if not values:
        return ""
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def line(cells: list[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def shown(name: str, value: str) -> str:
    """A cell; what is wrong is bold."""
    return f"**{value}**" if name in RIGHT and value not in (RIGHT[name], NOT_MEASURED) else value


def section(engine: str, ipv6: bool, measured: dict[Combination, dict]) -> list[str]:
    """One heading and its tables: TCP over IPv4 with the times, then the rest, then what does not start."""
    lines = ["", f"## {ENGINE_NAMES[engine]}, IPv6 {'on' if ipv6 else 'off'}"]
    notes: list[str] = []
    for number, table in enumerate(TABLES):
        last = ["errors"] if number == 0 else []
        rows = merged(measured, [*table, *last])
        names = [name for name, _value in rows[0].cells if name != "errors"] if rows else []
        headings = [*FIRST, *[HEADINGS[name] for name in names], *(LAST if last else [])]
        lines += ["", line(headings), line(["---"] * len(headings))] if rows else []
        for row in rows:
            cells = dict(row.cells)
            mark = note_mark(notes, cells.get("errors", ""))
            shown_cells = [shown(name, cells[name]) for name in names]
            lines.append(line([*names_of(row, mark), *shown_cells, *([times(row, measured)] if last else [])]))
        if notes and last:
            lines += ["", *[f"{number}. `{note}`" for number, note in enumerate(notes, 1)]]
    rows = merged(measured, [NO_START])
    if rows:
        lines += ["", line([*FIRST, NO_START]), line(["---"] * 4)]
        lines += [line([*names_of(row), f"`{row.cells[0][1]}`"]) for row in rows]
    return lines


def note_mark(notes: list[str], errors: str) -> str:
    """The mark of a note below the table, which is added where it is not there yet."""
    if not errors:
        return ""
    if errors not in notes:
        notes.append(errors)
    return f" ({notes.index(errors) + 1})"


def names_of(row: Row, mark: str = "") -> list[str]:
    """The first cells of a row."""
    return [", ".join(row.rootlesskits), ", ".join(row.passts), row.drivers + mark]


def page(introduction: str, measured: dict[Combination, dict], versions: dict[str, str], dates: str) -> str:
    """The whole page, from its introduction with places to fill in."""
    axes = ", ".join(f"`{field.name}`" for field in dataclasses.fields(Combination))
    table = "\n".join(line([name, value]) for name, value in versions.items())
    lines = [introduction.format(count=len(measured), dates=dates, versions=table, axes=axes, sample=len(SAMPLE)).rstrip("\n")]
    lines += sections(measured)
    lines += ["", "## Left out", "", line(["what", "why"]), line(["---", "---"]), *[line([what, why]) for what, why in LEFT_OUT]]
    return "\n".join(lines) + "\n"


def sections(measured: dict[Combination, dict]) -> list[str]:
    """The sections of what was measured."""
    lines = []
    for engine, ipv6 in itertools.product(ENGINES, (False, True)):
        mine = {each: record for each, record in measured.items() if (each.engine, each.ipv6) == (engine, ipv6)}
        lines += section(engine, ipv6, mine) if mine else []
    return lines


def published(text_of_page: str) -> dict[Combination, dict[str, str]]:
    """A page's rows again, one for each combination: the words of its columns, less the times."""
    found: dict[Combination, dict[str, str]] = {}
    engines = {name: engine for engine, name in ENGINE_NAMES.items()}
    names = {heading: name for name, heading in HEADINGS.items()}
    engine, ipv6, header = "", False, []
    for each in text_of_page.splitlines():
        heading = re.fullmatch(r"## (.*), IPv6 (on|off)", each)
        if heading:
            engine, ipv6 = engines.get(heading[1], ""), heading[2] == "on"
        elif each.startswith("## "):
            engine = ""
        if not engine or not each.startswith("| ") or each.startswith("| ---"):
            continue
        cells = [cell.strip() for cell in each.strip("| ").split(" | ")]
        if cells[0] == FIRST[0]:
            header = cells
            continue
        row = dict(zip(header, cells))
        network, port = re.sub(r" \(\d+\)$", "", row[FIRST[2]]).split(", ")
        words = {names.get(heading, heading): re.sub(r"^\*\*(.*)\*\*$|^`(.*)`$", r"\1\2", value) for heading, value in row.items()}
        words = {name: value for name, value in words.items() if name in HEADINGS or name == NO_START}
        for rootlesskit, passt in itertools.product(row[FIRST[0]].split(", "), row[FIRST[1]].split(", ")):
            found.setdefault(Combination(engine, ipv6, network, port, rootlesskit, passt), {}).update(words)
    return found


def uncaught(measured: dict[Combination, dict]) -> list[str]:
    """Where the check did not find the cause that it has to find, one line each."""
    return [
        f"{combination}: the check has to find {cause}, and found {', '.join(record['check']['causes']) or 'nothing'}"
        for combination, record in measured.items()
        for cause, values in CAUSES.items()
        if record["start"]["active"]
        and dataclasses.asdict(combination).items() >= values.items()
        and cause not in record["check"]["causes"]
    ]


def differences(measured: dict[Combination, dict], text_of_page: str) -> list[str]:
    """In which columns a measurement is not what the page says, one line each."""
    before = published(text_of_page)
    found = []
    for combination, record in measured.items():
        now = {name: value for name, value in said(record, combination) if name != "errors"}
        then = before.get(combination)
        if then is None:
            found.append(f"{combination}: the page has no such row")
            continue
        for name in [*now, *[name for name in then if name not in now]]:
            if now.get(name) != then.get(name):
                heading = HEADINGS.get(name, name)
                said_then, said_now = then.get(name, "nothing"), now.get(name, "nothing")
                found.append(f"{combination}: {heading}: the page says {said_then}, measured was {said_now}")
    return found
