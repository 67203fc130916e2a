# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known about one user's daemon when a check has ended: plain values, made for the diagnosis."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import parse_version


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

    def __str__(self) -> str:
        process = f"process {self.name} (pid {self.pid}, uid {self.uid})" if self.pid else f"a process of uid {self.uid}"
        return f"{process} listens on {self.address}:{self.port}"


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
    :ivar ephemeral: first and last port of net.ipv4.ip_local_port_range.
    :ivar first_unprivileged: net.ipv4.ip_unprivileged_port_start.
    :ivar holders: listeners on the host's ports that cells are about.
    :ivar canary_answered: what a canary showed to be sound: kind of the host IP published on, and address tried.
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
    ephemeral: tuple[int, int] = (32768, 60999)
    first_unprivileged: int = 1024
    holders: tuple[Holder, ...] = ()
    canary_answered: frozenset[tuple[str, str]] = frozenset()
    namespace_error: str = ""
    out_of_time: bool = False
    left_behind: str = ""

    def as_result(self) -> dict[str, Any]:
        """As a module returns it."""
        result = asdict(self)
        result["pasta_argv"] = list(self.pasta_argv)
        result["ephemeral"] = list(self.ephemeral)
        result["start_errors"] = [{"canary": canary, "text": text} for canary, text in self.start_errors]
        del result["canary_answered"]  # the cells say it
        result["holders"] = list(result["holders"])
        return result

    @property
    def pasta(self) -> str:
        """pasta, as a message names it."""
        return f"pasta (pid {self.pasta_pid})" if self.pasta_pid else "pasta"

    def rootlesskit_older_than(self, version: tuple[int, ...]) -> bool:
        """False also when the version is not known."""
        mine = parse_version(self.rootlesskit_version or "")
        return bool(mine) and mine < version

    def restart(self) -> str:
        """The command that restarts the daemon."""
        return f"systemctl --user --machine={self.user}@ restart docker.service"


def holder_of(holders: tuple[Holder, ...], address: str, port: int) -> Holder | None:
    """Who gets a connection to this address and port: the listener on just that address before one on all."""
    mine = [holder for holder in holders if holder.port == port]
    for wanted in ((address,), ("0.0.0.0",), ("::",)):
        for holder in mine:
            if holder.address in wanted:
                return holder
    return None
