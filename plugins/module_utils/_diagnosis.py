# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From evidence to cause and remedy: a table of rules over plain values.

A rule gets the evidence and the cells that did not pass and that no rule before it explained, and says which
of them it explains and why. What is left in the end is reported as unexplained, with the evidence.
To add a cause: write one function and one line in RULES, and one case in the test's table.
"""

from __future__ import annotations

import re
from typing import Any, Callable, NamedTuple

from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import (
    ANSWERED,
    ANSWERS,
    INCONCLUSIVE,
    MUST_NOT,
    Cell,
    kind_of,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._evidence import Evidence, Holder, holder_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import option_value

FLAG = "--host-lo-to-ns-lo"
FLAG_SINCE = (2, 3, 2)
LEAK_CLOSED_SINCE = (3, 1, 0)


class Explained(NamedTuple):
    """A rule's answer."""

    cells: list[Cell]
    message: str
    remedy: str


class Finding(NamedTuple):
    """A cause, in the form in which a module returns it."""

    cause: str
    message: str
    remedy: str
    cells: list[Cell]

    def as_result(self) -> dict[str, Any]:
        """Cells become places: thing, vantage point, address and port."""
        places = [{"thing": c.thing, "vantage": c.vantage, "address": c.address, "port": c.port} for c in self.cells]
        return {"cause": self.cause, "message": self.message, "remedy": self.remedy, "cells": places}


_AFTER = {
    "reset": "reset after accept",
    "closed": "closed empty after accept",
    "silent": "connected, and nothing came",
    None: "could not be tried",
}


def describe(cell: Cell) -> str:
    """A cell in words, for the beginning of a message."""
    of = f" of container {cell.container}" if cell.container else ""
    origin = "" if cell.vantage == f"host {cell.address}" else f" from {cell.vantage}"
    return f"{cell.where}{of}{origin}: {_AFTER.get(cell.outcome, (cell.outcome or '').replace('_', ' '))}"


def _lead(cells: list[Cell], most: int = 3) -> str:
    """The first cells in words."""
    shown = "; ".join(describe(cell) for cell in cells[:most])
    return shown + (f"; and {len(cells) - most} more" if len(cells) > most else "")


def _version(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)


def _dead(cells: list[Cell]) -> list[Cell]:
    """Those that must answer and do not."""
    return [cell for cell in cells if cell.expected == ANSWERS]


def _engine_unusable(e: Evidence, cells: list[Cell]) -> Explained | None:
    if e.engine_error not in ("absent", "refused"):
        return None
    state = f" docker.service is {e.unit_state}." if e.unit_state else ""
    return Explained(
        cells,
        f"The daemon of {e.user} does not run: {e.engine_message}.{state}",
        f"systemctl --user --machine={e.user}@ start docker.service; if it ends again: journalctl _UID={e.uid} "
        f"_SYSTEMD_USER_UNIT=docker.service",
    )


def _engine_silent(e: Evidence, cells: list[Cell]) -> Explained | None:
    if e.engine_error is None:
        return None
    remedy = {
        "untrusted": "Find out who put it there; the socket and its listener must belong to the user.",
        "denied": "Run the module as root, or as the user whose daemon it is.",
    }
    return Explained(
        cells,
        f"The daemon of {e.user} gives no usable answer: {e.engine_message}.",
        remedy.get(
            e.engine_error,
            f"See journalctl _UID={e.uid} _SYSTEMD_USER_UNIT=docker.service, then {e.restart()}; that stops every container of {e.user}.",
        ),
    )


def _pasta_dead(e: Evidence, cells: list[Cell]) -> Explained | None:
    if e.network_driver != "pasta" or e.pasta_argv or not e.child_pid:
        return None
    return Explained(
        cells,
        f"No pasta runs for RootlessKit (child pid {e.child_pid}), whose network driver is pasta: no published port of {e.user} is "
        f"reachable, and "
        "nothing restarts it, while the unit stays active.",
        f"{e.restart()}; that stops every container of {e.user}. The journal may say why it ended (journalctl -k, for the out-of-memory "
        f"killer).",
    )


def _unsupported_child(e: Evidence, cells: list[Cell]) -> Explained | None:
    text = next((text for _canary, text in e.start_errors if "unsupported ChildIP" in text), None)
    if text is None:
        return None
    return Explained(
        [cell for cell in cells if cell.outcome is None],
        f"Engine {e.engine_version} cannot publish through the port driver {e.port_driver}: {text}",
        "Set the port driver implicit, or take an Engine whose publishing works with pesto (26.1, or 29.8 and later).",
    )


def _start_refused(e: Evidence, cells: list[Cell]) -> Explained | None:
    if not e.start_errors:
        return None
    canary, text = e.start_errors[0]
    return Explained(
        [cell for cell in cells if cell.outcome is None],
        f"Engine {e.engine_version} did not put up the {canary} canary: {text}",
        f"What the Engine says there stops other containers of {e.user} too; try docker run as {e.user}, and see journalctl _UID={e.uid} "
        f"_SYSTEMD_USER_UNIT=docker.service.",
    )


def _held(e: Evidence, cells: list[Cell]) -> Explained | None:
    found: dict[Holder, list[Cell]] = {}
    for cell in _dead(cells):
        holder = holder_of(e.holders, cell.address, cell.port)
        if holder is None and e.port_driver == "implicit":
            # pasta binds all addresses at once: one that is taken spoils the others.
            holder = next((each for each in e.holders if each.port == cell.port), None)
        if holder is not None and holder.ours is False:
            found.setdefault(holder, []).append(cell)
    if not found:
        return None
    mine = [cell for group in found.values() for cell in group]
    return Explained(
        mine,
        f"{_lead(mine)}. On the host {'; '.join(str(holder) for holder in found)}: so the port could not be bound for the container, and "
        f"no error was given.",
        "Stop that process or publish the container on another port, then restart the container.",
    )


def _loopback_dead(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in _dead(cells) if c.host_ip and kind_of(c.host_ip) == "loopback4" and c.outcome in ("reset", "closed", "silent")]
    if not mine or not e.pasta_argv or FLAG in e.pasta_argv:
        return None
    text = f"{_lead(mine)}. {e.pasta} runs without {FLAG}"
    if e.rootlesskit_older_than(FLAG_SINCE):
        text += f"; rootlesskit {e.rootlesskit_version} is older than {_version(FLAG_SINCE)}, which is the first to give it."
        remedy = f"Install rootlesskit {_version(LEAK_CLOSED_SINCE)} or later (role rootlesskit), then {e.restart()}."
    elif e.pasta_has_flag is False:
        text += f"; {e.pasta_path} does not know that option, and rootlesskit {e.rootlesskit_version} then drops it without a word."
        remedy = f"Install a passt of 2024_10_30 or later (role pasta), then {e.restart()}."
    else:
        text += f", although rootlesskit {e.rootlesskit_version} gives it: a wrapper, or a pasta that was replaced, is between them."
        remedy = f"Look at --pasta-binary in DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS, then {e.restart()}."
    return Explained(mine, text, remedy)


def _ephemeral(e: Evidence, cells: list[Cell]) -> Explained | None:
    first, last = e.ephemeral
    mine = [c for c in _dead(cells) if first <= c.port <= last and holder_of(e.holders, c.address, c.port) is None]
    ports = option_value(e.pasta_argv, "--tcp-ports", "-t") or ""
    explicit = any(argument == "-t" or re.match("-t[0-9]", argument) for argument in e.pasta_argv)
    if not mine or e.port_driver != "implicit" or e.pasta_skips_ephemeral is False or explicit or ports not in ("auto", ""):
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. {e.pasta} runs with --tcp-ports=auto and the port driver is implicit: since passt 2026_05_07 that leaves out the "
        f"host's ephemeral range "
        f"({first}-{last}), where -P and -p 80 take their ports from.",
        f"Set the port driver pesto, or give pasta -t {first}-{last},auto before its other arguments (role rootless_daemon does so by a "
        f"wrapper), "
        f"or publish on fixed ports outside that range; then {e.restart()}.",
    )


def _privileged(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in _dead(cells) if c.port < e.first_unprivileged and holder_of(e.holders, c.address, c.port) is None]
    if not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. {e.user} may not bind ports below {e.first_unprivileged} on the host (net.ipv4.ip_unprivileged_port_start), and "
        f"nothing reports that.",
        f"Set net.ipv4.ip_unprivileged_port_start to {min(c.port for c in mine)} or lower (role rootless_host), then {e.restart()}.",
    )


def _leak(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.group == "host_loopback" and c.outcome == ANSWERED]
    if not mine:
        return None
    named = "; ".join(f"{c.vantage} at {c.where}" for c in mine)
    text = f"A service on the host's 127.0.0.1 was read from {named}."
    closed = option_value(e.pasta_argv, "--tcp-ns", "-T") == "none"
    if e.pasta_argv and not closed:
        text += f" {e.pasta} runs without --tcp-ns=none and shows the host's loopback listeners inside"
        if e.rootlesskit_older_than(LEAK_CLOSED_SINCE):
            text += f"; rootlesskit {e.rootlesskit_version} is older than {_version(LEAK_CLOSED_SINCE)}, which is the first to close that"
        return Explained(
            mine, text + ".", f"Install rootlesskit {_version(LEAK_CLOSED_SINCE)} or later (role rootlesskit), then {e.restart()}."
        )
    if e.pasta_argv and "--no-map-gw" not in e.pasta_argv:
        text += f" {e.pasta} runs without --no-map-gw, which leads the gateway's address to the host's loopback."
        return Explained(
            mine,
            text,
            f"Set DOCKERD_ROOTLESS_ROOTLESSKIT_DISABLE_HOST_LOOPBACK=true, then {e.restart()}; or allow it with host_loopback=any.",
        )
    return None


def _not_listening(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [
        c
        for c in _dead(cells)
        if c.container and c.outcome in ("reset", "closed") and (kind_of(c.host_ip or "0.0.0.0"), c.address) in e.canary_answered
    ]
    if not mine:
        return None
    ports = ", ".join(dict.fromkeys(f"{c.container} on its port {c.container_port}" for c in mine))
    return Explained(
        mine,
        f"{_lead(mine)}. A canary that is published in the same way answered from the same place, so the path is sound, and the service "
        f"itself does not "
        f"take connections: {ports}.",
        "See docker logs of the container, and that its service listens on 0.0.0.0 inside and not on the container's own 127.0.0.1.",
    )


def _out_of_time(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.outcome is None]
    if not e.out_of_time or not mine:
        return None
    return Explained(
        mine,
        f"The time was over before {len(mine)} cells were tried.",
        "Give the module a longer timeout; on a slow or busy host 60 seconds.",
    )


def _pesto_blocked(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in _dead(cells) if c.outcome == "refused" and holder_of(e.holders, c.address, c.port) is None]
    if e.port_driver != "pesto" or not any(c.group == "canary" for c in mine):
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. Nothing on the host listens there. The port driver is pesto, and {e.pasta} refuses every further port as long as "
        f"one that it was told "
        "before cannot be bound: one below net.ipv4.ip_unprivileged_port_start, or one that a process of the host holds.",
        "Mend or remove the container whose port cannot be bound (the other findings name it, or pasta's lines in the journal: Listen "
        "failed for HOST TCP port); "
        f"the others come back at the next publish. If none is named, {e.restart()}.",
    )


def _no_listener(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in _dead(cells) if c.outcome == "refused" and holder_of(e.holders, c.address, c.port) is None]
    if not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. Nothing on the host listens there, although the Engine says that it is published "
        f"(network driver {e.network_driver}, port driver {e.port_driver}).",
        f"Restart the container; if that does not help, {e.restart()}.",
    )


def _open_doubt(_e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.expected == MUST_NOT and c.outcome == "silent" and c.group == "container"]
    if not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. It must not answer there, the connection stays open, and the service speaks only when spoken to: "
        "whether it is the container cannot be told.",
        "Ask the service itself from there, with its own protocol; and see which process listens (ss -ltnp).",
    )


def _inside_unreachable(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.vantage == "RootlessKit's namespace" and c.outcome is None]
    if not mine or not e.namespace_error:
        return None
    return Explained(
        mine,
        f"RootlessKit's namespace (child pid {e.child_pid}) could not be entered: {e.namespace_error}",
        "The host needs nsenter (util-linux), and the user must be allowed to enter the namespaces of their own processes.",
    )


def _no_control(_e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.verdict == INCONCLUSIVE and not c.control]
    if not mine:
        return None
    vantages = ", ".join(dict.fromkeys(c.vantage for c in mine))
    return Explained(
        mine,
        f"From {vantages}, what must answer did not, so what must not answer proves nothing there ({len(mine)} cells).",
        "Mend the other findings first; if there are none, see whether a firewall on the host drops its own connections.",
    )


def _unknown(e: Evidence, cells: list[Cell]) -> Explained | None:
    if not cells:
        return None
    facts = (
        f"Engine {e.engine_version}, rootlesskit {e.rootlesskit_version}, network driver {e.network_driver}, port driver {e.port_driver}, "
        f"{e.pasta} {' '.join(e.pasta_argv[1:])}"
    )
    return Explained(
        cells,
        f"{_lead(cells)}. No known cause fits; the evidence: {facts}",
        "See the result's evidence and cells; a report with both is welcome.",
    )


RULES: tuple[tuple[str, Callable[[Evidence, list[Cell]], Explained | None]], ...] = (
    ("daemon_down", _engine_unusable),
    ("engine_unusable", _engine_silent),
    ("pasta_dead", _pasta_dead),
    ("engine_cannot_publish", _unsupported_child),
    ("canary_refused", _start_refused),
    ("out_of_time", _out_of_time),
    ("port_held_by_other_process", _held),
    ("loopback_flag_missing", _loopback_dead),
    ("ephemeral_range_skipped", _ephemeral),
    ("privileged_port", _privileged),
    ("host_loopback_leak", _leak),
    ("container_not_listening", _not_listening),
    ("pesto_blocked", _pesto_blocked),
    ("no_listener", _no_listener),
    ("open_where_it_must_not", _open_doubt),
    ("namespace_not_entered", _inside_unreachable),
    ("no_control", _no_control),
    ("unknown", _unknown),
)
"""Causes in the order in which they are looked for: what breaks everything comes first, doubts come last."""

STANDS_ALONE = frozenset({"daemon_down", "engine_unusable", "pasta_dead", "canary_refused", "engine_cannot_publish"})
"""Causes that are reported also when no cell is left that they explain."""


def diagnose(evidence: Evidence, cells: list[Cell]) -> list[Finding]:
    """Findings for the cells that did not pass; each cell is in one finding only."""
    open_cells = [cell for cell in cells if cell.verdict != "pass"]
    findings: list[Finding] = []
    for cause, rule in RULES:
        if not open_cells and cause not in STANDS_ALONE:
            continue
        explained = rule(evidence, open_cells)
        if explained is None or (cause == "canary_refused" and any(f.cause == "engine_cannot_publish" for f in findings)):
            continue
        if cause == "engine_unusable" and any(f.cause == "daemon_down" for f in findings):
            continue
        findings.append(Finding(cause, explained.message, explained.remedy, explained.cells))
        taken = {id(cell) for cell in explained.cells}
        open_cells = [cell for cell in open_cells if id(cell) not in taken]
    return findings
