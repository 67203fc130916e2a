# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a running Engine says of itself: version, networks, and the published ports of its containers."""

from __future__ import annotations

import ipaddress
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError, clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._networks import parse_network
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

MAX_PORTS = 4000
"""Published ports that are listed for one user; RV(users.published.count) counts all."""

MAX_NETWORKS = 256
PROTOCOLS = ("tcp", "udp", "sctp")


def _port(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536 else None


def _address(value: Any) -> str:
    """A host address; an empty one stands for all, and so does what is none."""
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def published_ports(containers: Any, limit: int = MAX_PORTS) -> dict[str, Any]:
    """Published ports in the Engine's list of running containers; pure. Entries of another form are skipped.

    :returns: C(count) of all, and C(ports), the first C(limit) of them.
    """
    found: dict[tuple[str, str, int, str, int], None] = {}
    for entry in containers if isinstance(containers, list) else []:
        if not isinstance(entry, dict):
            continue
        names, ports = entry.get("Names"), entry.get("Ports")
        first = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else str(entry.get("Id", ""))[:12]
        name = clean(first.lstrip("/"), 64)
        for item in ports if isinstance(ports, list) else []:
            outer, inner = (_port(item.get("PublicPort")), _port(item.get("PrivatePort"))) if isinstance(item, dict) else (None, None)
            if outer and inner and item.get("Type") in PROTOCOLS:
                found[(name, _address(item.get("IP")), outer, item["Type"], inner)] = None
    names_of = ("container", "host_ip", "host_port", "protocol", "container_port")
    return {"count": len(found), "ports": [dict(zip(names_of, key)) for key in list(found)[:limit]]}


def network_subnets(networks: Any) -> dict[str, list[str]]:
    """The subnets of each of the Engine's networks, by name; pure. Entries of another form are skipped."""
    found: dict[str, list[str]] = {}
    for entry in networks[:MAX_NETWORKS] if isinstance(networks, list) else []:
        if not isinstance(entry, dict):
            continue
        ipam = entry.get("IPAM")
        config = ipam.get("Config") if isinstance(ipam, dict) else None
        parsed = [parse_network(each.get("Subnet")) for each in (config if isinstance(config, list) else [])[:16] if isinstance(each, dict)]
        subnets = [str(network) for network in parsed if network is not None]
        if subnets:
            found[clean(entry.get("Name", ""), 64)] = subnets
    return found


def read_engine(uid: int, deadline: Deadline) -> dict[str, Any]:
    """Ask a user's Engine; C(error) says why there is no answer, and what was not answered is null.

    :returns: C(version), C(api_version), C(error), C(containers), how many run, C(networks) and C(published).
    """
    state: dict[str, Any] = {"version": None, "api_version": None, "error": None, "reason": None, "networks": None, "published": None}
    state["containers"] = None
    engine = Engine(uid, deadline)
    try:
        version = engine.negotiate()
        state.update(version=version["version"] or None, api_version=version["api"] or None)
        containers = engine.containers()
        state["containers"] = len(containers) if isinstance(containers, list) else None
        state["published"] = published_ports(containers)
        state["networks"] = network_subnets(engine.get("/networks", kind=list))
    except HttpError as error:
        state.update(error=clean(error, 300), reason=error.reason)
    except EngineError as error:
        state.update(error=clean(error, 300), reason="garbled")
    return state
