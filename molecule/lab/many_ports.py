# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on many ports at once: many_ports.py FIRST COUNT. It runs in a container of the benchmark, with nothing but Python."""

from __future__ import annotations

import selectors
import socket
import sys

PAGE = b"portside lab page\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(PAGE), PAGE)


def main() -> None:
    """Serve for ever."""
    first, count = map(int, sys.argv[1:])
    with selectors.DefaultSelector() as selector:
        for port in range(first, first + count):
            listener = socket.create_server(("", port))
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ, "listener")
        while True:
            for key, _mask in selector.select():
                try:
                    if key.data == "listener":
                        client, _peer = key.fileobj.accept()
                        selector.register(client, selectors.EVENT_READ, "client")
                        continue
                    if key.fileobj.recv(65536):
                        key.fileobj.sendall(ANSWER)
                except OSError:
                    pass  # the client is gone
                if key.data == "client":
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


if __name__ == "__main__":
    main()
