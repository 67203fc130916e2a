# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP over a user's Unix socket, with a limit on time and on size.

The other end belongs to a user who may make it hang, drip, or answer without end.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._runtime_dir import (
    RUNTIME_ROOT,
    Untrusted,
    connect_runtime_socket,
)

MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of one answer's body; a longer one is an error."""
MAX_AROUND = 1024 * 1024
"""Bytes that headers and the marks between chunks may take besides. Counted where bytes come in: a chunk may claim to be endless."""


class HttpError(Exception):
    """No usable answer.

    :ivar reason: C(absent) (no socket), C(refused) (nobody listens), C(denied), C(untrusted), C(timed_out),
        C(too_large), C(garbled) (no HTTP, no JSON, or cut short).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Answer:
    """Status and body of one answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON.

        :raises HttpError: C(garbled).
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise HttpError("garbled", f"the answer is not JSON ({type(error).__name__})") from error
        except MemoryError as error:
            raise HttpError("too_large", f"an answer of {len(self.body)} bytes of JSON takes more memory than there is") from error


class _Raw(io.RawIOBase):
    """Reads from a socket; each read gets only what is left of the deadline, and all together at most C(limit) bytes."""

    def __init__(self, connection: socket.socket, deadline: Deadline, limit: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        remaining = self._deadline.remaining()
        if remaining <= 0:
            raise socket.timeout("deadline passed")
        self._connection.settimeout(remaining)
        size = self._connection.recv_into(buffer)
        self._left -= size
        if self._left < 0:
            raise HttpError("too_large", "more bytes came than an answer may have")
        return size


class _Socket:
    """The part of a socket that http.client uses, bound to a deadline and a limit on what is read."""

    def __init__(self, connection: socket.socket, deadline: Deadline, limit: int) -> None:
        self._connection = connection
        self._deadline = deadline
        self._limit = limit

    def sendall(self, data: bytes) -> None:
        self._connection.settimeout(max(self._deadline.remaining(), 0.01))
        self._connection.sendall(data)

    def makefile(self, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        return io.BufferedReader(_Raw(self._connection, self._deadline, self._limit))

    def close(self) -> None:
        """http.client closes before the body is read; the connection's owner closes it afterwards."""


class RuntimeHttp:
    """Requests to one socket below /run/user/UID, a fresh connection for each.

    :param uid: the user, who must own the socket and listen on it.
    :param parts: path of the socket below /run/user/UID.
    :param max_answer: most bytes of an answer's body.
    """

    def __init__(self, uid: int, *parts: str, max_answer: int = MAX_ANSWER, root: str = RUNTIME_ROOT) -> None:
        self.path = "/".join((root, str(uid)) + parts)
        self._uid = uid
        self._parts = parts
        self._max = max_answer
        self._root = root

    def request(
        self, method: str, target: str, deadline: Deadline, body: bytes | None = None, content_type: str = "application/json"
    ) -> Answer:
        """Send one request and read its whole answer.

        :raises HttpError: no usable answer; the status is not judged.
        """
        try:
            connection = connect_runtime_socket(self._uid, *self._parts, timeout=deadline.remaining(), root=self._root)
        except FileNotFoundError as error:
            raise HttpError("absent", f"{self.path} does not exist") from error
        except ConnectionRefusedError as error:
            raise HttpError("refused", f"nobody listens on {self.path}") from error
        except Untrusted as error:
            raise HttpError("untrusted", str(error)) from error
        except (socket.timeout, TimeoutError, BlockingIOError) as error:
            raise HttpError("timed_out", f"{self.path} accepted no connection in time") from error
        except OSError as error:
            raise HttpError("denied", f"{self.path}: {error.strerror}") from error
        try:
            return self._exchange(connection, method, target, deadline, body, content_type)
        except (socket.timeout, TimeoutError) as error:
            raise HttpError("timed_out", f"{self.path} gave no answer to {method} {target.partition('?')[0]} in time") from error
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise HttpError("garbled", f"{self.path} broke off or is no HTTP ({type(error).__name__})") from error
        finally:
            connection.close()

    def _exchange(
        self, connection: socket.socket, method: str, target: str, deadline: Deadline, body: bytes | None, content_type: str
    ) -> Answer:
        client = http.client.HTTPConnection("localhost")
        client.sock = _Socket(connection, deadline, self._max + MAX_AROUND)
        headers = {"Connection": "close"}
        if body is not None:
            headers["Content-Type"] = content_type
        client.request(method, target, body=body, headers=headers)
        response = client.getresponse()
        data = response.read(self._max + 1)
        if len(data) > self._max:
            raise HttpError("too_large", f"{self.path} answered with more than {self._max} bytes")
        if response.length:
            raise HttpError("garbled", f"{self.path} broke off in the middle of an answer")
        return Answer(response.status, data)
