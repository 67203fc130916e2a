# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packages an installation brings, by apt's own simulation, and which of them can go again without harm to what others need. Pure.

``Simulate`` is a function from the arguments of ``apt-get --simulate`` to what it printed; None where apt refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Simulate = Callable[[list[str]], "str | None"]

INSTALLS = re.compile(r"Inst (\S+)(?: \[(\S+)\])? \((\S+)")
REMOVES = re.compile(r"(?:Remv|Purg) (\S+)")
KEYS = {"asked": list, "new": list, "residual": list, "auto": list, "changed": dict, "groups": list, "folders": list}
"""The keys of an owner's record, see :class:`Record`, and the type of each."""


class RecordError(Exception):
    """The record cannot be used; the text says why and what to do."""


class ChangeError(Exception):
    """apt cannot do what is wanted; the text says what it says."""


@dataclass
class Record:
    """What one owner brought.

    :ivar asked: packages that it asked for, and got.
    :ivar new: packages that were not installed before, those that came along included.
    :ivar residual: those of them whose configuration files were there before.
    :ivar auto: packages that were there before, marked as dependencies.
    :ivar changed: packages that were there in another version: C(before) and C(after).
    :ivar groups: system groups that were not there before and that the packages make.
    :ivar folders: data folders that were not there before and that the packages' programs fill.
    """

    asked: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    residual: list[str] = field(default_factory=list)
    auto: list[str] = field(default_factory=list)
    changed: dict[str, dict[str, str]] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the file: sorted, and without what is empty."""
        values = {key: getattr(self, key) for key in KEYS}
        return {key: sorted(set(value)) if isinstance(value, list) else value for key, value in values.items() if value}


def parse_records(data: Any, path: str) -> dict[str, Record]:
    """The owners' records from the file's JSON.

    :raises RecordError: it is no such record.
    """
    sound = isinstance(data, dict) and all(
        isinstance(entry, dict) and all(isinstance(entry.get(key, kind()), kind) for key, kind in KEYS.items()) for entry in data.values()
    )
    if not sound:
        raise RecordError(
            f"{path} is damaged. It records the packages that the roles brought. Nothing was changed. Put it back from a backup, or remove "
            "it to go on: what was recorded in it then stays installed"
        )
    return {owner: Record(**{key: entry[key] for key in KEYS if key in entry}) for owner, entry in data.items()}


@dataclass(frozen=True)
class Transaction:
    """What apt would do.

    :ivar installs: name → (version before, empty for none; version after).
    :ivar removes: names.
    """

    installs: dict[str, tuple[str, str]]
    removes: frozenset[str]


def parse_simulation(output: str) -> Transaction:
    """The lines of C(apt-get --simulate)."""
    installs = {match[1]: (match[2] or "", match[3]) for match in map(INSTALLS.match, output.splitlines()) if match}
    return Transaction(installs, frozenset(match[1] for match in map(REMOVES.match, output.splitlines()) if match))


def with_installation(
    record: Record,
    names: list[str],
    will: Transaction,
    status: dict[str, str],
    automatic: Iterable[str],
    groups: list[str],
    folders: list[str],
) -> Record:
    """The record once an installation is done. What is known of a package from before stays known.

    :param names: packages that are asked for.
    :param status: dpkg's word for each package that it knows, before the installation.
    :param automatic: packages that are marked as dependencies, before the installation.
    :param groups: of the groups that the packages make, those that are not there.
    :param folders: of the folders that they fill, those that are not there.
    """
    there = {name for name in [*record.new, *record.changed] if status.get(name) == "installed"}
    fresh = {name for name, (before, _after) in will.installs.items() if not before} - there
    # Configuration that a package left which came before is that package's own.
    residual = {name for name in fresh if status.get(name) == "config-files" and (name in record.residual or name not in record.new)}
    changed = {name: versions for name, versions in record.changed.items() if name in there}
    for name, (before, after) in will.installs.items():
        if before and name not in record.new:
            changed[name] = {"before": changed.get(name, {}).get("before", before), "after": after}
    return Record(
        asked=[*(name for name in record.asked if name in there), *names],
        new=[*(name for name in record.new if name in there), *fresh],
        residual=[*(name for name in record.residual if name in there), *residual],
        auto=[*(name for name in record.auto if name in there), *(name for name in names if name in automatic and name not in there)],
        changed=changed,
        # A group or a folder that is not there now was not there before either.
        groups=[*record.groups, *groups],
        folders=[*record.folders, *folders],
    )


@dataclass
class Removal:
    """What goes and what stays of an owner's packages.

    :ivar remove: those that go.
    :ivar needed: those that stay, and what needs each.
    """

    remove: list[str] = field(default_factory=list)
    needed: dict[str, list[str]] = field(default_factory=dict)


def plan_removal(candidates: Iterable[str], simulate: Simulate, gone: Sequence[str] = ()) -> Removal:
    """Those candidates that can go together while nothing else goes, arrives or changes. apt itself is asked.

    :param gone: packages that are installed and count as gone.
    """
    left = sorted(set(candidates))
    plan = Removal()

    def others(names: list[str]) -> list[str]:
        output = simulate(["remove", *gone, *names])
        if output is None:
            return ["apt, which refuses"]
        will = parse_simulation(output)
        return sorted({*will.removes, *will.installs} - {*left, *gone})

    while left:
        if not others(left):
            plan.remove = left
            break
        needed = {name: found for name in left for found in [others([name])] if found}
        if not needed:
            # Together they take something along that none of them does alone.
            needed = dict.fromkeys(left, others(left))
        plan.needed.update(needed)
        left = [name for name in left if name not in needed]
    return plan


def plan_versions(
    record: Record, versions: dict[str, str], simulate: Simulate, gone: Sequence[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """Which versions can be put back, and what is to be said of the others.

    :param versions: what is installed now.
    :param gone: packages that are installed and will be gone by then: what came for one of them can go back without it.
    """
    wanted: dict[str, str] = {}
    said = []
    for name, was in sorted(record.changed.items()):
        now = versions.get(name, "")
        if not now or now == was["before"]:
            continue
        if now != was["after"]:
            said.append(f"{name} stays at {now}: it was {was['before']} before, and somebody changed it since")
            continue
        output = simulate(["--allow-downgrades", "install", f"{name}={was['before']}", *(f"{each}-" for each in gone)])
        will = parse_simulation(output or "")
        if output is None or will.removes - set(gone) or set(will.installs) - set(record.changed):
            said.append(f"{name} stays at {now}: {was['before']}, which it was before, cannot be had from the host's archives")
        else:
            wanted[name] = was["before"]
    return wanted, said
