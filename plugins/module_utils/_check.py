# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of the check: puts the canaries up, measures, takes them down, and hands over cells and evidence."""

from __future__ import annotations

import contextlib
import pwd
import random
import secrets
import socket
import threading
from dataclasses import replace
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary_server
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary import Canaries, interpreter, made_container, pick_ports
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import (
    ANSWERED,
    ANSWERS,
    DATA,
    MUST_NOT,
    OPEN,
    WRONG_ANSWER,
    Cell,
    kind_of,
    outcome_of,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError
from ansible_collections.portside.rootless_docker.plugins.module_utils._evidence import Evidence, Holder, holder_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._gather import (
    daemon_facts,
    kernel_facts,
    pasta_facts,
    port_holders,
    unit_state,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._inside import (
    BRIDGE,
    HOST_NETWORK,
    INSIDE,
    NAMESPACE,
    inside_cells,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._namespace import probe_in_namespace
from ansible_collections.portside.rootless_docker.plugins.module_utils._probe import Probe, Reading, retry_probes, run_probes
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import option_value, read_connected_ports, read_listeners
from ansible_collections.portside.rootless_docker.plugins.module_utils._published import (
    Published,
    canary_bindings,
    canary_ports,
    container_ports,
    host_cells,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

LOOPBACK = "127.0.0.1"
PATIENCE = 4.0
"""Seconds that a port gets to answer: under the port driver implicit, pasta looks for new listeners once a second (up to 1.8 s were "
"seen)."""
ANSWER_WAIT = 1.0
"""Seconds for an answer of a canary, which takes milliseconds when the path is open."""
INSIDE_WAIT = 0.5
"""The same from inside, where a packet to the gateway is often dropped, and waiting is what a sound host costs most."""
FOREIGN_WAIT = 0.3
"""Seconds after which a connection that a foreign service keeps open without a word counts as silent."""
MIRROR_SECONDS = 2.2
"""Seconds after which a pasta that mirrors the host's listeners into the namespace has done so: two of its scans."""
CLEANUP_SECONDS = 1.5
START_ATTEMPTS = 8
UNSPOKEN = "the connection stays open; whether the service answers was not tried, because nothing is said to a service that is not ours"


class Check:
    """A run for one user.

    :param account: whose daemon.
    :param addresses: of the host, IPv4, besides 127.0.0.1.
    :param seconds: for everything but the removal of the canaries, which gets another 1.5 s.
    :param containers: whether running containers' ports are tried, too.
    :param host_loopback: whether the host's loopback must not be reachable from inside.
    """

    def __init__(self, account: pwd.struct_passwd, addresses: list[str], seconds: float, containers: bool, host_loopback: bool) -> None:
        self._account = account
        self._addresses = [LOOPBACK] + addresses
        self._deadline = Deadline(seconds)
        self._want_containers = containers
        self._want_host_loopback = host_loopback
        self._nonce = secrets.token_hex(16)
        self._engine = Engine(account.pw_uid, self._deadline)
        self._python = interpreter()
        self._cells: list[Cell] = []
        self._start_errors: list[tuple[str, str]] = []
        self._facts: dict[str, Any] = {}
        self._inside_readings: dict[str, dict[str, list[Any]]] = {}
        self._challenges: dict[str, bytes] = {}
        self.untested = 0

    def run(self) -> tuple[list[Cell], Evidence]:
        """Measure. Nothing that can be measured raises: what went wrong is in the evidence."""
        self._facts.update(kernel_facts())
        self._processes, facts = daemon_facts(self._account, self._deadline)
        self._facts.update(facts)
        host_server = None
        canaries = None
        try:
            version = self._engine.negotiate()
            self._facts.update(engine_version=version["version"], engine_api=version["api"])
            listener = self._listen_on_host()
            self._host_port = listener.getsockname()[1]
            host_server = _canary_server.Server([listener], self._nonce, self._deadline.remaining() + 1)
            host_server.start()
            self._host_since = self._deadline.elapsed()
            canaries = Canaries(self._engine, secrets.token_hex(6), self._nonce, self._deadline, self._python or "/usr/bin/python3")
            self._measure(canaries)
        except HttpError as error:
            self._facts.update(engine_error=error.reason, engine_message=str(error))
        except EngineError as error:
            self._facts.update(engine_error="garbled", engine_message=str(error))
        finally:
            if host_server is not None:
                host_server.stop()
            if canaries is not None:
                self._take_down(canaries)
        return self._conclude()

    def _ports(self, count: int, busy: set[int]) -> list[int]:
        return pick_ports(count, busy, self._facts.get("ephemeral", (32768, 60999)), random.SystemRandom())

    def _listen_on_host(self) -> socket.socket:
        """A listener for the canary on the host's loopback.

        Not on a port that the kernel chooses: a passt of 2026_05_07 or later leaves out the ephemeral range also when it mirrors the
        host's listeners into the namespace, so a leak would not show there.
        """
        busy = {listener.port for listener in read_listeners()}
        for port in self._ports(20, busy):
            with contextlib.suppress(OSError):
                return _canary_server.listen(LOOPBACK, port)
        return _canary_server.listen(LOOPBACK, 0)

    def _take_down(self, canaries: Canaries) -> None:
        # Engine calls of the removal get time of their own: it matters most when the run has used up its own.
        self._engine.deadline = Deadline(CLEANUP_SECONDS)
        try:
            canaries.remove(self._engine.deadline)
        except (HttpError, EngineError) as error:
            self._facts["left_behind"] = str(error)

    # -- the canaries ------------------------------------------------------

    def _measure(self, canaries: Canaries) -> None:
        self._try("leftover", canaries.sweep)
        containers = self._engine.containers() if self._want_containers else []
        foreign, self.untested = container_ports([c for c in containers if made_container(c) is None])
        listeners = read_listeners()
        published = self._put_up(canaries, {listener.port for listener in listeners} | read_connected_ports())
        self._cells = host_cells(published, self._addresses) + host_cells(foreign, self._addresses)
        inside = threading.Thread(target=self._probe_namespace, daemon=True)
        if self._want_host_loopback:
            inside.start()
        self._probe_host()
        if self._want_host_loopback:
            self._read_inside(canaries)
            inside.join(self._deadline.remaining())
            self._cells += inside_cells(self._inside_readings, self._challenges, self._nonce, self._control_port, self._host_port)
        self._mark_holders()

    def _try(self, what: str, action: Any, *arguments: Any) -> Any:
        """Do one thing with the Engine; when it refuses, note that and go on."""
        try:
            return action(*arguments)
        except EngineError as error:
            self._start_errors.append((what, error.text))
            return None

    def _put_up(self, canaries: Canaries, busy: set[int]) -> list[Published]:
        """Image and containers; what is published then, with port 0 where that failed."""
        inside = self._ports(6, busy)
        self._control_port = inside.pop()
        self._containers: dict[str, str] = {}
        ports = [0, 0, 0]
        if self._python is None:
            self._start_errors.append(("image", "the host has no Python 3 below /usr that a container could run"))
            return canary_ports(ports, inside, 0)
        if self._try("image", lambda: canaries.make_image() or True) is None:
            return canary_ports(ports, inside, 0)
        if self._want_host_loopback:
            task = self._task(HOST_NETWORK, LOOPBACK, [self._control_port])
            identity = self._try("host network", canaries.start, "host", task, "host", {})
            if identity:
                self._containers[HOST_NETWORK] = identity
        for attempt in range(START_ATTEMPTS):
            ports = self._ports(3, busy.union(inside))
            wanted = canary_ports(ports, inside, 0)
            task = self._task(BRIDGE, "gateway", inside)
            try:
                identity = canaries.start(f"bridge{attempt}", task, None, canary_bindings(wanted))
            except EngineError as error:
                # Somebody may have taken the port since it was looked at.
                if attempt + 1 < START_ATTEMPTS and ("already in use" in error.text or "already allocated" in error.text):
                    continue
                self._start_errors.append(("bridge", error.text))
                return canary_ports([0, 0, 0], inside, 0)
            self._containers[BRIDGE] = identity
            chosen = (self._try("bridge", canaries.published, identity) or {}).get(f"{inside[3]}/tcp", [])
            if attempt + 1 < START_ATTEMPTS and read_connected_ports().intersection(chosen):
                # The Engine chose a port that a connection of the host uses at its end, perhaps one that has just ended: the Engine
                # cannot see that, and pasta cannot bind it. It is chance, and no property of the daemon: the next one is another.
                canaries.discard(identity)
                continue
            return canary_ports(ports, inside, chosen[0] if chosen else 0)
        return canary_ports([0, 0, 0], inside, 0)

    def _task(self, vantage: str, control: str, listen: list[int]) -> dict[str, Any]:
        """What a place inside does, see C(_probe.run_task).

        The control is the host-network canary, which listens in RootlessKit's namespace: at that namespace's own loopback, where
        a leak would show, or, for the bridge, at the gateway.
        """
        settle = 0.0
        argv = self._facts.get("pasta_argv", ())
        if argv and option_value(argv, "--tcp-ns", "-T") != "none":
            settle = max(0.0, self._host_since + MIRROR_SECONDS - self._deadline.elapsed())
        outer = option_value(argv, "--gateway", "-g") or ""
        probes = []
        for entry in INSIDE:
            address = outer if entry.address == "outer" else entry.address
            if entry.vantage == vantage and address:
                probes.append(
                    [entry.thing, address, self._host_port, self._challenge(vantage, entry.thing), _canary_server.ANSWER, INSIDE_WAIT]
                )
        if not self._want_host_loopback:
            probes = []
        controls = [["control", control, self._control_port, self._challenge(vantage, "control"), _canary_server.ANSWER, ANSWER_WAIT]]
        patience = min(PATIENCE, self._deadline.remaining())
        return {"listen": listen, "controls": controls if probes else [], "probes": probes, "patience": patience, "settle": settle}

    def _challenge(self, *names: str) -> str:
        """A fresh challenge, remembered under a name; in hexadecimal, which its bytes are sent as."""
        challenge = secrets.token_hex(_canary_server.CHALLENGE // 2).encode()
        self._challenges["|".join(names)] = challenge
        return challenge.hex()

    # -- from the host -----------------------------------------------------

    def _probe_host(self) -> None:
        """First all that must answer, again and again until it does; then, once, all that must not."""
        cells = {f"{index}": cell for index, cell in enumerate(self._cells) if cell.port}
        positive = {key: cell for key, cell in cells.items() if cell.expected == ANSWERS}
        readings = retry_probes(
            positive,
            lambda key: self._probe(key, positive[key]),
            lambda key, reading: self._satisfies(key, positive[key], reading),
            min(PATIENCE, self._deadline.remaining()),
        )
        answered = {
            cell.vantage for key, cell in positive.items() if cell.group == "canary" and self._satisfies(key, cell, readings.get(key))
        }
        negative = {key: cell for key, cell in cells.items() if cell.expected == MUST_NOT}
        readings.update(run_probes([self._probe(key, cell) for key, cell in negative.items()], self._deadline.remaining()))
        for key, cell in cells.items():
            reading = readings.get(key)
            if reading is not None:
                outcome, proof = outcome_of(reading.event, reading.data, self._expected(key, cell))
                note = UNSPOKEN if proof == OPEN else ""
                self._cells[int(key)] = replace(cell, outcome=outcome, proof=proof, note=note, seconds=round(reading.seconds, 3))
        self._cells = [replace(cell, control=cell.vantage in answered) for cell in self._cells]

    def _probe(self, key: str, cell: Cell) -> Probe:
        if cell.group == "container":
            # Nothing is said to a service that is not ours.
            return Probe(key, cell.address, cell.port, wait=FOREIGN_WAIT)
        send = bytes.fromhex(self._challenge(key))
        return Probe(key, cell.address, cell.port, send, _canary_server.ANSWER, ANSWER_WAIT)

    def _expected(self, key: str, cell: Cell) -> bytes | None:
        if cell.group == "container":
            return None
        return _canary_server.answer(self._nonce, self._challenges[key], cell.container_port)

    def _satisfies(self, key: str, cell: Cell, reading: Reading | None) -> bool:
        if reading is None:
            return False
        expected = self._expected(key, cell)
        if expected is None:
            return reading.event in ("data", "silent")
        return reading.data == expected

    # -- from inside -------------------------------------------------------

    def _probe_namespace(self) -> None:
        child = self._processes.child
        if child is None or self._python is None:
            self._facts["namespace_error"] = "RootlessKit's child was not found"
            return
        task = self._task(NAMESPACE, LOOPBACK, [])
        readings, error = probe_in_namespace(
            child.pid,
            bool(self._facts.get("detached_netns")),
            self._account.pw_uid,
            self._account.pw_gid,
            self._python,
            task,
            self._deadline,
        )
        self._facts["namespace_error"] = error
        if readings is not None:
            self._inside_readings[NAMESPACE] = readings

    def _read_inside(self, canaries: Canaries) -> None:
        for vantage, identity in self._containers.items():
            readings = canaries.result(identity, self._deadline)
            if readings is not None:
                self._inside_readings[vantage] = readings

    # -- evidence ----------------------------------------------------------

    def _mark_holders(self) -> None:
        """See who listens on the ports in question; an answer of somebody else's is a wrong answer."""
        ports = {cell.port for cell in self._cells if cell.group != "host_loopback" and cell.port}
        holders = port_holders(read_listeners(), ports, self._processes, self._account.pw_uid)
        self._facts["holders"] = holders
        for index, cell in enumerate(self._cells):
            holder = holder_of(holders, cell.address, cell.port)
            if cell.group == "container" and holder is not None and holder.ours is False:
                self._cells[index] = _held_by_other(cell, holder)

    def _conclude(self) -> tuple[list[Cell], Evidence]:
        unsound = not self._cells or any(cell.verdict != "pass" for cell in self._cells)
        if unsound and not self._deadline.expired():
            path, argv = self._facts.get("pasta_path"), self._facts.get("pasta_argv", ())
            self._facts["unit_state"] = unit_state(self._account, self._deadline)
            self._facts.update(pasta_facts(path, argv, self._account, self._deadline))
        evidence = Evidence(
            user=self._account.pw_name,
            uid=self._account.pw_uid,
            start_errors=tuple(self._start_errors),
            out_of_time=self._deadline.expired(),
            canary_answered=frozenset(
                (kind_of(cell.host_ip or "0.0.0.0"), cell.address)
                for cell in self._cells
                if cell.group == "canary" and cell.expected == ANSWERS and cell.outcome == ANSWERED
            ),
            **self._facts,
        )
        return self._cells, evidence


def _held_by_other(cell: Cell, holder: Holder) -> Cell:
    """What was seen at this place is another process's doing, not the container's."""
    seen = cell.outcome in (ANSWERED, "silent")
    return replace(cell, outcome=WRONG_ANSWER if seen else cell.outcome, proof=DATA if seen else cell.proof, note=str(holder))
