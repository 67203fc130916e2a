# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sysctls have to be set and which modules loaded, decided from what the kernel has and what was recorded. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

RULES: dict[str, Callable[[str, str], bool]] = {
    "minimum": lambda current, wanted: int(current) >= int(wanted),
    "maximum": lambda current, wanted: int(current) <= int(wanted),
    "value": lambda current, wanted: current == wanted,
}
"""When the kernel's current value satisfies a rule. All take and give text, as the kernel does."""


NAME = re.compile(r"\w[\w-]*([./][\w*:@-]+)+\Z")
"""Names such as ``net.ipv4.ip_forward``; a slash stands for a dot within a part."""


class SettingsError(Exception):
    """The settings contradict themselves or cannot be had; the text names the object, the cause and the remedy."""


@dataclass
class SysctlPlan:
    """What to do.

    :ivar keep: name and value of what belongs into the file.
    :ivar apply: name and value of what the kernel has to be told now, what is put back included.
    :ivar record: name and value from before, of what is in the file.
    :ivar set_to: name and value that the kernel was told, of what is in the file.
    """

    keep: dict[str, str] = field(default_factory=dict)
    apply: dict[str, str] = field(default_factory=dict)
    record: dict[str, str] = field(default_factory=dict)
    set_to: dict[str, str] = field(default_factory=dict)


def normal(value: object) -> str:
    """A sysctl's value as text with single spaces; the kernel separates several numbers by tabs."""
    return " ".join(str(value).split())


def parse_rules(sysctls: dict) -> dict[str, tuple[str, str]]:
    """The declared table as name → (rule, value).

    :raises SettingsError: an entry has not exactly one rule, or its value is no number where one is needed.
    """
    parsed = {}
    for name, rule in sysctls.items():
        if not NAME.match(name):
            raise SettingsError(f"sysctl {name!r} is no name such as 'user.max_user_namespaces'")
        if not isinstance(rule, dict) or len(rule) != 1 or next(iter(rule)) not in RULES:
            raise SettingsError(f"sysctl {name} is declared as {rule!r}; it needs exactly one of {', '.join(RULES)}, such as minimum: 1")
        ((kind, value),) = rule.items()
        if isinstance(value, (bool, dict, list)) or value is None or (kind != "value" and not normal(value).lstrip("-").isdigit()):
            raise SettingsError(f"sysctl {name} is declared with {kind}: {value!r}, which is no number")
        parsed[name] = (kind, normal(value))
    return parsed


def satisfied(current: str, kind: str, wanted: str) -> bool:
    """Whether the kernel's value will do; one that is no number does not, where a number is needed."""
    try:
        return RULES[kind](current, wanted)
    except ValueError:
        return False


def plan_sysctls(
    rules: dict[str, tuple[str, str]],
    current: dict[str, str | None],
    record: dict[str, str],
    was_set: dict[str, str],
    written: dict[str, str],
) -> SysctlPlan:
    """Compare and decide.

    A value that the file itself brought about has to stay in it, or it would come and go with every other run. So what is recorded
    as set stays as long as it is declared, except where setting it failed: then the file lacks it and the value is the one from before.

    :param current: the kernel's values; None where it does not have the key.
    :param record: values from before the file set them.
    :param was_set: values that the kernel was told, as far as they are on record: earlier versions of the collection went by the file.
    :param written: what the file holds now, which the next boot sets.
    """
    plan = SysctlPlan()
    for name, (kind, wanted) in rules.items():
        value = current.get(name)
        if value is None:
            continue
        good = satisfied(value, kind, wanted)
        if good and (name not in record or (name not in written and value == record[name])):
            continue
        plan.keep[name] = wanted
        plan.record[name] = record.get(name, value)
        # One that will do is left as it is, also where less would do by now.
        plan.set_to[name] = was_set.get(name, written.get(name, wanted)) if good else wanted
        if not good:
            plan.apply[name] = wanted
    for name, before in record.items():
        # What somebody else has set to yet another value is not put back.
        ours = [values[name] for values in (was_set, written) if name in values]
        if name not in plan.keep and current.get(name) in ours and current[name] != before:
            plan.apply[name] = before
    return plan


def parse_sysctl_file(text: str) -> dict[str, str]:
    """Name and value of each line of a sysctl.d file."""
    values = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            values[name.strip().lstrip("-")] = normal(value)
    return values


def sysctl_file(values: dict[str, str], header: str) -> str | None:
    """The text of the file; None where there is nothing to put into it."""
    lines = [f"{name} = {value}" for name, value in sorted(values.items())]
    return "\n".join([header, *lines]) + "\n" if lines else None


def modules_file(names: list[str], header: str) -> str | None:
    """The text of a modules-load.d file; None where there is nothing to put into it."""
    return "\n".join([header, *names]) + "\n" if names else None


def module_key(name: str) -> str:
    """The kernel takes both signs in a module's name for the same."""
    return name.replace("-", "_")


@dataclass
class ModulesPlan:
    """What to do.

    :ivar keep: names that belong into the file for the next boot.
    :ivar load: names to load now.
    :ivar wait: names that are not loaded and that only the next boot can load.
    """

    keep: list[str] = field(default_factory=list)
    load: list[str] = field(default_factory=list)
    wait: list[str] = field(default_factory=list)


def plan_modules(names: list[str], loaded: str | None, builtin: str | None) -> ModulesPlan:
    """Load what is neither loaded nor built in. Where the running kernel's modules are gone, only the next boot can.

    :param loaded: text of C(/proc/modules); None where there is none: such a host has no modules at all.
    :param builtin: text of the running kernel's C(modules.builtin), one path a line; None where its folder below C(/lib/modules) is gone,
        as it is after a kernel upgrade.
    """
    if loaded is None:
        return ModulesPlan()
    there = {line.split()[0] for line in loaded.splitlines() if line.strip()}
    there |= {module_key(line.rsplit("/", 1)[-1].partition(".ko")[0]) for line in (builtin or "").splitlines()}
    missing = [name for name in names if module_key(name) not in there]
    return ModulesPlan(names, [], missing) if builtin is None else ModulesPlan(names, missing, [])
