# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Subordinate ids: from the texts of /etc/subuid and /etc/subgid, and what is asked for, to the new texts. Pure.

The form of the files is that of subuid(5); what counts as a number, as a damaged line, and as the default of a limit follows
lib/subordinateio.c and lib/find_new_sub_uids.c of shadow-utils.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

KINDS = ("uid", "gid")
FILES = {"uid": "/etc/subuid", "gid": "/etc/subgid"}
LOGIN_DEFS = "/etc/login.defs"
END = 2**32 - 1
"""The first number that is no id: the kernel keeps the last one of 32 bits for «none»."""

COUNT = 65536
"""Ids that a user gets where nothing else is said; images have owners up to 65535."""

MAX_LINE = 1023
"""Characters of a line that shadow-utils takes for an entry."""

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,15}|[0-9]{1,15}")


class SubidError(Exception):
    """What is asked for cannot be had; the text names the object, the cause and the remedy."""


class Range(NamedTuple):
    """Ids in a row.

    :ivar start: the first.
    :ivar count: how many.
    """

    start: int
    count: int

    @property
    def end(self) -> int:
        """The first id behind them."""
        return self.start + self.count

    def __str__(self) -> str:
        return f"{self.start}-{self.end - 1}"


class Entry(NamedTuple):
    """A line of a file that gives somebody ids.

    :ivar line: its number, from 0.
    :ivar owner: name or numeric id of a user, as it stands there.
    """

    line: int
    owner: str
    ids: Range


class Limits(NamedTuple):
    """What /etc/login.defs says of one kind of id.

    :ivar free: where subordinate ids may lie.
    :ivar given: how many useradd gives to a new account.
    :ivar real: where ids of accounts lie, also of those that no database lists.
    """

    free: Range
    given: int
    real: tuple[Range, ...]


class Request(NamedTuple):
    """What is asked for, of one user.

    :ivar start: the first id of an exact range; None for any place, or with C(present) false for all that the user has.
    :ivar count: how many.
    """

    user: str
    present: bool = True
    start: int | None = None
    count: int = COUNT
    kinds: tuple[str, ...] = KINDS


Ranges = dict[str, list[Range]]
"""Ranges by kind."""


@dataclass
class Host:
    """What was read of a host.

    :ivar texts: of both files, by kind.
    :ivar uids: of the users asked about, by name; None where there is no such account.
    :ivar real: whose each real id is, by kind.
    :ivar reserved: the ranges that each user's files belong to, whether the user has them now or not; the most wanted first.
    """

    texts: dict[str, str]
    uids: Mapping[str, int | None]
    limits: Mapping[str, Limits]
    real: Mapping[str, Mapping[int, str]]
    reserved: Mapping[str, Ranges] = field(default_factory=dict)


@dataclass
class Outcome:
    """What comes of it.

    :ivar texts: of both files, afterwards.
    :ivar warnings: what the operator has to know.
    """

    texts: dict[str, str]
    added: dict[str, Ranges] = field(default_factory=dict)
    removed: dict[str, Ranges] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


# -- ranges --------------------------------------------------------------------


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same ids as few ranges, in order."""
    result: list[Range] = []
    for each in sorted(each for each in ranges if each.count > 0):
        if result and each.start <= result[-1].end:
            result[-1] = Range(result[-1].start, max(result[-1].end, each.end) - result[-1].start)
        else:
            result.append(each)
    return result


def common(one: Range, other: Range) -> Range | None:
    """The ids that both have; None for none."""
    start, end = max(one.start, other.start), min(one.end, other.end)
    return Range(start, end - start) if start < end else None


def less(ids: Range, without: Iterable[Range]) -> list[Range]:
    """What is left of a range."""
    left = []
    start = ids.start
    for each in merged(without):
        shared = common(ids, each)
        if shared:
            left.append(Range(start, shared.start - start))
            start = shared.end
    return [each for each in [*left, Range(start, ids.end - start)] if each.count > 0]


def total(ranges: Iterable[Range]) -> int:
    """How many ids; one that is there twice counts once."""
    return sum(each.count for each in merged(ranges))


def first_gap(taken: Iterable[Range], within: Range, count: int) -> int | None:
    """Where the first free ids in a row begin; None where there are not so many."""
    return next((each.start for each in less(within, taken) if each.count >= count), None)


# -- the files -----------------------------------------------------------------


def number(text: str) -> int | None:
    """A number as shadow-utils reads it: decimal, C(0x) hexadecimal, C(0) octal; None for anything else."""
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text, 16) if text[:2] in ("0x", "0X") else int(text, 8 if text[0] == "0" else 10)
    except ValueError:
        return None


def _entry(index: int, line: str) -> Entry | None:
    fields = line.split(":")
    if len(fields) != 3 or not fields[0] or len(line) > MAX_LINE or line[0] in "+-":
        return None
    start, count = number(fields[1]), number(fields[2])
    return None if start is None or count is None else Entry(index, fields[0], Range(start, count))


def entries(text: str) -> list[Entry]:
    """The lines that give ids to somebody."""
    found = [_entry(index, line) for index, line in enumerate(text.split("\n"))]
    return [entry for entry in found if entry is not None]


def damaged(text: str) -> list[int]:
    """Numbers, from 1, of lines that are neither blank, nor a comment, nor an entry of the file or of NIS."""
    return [index + 1 for index, line in enumerate(text.split("\n")) if line.strip() and line[0] not in "#+-" and not _entry(index, line)]


def owned(text: str, owners: Iterable[str]) -> list[Range]:
    """The ids that a file gives to a user, whom it may call by each of these."""
    return merged(entry.ids for entry in entries(text) if entry.owner in owners)


def with_ranges(text: str, owner: str, ranges: Iterable[Range]) -> str:
    """The text with more entries at its end; a last line without a line end gets one first."""
    lines = "".join(f"{owner}:{each.start}:{each.count}\n" for each in ranges)
    return text + ("\n" if lines and text and not text.endswith("\n") else "") + lines


def without_ranges(text: str, owners: Iterable[str], unwanted: Range | None) -> tuple[str, list[Range]]:
    """The text without some ids, or with C(unwanted) None without all ids, of a user; and what was taken away.

    What is left of an entry stays in its place, under the name that the line has.
    """
    mine = {entry.line: entry for entry in entries(text) if entry.owner in owners}
    kept: list[str] = []
    removed: list[Range] = []
    for index, line in enumerate(text.split("\n")):
        entry = mine.get(index)
        # An entry of no ids goes with the rest of a user's, and belongs to no range.
        shared = None if entry is None else entry.ids if unwanted is None else common(entry.ids, unwanted)
        if entry is None or shared is None:
            kept.append(line)
            continue
        removed.append(shared)
        kept += [f"{entry.owner}:{left.start}:{left.count}" for left in less(entry.ids, [shared])]
    return "\n".join(kept), merged(removed)


# -- limits --------------------------------------------------------------------


def login_defs(text: str) -> dict[str, int]:
    """The numbers in /etc/login.defs; of a name that is there twice the last counts."""
    found = {}
    for line in text.split("\n"):
        words = line.replace('"', " ").split()
        value = number(words[1]) if len(words) > 1 and not words[0].startswith("#") else None
        if value is not None:
            found[words[0]] = value
    return found


def limits(text: str, kind: str) -> Limits:
    """The limits of one kind, from the text of /etc/login.defs; what it leaves out is as shadow-utils has it."""
    defs = login_defs(text)
    name = kind.upper()
    low, high = defs.get(f"SUB_{name}_MIN", 100000), min(defs.get(f"SUB_{name}_MAX", 600100000), END - 1)
    users = defs.get(f"{name}_MIN", 1000), defs.get(f"{name}_MAX", 60000)
    system = defs.get(f"SYS_{name}_MIN", 101), defs.get(f"SYS_{name}_MAX", users[0] - 1)
    # Ids of 16 bits are accounts' and systemd's own, whatever the limits are.
    real = merged([Range(0, 65536), *(Range(first, last + 1 - first) for first, last in (users, system))])
    return Limits(Range(low, max(0, high + 1 - low)), defs.get(f"SUB_{name}_COUNT", COUNT), tuple(real))


def source(text: str) -> str:
    """Where subordinate ids come from, by the text of /etc/nsswitch.conf: shadow-utils takes the first word only."""
    for line in text.split("\n"):
        name, colon, rest = line.partition("#")[0].partition(":")
        if colon and name.strip() == "subid" and rest.split():
            return rest.split()[0]
    return "files"


# -- what is asked for ---------------------------------------------------------


def names_of(user: str, uid: int | None) -> tuple[str, ...]:
    """What the files may call a user."""
    return (user,) if uid is None else (user, str(uid))


class _Work:
    """The texts while one request after another is worked in."""

    def __init__(self, host: Host, about_to_be_made: bool) -> None:
        self.host = host
        self.about_to_be_made = about_to_be_made
        self.outcome = Outcome(dict(host.texts))

    def taken(self, kind: str, names: tuple[str, ...]) -> list[tuple[Range, str]]:
        """Ids that a new range of this user must not have, and whose they are."""
        found = [
            (entry.ids, f"{entry.owner} has in {FILES[each]}")
            for each in KINDS
            for entry in entries(self.outcome.texts[each])
            if each == kind or entry.owner not in names
        ]
        found += [
            (ids, f"files of {user} belong to")
            for user, ranges in self.host.reserved.items()
            for each in KINDS
            for ids in ranges[each]
            if user not in names
        ]
        found += [(Range(each, 1), f"is the {kind} of {name}") for each, name in self.host.real[kind].items()]
        found += [(each, f"{LOGIN_DEFS} keeps for accounts") for each in self.host.limits[kind].real]
        return found

    def remove(self, request: Request, names: tuple[str, ...]) -> None:
        """Take away what was told."""
        unwanted = None if request.start is None else Range(request.start, request.count)
        for kind in request.kinds:
            self.outcome.texts[kind], removed = without_ranges(self.outcome.texts[kind], names, unwanted)
            self._note(self.outcome.removed, request.user, kind, removed)

    def add_exactly(self, request: Request, names: tuple[str, ...], start: int) -> None:
        """Add what the user does not have yet of a range."""
        wanted = Range(start, request.count)
        for kind in request.kinds:
            new = less(wanted, owned(self.outcome.texts[kind], names))
            free = self.host.limits[kind].free
            for each in new:
                if less(each, [free]):
                    low, high = f"SUB_{kind.upper()}_MIN", f"SUB_{kind.upper()}_MAX"
                    raise SubidError(
                        f"{request.user}: ids {each} are not within {free}, which {low} and {high} in {LOGIN_DEFS} allow. "
                        "Nothing was changed. Remedy: another start, or other limits there"
                    )
                for ids, whose in self.taken(kind, names):
                    shared = common(each, ids)
                    if shared:
                        raise SubidError(
                            f"{request.user}: {each} cannot be added to {FILES[kind]}: {shared} {whose}. Nothing was changed. "
                            "Remedy: another start, or none, for the first that is free"
                        )
            self._add(request.user, kind, new)

    def add_enough(self, request: Request, names: tuple[str, ...], assumed: Mapping[str, int]) -> None:
        """Add as many ids as the user has too few: those of the user's files, then others, at one place where both files need the same."""
        needed = {}
        for kind in request.kinds:
            recorded = self.host.reserved.get(request.user, {}).get(kind, [])
            if recorded and not self._lacking(request, kind, names, assumed):
                self._warn_of_others(request.user, kind, names, recorded)
            for wanted in recorded:
                if self._lacking(request, kind, names, assumed):
                    self._add_again(request.user, kind, names, wanted)
            needed[kind] = self._lacking(request, kind, names, assumed)
        needed = {kind: count for kind, count in needed.items() if count > 0}
        together = list(needed) if len(set(needed.values())) == 1 else []
        for kinds in [together] if together else [[kind] for kind in needed]:
            count = needed[kinds[0]]
            start = first_gap([ids for kind in kinds for ids, _whose in self.taken(kind, names)], self._allowed(kinds, request.user), count)
            if start is None:
                raise SubidError(
                    f"{request.user}: there are no {count} free ids in a row for {' and '.join(FILES[kind] for kind in kinds)} within "
                    f"{self._allowed(kinds, request.user)}. Nothing was changed. Remedy: take away what belongs to accounts that are gone, "
                    f"or raise SUB_UID_MAX and SUB_GID_MAX in {LOGIN_DEFS}"
                )
            for kind in kinds:
                self._add(request.user, kind, [Range(start, count)])

    def _lacking(self, request: Request, kind: str, names: tuple[str, ...], assumed: Mapping[str, int]) -> int:
        return max(0, request.count - total(owned(self.outcome.texts[kind], names)) - assumed[kind])

    def _warn_of_others(self, user: str, kind: str, names: tuple[str, ...], recorded: Ranges) -> None:
        """Say where a user has none of the ids of their files: useradd does not know them, and a range that is added would come last."""
        have = owned(self.outcome.texts[kind], names)
        if not any(common(each, ids) for each in recorded for ids in have):
            self.outcome.warnings.append(
                f"{user}: files belong to {recorded[0]}, and {FILES[kind]} gives other ids. Remedy: give {user} this range in their place, "
                f"or the files to the ids that {user} has"
            )

    def _add_again(self, user: str, kind: str, names: tuple[str, ...], wanted: Range) -> None:
        """Add what is missing of a range that the user's files belong to. All of it or none: in a container its ids are in a row."""
        new = less(wanted, owned(self.outcome.texts[kind], names))
        others = [(common(each, ids), whose) for each in new for ids, whose in self.taken(kind, names)]
        reasons = [f"{shared} {whose}" for shared, whose in others if shared]
        reasons += [f"{each} is not within {self.host.limits[kind].free}" for each in new if less(each, [self.host.limits[kind].free])]
        if reasons:
            self.outcome.warnings.append(
                f"{user}: files belong to {wanted}, and these ids were not added to {FILES[kind]} again: {reasons[0]}. "
                f"Remedy: take that away and give {user} this range, or the files to the ids that {user} has"
            )
            return
        self._add(user, kind, new)

    def _allowed(self, kinds: list[str], user: str) -> Range:
        allowed: Range | None = self.host.limits[kinds[0]].free
        for kind in kinds[1:]:
            allowed = common(allowed, self.host.limits[kind].free) if allowed else None
        if not allowed or not allowed.count:
            raise SubidError(
                f"{user}: SUB_UID_MIN to SUB_UID_MAX and SUB_GID_MIN to SUB_GID_MAX in {LOGIN_DEFS} leave no ids. Nothing was changed. "
                "Remedy: mend them there"
            )
        return allowed

    def _add(self, user: str, kind: str, new: list[Range]) -> None:
        self.outcome.texts[kind] = with_ranges(self.outcome.texts[kind], user, new)
        self._note(self.outcome.added, user, kind, new)

    @staticmethod
    def _note(where: dict[str, Ranges], user: str, kind: str, ranges: list[Range]) -> None:
        if ranges:
            where.setdefault(user, {each: [] for each in KINDS})[kind] += ranges

    def do(self, request: Request) -> None:
        """One request.

        :raises SubidError: it cannot be had.
        """
        uid = self.host.uids.get(request.user)
        names = names_of(request.user, uid)
        if not request.present:
            self.remove(request, names)
            return
        if uid is None and not self.about_to_be_made:
            raise SubidError(
                f"{request.user}: there is no such account on this host. Nothing was changed. Remedy: make it first, or see whether the "
                f"directory service answers (getent passwd {request.user})"
            )
        if request.start is not None:
            self.add_exactly(request, names, request.start)
        else:
            self.add_enough(request, names, {kind: self.host.limits[kind].given if uid is None else 0 for kind in KINDS})


def plan(requests: Iterable[Request], host: Host, about_to_be_made: bool = False) -> Outcome:
    """Work in one request after another; nobody's ids are ever added to somebody else's, nor to those of an account.

    :param about_to_be_made: take an account that is not there for one that useradd makes before, with the ids that useradd gives.
    :raises SubidError: one cannot be had.
    """
    work = _Work(host, about_to_be_made)
    for request in requests:
        work.do(request)
    return work.outcome


def missing(request: Request, has: Mapping[str, list[Range]]) -> dict[str, str]:
    """What a user has too little, or too much, of what is asked for, in words by kind; for a source that cannot be written.

    :param has: what the source gives to the user.
    """
    found = {}
    for kind in request.kinds:
        ids = None if request.start is None else Range(request.start, request.count)
        if not request.present:
            wrong = [each for each in has[kind] if ids is None or common(each, ids)]
            text = f"still has {', '.join(map(str, wrong))}" if wrong else ""
        elif ids is not None:
            text = f"does not have {', '.join(map(str, less(ids, has[kind])))}" if less(ids, has[kind]) else ""
        else:
            text = f"has {total(has[kind])}, needed are {request.count}" if total(has[kind]) < request.count else ""
        if text:
            found[kind] = text
    return found


def recorded(record: Mapping[str, object], key: str, under: str = "subid") -> list[Range]:
    """The ranges in a record of a user; what has another form is left out.

    :param key: C(subuid) or C(subgid).
    :param under: C(subid) for what was made, C(ids) for what the user had.
    """
    of_both = record.get(under)
    found = of_both.get(key) if isinstance(of_both, dict) else None
    pairs = [each for each in found if isinstance(each, list) and len(each) == 2] if isinstance(found, list) else []
    return [Range(*pair) for pair in pairs if all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in pair)]


# -- what overlaps -------------------------------------------------------------


class Overlap(NamedTuple):
    """Ids that a user shares.

    :ivar kind: of which file.
    :ivar ids: the shared ones.
    :ivar whose: the other owner as the file has it, or C(uid NAME) and C(gid NAME) for a real id.
    """

    kind: str
    ids: Range
    whose: str


def overlaps(kind: str, every: list[Entry], names: tuple[str, ...], real: Mapping[int, str]) -> list[Overlap]:
    """Where the ids that a file gives to a user are somebody else's too.

    :param every: the file's entries.
    :param real: whose each real id of this kind is.
    """
    mine = [entry for entry in every if entry.owner in names]
    others = [(entry.ids, entry.owner) for entry in every if entry.owner not in names]
    others += [(Range(each, 1), f"{kind} {name}") for each, name in real.items()] if mine else []
    found = [(common(entry.ids, ids), whose) for entry in mine for ids, whose in others]
    return [Overlap(kind, shared, whose) for shared, whose in found if shared]
