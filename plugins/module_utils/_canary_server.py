# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The canary's server: proves who answers, and to which question.

It sends nothing until it has got a challenge, and then a digest of the run's nonce, that challenge,
its own port and the protocol. So a recorded answer, another run's canary, a proxy or a port mapped to the wrong
place cannot pass for it. This file is also sent into the canary containers: standard library only.
"""

from __future__ import annotations

import hmac
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from typing import Any, Callable

CHALLENGE = 32
"""Bytes of a challenge."""

ANSWER = 64
"""Bytes of an answer."""

MAX_CLIENTS = 64
CLIENT_SECONDS = 3.0


ANY = "*"
"""Listens on all addresses, IPv6 included where there is any."""


def answer(nonce: str, challenge: bytes, port: int, protocol: str = "tcp") -> bytes:
    """What a canary on C(port) answers to a challenge."""
    return hmac.new(nonce.encode(), challenge + f":{port}/{protocol}".encode(), "sha256").hexdigest().encode()


def listen(address: str, port: int, protocol: str = "tcp") -> socket.socket:
    """A socket that listens; port 0 lets the kernel choose. An IPv6 address is for IPv6 only, C(*) for both."""
    if address == ANY:
        try:
            return _bound("::", port, protocol, False)
        except OSError:
            return _bound("0.0.0.0", port, protocol, False)
    return _bound(address, port, protocol, True)


def _bound(address: str, port: int, protocol: str, only6: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    handle = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only6)
        if kind == socket.SOCK_STREAM:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        handle.bind((address, port))
        if kind == socket.SOCK_STREAM:
            handle.listen(MAX_CLIENTS)
    except OSError:
        handle.close()
        raise
    return handle


class Server:
    """Serves challenges on some listeners until stopped.

    :param listeners: it closes them in the end.
    :param seconds: after which it stops by itself.
    """

    def __init__(self, listeners: list[socket.socket], nonce: str, seconds: float) -> None:
        self._listeners = listeners
        self._nonce = nonce
        self._end = time.monotonic() + seconds
        self._stop = threading.Event()
        self._clients: dict[socket.socket, tuple[float, bytes]] = {}

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.serve, name="canary", daemon=True).start()

    def stop(self) -> None:
        """End within a tenth of a second."""
        self._stop.set()

    def serve(self) -> None:
        """Serve in this thread."""
        with selectors.DefaultSelector() as selector:
            for handle in self._listeners:
                selector.register(handle, selectors.EVENT_READ)
            while not self._stop.is_set() and time.monotonic() < self._end:
                for key, _mask in selector.select(0.1):
                    if key.fileobj not in self._listeners:
                        self._read(selector, key.fileobj)
                    elif key.fileobj.type == socket.SOCK_DGRAM:
                        self._reply(key.fileobj)
                    else:
                        self._accept(selector, key.fileobj)
                now = time.monotonic()
                for client in [c for c, (until, _data) in self._clients.items() if now > until]:
                    self._drop(selector, client)
            for handle in self._listeners + list(self._clients):
                handle.close()

    def _accept(self, selector: selectors.BaseSelector, listener: Any) -> None:
        try:
            client, _peer = listener.accept()
        except OSError:
            return
        if len(self._clients) >= MAX_CLIENTS:
            client.close()
            return
        client.setblocking(False)
        self._clients[client] = (time.monotonic() + CLIENT_SECONDS, b"")
        selector.register(client, selectors.EVENT_READ)

    def _reply(self, handle: Any) -> None:
        try:
            data, peer = handle.recvfrom(CHALLENGE + 1)
            if len(data) == CHALLENGE:
                handle.sendto(answer(self._nonce, data, handle.getsockname()[1], "udp"), peer)
        except OSError:
            pass  # an ICMP message about an earlier answer, or the peer is gone

    def _read(self, selector: selectors.BaseSelector, client: Any) -> None:
        until, data = self._clients[client]
        try:
            piece = client.recv(CHALLENGE - len(data))
            data += piece
            if piece and len(data) < CHALLENGE:
                self._clients[client] = (until, data)
                return
            if piece:
                client.send(answer(self._nonce, data, client.getsockname()[1]))
        except BlockingIOError:
            return
        except OSError:
            pass
        self._drop(selector, client)

    def _drop(self, selector: selectors.BaseSelector, client: socket.socket) -> None:
        selector.unregister(client)
        del self._clients[client]
        client.close()


def main(task: dict[str, Any], run_task: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Be a canary container: listen, do the inside probes, print their result as one line, serve until the time is over.

    :param task: C(nonce), C(listen) (address, port and protocol of each), C(lifetime) in seconds, and what C(run_task) takes.
    """

    def leave(_number: int, _frame: Any) -> None:
        os._exit(0)

    # The first process of a container ignores signals that it has no handler for.
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGALRM, leave)
    signal.setitimer(signal.ITIMER_REAL, task["lifetime"])
    server = Server([listen(*place) for place in task["listen"]], task["nonce"], task["lifetime"])
    server.start()
    sys.stdout.write(json.dumps(run_task(task)) + "\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)
