# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""RootlessKit's state directory and API, as its user left them at /run/user/UID/dockerd-rootless."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import whole_number
from ansible_collections.portside.rootless_docker.plugins.module_utils._runtime_dir import RUNTIME_ROOT, read_runtime_file
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError, RuntimeHttp

STATE_DIR = "dockerd-rootless"
MAX_INFO = 256 * 1024
MAX_LIST = 16
"""Entries that are kept of a list in an answer."""


@dataclass(frozen=True)
class Info:
    """What a running RootlessKit says of itself (GET /v1/info); fields that it leaves out are None.

    :ivar version: of the process that runs, not of the file on disk.
    :ivar network_driver: C(pasta), C(slirp4netns), …
    :ivar port_driver: C(pesto), C(builtin), C(slirp4netns); None stands for C(implicit) and C(none), which it does not tell apart.
    :ivar child_ip: its IPv4 address in the namespace.
    :ivar ipv6: True where the network driver has IPv6; None where it has none, and below 3.0.2, which does not say.
    """

    version: str | None
    network_driver: str | None
    port_driver: str | None
    api_version: str | None = None
    child_pid: int | None = None
    child_ip: str | None = None
    dns: tuple[str, ...] = ()
    ipv6: bool | None = None
    protocols: tuple[str, ...] = ()

    def as_result(self) -> dict[str, Any]:
        """As a module returns it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def api_socket(uid: int) -> str:
    """Path of RootlessKit's API."""
    return f"{RUNTIME_ROOT}/{uid}/{STATE_DIR}/api.sock"


def _text(value: Any) -> str | None:
    return clean(value, 60) if isinstance(value, str) and value else None


def _texts(value: Any) -> tuple[str, ...]:
    found = [_text(each) for each in value[:MAX_LIST]] if isinstance(value, list) else []
    return tuple(each for each in found if each is not None)


def parse_info(data: Any) -> Info:
    """The answer to GET /v1/info.

    :raises HttpError: C(garbled) when it is no object.
    """
    if not isinstance(data, dict):
        raise HttpError("garbled", "RootlessKit's answer to /v1/info is no object")
    network = data.get("networkDriver")
    network = network if isinstance(network, dict) else {}
    port = data.get("portDriver")
    port = port if isinstance(port, dict) else {}
    child = data.get("childPID")
    return Info(
        version=_text(data.get("version")),
        network_driver=_text(network.get("driver")),
        port_driver=_text(port.get("driver")),
        api_version=_text(data.get("apiVersion")),
        child_pid=child if isinstance(child, int) and not isinstance(child, bool) and 0 < child < 1 << 31 else None,
        child_ip=_text(network.get("childIP")),
        dns=_texts(network.get("dns")),
        # A field that is false is left out by the versions that have it, and by those that do not know it.
        ipv6=True if network.get("ipv6") is True else None,
        protocols=_texts(port.get("protos")),
    )


def get_info(uid: int, deadline: Deadline, root: str = RUNTIME_ROOT) -> Info:
    """Ask the RootlessKit that runs for a user.

    :raises HttpError: no usable answer.
    """
    http = RuntimeHttp(uid, STATE_DIR, "api.sock", max_answer=MAX_INFO, root=root)
    answer = http.request("GET", "/v1/info", deadline)
    if answer.status != 200:
        raise HttpError("garbled", f"{http.path} answered /v1/info with status {answer.status}")
    return parse_info(answer.json())


def read_child_pid(uid: int, root: str = RUNTIME_ROOT) -> int | None:
    """The pid in STATE/child_pid, None when there is none. The user writes that file: verify before use."""
    try:
        text = read_runtime_file(uid, STATE_DIR, "child_pid", limit=32, root=root)
    except OSError:
        return None
    return whole_number(text.decode("ascii", "replace").strip())


def has_detached_netns(uid: int, root: str = RUNTIME_ROOT) -> bool:
    """Whether RootlessKit keeps its network namespace in STATE/netns (C(--detach-netns))."""
    try:
        read_runtime_file(uid, STATE_DIR, "netns", limit=1, root=root)
    except OSError:
        return False
    return True
