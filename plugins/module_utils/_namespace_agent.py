# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The canary in RootlessKit's network namespace: listens there, has its ports published, probes, and takes everything away again.

This file is sent into the namespace and runs there as the user: standard library only. It is told one line of JSON after another
on standard input and answers each with one. When that input ends, also because whoever started it was killed, it removes the ports
that it added and is gone. Its last argument in the process list is C(portside-canary).
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

API_SECONDS = 2.0
NUDGE_SECONDS = 0.05


class _Api(http.client.HTTPConnection):
    """RootlessKit's API, one connection for each request."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=API_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(API_SECONDS)
        self.sock.connect(self._path)


def call(path: str, method: str, target: str, body: Any = None) -> tuple[int, str]:
    """One request; status and text of the answer. Status 0 where there was none, and then why."""
    api = _Api(path)
    try:
        api.request(method, target, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = api.getresponse()
        return answer.status, answer.read(65536).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{path}: {error or type(error).__name__}"
    finally:
        api.close()


def publish(path: str, wanted: list[list[Any]], added: list[int]) -> dict[str, str]:
    """Have RootlessKit publish ports.

    :param wanted: key, and port specification as RootlessKit's API has it, of each.
    :param added: ids of what was added are appended here.
    :returns: by key why it was refused, an empty text where it was not.
    """
    said = {}
    for key, specification in wanted:
        status, text = call(path, "POST", "/v1/ports", specification)
        said[key] = "" if status == 201 else text[:300] or f"status {status}"
        if status == 201:
            try:
                added.append(int(json.loads(text)["id"]))
            except (ValueError, KeyError, TypeError):
                said[key] = "RootlessKit added the port and did not name it"
    return said


def nudge() -> None:
    """Keep pasta awake for as long as this process lives.

    Under the port driver implicit, pasta looks for new listeners when something happens and its last look is a second ago; where nothing
    happens, up to two seconds pass. So it gets an empty datagram to the limited broadcast address, which it does not forward.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            # Connected, because pasta publishes a UDP socket that takes datagrams of anybody.
            handle.connect(("255.255.255.255", 9))
            while True:
                handle.send(b"")
                time.sleep(NUDGE_SECONDS)
        except OSError:
            pass  # no route: then it takes the longer time


def main(task: dict[str, Any], probe: Any, server: Any) -> None:
    """Be the canary.

    :param task: C(nonce), C(lifetime) in seconds, C(listen) (key, address, port, protocol of each), C(publish) (key and specification of
        each), C(api) (path of RootlessKit's socket) and C(nudge) (whether pasta has to find the listeners by itself).
    :param probe: the module C(_probe).
    :param server: the module C(_canary_server).
    """
    added: list[int] = []

    def leave(_number: int = 0, _frame: Any = None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        for number in added:
            call(task["api"], "DELETE", f"/v1/ports/{number}")
        os._exit(0)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, leave)
    signal.setitimer(signal.ITIMER_REAL, task["lifetime"])
    listening, sockets = {}, []
    for key, address, port, protocol in task["listen"]:
        try:
            sockets.append(server.listen(address, port, protocol))
            listening[key] = ""
        except OSError as error:
            listening[key] = error.strerror or str(error)
    server.Server(sockets, task["nonce"], task["lifetime"]).start()
    if task["nudge"]:
        threading.Thread(target=nudge, daemon=True).start()
    try:
        _say({"listening": listening, "published": publish(task["api"], task["publish"], added)})
        for line in sys.stdin:
            _say(probe.run_task(json.loads(line)))
    except (OSError, ValueError):
        pass  # nobody listens any more
    leave()


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
