# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards what nft redirected here to the same port of 127.0.0.1: an open way to ports that are published there only. ADDRESS PORT."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading

SO_ORIGINAL_DST = 80


def copy(source: socket.socket, target: socket.socket) -> None:
    """One direction, until it ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(4096):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def forward(client: socket.socket) -> None:
    """Both directions."""
    port = int.from_bytes(client.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)[2:4], "big")
    with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as service:
        threading.Thread(target=copy, args=(service, client), daemon=True).start()
        copy(client, service)


with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
    while True:
        threading.Thread(target=forward, args=(listener.accept()[0],), daemon=True).start()
