# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listeners of the daemon on the host that no container published: what else is there to be reached."""

from __future__ import annotations

import contextlib
import pwd
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import MUST_NOT, UDP, Cell
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError
from ansible_collections.portside.rootless_docker.plugins.module_utils._evidence import Holder
from ansible_collections.portside.rootless_docker.plugins.module_utils._gather import port_holders
from ansible_collections.portside.rootless_docker.plugins.module_utils._host_canary import LOOPBACKS
from ansible_collections.portside.rootless_docker.plugins.module_utils._namespace import is_canary
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import (
    DaemonProcesses,
    Listener,
    read_listeners,
    read_process,
    socket_owners,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._published import container_ports, vantage_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

MIRROR_SECONDS = 2.2
"""Seconds after which a pasta that mirrors listeners between the host and the namespace has done so: two of its scans."""
TOO_LATE = "seen too late to tell whether it stays; give the check more time"
PAUSE = 0.2
"""Seconds between two looks."""


@dataclass(frozen=True)
class Strangers:
    """Where to look for them.

    :ivar agent_pid: of the canary in RootlessKit's namespace; None where there is none.
    :ivar implicit: whether pasta publishes what listens in the namespace.
    :ivar mirrors: whether it does the same the other way round, or may do so.
    :ivar known: port and protocol of what a container or this check published.
    """

    account: pwd.struct_passwd
    engine: Engine
    processes: DaemonProcesses
    agent_pid: int | None
    implicit: bool
    mirrors: bool
    known: frozenset[tuple[int, str]]

    def wait(self, listeners: list[Listener], deadline: Deadline) -> tuple[list[Cell], list[Cell]]:
        """Look until those that may still go are gone: pasta lets go of what a container or another check left within two of its scans.

        :param listeners: of the host, as they were last seen.
        :return: cells that are to be tried, and cells of which is in doubt whether they stay.
        """
        since: dict[tuple[int, str], float] = {}
        patience = deadline.within(2 * MIRROR_SECONDS)
        while strangers := self._now(listeners):
            published = self._published_now()
            strangers = tuple(each for each in strangers if (each.port, each.protocol) not in published)
            elapsed = deadline.elapsed()
            since = {(each.port, each.protocol): since.get((each.port, each.protocol), elapsed) for each in strangers}
            stay = [each for each in strangers if elapsed - since[each.port, each.protocol] >= MIRROR_SECONDS]
            if len(stay) == len(strangers) or patience.expired():
                # Where the run itself is at its end, those that may still go are in doubt.
                doubtful = [each for each in strangers if each not in stay] if deadline.remaining() < 0.5 else []
                return [_cell(each) for each in stay], [_cell(each, TOO_LATE) for each in doubtful]
            time.sleep(PAUSE)
            listeners = read_listeners()
        return [], []

    def _now(self, listeners: list[Listener]) -> tuple[Holder, ...]:
        """Listeners on the host that are the daemon's and on none of the known ports.

        Over UDP a network driver has a socket for each conversation of a container, which looks like a listener. One that publishes has
        its counterpart in RootlessKit's namespace, and is there under implicit only. That tells pasta's also where its sockets cannot be
        seen: it hides what it has open from its own user.
        """
        candidates = self._candidates(listeners)
        inside = self._inside() if candidates else set()
        wanted = [each for each in candidates if each.protocol != UDP or (each.port, UDP) in inside]
        holders = port_holders(wanted, {each.port for each in wanted}, self.processes, self.account.pw_uid)
        ours = of_the_daemon(holders, inside if self._tells else set())
        accounted = self._accounted_ports({holder.port for holder in ours})
        return tuple(holder for holder in ours if holder.port not in accounted)

    def _candidates(self, listeners: list[Listener]) -> list[Listener]:
        """Those of the user's on none of the known ports."""
        return [each for each in listeners if each.uid == self.account.pw_uid and (each.port, each.protocol) not in self.known]

    def _inside(self) -> set[tuple[int, str]]:
        """Port and protocol of what pasta publishes because it listens in RootlessKit's namespace."""
        if self.agent_pid is None or not self.implicit:
            return set()
        return {(listener.port, listener.protocol) for listener in read_listeners(self.agent_pid)}

    @property
    def _tells(self) -> bool:
        """Whether what listens in the namespace tells which of the host's listeners are pasta's.

        Where pasta mirrors, what any process of the host listens on is there, too.
        """
        return self.agent_pid is not None and self.implicit and not self.mirrors

    def unseen(self) -> tuple[str, ...]:
        """TCP listeners on the host of which nothing tells whether they are the daemon's: of this user, who may not see who has them."""
        if self._tells:
            return ()
        candidates = [each for each in self._candidates(read_listeners()) if each.protocol != UDP]
        holders = port_holders(candidates, {each.port for each in candidates}, self.processes, self.account.pw_uid)
        unseen = [each for each in holders if each.ours is None]
        published = self._published_now() if unseen else set()
        return tuple(f"{each.address}:{each.port}" for each in unseen if (each.port, each.protocol) not in published)

    def _published_now(self) -> set[tuple[int, str]]:
        """What a container publishes by now was perhaps not published when the run began."""
        with contextlib.suppress(HttpError, EngineError):
            return {(entry.port, entry.protocol) for entry in container_ports(self.engine.containers())[0]}
        return set()

    def _accounted_ports(self, ports: set[int]) -> set[int]:
        """Those on which a proxy of the Engine listens in RootlessKit's namespace, for a container that comes or goes, or a canary: another
        check of this daemon may be under way."""
        if not ports or self.agent_pid is None:
            return set()
        inside = {listener.inode: listener.port for listener in read_listeners(self.agent_pid) if listener.port in ports}
        processes = {inode: read_process(pid) for inode, pid in socket_owners(set(inside)).items()}
        engine = self.processes.dockerd.pid if self.processes.dockerd is not None else None
        return {
            inside[inode]
            for inode, process in processes.items()
            if process is not None and (process.ppid == engine or is_canary(process.argv))
        }


def of_the_daemon(holders: Iterable[Holder], inside: Collection[tuple[int, str]]) -> list[Holder]:
    """Those that are the daemon's; pure.

    :param inside: port and protocol of what tells that a listener is pasta's where its process cannot be seen.
    """
    return [each for each in holders if each.ours or (each.ours is None and (each.port, each.protocol) in inside)]


def _cell(holder: Holder, note: str = "") -> Cell:
    """A listener that no container published, as a cell that was not tried yet."""
    address = {"0.0.0.0": LOOPBACKS[4], "::": LOOPBACKS[6]}.get(holder.address, holder.address)
    return Cell(
        group="listener",
        thing=f"{holder.address}:{holder.port} {holder.name}".rstrip(),
        vantage=vantage_of(address),
        address=address,
        port=holder.port,
        expected=MUST_NOT,
        outcome=None,
        host_ip=holder.address,
        protocol=holder.protocol,
        note=note,
    )
