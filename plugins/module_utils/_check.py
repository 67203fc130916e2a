# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of the check: puts the canaries up, measures, takes them down, and hands over cells and evidence."""

from __future__ import annotations

import contextlib
import math
import os
import pwd
import random
import secrets
import threading
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _container_canary, _inside, _namespace_canary
from ansible_collections.portside.rootless_docker.plugins.module_utils._addresses import HostAddress, host_addresses, overlapping
from ansible_collections.portside.rootless_docker.plugins.module_utils._ask import (
    BareQuestion,
    CanaryQuestion,
    ExpectationQuestion,
    ask,
    untried,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary import Canaries, FreePorts, interpreter, made_container
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import (
    ANSWERED,
    ANSWERS,
    CANARIES,
    DATA,
    DOUBT,
    LIKE_CANARY,
    LISTENER,
    MUST_NOT,
    NOBODY,
    NOTHING,
    OPEN,
    PASS,
    TCP,
    UDP,
    WRONG_ANSWER,
    Cell,
    is_other_loopback,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError
from ansible_collections.portside.rootless_docker.plugins.module_utils._evidence import Evidence, Holder, Service, holder_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._expectations import (
    HOST,
    NAMESPACE,
    Expectation,
    judge_reading,
    probe_of,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._gather import (
    daemon_facts,
    failed_starts,
    kernel_facts,
    pasta_facts,
    port_holders,
    unit_state,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._host_canary import LOOPBACKS, HostCanary
from ansible_collections.portside.rootless_docker.plugins.module_utils._namespace import Agent, AgentError
from ansible_collections.portside.rootless_docker.plugins.module_utils._probe import longer_wait
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import (
    option_value,
    read_connected_ports,
    read_listeners,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._published import (
    NO_SUCH_ADDRESS,
    Published,
    container_ports,
    host_cells,
    vantage_of,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._rootlesskit import api_socket
from ansible_collections.portside.rootless_docker.plugins.module_utils._signals import Interrupts
from ansible_collections.portside.rootless_docker.plugins.module_utils._strangers import MIRROR_SECONDS, Strangers
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

PATIENCE = 4.0
"""Seconds that a control inside gets to answer."""
CLEANUP_SECONDS = 1.5
"""Seconds that a removal has at least, however late it is."""
AGENT_MARGIN = 5.0
"""Seconds that the canary in the namespace outlives the deadline at most, should this process be stopped and not ended."""
AGENT_ATTEMPTS = 3
"""Times that it is put up where somebody else has one of its ports by chance."""
BY_CANARY = "nothing came; nor did it from a canary that is published in the same way, which answers where it must"
BY_LISTENER = "the daemon listens there; whether the service answers was not tried, because nothing is said to a service that is not ours"


@dataclass(frozen=True)
class Wanted:
    """What a run is to look at.

    :ivar addresses: of the host, besides its loopback.
    :ivar namespace: whether a canary in RootlessKit's namespace is published.
    :ivar container: whether canary containers are.
    :ivar containers: whether running containers' ports are tried.
    :ivar host_loopback: whether the host's loopback must not be reachable from inside.
    :ivar unpublished: whether the daemon must not listen on ports that no container published.
    :ivar hold: seconds that the canary containers stay up afterwards.
    :ivar expectations: of the operator.
    """

    addresses: list[str]
    namespace: bool = False
    container: bool = True
    containers: bool = True
    host_loopback: bool = True
    unpublished: bool = True
    hold: float = 0.0
    expectations: tuple[Expectation, ...] = ()


@dataclass
class Found:
    """What a run found, besides its cells and its evidence.

    :ivar untested: number of published ports that are neither TCP nor UDP.
    :ivar run_id: of the canaries that are still up.
    :ivar left_behind: why something of the canaries may still be there.
    """

    untested: int = 0
    run_id: str = ""
    left_behind: str = ""


class Beside(threading.Thread):
    """A thread whose exception is not lost: cells that it did not make would be missing without a word."""

    def __init__(self, action: Any, arguments: tuple[Any, ...]) -> None:
        super().__init__(daemon=True)
        self._action, self._arguments = action, arguments
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do it."""
        try:
            self._action(*self._arguments)
        except BaseException as error:
            self._error = error

    def wait(self, seconds: float | None = None) -> None:
        """Until it is done, or the time is over; raises what it raised."""
        self.join(seconds)
        if self._error is not None:
            raise self._error


class Check:
    """A run for one user.

    :param account: whose daemon.
    :param seconds: for everything but the removal of the canaries, which has CLEANUP_SECONDS for containers, and again for
        the one in the namespace, at least.
    :param interrupts: by which signals end it, if any do so otherwise than at once.
    """

    def __init__(self, account: pwd.struct_passwd, wanted: Wanted, seconds: float, interrupts: Interrupts | None = None) -> None:
        self._account = account
        self._wanted = wanted
        self._interrupts = interrupts or Interrupts()
        self._canaries: Canaries | None = None
        self._deadline = Deadline(seconds)
        self._nonce = secrets.token_hex(16)
        self._engine = Engine(account.pw_uid, self._deadline)
        self._python = interpreter()
        self._cells: list[Cell] = []
        self._facts: dict[str, Any] = {}
        self._start_errors: list[tuple[str, str]] = []
        self._agent: Agent | None = None
        self._own_ports: set[int] = set()
        self._places: list[_namespace_canary.Place] = []
        self._families = frozenset({4})
        # What is dead looks open until its end comes, and on a busy host that comes late. So a silent port is watched until the canaries
        # have answered, and no shorter than their answers let expect: seconds, known when they came.
        self._silence = math.inf
        self._other_cells: list[Cell] = []
        self._addresses: list[HostAddress] = []
        self._answered: set[tuple[str, str]] = set()
        self._views: dict[str, _inside.InsideView] = {}
        self._inside_readings: dict[str, dict[str, Any]] = {}
        self.found = Found(run_id=secrets.token_hex(6))

    def run(self) -> tuple[list[Cell], Evidence]:
        """Measure. Nothing that can be measured raises: what went wrong is in the evidence."""
        self._facts.update(kernel_facts())
        self._processes, facts = daemon_facts(self._account, self._deadline)
        self._facts.update(facts)
        self._read_addresses()
        with contextlib.ExitStack() as stack:
            stack.callback(self._take_down)
            self._listeners = read_listeners()
            busy = {listener.port for listener in self._listeners} | read_connected_ports()
            if self._processes.child is not None:
                busy.update(listener.port for listener in read_listeners(self._processes.child.pid))
            self._free = FreePorts(busy, self._facts.get("ephemeral", (32768, 60999)), random.SystemRandom())
            self._host = HostCanary(self._free, self._wanted.addresses, self._nonce, self._deadline.remaining() + 1)
            self._host_since = self._deadline.elapsed()
            stack.callback(self._host.stop)
            # Once more, for a signal that came just before the removal: it is the first one, and no further one is heeded.
            stack.callback(self._remove)
            self._put_up_agent()
            self._measure()
            if self._wanted.hold:
                # What is held stays only where somebody learns of it.
                self._canaries = None
        return self._conclude()

    def _read_addresses(self) -> None:
        with contextlib.suppress(OSError):
            self._addresses = host_addresses()
        with contextlib.suppress(ValueError):
            self._facts["collisions"] = tuple(overlapping(self._facts.get("network") or "", self._addresses))

    def _take_down(self) -> None:
        with self._interrupts.held():
            agent, self._agent = self._agent, None
            if agent is not None:
                self._left_behind(agent.end(self._time_for_removal()))

    # -- in RootlessKit's namespace ----------------------------------------

    def _put_up_agent(self) -> None:
        control, self._bridge_port = self._free.take(2)
        # Also when it cannot be entered: what was not tried from there must not be missing among the cells.
        self._view(_inside.NAMESPACE, control, self._families)
        child = self._processes.child
        if child is None or self._python is None:
            self._facts["namespace_error"] = "the host has no Python 3 below /usr" if child else "RootlessKit's child was not found"
            return
        try:
            said = self._start_agent(child.pid, control)
        except AgentError as error:
            self._note_agent_error(error)
            self._take_down()
            return
        self._own_ports.update((control, self._bridge_port))
        self._facts["publish_errors"] = tuple((place.key, said[place.key]) for place in self._places if said.get(place.key))
        self._families = _namespace_canary.families(self._agent.listening)
        self._view(_inside.NAMESPACE, control, self._families)

    def _start_agent(self, child: int, control: int) -> dict[str, str]:
        """Put it up, with other ports where somebody else took one of them meanwhile; by key, what was said of each place.

        :raises AgentError: it could not be put up.
        """
        uid, gid = self._account.pw_uid, self._account.pw_gid
        driver, ipv6, detached = self._facts.get("port_driver"), self._facts.get("ipv6", False), bool(self._facts.get("detached_netns"))
        implicit = _namespace_canary.is_implicit(driver)
        for attempt in range(AGENT_ATTEMPTS):
            if self._wanted.namespace:
                self._places = _namespace_canary.places(driver, ipv6, self._free)
            lifetime = self._deadline.remaining() + AGENT_MARGIN
            task = _namespace_canary.agent_task(self._nonce, lifetime, api_socket(uid), self._places, control, self._bridge_port, implicit)
            # Known before a signal can end the run: only what is known is taken down.
            with self._interrupts.held():
                self._agent = Agent(child, detached, uid, gid, self._python or "", task)
            self._agent.put_up(self._deadline)
            said = {**self._agent.listening, **self._agent.published}
            last = attempt + 1 == AGENT_ATTEMPTS
            if last or not _namespace_canary.taken_by_chance(self._places, said, read_connected_ports()):
                break
            # pasta lets go of them a second later.
            self._own_ports.update(place.published.port for place in self._places)
            self._take_down()
        return said

    def _view(self, vantage: str, control: int, families: frozenset[int]) -> _inside.InsideView:
        view = _inside.InsideView(
            vantage, self._nonce, control, self._host.loopback_ports, families, self._facts.get("gateway"), self._facts.get("ipv6", False)
        )
        self._views[vantage] = view
        return view

    def _mirrors(self) -> bool:
        """Whether a pasta mirrors the host's listeners into the namespace, or one that is hidden may do so."""
        argv = self._facts.get("pasta_argv", ())
        if not argv:
            return self._facts["processes_hidden"] and self._facts.get("network_driver") == "pasta"
        return any(option_value(argv, *names) != "none" for names in (("--tcp-ns", "-T"), ("--udp-ns", "-U")))

    def _settle(self) -> float:
        """Seconds until a pasta that does so has seen the canary."""
        if not self._mirrors():
            return 0.0
        return max(0.0, self._host_since + MIRROR_SECONDS - self._deadline.elapsed())

    def _task(self, vantage: str) -> dict[str, Any]:
        if not self._wanted.host_loopback or vantage not in self._views:
            return dict(_container_canary.NO_PROBES)
        return self._views[vantage].task(min(PATIENCE, self._deadline.remaining()), self._settle())

    def _ask_agent(self) -> None:
        if self._agent is None:
            return
        try:
            self._inside_readings[_inside.NAMESPACE] = self._agent.run_task(self._task(_inside.NAMESPACE), self._deadline)
        except AgentError as error:
            self._note_agent_error(error)

    def _note_agent_error(self, error: AgentError) -> None:
        # Where the run's own time is over, nothing is known against the namespace.
        if not self._deadline.expired():
            self._facts["namespace_error"] = str(error)

    # -- everything --------------------------------------------------------

    def _measure(self) -> None:
        inside = self._start(self._ask_agent) if self._wanted.host_loopback else None
        published = [place.published for place in self._places]
        running: list[Published] = []
        others = None
        whole = False
        try:
            version = self._engine.negotiate()
            self._facts.update(engine_version=version["version"], engine_api=version["api"])
            running = self._containers_of_others()
            # They are there already: they are asked while the canaries are being put up and pasta looks for these. And thousands of ports
            # that are dead do not keep the canaries from being asked again.
            others = self._start(self._ask_others, running)
            if self._wanted.container:
                self._canaries = canaries = self._new_canaries()
                published += self._put_up_containers(canaries)
            self._ask_canaries(published)
            if self._canaries is not None:
                self._read_containers(self._canaries)
            whole = True
        except (HttpError, EngineError) as error:
            self._facts.update(engine_error=error.reason if isinstance(error, HttpError) else "garbled", engine_message=str(error))
            if not self._cells:
                self._ask_canaries(published)
        finally:
            if not (self._wanted.hold and whole):
                self._remove()
        if others is not None:
            others.wait()
        self._ask_expectations()
        self._cells = [replace(c, control=(c.address, c.protocol) in self._answered) for c in self._cells + self._other_cells]
        if inside is not None:
            inside.wait(self._deadline.remaining())
            for vantage, view in self._views.items():
                self._cells += view.cells(self._inside_readings.get(vantage, {}))
            self._list_reachable_services()
        self._ask_from_namespace()
        self._mark()
        if self._wanted.unpublished and not self._facts.get("engine_error"):
            self._look_for_unpublished(published + running)

    def _start(self, action: Any, *arguments: Any) -> Beside:
        """Do something beside this thread; a signal that ends the run does not wait for it."""
        beside = Beside(action, arguments)
        beside.start()
        return beside

    def _containers_of_others(self) -> list[Published]:
        if not self._wanted.containers:
            return []
        everything = [c for c in self._engine.containers(True) if made_container(c) is None]
        self._facts["failed_starts"] = failed_starts(self._engine, everything)
        found, self.found.untested = container_ports([c for c in everything if c.get("State") == "running"])
        return found

    def _new_canaries(self) -> Canaries:
        python = self._python or "/usr/bin/python3"
        return Canaries(self._engine, self.found.run_id, self._nonce, self._deadline, python, self._wanted.hold)

    def _put_up_containers(self, canaries: Canaries) -> list[Published]:
        # What an earlier run left must not fail this one.
        with contextlib.suppress(EngineError, HttpError):
            canaries.sweep()
        control = self._free.take(1)[0]
        self._own_ports.add(control)
        if self._wanted.host_loopback:
            self._view(_inside.HOST_NETWORK, control, self._families)
            self._view(_inside.BRIDGE, self._bridge_port, frozenset({4}))
        ipv6 = self._facts.get("ipv6", False)
        canary = _container_canary.ContainerCanary(canaries, self._free, ipv6, self._wanted.host_loopback, self._interrupts.held)
        if self._python is None:
            canary.errors.append(("image", "the host has no Python 3 below /usr that a container could run"))
        published = canary.put_up(lambda: self._task(_inside.BRIDGE), lambda: self._task(_inside.HOST_NETWORK), control)
        self._start_errors += canary.errors
        self._containers = canary.running
        self._own_ports |= canary.given_up
        return published

    def _read_containers(self, canaries: Canaries) -> None:
        roles = {_inside.HOST_NETWORK: _container_canary.HOST_ROLE, _inside.BRIDGE: _container_canary.BRIDGE_ROLE}
        for vantage, role in roles.items():
            if vantage in self._views and role in self._containers:
                readings = canaries.result(self._containers[role], self._deadline)
                if readings is not None:
                    self._inside_readings[vantage] = readings

    def outside(self) -> list[dict[str, Any]]:
        """What another machine is to try, as the module port_probe_info takes it: the canaries that are held, and the containers' ports."""
        cells = [c for c in self._cells if c.group in ("canary", "container") and c.port and c.address in self._wanted.addresses]
        # Where nothing must answer, as at IPv6 addresses without IPv6, there is no control, and from elsewhere silence proves nothing.
        provable = {(cell.address, cell.protocol) for cell in cells if cell.expected == ANSWERS}
        return [
            {
                "name": cell.thing,
                "address": cell.address,
                "port": cell.port,
                "protocol": cell.protocol,
                "expected": cell.expected,
                "group": "outside",
                **({"canary": {"nonce": self._nonce, "port": cell.container_port}} if cell.group == "canary" else {}),
            }
            for cell in cells
            if (cell.address, cell.protocol) in provable
        ]

    def _left_behind(self, why: str) -> None:
        self.found.left_behind = "; ".join(each for each in (self.found.left_behind, why) if each)

    def _time_for_removal(self) -> float:
        """Seconds. It has some of its own: it matters most when the run has used up its own. Half of what is left, as a daemon with much to
        do takes its time: the other half is for finding causes."""
        return max(CLEANUP_SECONDS, self._deadline.remaining() / 2)

    def _remove(self) -> None:
        """Remove the canary containers, if there are any."""
        with self._interrupts.held():
            canaries, self._canaries = self._canaries, None
            if canaries is None:
                return
            self._engine.deadline = Deadline(self._time_for_removal())
            try:
                canaries.remove(self._engine.deadline)
            except (HttpError, EngineError) as error:
                self._left_behind(str(error))
            finally:
                self._engine.deadline = self._deadline

    # -- from the host -----------------------------------------------------

    def _host_cells(self, published: list[Published]) -> list[Cell]:
        addresses = [address for address in LOOPBACKS.values() if address in self._host.control_ports or address == LOOPBACKS[4]]
        own = {each.address for each in self._addresses}
        return host_cells(published, addresses + self._wanted.addresses, self._facts.get("ipv6", False), own)

    def _ask_others(self, published: list[Published]) -> None:
        """Ask running containers."""
        cells = self._host_cells(published)
        questions = {index: BareQuestion(cell) for index, cell in enumerate(cells) if cell.port and cell.note != NO_SUCH_ADDRESS}
        self._other_cells = ask(cells, questions, self._deadline, patient=self._may_still_end)

    def _may_still_end(self, seconds: float) -> bool:
        return seconds < self._silence

    def _ask_expectations(self) -> None:
        """What the operator expects. In the main thread: there a signal ends the search of a pattern that goes on for ever."""
        wanted = [each for each in self._wanted.expectations if each.source == HOST]
        cells = [expected_cell(each, vantage_of(each.address)) for each in wanted]
        seen = ask(cells, {index: ExpectationQuestion(each) for index, each in enumerate(wanted)}, self._deadline)
        # An expectation that answers is a control, too: where there is no canary, as at an address of a router, it is the only one.
        self._answered |= {(c.address, c.protocol) for c in seen if c.expected == ANSWERS and c.outcome == ANSWERED}
        self._other_cells += seen

    def _ask_canaries(self, published: list[Published]) -> None:
        controls = self._host.cells()
        cells = self._host_cells(published) + controls
        questions = {i: CanaryQuestion(c, self._nonce, c.container_port) for i, c in enumerate(cells) if c.port}
        wanted = {i: question for i, question in questions.items() if cells[i].expected == ANSWERS}
        seen = ask(cells, wanted, self._deadline)
        self._silence = longer_wait(cell.seconds for cell in seen if cell.outcome == ANSWERED)
        seen = ask(seen, {i: questions[i] for i in questions.keys() - wanted.keys()}, self._deadline)
        self._cells = seen[: len(seen) - len(controls)]
        asked = {(c.address, c.protocol) for c in self._cells if c.expected == ANSWERS}
        # Where no canary has to answer, as over IPv6 without IPv6, a listener of this process shows that the address can be reached.
        self._answered = {
            (c.address, c.protocol)
            for c in seen
            if c.expected == ANSWERS and c.verdict == PASS and (c.group in CANARIES or (c.address, c.protocol) not in asked)
        }

    # -- what the kernel says ----------------------------------------------

    def _mark(self) -> None:
        """See who listens on the ports in question: an answer of somebody else's is a wrong answer, and silence is what it means."""
        ports = {cell.port for cell in self._cells if cell.group != "host_loopback" and cell.port}
        self._listeners = read_listeners()
        holders = port_holders(self._listeners, ports, self._processes, self._account.pw_uid)
        self._facts["holders"] = holders
        by_port: dict[int, list[Holder]] = {}
        for holder in holders:
            by_port.setdefault(holder.port, []).append(holder)
        sound = self._sound()
        implicit = _namespace_canary.is_implicit(self._facts.get("port_driver"))
        for index, cell in enumerate(self._cells):
            if cell.group == "container":
                holder_here = holder_of(by_port.get(cell.port, ()), cell.address, cell.port, cell.protocol)
                self._cells[index] = weigh(cell, holder_here, sound, implicit)
        dead = {cell.port for cell in self._cells if cell.expected == ANSWERS and cell.verdict != PASS}
        connected = frozenset(dead & read_connected_ports()) if dead else frozenset()
        self._facts["connected"] = connected
        # A connection took the ephemeral port between the look and the canary's listener: that is chance, and no property of the daemon.
        first, last = self._facts.get("ephemeral", (32768, 60999))
        taken = {port for port in connected if first <= port <= last}
        lost = ("refused", "silent")
        self._cells = [
            cell
            for cell in self._cells
            if cell.group != "namespace"
            or cell.port not in taken
            or cell.outcome not in lost
            or holder_of(by_port.get(cell.port, ()), cell.address, cell.port, cell.protocol) is not None
        ]

    def _sound(self) -> frozenset[tuple[str, str, str, str]]:
        passed = [c for c in self._cells if c.group in CANARIES and c.verdict == PASS]
        return frozenset((c.expected, c.kind, c.address, c.protocol) for c in passed)

    def _look_for_unpublished(self, published: list[Published]) -> None:
        known = {(entry.port, entry.protocol) for entry in published}
        known.update((port, protocol) for port in {*self._host.control_ports.values(), *self._own_ports} for protocol in ("tcp", "udp"))
        known.update((cell.port, cell.protocol) for cell in self._cells if cell.group != "expectation")
        strangers = Strangers(
            account=self._account,
            engine=self._engine,
            processes=self._processes,
            agent_pid=self._agent.pid if self._agent is not None else None,
            implicit=_namespace_canary.is_implicit(self._facts.get("port_driver")),
            mirrors=self._mirrors(),
            known=frozenset(known),
        )
        cells, doubtful = strangers.wait(self._listeners, self._deadline)
        # Root sees every process; one that it does not see has ended since.
        self._facts["unseen"] = strangers.unseen() if os.geteuid() != 0 else ()
        seen = ask(cells, {index: BareQuestion(cell) for index, cell in enumerate(cells)}, self._deadline)
        self._cells += [replace(cell, control=(cell.address, cell.protocol) in self._answered) for cell in seen] + doubtful

    def _ask_from_namespace(self) -> None:
        """What is expected in RootlessKit's namespace."""
        expected = {str(index): each for index, each in enumerate(self._wanted.expectations) if each.source == NAMESPACE}
        if not expected:
            return
        probes = [[*probe_of(each, key)] for key, each in expected.items()]
        rows = [[*row[:3], row[3].hex(), *row[4:]] for row in probes]
        readings: dict[str, Any] = {}
        view = self._views[_inside.NAMESPACE]
        try:
            if not self._wanted.host_loopback and self._agent is not None:
                # Nothing was tried there so far: the controls by themselves.
                controls = {**view.task(min(PATIENCE, self._deadline.remaining()), 0.0), "probes": []}
                self._inside_readings[_inside.NAMESPACE] = self._agent.run_task(controls, self._deadline)
            readings = self._probe_inside(rows)
        except AgentError as error:
            self._note_agent_error(error)
        cells: list[Cell] = []
        loopback = view.answered(self._inside_readings.get(_inside.NAMESPACE, {}))
        for key, expectation in expected.items():
            cell = expected_cell(expectation, _inside.NAMESPACE)
            reading = _inside.reading_of(readings.get(key))
            if reading is not None and not untried(reading, expectation.wait):
                outcome, proof, note = judge_reading(expectation, reading)
                cell = replace(cell, outcome=outcome, proof=proof, note=note, seconds=round(reading.seconds, 4))
            cells.append(cell)
        # The control of silence is something that answered at the same address over the same protocol.
        answered = loopback | {(c.address, c.protocol) for c in cells if c.expected == ANSWERS and c.outcome == ANSWERED}
        self._cells += [replace(c, control=(c.address, c.protocol) in answered) for c in cells]

    def _probe_inside(self, rows: list[list[Any]]) -> dict[str, Any]:
        """Try these from RootlessKit's namespace, some at a time: an answer of the canary there has a limit.

        :raises AgentError: there is no usable answer.
        """
        readings: dict[str, Any] = {}
        for begin in range(0, len(rows) if self._agent is not None else 0, BATCH):
            task = {**_container_canary.NO_PROBES, "probes": rows[begin : begin + BATCH], "patience": self._deadline.remaining()}
            readings.update(self._agent.run_task(task, self._deadline))
        return readings

    def _list_reachable_services(self) -> None:
        """Where the canary on the host's loopback was read from inside: what else there can be, over TCP."""
        leaks = [c for c in self._cells if c.group == "host_loopback" and c.outcome == ANSWERED and c.protocol == TCP]
        # With a detached network namespace a container with --net=host is in the host's own: what listens there, it reaches.
        own = [c.address for c in leaks if c.vantage == _inside.HOST_NETWORK and self._facts.get("detached_netns")]
        tried = [c.address for c in leaks if c.vantage == _inside.NAMESPACE and self._agent is not None]
        if not own and not tried:
            return
        ours = self._processes.pids
        mine = set(self._host.control_ports.values())
        on_loopback = [
            listener
            for listener in self._listeners
            if listener.protocol == TCP and listener.address in ("127.0.0.1", "::1", "0.0.0.0", "::") and listener.port not in mine
        ]
        holders = [
            holder
            for holder in port_holders(on_loopback, {each.port for each in on_loopback}, self._processes, self._account.pw_uid)
            if holder.pid not in ours
        ]
        ports = sorted({holder.port for holder in holders})[:MAX_SERVICES]
        asked = {f"{port} {address}": (port, address) for port in ports for address in tried}
        probes = [[key, address, port, "", 0, _inside.PROBE_WAIT, TCP] for key, (port, address) in asked.items()]
        readings: dict[str, Any] = {}
        with contextlib.suppress(AgentError):
            readings = self._probe_inside(probes)
        answered = [place for key, place in asked.items() if is_open(readings.get(key))]
        self._facts["services"] = services_at([(port, address) for port in ports for address in own], holders, exact=True) + services_at(
            answered, holders
        )

    # -- evidence ----------------------------------------------------------

    def _conclude(self) -> tuple[list[Cell], Evidence]:
        unsound = not self._cells or any(cell.verdict != PASS for cell in self._cells)
        if unsound and not self._deadline.expired():
            path, argv = self._facts.get("pasta_path"), self._facts.get("pasta_argv", ())
            self._facts["unit_state"] = unit_state(self._account, self._deadline)
            self._facts.update(pasta_facts(path, argv, self._account, self._deadline))
        self._facts.pop("gateway", None)
        namespace = [c for c in self._cells if c.group == "namespace" and c.expected == ANSWERS]
        evidence = Evidence(
            user=self._account.pw_name,
            uid=self._account.pw_uid,
            start_errors=tuple(self._start_errors),
            out_of_time=self._deadline.expired(),
            sound=self._sound(),
            left_behind=self.found.left_behind,
            namespace_answered=any(c.verdict == PASS for c in namespace) if namespace else None,
            **self._facts,
        )
        return self._cells, evidence


BATCH = 50
"""Probes that the canary in the namespace does at a time: each may bring 4096 bytes."""
MAX_SERVICES = 500
"""Listeners of the host that are tried from inside when its loopback can be reached there."""


def is_open(reading: Any) -> bool:
    """Whether something took the connection, by a reading that came through the user's daemon and may be of whatever form."""
    return isinstance(reading, list) and bool(reading) and reading[0] in ("data", "silent")


def services_at(places: list[tuple[int, str]], holders: list[Holder], exact: bool = False) -> tuple[Service, ...]:
    """The services of the host's loopback at these places; pure.

    :param places: port, and address that it was reached at.
    :param exact: whether that is the address on the host itself, where not every listener of that port gets what is sent there.
    """
    by_port: dict[int, Holder] = {}
    for holder in holders:
        by_port.setdefault(holder.port, holder)
    found = [(holder_of(holders, address, port) if exact else by_port.get(port), address) for port, address in places]
    return tuple(Service(h.address, h.port, h.name, h.pid, h.uid, address) for h, address in found if h is not None)


def expected_cell(expectation: Expectation, vantage: str) -> Cell:
    """An expectation as a cell that was not tried yet."""
    return Cell(
        group=expectation.group,
        thing=expectation.name,
        vantage=vantage,
        address=expectation.address,
        port=expectation.port,
        expected=expectation.expected,
        outcome=None,
        protocol=expectation.protocol,
    )


def weigh(cell: Cell, holder: Holder | None, sound: frozenset[tuple[str, str, str, str]], implicit: bool) -> Cell:
    """A container's cell, in the light of who listens there and of what a canary showed; pure.

    :param holder: who gets what is sent there; None where nobody does.
    :param sound: see C(Evidence).
    :param implicit: whether that is the port driver.
    """
    if holder is not None and holder.ours is False:
        # What was seen at this place is another process's doing, not the container's.
        seen = cell.outcome in (ANSWERED, "silent")
        return replace(cell, outcome=WRONG_ANSWER if seen else cell.outcome, proof=DATA if seen else cell.proof, note=str(holder))
    if holder is None and cell.expected == ANSWERS and cell.proof in (OPEN, DATA):
        # Nobody on this host listens there: what took the connection is a rule of the packet filter, or something beyond it.
        return replace(cell, outcome=WRONG_ANSWER, proof=DATA, note=NOBODY)
    if cell.protocol != UDP or cell.proof != DOUBT:
        return cell
    if cell.expected == ANSWERS:
        # Without a listener the kernel would have refused the datagram, unless something dropped it.
        # Under implicit pasta listens on all addresses, and hands what comes over the loopback to 127.0.0.1 inside.
        told = holder is not None and not (implicit and is_other_loopback(cell.address))
        return replace(cell, proof=LISTENER, note=BY_LISTENER) if told else replace(cell, proof=NOTHING)
    if (MUST_NOT, cell.kind, cell.address, UDP) in sound:
        return replace(cell, proof=LIKE_CANARY, note=BY_CANARY)
    return cell
