# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listeners of the check on the host: on its loopback, for the tries from inside; and for controls, on its IPv6 addresses."""

from __future__ import annotations

import socket

from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary_server
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary import FreePorts
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import ANSWERS, Cell
from ansible_collections.portside.rootless_docker.plugins.module_utils._published import vantage_of

LOOPBACKS = {4: "127.0.0.1", 6: "::1"}
ATTEMPTS = 5
"""Ports that are tried for an address before it counts as one on which nothing can listen."""


class HostCanary:
    """They listen from the moment they are made until they are stopped, or the time is over.

    Not on a port that the kernel chooses: a passt of 2026_05_07 or later leaves out the ephemeral range also when it mirrors the
    host's listeners into the namespace, so a leak would not show there.

    :param addresses: of the host, besides its loopback; of these only IPv6 gets a listener.
    :param seconds: how long they live at most.
    :ivar loopback_ports: the port on the loopback of each family that the host has.
    :ivar control_ports: the port on each address.
    """

    def __init__(self, free: FreePorts, addresses: list[str], nonce: str, seconds: float) -> None:
        self._free = free
        self._sockets: list[socket.socket] = []
        self.loopback_ports: dict[int, int] = {}
        self.control_ports: dict[str, int] = {}
        for family, address in LOOPBACKS.items():
            port = self._listen(address)
            if port:
                self.loopback_ports[family] = self.control_ports[address] = port
        # They share a port where they can: a host may have hundreds.
        shared = None
        for address in addresses:
            port = self._listen(address, shared) if ":" in address else None
            if port:
                self.control_ports[address] = shared = port
        self._server = _canary_server.Server(self._sockets, nonce, seconds)
        self._server.start()

    def stop(self) -> None:
        """Close them."""
        self._server.stop()

    def cells(self) -> list[Cell]:
        """The controls, as cells that were not tried yet."""
        return [
            Cell("control", "control", vantage_of(address), address, port, ANSWERS, None, container_port=port, protocol=protocol)
            for address, port in self.control_ports.items()
            for protocol in ("tcp", "udp")
        ]

    def _listen(self, address: str, first: int | None = None) -> int | None:
        """Listen on a free port over TCP and UDP; None where this host has no such address.

        :param first: a port that is tried before new ones.
        :raises NoFreePort: there is none left.
        """
        try:
            _canary_server.listen(address, 0, "udp").close()
        except OSError:
            return None
        for attempt in range(ATTEMPTS):
            port = first if first and not attempt else self._free.take(1)[0]
            pair = []
            try:
                for protocol in ("tcp", "udp"):
                    pair.append(_canary_server.listen(address, port, protocol))
            except OSError:
                for handle in pair:
                    handle.close()
                continue
            self._sockets += pair
            return port
        return None
