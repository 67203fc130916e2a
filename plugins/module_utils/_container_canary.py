# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The canary containers of one run: what they publish and what they try from inside."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._canary import Canaries, FreePorts
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary_server import ANY
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import ANY4, ANY6, BOTH, kind_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import EngineError
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import read_connected_ports, whole_number
from ansible_collections.portside.rootless_docker.plugins.module_utils._published import (
    CANARY_ROWS,
    PROTOCOLS,
    Published,
    brackets,
    canary_bindings,
    canary_port,
    is_address,
)

START_ATTEMPTS = 8
BRIDGE_ROLE, BRIDGE6_ROLE, HOST_ROLE = "bridge", "bridge6", "host"
TaskMaker = Callable[[], "dict[str, Any]"]
Held = Callable[[], AbstractContextManager[None]]


class ContainerCanary:
    """Puts up the canary containers.

    :param ipv6: whether what is published for IPv6 only is tried, too. It has a container of its own: where it cannot be published, the
        rest still can.
    :param host_network: whether there is one in the host's network, as that of the daemon is for containers.
    :param held: in it, no signal ends the run.
    :ivar running: ids of what runs, by role.
    :ivar given_up: host ports of what was put up and removed again; pasta may still listen there for a moment.
    :ivar errors: what the Engine said when something could not be put up: (role, text).
    """

    def __init__(self, canaries: Canaries, free: FreePorts, ipv6: bool, host_network: bool, held: Held) -> None:
        self._canaries = canaries
        self._free = free
        self._ipv6 = ipv6
        self._host_network = host_network
        self._held = held
        self.running: dict[str, str] = {}
        self.given_up: set[int] = set()
        self.errors: list[tuple[str, str]] = []

    def put_up(self, bridge_task: TaskMaker, host_task: TaskMaker, control_port: int) -> list[Published]:
        """Image and containers, side by side.

        :param bridge_task: makes what the container on the bridge does besides, see C(_probe.run_task).
        :param host_task: the same for the container in RootlessKit's namespace.
        :param control_port: that the latter listens on.
        :returns: what is published, with port 0 where that failed.
        """
        rows4 = [row for row in CANARY_ROWS if ":" not in (row[0] or "")]
        rows6 = [row for row in CANARY_ROWS if ":" in (row[0] or "")] if self._ipv6 else []
        # What was asked of the Engine is waited for, also when a signal ends the run: what it makes later is not found by the removal.
        with ThreadPoolExecutor(max_workers=3) as pool:
            try:
                self._begin(pool, self._canaries.make_image).result()
            except EngineError as error:
                self.errors.append(("image", error.text))
                return [entry for row in rows4 + rows6 for entry in _entries(row, 0, self._free.take(1)[0])]
            bridge = self._begin(pool, self._bridge, BRIDGE_ROLE, rows4, bridge_task)
            bridge6 = self._begin(pool, self._bridge, BRIDGE6_ROLE, rows6, dict)
            if self._host_network:
                self._begin(pool, self._host, host_task, control_port).result()
            return bridge.result() + bridge6.result()

    def _begin(self, pool: ThreadPoolExecutor, action: Callable[..., Any], *arguments: Any) -> Future[Any]:
        # An executor does not wait for a thread if a signal ended the run just when it had started.
        with self._held():
            return pool.submit(action, *arguments)

    def _host(self, task: TaskMaker, port: int) -> None:
        listen = [[ANY, port, protocol] for protocol in PROTOCOLS]
        try:
            self.running[HOST_ROLE] = self._canaries.start(HOST_ROLE, {"listen": listen, **task()}, "host", {})
        except EngineError as error:
            self.errors.append(("host network", error.text))

    def _bridge(self, role: str, rows: list[Any], task: TaskMaker) -> list[Published]:
        if not rows:
            return []
        inside = self._free.take(len(rows))
        chosen = {port for row, port in zip(rows, inside) if row[1]}
        work = {"listen": [[ANY, port, protocol] for port in inside for protocol in PROTOCOLS], **(task() or NO_PROBES)}
        entries: list[Published] = []
        for attempt in range(START_ATTEMPTS):
            ports = self._free.take(len(rows))
            entries = [entry for row, port, into in zip(rows, ports, inside) for entry in _entries(row, port, into)]
            last = attempt + 1 == START_ATTEMPTS
            try:
                identity = self._canaries.start(f"{role}{attempt}", work, None, canary_bindings(entries, chosen))
            except EngineError as error:
                # Somebody may have taken the port since it was looked at.
                if not last and ("already in use" in error.text or "already allocated" in error.text):
                    continue
                self.errors.append((role, error.text))
                return [replace(entry, port=0) if entry.host_ip is not None else entry for entry in entries]
            self.running[role] = identity
            got = self._published(role, identity)
            taken = {port for place, ports in got.items() if whole_number(place.partition("/")[0]) in chosen for port in ports.values()}
            if not last and read_connected_ports().intersection(taken):
                # The Engine chose a port that a connection of the host uses at its end, perhaps one that has just ended: the Engine
                # cannot see that, and pasta cannot bind it. It is chance, and no property of the daemon: the next one is another.
                self._canaries.discard(identity)
                self.given_up.update(taken)
                continue
            break
        return [
            each
            for entry in entries
            for each in as_bound(got.get(f"{entry.container_port}/{entry.protocol}", {}), entry, entry.container_port in chosen, self._ipv6)
        ]

    def _published(self, role: str, identity: str) -> dict[str, dict[str, int]]:
        try:
            return self._canaries.published(identity)
        except EngineError as error:
            self.errors.append((role, error.text))
            return {}


def as_bound(got: dict[str, int], entry: Published, chosen: bool, ipv6: bool) -> list[Published]:
    """What the Engine made of a port: where it binds what names no address is up to its configuration (C(ip) in daemon.json). Pure.

    :param got: host ports by host address.
    :param entry: as it was asked for.
    :param chosen: whether the Engine was to choose the port.
    :param ipv6: whether the daemon has IPv6.
    """
    # It is the user's daemon that says so.
    places = {address: port for address, port in got.items() if is_address(address)}
    if entry.host_ip == "" and places and not any(kind_of(address) in (ANY4, ANY6, BOTH) for address in places):
        return [
            replace(entry, thing=f"{entry.container_port} (got {brackets(address)}:{port})", host_ip=address, port=port)
            for address, port in places.items()
        ]
    return chosen_ports(got, entry, ipv6) if chosen else [entry]


def chosen_ports(got: dict[str, int], entry: Published, ipv6: bool) -> list[Published]:
    """What the Engine made of a port that it was to choose.

    It chooses one for IPv4 and one for IPv6, mostly the same; where one of them was taken, two different ones. Pure.

    :param got: host ports by host address.
    :param entry: as it was asked for.
    :param ipv6: whether the daemon has IPv6.
    """
    four = next((port for address, port in got.items() if ":" not in address), 0)
    six = next((port for address, port in got.items() if ":" in address), 0)
    both = canary_port("", True, four or six, entry.container_port, entry.protocol)
    if not ipv6 or not six or six == four:
        return [both]
    return [
        replace(both, thing=f"{entry.container_port} (got 0.0.0.0:{four})", host_ip="0.0.0.0", port=four),
        replace(both, thing=f"{entry.container_port} (got [::]:{six})", host_ip="::", port=six),
    ]


NO_PROBES: dict[str, Any] = {"controls": [], "probes": [], "patience": 0.0, "settle": 0.0}


def _entries(row: Any, port: int, inside: int) -> list[Published]:
    """A row of CANARY_ROWS over each protocol."""
    host_ip, chosen = row
    return [canary_port(host_ip, chosen, 0 if chosen else port, inside, protocol) for protocol in PROTOCOLS]
