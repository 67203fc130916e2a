# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known about one user's daemon when a check has ended: plain values, made for the diagnosis."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean, parse_version


@dataclass(frozen=True)
class Holder:
    """Who listens on a port of the host.

    :ivar ours: whether it belongs to this user's daemon; None when that cannot be seen.
    """

    address: str
    port: int
    uid: int
    pid: int | None
    name: str
    ours: bool | None
    protocol: str = "tcp"

    def __str__(self) -> str:
        process = f"process {self.name} (pid {self.pid}, uid {self.uid})" if self.pid else f"a process of uid {self.uid}"
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{process} listens on {address}:{self.port}" + ("" if self.protocol == "tcp" else f"/{self.protocol}")


@dataclass(frozen=True)
class Service:
    """A service of the host's loopback that can be reached from inside: RootlessKit's namespace, or a container with --net=host.

    :ivar through: address that it was reached at, from there.
    """

    address: str
    port: int
    process: str
    pid: int | None
    uid: int
    through: str

    def __str__(self) -> str:
        process = f"{self.process} (pid {self.pid})" if self.pid else f"a process of uid {self.uid}"
        return f"{process} on port {self.port}"


@dataclass(frozen=True)
class Evidence:
    """What is known about one user's daemon; None is not known.

    :ivar engine_error: why the Engine gave no usable answer, as C(HttpError.reason); None when it did.
    :ivar start_errors: what the Engine said when a canary could not be put up: (canary, text).
    :ivar rootlesskit_version: of the process that runs.
    :ivar port_driver: in effect, C(implicit) by name.
    :ivar pasta_argv: of the pasta that runs; empty when none does.
    :ivar pasta_has_flag: whether the binary of that pasta knows --host-lo-to-ns-lo.
    :ivar pasta_skips_ephemeral: whether that binary's C(-t auto) leaves out the host's ephemeral range (passt 2026_05_07 and later).
    :ivar processes_hidden: whether a pasta that runs would not be seen.
    :ivar unseen: listeners of the user's on the host of which nothing tells whether they are the daemon's, in words.
    :ivar ephemeral: first and last port of net.ipv4.ip_local_port_range.
    :ivar first_unprivileged: net.ipv4.ip_unprivileged_port_start.
    :ivar holders: listeners on the host's ports that cells are about.
    :ivar sound: what a canary showed to be as it must: whether it is published there (V(answers) or V(must_not)), kind of the host IP
        published on, address tried, protocol.
    :ivar host_loopback_disabled: whether RootlessKit was told --disable-host-loopback.
    :ivar ipv6: whether RootlessKit was given IPv6.
    :ivar network: of RootlessKit's namespace, such as V(10.0.2.0/24).
    :ivar collisions: the host's own networks that overlap with that one.
    :ivar stale: programs of the daemon that run although something else is installed, a sentence each.
    :ivar connected: ports of dead cells that a connection of the host uses at its end.
    :ivar namespace_answered: whether a canary in RootlessKit's namespace answered; None when there was none.
    :ivar publish_errors: what RootlessKit said when it did not publish a canary's port: (port, text).
    :ivar services: of the host's loopback that can be reached from inside.
    :ivar failed_starts: containers that were created and did not start because of a port: (container, text).
    :ivar namespace_error: why RootlessKit's namespace could not be entered.
    :ivar out_of_time: whether the deadline came before everything was tried.
    :ivar left_behind: why something of the canaries may still be there; the next run sweeps it.
    """

    user: str
    uid: int = -1
    unit_state: str | None = None
    engine_version: str | None = None
    engine_api: str | None = None
    engine_error: str | None = None
    engine_message: str = ""
    start_errors: tuple[tuple[str, str], ...] = ()
    rootlesskit_version: str | None = None
    rootlesskit_pid: int | None = None
    network_driver: str | None = None
    port_driver: str | None = None
    detached_netns: bool | None = None
    child_pid: int | None = None
    pasta_pid: int | None = None
    pasta_path: str | None = None
    pasta_argv: tuple[str, ...] = ()
    pasta_has_flag: bool | None = None
    pasta_skips_ephemeral: bool | None = None
    processes_hidden: bool = False
    unseen: tuple[str, ...] = ()
    ephemeral: tuple[int, int] = (32768, 60999)
    first_unprivileged: int = 1024
    holders: tuple[Holder, ...] = ()
    sound: frozenset[tuple[str, str, str, str]] = frozenset()
    host_loopback_disabled: bool | None = None
    ipv6: bool = False
    network: str | None = None
    collisions: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    connected: frozenset[int] = frozenset()
    namespace_answered: bool | None = None
    publish_errors: tuple[tuple[str, str], ...] = ()
    services: tuple[Service, ...] = ()
    failed_starts: tuple[tuple[str, str], ...] = ()
    namespace_error: str = ""
    out_of_time: bool = False
    left_behind: str = ""

    def as_result(self) -> dict[str, Any]:
        """As a module returns it."""
        result = {name: clean(value, 600) if isinstance(value, str) else value for name, value in asdict(self).items()}
        result["pasta_argv"] = list(self.pasta_argv)
        result["ephemeral"] = list(self.ephemeral)
        result["start_errors"] = [{"canary": canary, "text": text} for canary, text in self.start_errors]
        result["publish_errors"] = [{"port": port, "text": clean(text, 300)} for port, text in self.publish_errors]
        result["failed_starts"] = [{"container": container, "text": text} for container, text in self.failed_starts]
        result["connected"] = sorted(self.connected)
        del result["sound"]  # the cells say it
        for name in ("holders", "collisions", "stale", "services", "unseen"):
            result[name] = list(result[name])
        return result

    @property
    def pasta(self) -> str:
        """pasta, as a message names it."""
        return f"pasta (pid {self.pasta_pid})" if self.pasta_pid else "pasta"

    @functools.cached_property
    def _holders_by_port(self) -> dict[int, list[Holder]]:
        found: dict[int, list[Holder]] = {}
        for holder in self.holders:
            found.setdefault(holder.port, []).append(holder)
        return found

    def holder(self, address: str, port: int, protocol: str) -> Holder | None:
        """Who gets what is sent to this address and port of the host."""
        return holder_of(self._holders_by_port.get(port, ()), address, port, protocol)

    def holder_of_any(self, port: int, protocol: str) -> Holder | None:
        """Who listens on this port at whatever address."""
        return next((holder for holder in self._holders_by_port.get(port, ()) if holder.protocol == protocol), None)

    def rootlesskit_older_than(self, version: tuple[int, ...]) -> bool:
        """False also when the version is not known."""
        mine = parse_version(self.rootlesskit_version or "")
        return bool(mine) and mine < version

    @property
    def namespace(self) -> str:
        """Path of RootlessKit's network namespace, as root enters it."""
        if self.detached_netns:
            return f"/proc/{self.child_pid}/root/run/user/{self.uid}/dockerd-rootless/netns"
        return f"/proc/{self.child_pid}/ns/net"

    def restart(self) -> str:
        """The command that restarts the daemon."""
        return f"systemctl --user --machine={self.user}@ restart docker.service"


def holder_of(holders: Iterable[Holder], address: str, port: int, protocol: str = "tcp") -> Holder | None:
    """Who gets what is sent to this address and port: the listener on just that address before one on all."""
    mine = [holder for holder in holders if holder.port == port and holder.protocol == protocol]
    for wanted in (address, "::") if ":" in address else (address, "0.0.0.0", "::"):
        for holder in mine:
            if holder.address == wanted:
                return holder
    return None
