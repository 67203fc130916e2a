# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Unix socket that misbehaves. Usage: hostile_socket.py BEHAVIOUR PATH [OWNER_UID [LISTENER_UID]]

OWNER_UID owns the socket, LISTENER_UID is who listens on it for the kernel (SO_PEERCRED); both are this process's without an argument.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time

PORTS = range(40000, 50000)
# What a name may not have, were it the Engine that says it.
NAME = "/\x1b[2J\x1b]0;owned\x07host\nile\u202e"


def head_of(connection: socket.socket) -> bytes:
    """What came of a request, up to the end of its headers at least."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return data


def answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole HTTP answer."""
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def hangs(connection: socket.socket) -> None:
    """Says nothing for ever."""
    time.sleep(3600)


def drips(connection: socket.socket) -> None:
    """One byte every 0.2 s."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b" " * 100000:
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


def floods(connection: socket.socket) -> None:
    """A gigabyte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n[")
    for _each in range(1024):
        connection.sendall(b"{},     " * 131072)


def floods_headers(connection: socket.socket) -> None:
    """A gigabyte before any body."""
    for _each in range(16384):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 2622)


def garbage(connection: socket.socket) -> None:
    """Bytes without a meaning."""
    connection.sendall(os.urandom(65536))


def closes(connection: socket.socket) -> None:
    """Nothing at all."""


def swells(connection: socket.socket) -> None:
    """As much JSON as is read, of the kind that takes most memory."""
    connection.sendall(answer(b"[" + b"[]," * 2_700_000 + b"[]]"))


def nests(connection: socket.socket) -> None:
    """JSON that is deeper than a stack."""
    connection.sendall(answer(b"[" * 1_000_000))


def refuses(connection: socket.socket) -> None:
    """An error whose text would write to the reader's terminal."""
    connection.sendall(answer(json.dumps({"message": NAME * 10000}).encode(), b"500 No"))


def lists_ports(connection: socket.socket) -> None:
    """The user's real Engine, but for one container more in its list, with ten thousand ports and a name that no Engine gives."""
    request = head_of(connection)
    with socket.socket(socket.AF_UNIX) as real:
        real.connect(sys.argv[2] + ".real")
        real.sendall(request)
        if b"/containers/json" not in request.partition(b"\r\n")[0]:
            threading.Thread(target=pump, args=[connection, real], daemon=True).start()
            pump(real, connection)
            return
        data = b""
        while piece := real.recv(65536):
            data += piece
    head, _end, body = data.partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        body = b"".join(body.split(b"\r\n")[1:-2:2])
    ports = [{"IP": "0.0.0.0", "PrivatePort": port, "PublicPort": port, "Type": "tcp"} for port in PORTS]
    more = {"Id": "f" * 64, "Names": [NAME], "Labels": {f"{n}": "x" * 100 for n in range(1000)}, "Ports": ports, "State": "running"}
    connection.sendall(answer(json.dumps([*json.loads(body), more]).encode()))


def passed_on(connection: socket.socket) -> tuple[bytes, bytes]:
    """A request, and what the real other end answered to it, which ends the connection after it."""
    request = head_of(connection)
    head, _end, body = request.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    with socket.socket(socket.AF_UNIX) as real:
        real.connect(sys.argv[2] + ".real")
        real.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
        data = b""
        while piece := real.recv(65536):
            data += piece
    return head, data


def delays(connection: socket.socket) -> None:
    """The real other end, and every answer comes late."""
    _request, data = passed_on(connection)
    time.sleep(0.7)
    connection.sendall(data)


def swallows(connection: socket.socket) -> None:
    """The real other end, but that nobody learns what became of a POST."""
    request, data = passed_on(connection)
    if request.startswith(b"POST"):
        time.sleep(3600)
    connection.sendall(data)


def pump(source: socket.socket, target: socket.socket) -> None:
    """Carry bytes one way until they end."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


BEHAVIOURS = {
    each.__name__: each
    for each in (hangs, drips, floods, floods_headers, garbage, closes, swells, nests, refuses, lists_ports, delays, swallows)
}


def serve(behave, connection: socket.socket) -> None:
    """One connection."""
    with connection, contextlib.suppress(OSError):
        if behave not in (lists_ports, delays, swallows):
            connection.recv(65536)
        behave(connection)


def main() -> None:
    """Bind, become who is to listen, and misbehave."""
    behaviour, path, *uids = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        if uids:
            os.chown(path, int(uids[0]), -1)
        if len(uids) > 1:
            os.setresuid(int(uids[1]), int(uids[1]), int(uids[1]))
        if behaviour == "never_accepts":
            listener.listen(0)
            time.sleep(3600)
        listener.listen(64)
        while True:
            connection, _peer = listener.accept()
            threading.Thread(target=serve, args=[BEHAVIOURS[behaviour], connection], daemon=True).start()


if __name__ == "__main__":
    main()
