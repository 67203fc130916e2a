# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The canary in RootlessKit's network namespace: listens there, has its ports published, probes, and takes everything away again.

This file is sent into the namespace and runs there as the user: standard library only. It is told one line of JSON after another
on standard input and answers each with one. When that input ends, also because whoever started it was killed, or a signal asks it to end,
it removes the ports that it added, says whether that went well, and is gone. Its last argument in the process list is C(portside-canary).
"""

from __future__ import annotations

import contextlib
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
LEFT = 75
"""Exit status where something may still be published."""


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


class Ports:
    """What RootlessKit publishes for this canary.

    :param path: of RootlessKit's socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._added: list[int] = []
        self._unanswered: list[dict[str, Any]] = []

    def publish(self, wanted: list[list[Any]]) -> dict[str, str]:
        """Have them published.

        :param wanted: key, and port specification as RootlessKit's API has it, of each.
        :returns: by key why it was refused, an empty text where it was not.
        """
        said = {}
        for key, specification in wanted:
            # Before it is asked: a signal may come at any time, and RootlessKit may do later what it gave no answer to.
            self._unanswered.append(specification)
            status, text = call(self._path, "POST", "/v1/ports", specification)
            said[key] = "" if status == 201 else text[:300] or f"status {status}"
            number = _number(text) if status == 201 else None
            if status == 201 and number is None:
                said[key] = "RootlessKit added the port and did not name it"
                continue
            if number is not None:
                self._added.append(number)
            if status:
                self._unanswered.remove(specification)
        return said

    def withdraw(self) -> str:
        """Take them away; why one of them may still be there, empty when none is."""
        trouble = ""
        if self._unanswered:
            status, text = call(self._path, "GET", "/v1/ports")
            found = matching(text, self._unanswered) if status == 200 else None
            if found is None:
                trouble = text[:300] or f"status {status}"
            self._added += [number for number in found or [] if number not in self._added]
        for number in self._added:
            status, text = call(self._path, "DELETE", f"/v1/ports/{number}")
            if not 200 <= status < 300:
                trouble = text[:300] or f"status {status}"
        return trouble


def _number(text: str) -> int | None:
    """The id of a port, of RootlessKit's answer."""
    try:
        return int(json.loads(text)["id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def matching(text: str, specifications: list[dict[str, Any]]) -> list[int] | None:
    """Ids of the ports with these specifications in RootlessKit's list of all; None when it is no such list. Pure."""
    try:
        listed = [(int(entry["id"]), entry["spec"]) for entry in json.loads(text)]
        return [number for number, spec in listed if any(all(spec.get(k) == v for k, v in each.items()) for each in specifications)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


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
    ports = Ports(task["api"])

    def leave(_number: int = 0, _frame: Any = None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        trouble = ports.withdraw()
        with contextlib.suppress(OSError):
            # Not through the buffer: the signal may have come while that was being written.
            os.write(sys.stdout.fileno(), json.dumps({"left": trouble}).encode() + b"\n")
        # The status says it, too: the line may be taken by a thread of the module's that waits for another answer.
        os._exit(LEFT if trouble else 0)

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
        _say({"listening": listening, "published": ports.publish(task["publish"])})
        for line in sys.stdin:
            _say(probe.run_task(json.loads(line)))
    except (OSError, ValueError):
        pass  # nobody listens any more
    except BaseException:
        sys.excepthook(*sys.exc_info())
    leave()


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
