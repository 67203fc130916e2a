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
    CANARIES,
    INCONCLUSIVE,
    MUST_NOT,
    NOBODY,
    PASS,
    TCP,
    UDP,
    Cell,
    is_other_loopback,
    kind_of,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._evidence import Evidence, Holder
from ansible_collections.portside.rootless_docker.plugins.module_utils._inside import BRIDGE, HOST_NETWORK, NAMESPACE
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import is_pasta_name, option_value
from ansible_collections.portside.rootless_docker.plugins.module_utils._published import NO_SUCH_ADDRESS

MAX_TEXT = 2000
"""Characters of a message."""
MAX_NAMED = 5
"""Services that a message names; the result has all."""
LOOPBACKS = ("127.0.0.1", "::1")
FLAG = "--host-lo-to-ns-lo"
FLAG_SINCE = (2, 3, 2)
LEAK_CLOSED_SINCE = (3, 1, 0)


class Explained(NamedTuple):
    """A rule's answer."""

    cells: list[Cell]
    message: str
    remedy: str


PLACE = ("thing", "vantage", "address", "port", "protocol")
"""What tells a cell from the others."""


class Finding(NamedTuple):
    """A cause, in the form in which a module returns it."""

    cause: str
    message: str
    remedy: str
    cells: list[Cell]

    def as_result(self) -> dict[str, Any]:
        """Cells become places: thing, vantage point, address, port and protocol."""
        places = [{name: getattr(cell, name) for name in PLACE} for cell in self.cells]
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
    outcome = "nothing came" if (cell.protocol, cell.outcome) == (UDP, "silent") else _AFTER.get(cell.outcome)
    return f"{cell.where}{of}{origin}: {outcome or (cell.outcome or '').replace('_', ' ')}"


def _lead(cells: list[Cell], most: int = 3) -> str:
    """The first cells in words; those of containers, which somebody knows by name, come before the canaries'."""
    shown = "; ".join(describe(cell) for cell in sorted(cells, key=lambda cell: not cell.container)[:most])
    return shown + (f"; and {len(cells) - most} more" if len(cells) > most else "")


def _version(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)


DAEMON_GROUPS = ("canary", "namespace", "container")
"""Groups of cells that are about what the daemon published; what an operator expects may be anything."""


def _dead(cells: list[Cell]) -> list[Cell]:
    """Those that must answer and do not."""
    return [cell for cell in cells if cell.expected == ANSWERS and cell.group in DAEMON_GROUPS]


def _path_is_sound(e: Evidence, cell: Cell) -> bool:
    """Whether a canary that is published in the same way answered at the same address."""
    return (ANSWERS, cell.kind, cell.address, cell.protocol) in e.sound


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


def _cut_short(e: Evidence) -> bool:
    """Whether the Engine gave answers until the run's own time was over: then nothing is known against it."""
    return e.out_of_time and e.engine_error == "timed_out" and e.engine_version is not None


def _engine_silent(e: Evidence, cells: list[Cell]) -> Explained | None:
    if e.engine_error is None or _cut_short(e):
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
    if e.network_driver != "pasta" or e.pasta_argv or not e.child_pid or e.processes_hidden:
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
    half = " RootlessKit's half works: a canary in its namespace was published and answered." if e.namespace_answered else ""
    return Explained(
        [cell for cell in cells if cell.outcome is None],
        f"Engine {e.engine_version} cannot publish through the port driver {e.port_driver}: {text}.{half}",
        "Set the port driver implicit, or take an Engine whose publishing works with pesto (26.1, or 29.8 and later).",
    )


def _pesto_ipv6(e: Evidence, cells: list[Cell]) -> Explained | None:
    if e.port_driver != "pesto" or not e.ipv6:
        return None
    # Where a canary in the namespace was all there is, it answers: RootlessKit's half works, and what the Engine publishes does not.
    mine = [cell for cell in cells if cell.outcome is None or cell.expected == ANSWERS]
    said = [text for _what, text in (*e.start_errors, *e.publish_errors, *e.failed_starts)]
    if not mine and not said:
        return None
    return Explained(
        mine,
        f"{_lead(mine) + '. ' if mine else ''}The port driver is pesto and RootlessKit runs with --ipv6, which do not go together"
        f"{': ' + said[0] if said else '.'}",
        f"Set the port driver implicit, or take --ipv6 away; then {e.restart()}.",
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


def _holders(e: Evidence, cells: list[Cell], daemon: bool) -> dict[Holder, list[Cell]]:
    """Dead cells by the process of somebody else that has their port; only those of other daemons, or only the others."""
    found: dict[Holder, list[Cell]] = {}
    for cell in _dead(cells):
        holder = e.holder(cell.address, cell.port, cell.protocol)
        if holder is None and e.port_driver == "implicit":
            # pasta binds all addresses at once: one that is taken spoils the others.
            holder = e.holder_of_any(cell.port, cell.protocol)
        if holder is not None and holder.ours is False and is_daemon(holder) == daemon:
            found.setdefault(holder, []).append(cell)
    return found


def is_daemon(holder: Holder) -> bool:
    """Whether a listener is part of a rootless daemon, by its name: that is for the words only."""
    return holder.uid != 0 and (is_pasta_name(holder.name) or holder.name in ("rootlesskit", "exe", "slirp4netns"))


def _held_by_daemon(e: Evidence, cells: list[Cell]) -> Explained | None:
    found = _holders(e, cells, True)
    if not found:
        return None
    mine = [cell for group in found.values() for cell in group]
    return Explained(
        mine,
        f"{_lead(mine)}. On the host {'; '.join(str(holder) for holder in found)}: that is the rootless daemon of another user, which "
        f"published the same port before, and no error was given.",
        "Publish one of the two on another port or on an address of its own, then restart its container.",
    )


def _held(e: Evidence, cells: list[Cell]) -> Explained | None:
    found = _holders(e, cells, False)
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
    # Where a canary that is published in the same way answered, it is not the path that is dead.
    mine = [c for c in mine if not _path_is_sound(e, c)]
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
    mine = [c for c in _dead(cells) if first <= c.port <= last and e.holder(c.address, c.port, c.protocol) is None]
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
    # builtin and slirp4netns say so: docker run fails. And with CAP_NET_BIND_SERVICE on rootlesskit builtin may bind them.
    if e.port_driver not in (None, "implicit", "pesto"):
        return None
    # A canary that could not be put up has port 0.
    mine = [c for c in _dead(cells) if 0 < c.port < e.first_unprivileged and e.holder(c.address, c.port, c.protocol) is None]
    if not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. {e.user} may not bind ports below {e.first_unprivileged} on the host (net.ipv4.ip_unprivileged_port_start), and "
        f"nothing reports that.",
        f"Set net.ipv4.ip_unprivileged_port_start to {min(c.port for c in mine)} or lower (role rootless_host), then {e.restart()}.",
    )


def _reachable(e: Evidence) -> str:
    """A sentence that names services of the host's loopback."""
    named = list(dict.fromkeys(str(service) for service in e.services))
    more = f", and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return f" Reachable there now: {', '.join(named[:MAX_NAMED])}{more}." if named else ""


def _detached(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.vantage == HOST_NETWORK and c.outcome == ANSWERED]
    if not e.detached_netns or not mine:
        return None
    return Explained(
        mine,
        "A service on the host's loopback was read from a container with --net=host: RootlessKit runs with --detach-netns, and such a "
        f"container is in the host's own network then, not in RootlessKit's namespace.{_reachable(e)}",
        f"Set DOCKERD_ROOTLESS_ROOTLESSKIT_DETACH_NETNS=false (role rootless_daemon does), then {e.restart()}; or allow it with "
        "host_loopback: any.",
    )


def _leak(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.group == "host_loopback" and c.outcome == ANSWERED]
    if not mine:
        return None
    named = "; ".join(f"{c.vantage} at {c.where}" for c in mine)
    text = f"A service on the host's loopback was read from {named}."
    text += _reachable(e)
    since = _version(LEAK_CLOSED_SINCE)
    whys: list[str] = []
    remedies: list[str] = []
    if e.pasta_argv and option_value(e.pasta_argv, "--tcp-ns", "-T") != "none":
        whys.append(f"{e.pasta} runs without --tcp-ns=none and shows the host's loopback listeners inside")
        if e.rootlesskit_older_than(LEAK_CLOSED_SINCE):
            whys.append(f"rootlesskit {e.rootlesskit_version} is older than {since}, the first to close that")
            remedies.append(f"Install rootlesskit {since} or later (role rootlesskit)")
    told_not_to = e.host_loopback_disabled is False
    if told_not_to or (e.pasta_argv and "--no-map-gw" not in e.pasta_argv):
        why = "RootlessKit runs without --disable-host-loopback" if told_not_to else f"{e.pasta} runs without --no-map-gw"
        whys.append(f"{why}, so the gateway's address leads to the host's loopback")
        if not e.host_loopback_disabled:
            remedies.append("Set DOCKERD_ROOTLESS_ROOTLESSKIT_DISABLE_HOST_LOOPBACK=true")
    if not whys:
        return None
    # RootlessKit gives pasta both options, unless it is too old or was told not to.
    remedies = remedies or ["Look at --pasta-binary in DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS: something takes that option away"]
    return Explained(mine, f"{text} {'; '.join(whys)}.", f"{'; '.join(remedies)}; then {e.restart()}. Or allow it with host_loopback: any.")


def _not_listening(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in _dead(cells) if c.container and c.outcome in ("reset", "closed") and _path_is_sound(e, c)]
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


def _not_added(e: Evidence, cells: list[Cell]) -> Explained | None:
    said = dict(e.publish_errors)
    mine = [c for c in cells if c.group == "namespace" and f"{c.port}/{c.protocol}" in said]
    if not mine:
        return None
    texts = "; ".join(dict.fromkeys(said[f"{c.port}/{c.protocol}"] for c in mine))
    return Explained(
        mine,
        f"RootlessKit {e.rootlesskit_version} (port driver {e.port_driver}) did not publish the canary in its namespace: {texts}",
        f"See journalctl _UID={e.uid} _SYSTEMD_USER_UNIT=docker.service; what RootlessKit refuses, a container does not get either.",
    )


def _start_failed(e: Evidence, _cells: list[Cell]) -> Explained | None:
    if not e.failed_starts:
        return None
    texts = "; ".join(f"{container}: {text}" for container, text in e.failed_starts)
    mirrored = e.rootlesskit_older_than(LEAK_CLOSED_SINCE) and any("in use" in text for _container, text in e.failed_starts)
    why = (
        f" rootlesskit {e.rootlesskit_version} is older than {_version(LEAK_CLOSED_SINCE)} and lets pasta take the ports of the host's "
        f"loopback listeners inside, too."
        if mirrored
        else ""
    )
    elsewhere = (
        " Under implicit a port can be published on 127.0.0.1 and on all addresses, and on no other one."
        if e.port_driver == "implicit" and "cannot assign requested address" in texts
        else ""
    )
    return Explained(
        [],
        f"Containers could not start because of a port: {texts}.{why}{elsewhere}",
        "Publish it on another port"
        + (" or there, or take the port driver pesto" if elsewhere else "")
        + ", or remove the container if it is not wanted (docker rm)."
        + (f" With rootlesskit {_version(LEAK_CLOSED_SINCE)} or later the host's listeners do not matter." if mirrored else ""),
    )


def _other_loopback(e: Evidence, cells: list[Cell]) -> Explained | None:
    lost = ((TCP, "reset"), (TCP, "closed"), (UDP, "silent"))
    dead = [c for c in _dead(cells) if (c.protocol, c.outcome) in lost and c.address == c.host_ip and is_other_loopback(c.address)]
    if e.port_driver != "implicit" or not dead:
        return None
    # Over UDP nothing comes back at other addresses either, where nothing must: it is the same silence.
    things = {(c.thing, c.port, c.protocol) for c in dead}
    mine = dead + [c for c in cells if c not in dead and (c.thing, c.port, c.protocol) in things]
    return Explained(
        mine,
        f"{_lead(mine)}. Under implicit pasta hands what comes over the host's loopback to 127.0.0.1 inside, whatever address it was for.",
        "Publish it on 127.0.0.1, on a port of its own; or set the port driver pesto where it works.",
    )


def _ipv6_off(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in _dead(cells) if ":" in (c.host_ip or "")]
    if e.ipv6 or not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. It is published on an IPv6 address, and RootlessKit runs without --ipv6: the container starts all the same.",
        f"Give RootlessKit --ipv6 (DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS) with the port driver implicit, then {e.restart()}; or publish on an "
        "IPv4 address.",
    )


def _connected(e: Evidence, cells: list[Cell]) -> Explained | None:
    # A datagram that another socket takes gets no answer, nor a refusal.
    lost = (("tcp", "refused"), (UDP, "refused"), (UDP, "silent"))
    mine = [c for c in _dead(cells) if (c.protocol, c.outcome) in lost and c.port in e.connected]
    mine = [c for c in mine if e.holder(c.address, c.port, c.protocol) is None]
    if not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. A connection of the host uses that port at its own end, so it could not be bound for the container. The Engine "
        "cannot see that when it chooses a port, and no error was given.",
        "Restart the container when that connection is gone (ss -tan sport = :PORT), or publish it on a fixed port below the ephemeral "
        "range; under pesto all other ports are blocked until then.",
    )


def _filtered(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in _dead(cells) if c.outcome in ("timed_out", "unreachable") and c.group != "host_loopback"]
    if not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. No answer comes, not even a refusal: something on the host drops or forbids its own packets to that address.",
        "See the host's packet filter (nft list ruleset) and routes (ip route get ADDRESS).",
    )


def _answers(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.expected == MUST_NOT and c.outcome == ANSWERED and c.group not in ("host_loopback", "listener")]
    if not mine:
        return None
    holders = dict.fromkeys(str(h) for h in (e.holder(c.address, c.port, c.protocol) for c in mine) if h is not None)
    return Explained(
        mine,
        f"{_lead(mine)}. It must not answer there, and it does."
        + (f" On the host {'; '.join(holders)}." if holders else "")
        + f" Network driver {e.network_driver}, port driver {e.port_driver}.",
        "Find out who relays it: the process named here, a rule of the packet filter (nft list ruleset), or a proxy.",
    )


def _unexpected(_e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.group == "expectation" and c.outcome == "wrong_answer"]
    if not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. {mine[0].note or 'The answer is not the one that was expected.'}",
        "See what answers there (docker logs, ss -ltnp), and whether send and pattern of the expectation fit the service.",
    )


def _slirp_udp(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in _dead(cells) if c.protocol == UDP and c.outcome == "silent" and kind_of(c.address).startswith("loopback")]
    if e.port_driver != "slirp4netns" or not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. The port driver is slirp4netns: what comes from the host's loopback reaches the container as if from its "
        "gateway, and answers to that are dropped while the host's loopback is closed to containers.",
        f"Set the port driver builtin, then {e.restart()}.",
    )


def _not_met(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.group == "expectation" and c.expected == ANSWERS and c.outcome is not None]
    if not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. It was expected to answer.",
        "See who listens there (ss -ltnup), whether the container runs (docker ps), and what the other findings say.",
    )


def _stranger(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.group == "listener"]
    if not mine:
        return None
    why = (
        " Under implicit, whatever listens in RootlessKit's namespace is published on all addresses of the host: a container with "
        "--net=host does."
        if e.port_driver == "implicit"
        else ""
    )
    return Explained(
        mine,
        f"The daemon listens on the host on {', '.join(dict.fromkeys(c.thing for c in mine))}, and no container published that.{why}",
        f"See what it is: as root, nsenter --net={e.namespace} ss -ltnup. If it is wanted, unpublished_listeners: any.",
    )


def _out_of_time(e: Evidence, cells: list[Cell]) -> Explained | None:
    # A probe that the deadline kept from being begun reads as one that timed out at once.
    untried = [c for c in cells if c.outcome is None or (c.outcome == "timed_out" and not c.seconds)]
    mine = cells if _cut_short(e) else untried
    if not e.out_of_time or not mine:
        return None
    last = f" The last thing that was waited for: {e.engine_message}." if e.engine_message else ""
    return Explained(
        mine,
        f"The time was over before {len(untried)} cells were tried.{last}",
        "Give the module a longer timeout; on a slow or busy host 60 seconds. If that does not help, see what the other findings say, and "
        f"journalctl _UID={e.uid} _SYSTEMD_USER_UNIT=docker.service.",
    )


def _pesto_blocked(e: Evidence, cells: list[Cell]) -> Explained | None:
    # One that answered at first is gone since the canaries were published: pasta was told all ports anew.
    silent = [c for c in _dead(cells) if c.outcome == "refused" or c.note == NOBODY]
    mine = [c for c in silent if e.holder(c.address, c.port, c.protocol) is None]
    if e.port_driver != "pesto" or not any(c.group in CANARIES for c in mine):
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. Nothing on the host listens there. The port driver is pesto, and {e.pasta} refuses every further port as long as "
        "one that it was told before cannot be bound: one below net.ipv4.ip_unprivileged_port_start, one on an address that the host does "
        "not have, or one that a process of the host holds.",
        "Mend or remove the container whose port cannot be bound (the other findings name it, or pasta's lines in the journal: Listen "
        "failed for HOST TCP port); "
        f"the others come back at the next publish. If none is named, {e.restart()}.",
    )


def _hangs(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in _dead(cells) if c.group in CANARIES and (c.protocol, c.outcome) == (TCP, "silent") and c.address in LOOPBACKS]
    # Of the versions in between nothing tells them from later ones.
    if not mine or not e.pasta_argv or e.pasta_skips_ephemeral is not False:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. {e.pasta} is older than passt 2026_05_07; before 2026_06_11 TCP connections over the host's loopback may hang "
        "(passt bugs 202 and 207).",
        f"Install a newer passt (role pasta), then {e.restart()}. If it stays so, see the host's packet filter (nft list ruleset).",
    )


def _no_listener(e: Evidence, cells: list[Cell]) -> Explained | None:
    nobody = ("refused", "wrong_answer")
    mine = [
        c
        for c in _dead(cells)
        if c.outcome in nobody and (c.outcome == "refused" or c.container) and e.holder(c.address, c.port, c.protocol) is None
    ]
    if not mine:
        return None
    # Of a canary in the namespace the Engine knows nothing.
    engine = any(c.group != "namespace" for c in mine)
    said, again = ("the Engine says that it is", "Restart the container; if that does not help, ") if engine else ("it was", "")
    return Explained(
        mine,
        f"{_lead(mine)}. Nothing on the host listens there, although {said} published "
        f"(network driver {e.network_driver}, port driver {e.port_driver}).",
        f"{again}{e.restart()}.",
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
    # The control of the bridge is the canary in the namespace.
    mine = [
        c
        for c in cells
        if (c.vantage == NAMESPACE and c.outcome is None)
        or (c.vantage == BRIDGE and c.verdict == INCONCLUSIVE)
        or (c.group == "namespace" and not e.namespace_answered)
    ]
    if not mine or not e.namespace_error:
        return None
    return Explained(
        mine,
        f"RootlessKit's namespace (child pid {e.child_pid}) could not be entered, so nothing was tried from there or "
        f"published there: {e.namespace_error}",
        "The host needs nsenter (util-linux), and the user must be allowed to run it and to enter the namespaces of their own processes.",
    )


def _address_gone(_e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.note == NO_SUCH_ADDRESS]
    if not mine:
        return None
    addresses = ", ".join(sorted({c.address for c in mine})[:MAX_NAMED])
    return Explained(
        mine,
        f"{_lead(mine)}. It is published on {addresses}, and no interface of this host has that address: the host was given another one, "
        "or an interface is gone.",
        "Give the host that address (ip address shows those it has), then restart the container; or publish it on another address.",
    )


def _no_control(_e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.verdict == INCONCLUSIVE and not c.control]
    if not mine:
        return None
    vantages = ", ".join(dict.fromkeys(c.vantage for c in mine))
    return Explained(
        mine,
        f"From {vantages}, what must answer did not, so what must not answer proves nothing there ({len(mine)} cells).",
        "Mend the other findings first; if there are none, see whether a firewall on the host drops its own connections. Where no canary "
        "is published, as at an address of a router's, add an expectation that must answer there.",
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
    ("pesto_with_ipv6", _pesto_ipv6),
    ("canary_refused", _start_refused),
    ("port_not_added", _not_added),
    ("namespace_not_entered", _inside_unreachable),
    ("address_not_on_host", _address_gone),
    ("out_of_time", _out_of_time),
    ("container_not_started", _start_failed),
    ("port_held_by_other_daemon", _held_by_daemon),
    ("port_held_by_other_process", _held),
    ("loopback_flag_missing", _loopback_dead),
    ("other_loopback_address", _other_loopback),
    ("ipv6_off", _ipv6_off),
    ("ephemeral_range_skipped", _ephemeral),
    ("privileged_port", _privileged),
    ("detached_host_network", _detached),
    ("host_loopback_leak", _leak),
    ("udp_of_slirp4netns", _slirp_udp),
    ("container_not_listening", _not_listening),
    ("port_used_by_connection", _connected),
    ("pesto_blocked", _pesto_blocked),
    ("loopback_tcp_hangs", _hangs),
    ("no_listener", _no_listener),
    ("filtered_on_host", _filtered),
    ("unexpected_answer", _unexpected),
    ("expectation_not_met", _not_met),
    ("answers_where_it_must_not", _answers),
    ("listener_without_container", _stranger),
    ("open_where_it_must_not", _open_doubt),
    ("no_control", _no_control),
    ("unknown", _unknown),
)
"""Causes in the order in which they are looked for: what breaks everything comes first, doubts come last."""

STANDS_ALONE = frozenset(
    {"daemon_down", "engine_unusable", "pasta_dead", "canary_refused", "engine_cannot_publish", "pesto_with_ipv6", "container_not_started"}
)
"""Causes that are reported also when no cell is left that they explain."""

INSTEAD = {"engine_unusable": {"daemon_down"}, "canary_refused": {"engine_cannot_publish", "pesto_with_ipv6"}}
"""Causes that say more than one that fits, too."""


def _finding(cause: str, explained: Explained) -> Finding:
    """What a rule said, made fit to print: it quotes what processes of the user's say of themselves."""
    return Finding(cause, clean(explained.message, MAX_TEXT), clean(explained.remedy, MAX_TEXT), explained.cells)


def diagnose(evidence: Evidence, cells: list[Cell]) -> list[Finding]:
    """Findings for the cells that did not pass; each cell is in one finding only."""
    open_cells = [cell for cell in cells if cell.verdict != PASS]
    findings: dict[str, Finding] = {}
    for cause, rule in RULES:
        if (not open_cells and cause not in STANDS_ALONE) or INSTEAD.get(cause, set()).intersection(findings):
            continue
        explained = rule(evidence, open_cells)
        if explained is None:
            continue
        findings[cause] = _finding(cause, explained)
        taken = {id(cell) for cell in explained.cells}
        open_cells = [cell for cell in open_cells if id(cell) not in taken]
    return list(findings.values())


def _visible(e: Evidence, cells: list[Cell]) -> Explained | None:
    mine = [c for c in cells if c.expected == MUST_NOT and c.verdict == PASS and c.visible and c.container and c.address not in LOOPBACKS]
    if not mine:
        return None
    return Explained(
        mine,
        f"{_lead(mine)}. No byte of the service arrives there, but a scan sees an open port (port driver {e.port_driver}; under implicit "
        "pasta listens on all addresses).",
        "Set the port driver pesto where it works, or reject those ports from outside with a packet filter; or leave it.",
    )


def _collision(e: Evidence, _cells: list[Cell]) -> Explained | None:
    if not e.collisions:
        return None
    return Explained(
        [],
        f"The network of RootlessKit's namespace, {e.network}, overlaps with {', '.join(e.collisions)} of the host: containers do not "
        "reach the machines there.",
        f"Give RootlessKit another network (--cidr in DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS), then {e.restart()}.",
    )


def _stale(e: Evidence, _cells: list[Cell]) -> Explained | None:
    if not e.stale:
        return None
    return Explained(
        [],
        f"What the daemon of {e.user} runs is not what is installed: {'; '.join(e.stale)}.",
        f"{e.restart()}; that stops every container of {e.user}.",
    )


def _unseen(e: Evidence, _cells: list[Cell]) -> Explained | None:
    if not e.unseen:
        return None
    named = ", ".join(e.unseen[:MAX_NAMED]) + (f" and {len(e.unseen) - MAX_NAMED} more" if len(e.unseen) > MAX_NAMED else "")
    return Explained(
        [],
        f"{e.user} listens on {named} of the host, and no container published that. Whether it is the daemon cannot be told: the process "
        "hides what it has open from its own user, as pasta does.",
        "Run the check as root, which sees that; or find the process as root with ss -ltnp.",
    )


def _left(e: Evidence, _cells: list[Cell]) -> Explained | None:
    if not e.left_behind:
        return None
    return Explained(
        [],
        f"Canaries of this check may still be in the daemon of {e.user}: {e.left_behind}.",
        "Containers end by themselves some seconds after the deadline, and the next check with a canary container removes what is left of "
        f"them. A port that RootlessKit still publishes goes with the next start: {e.restart()}.",
    )


ADVICE: tuple[tuple[str, Callable[[Evidence, list[Cell]], Explained | None]], ...] = (
    ("visible_from_outside", _visible),
    ("network_collision", _collision),
    ("stale_programs", _stale),
    ("listeners_not_told", _unseen),
    ("canaries_left", _left),
)
"""What does not break the contract and is worth knowing, by name; the rules get all cells."""


def advise(evidence: Evidence, cells: list[Cell]) -> list[Finding]:
    """What is worth knowing of a daemon, whether it passes or not."""
    said = ((cause, rule(evidence, cells)) for cause, rule in ADVICE)
    return [_finding(cause, each) for cause, each in said if each is not None]
