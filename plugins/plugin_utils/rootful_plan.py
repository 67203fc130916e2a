# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to install of the Engine and what to do with its rootful daemon: decided from what was read, without Ansible."""

from __future__ import annotations

import json
from typing import Any

MASK_FOLDER = "/etc/systemd/system"

AS_PACKAGED = {"enabled": True, "active": True}
"""What Debian's packages do with their units when they are installed and nobody interferes."""


class PlanError(Exception):
    """The plan cannot be made; the text says why and what to do."""


def parse_record(text: str | None, path: str) -> dict[str, Any]:
    """The role's record of what it changed: ``packages`` that it installed, ``units`` as they were before.

    :raises PlanError: the file is no such record.
    """
    try:
        record = json.loads(text) if text else {}
        packages, units = record.get("packages", []), record.get("units", {})
        if isinstance(packages, list) and isinstance(units, dict) and all(isinstance(was, dict) for was in units.values()):
            return {"packages": packages, "units": units}
    except (ValueError, AttributeError):
        pass
    raise PlanError(
        f"{path} is damaged. It records what the role docker_engine changed. Remove it to go on; "
        "the role then takes the units as they are now for the original state"
    )


def is_active(unit: dict[str, str]) -> bool:
    """Whether a unit runs or is about to."""
    return unit["active"] in ("active", "activating", "reloading")


def is_enabled(unit: dict[str, str]) -> bool:
    """Whether a unit starts by itself."""
    return unit["enabled"] in ("enabled", "enabled-runtime")


def choose_mode(choice: str, ours: bool, rootful: bool) -> str:
    """What a choice comes to: ``mask``, ``stop``, ``leave``, ``keep`` (touch nothing) or ``refuse``.

    :param ours: the Engine was installed by the role, or is about to be.
    :param rootful: its rootful daemon runs or is enabled.
    """
    if choice == "auto":
        return "mask" if ours else "refuse" if rootful else "keep"
    if choice == "fail":
        return "refuse" if rootful else "mask" if ours else "keep"
    return choice


def make_plan(
    state: dict[str, Any], record_path: str, source: str, choice: str, engine: str, packages: list[str], units: dict[str, str]
) -> dict[str, Any]:
    """Compare and decide.

    :param state: the result of the module system_state_info.
    :param engine: the package that is the Engine.
    :param packages: the packages to have.
    :param units: the units of a rootful Engine, and the package that each comes with, in the order in which they are to be stopped.
    :return: ``mode``, ``install`` (packages), ``rootful`` (units that run or are enabled), ``blocked`` (paths in the way of a mask),
        ``mask`` and ``unmask`` (paths of links), ``files`` (these and the record, for system_files, before anything else), ``units``
        (what to do with each, where it differs), ``record_file`` and ``record_last`` (whether it has to be written again at the end).
    :raises PlanError: the record is damaged.
    """
    record = parse_record(state["files"].get(record_path), record_path)
    missing = [name for name in packages if not state["packages"][name]] if source == "distribution" else []
    arriving = [name for name in dict.fromkeys(units.values()) if not state["packages"][name]] if missing else []
    # What somebody removed since is not ours any more, unless it comes again; an Engine of another source may have taken its units over.
    coming = [*missing, *arriving]
    brought = [name for name in record["packages"] if state["packages"].get(name) or name in coming]
    ours = list(dict.fromkeys([*brought, *coming]))
    in_use = [name for name, unit in state["units"].items() if is_active(unit) or is_enabled(unit)]
    rootful = [name for name, package in units.items() if package == engine and name in in_use]
    mode = choose_mode(choice, engine in ours, bool(rootful))
    plan: dict[str, Any] = {
        "mode": mode,
        "install": missing,
        "rootful": rootful,
        "blocked": [],
        "mask": [],
        "unmask": [],
        "units": [],
        "files": [],
    }
    after = {"packages": ours, "units": dict(record["units"])}
    for name, package in units.items():
        # containerd of somebody else's (a Kubernetes node's, say) is none of this role's business.
        if mode in ("mask", "stop", "leave") and (package == engine or package in ours):
            _plan_unit(plan, after["units"], mode, name, state["units"][name], package in ours and package in arriving)
    # What is put back stays recorded until it is; everything else is recorded before it is done.
    first = {"packages": ours, "units": record["units"]} if mode == "leave" else after
    if first != record:
        plan["files"].append(_record_file(record_path, first))
    plan["record_last"] = after != first
    plan["record_file"] = _record_file(record_path, after)
    plan["files"] += [{"path": path, "target": "/dev/null"} for path in plan["mask"]]
    plan["files"] += [{"path": path, "state": "absent"} for path in plan["unmask"]]
    return plan


def _record_file(path: str, record: dict[str, Any]) -> dict[str, str]:
    """The record as an entry for the module system_files."""
    return {"path": path, "content": json.dumps(record, indent=2, sort_keys=True) + "\n"}


def _plan_unit(plan: dict[str, Any], record: dict[str, Any], mode: str, name: str, unit: dict[str, str], fresh: bool) -> None:
    """Add one unit to the plan.

    :param fresh: it is not there yet and arrives with a package.
    """
    link = f"{MASK_FOLDER}/{name}"
    was = record.get(name)
    masked = unit["enabled"] in ("masked", "masked-runtime")
    absent = unit["load"] == "not-found" and not masked and not fresh
    if mode == "leave":
        if was is None:
            return
        if was.get("changed") == "mask" and masked:
            plan["unmask"].append(link)
        _plan_act(plan, name, unit, bool(was.get("enabled")), bool(was.get("active")))
        del record[name]
        return
    # A unit that is not there, or that somebody else masked, needs nothing.
    if absent or (masked and was is None):
        return
    before = AS_PACKAGED if fresh else {"enabled": is_enabled(unit), "active": is_active(unit)}
    original = {key: was[key] for key in AS_PACKAGED if key in was} if was else before
    record[name] = {**original, "changed": mode}
    if mode == "mask":
        if not masked:
            if unit["fragment"] == link:
                plan["blocked"].append(link)
            plan["mask"].append(link)
        # Nothing has to be stopped that arrives masked.
        if is_active(unit):
            plan["units"].append({"name": name, "state": "stopped"})
        return
    if masked:
        plan["unmask"].append(link)
    if fresh or masked or is_enabled(unit) or is_active(unit):
        plan["units"].append({"name": name, "enabled": False, "state": "stopped"})


def make_removal(state: dict[str, Any], record_path: str, units: dict[str, str], removed: list[str]) -> dict[str, Any]:
    """Put the units back, once the packages that the role brought are gone.

    :param state: the result of the module system_state_info.
    :param units: the units of a rootful Engine, and the package that each comes with.
    :param removed: packages that were removed, or would be in check mode: then they are still there in C(state).
    :return: ``files`` (masks to take away), and ``units`` (what to do with each that stays and differs).
    :raises PlanError: the record is damaged.
    """
    record = parse_record(state["files"].get(record_path), record_path)
    plan: dict[str, Any] = {"files": [], "units": []}
    for name, package in units.items():
        was, unit = record["units"].get(name), state["units"][name]
        if was is None:
            continue
        if was.get("changed") == "mask" and unit["enabled"] in ("masked", "masked-runtime"):
            plan["files"].append({"path": f"{MASK_FOLDER}/{name}", "state": "absent"})
        # An Engine of another source has units of these names too, and its package is not looked at.
        gone = package in removed or (package in record["packages"] and not state["packages"].get(package))
        if not gone:
            _plan_act(plan, name, unit, bool(was.get("enabled")), bool(was.get("active")))
    return plan


def _plan_act(plan: dict[str, Any], name: str, unit: dict[str, str], enabled: bool, active: bool) -> None:
    """Add what brings a unit to a state that was recorded."""
    act: dict[str, Any] = {}
    if enabled != is_enabled(unit):
        act["enabled"] = enabled
    if active and not is_active(unit):
        act["state"] = "started"
    if act:
        plan["units"].append({"name": name, **act})
