# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run another program without a shell, with a limit on time and output, and with the rights of a chosen user; or talk with one."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline

SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of what is run, and where it is looked for; this process's own PATH plays no part."""

MAX_OUTPUT = 1024 * 1024
"""Bytes of standard output, and again of standard error; a program that writes more is ended."""

MAX_ERROR = 600
"""Characters kept of the end of standard error."""


class Finished(NamedTuple):
    """A program's end.

    :ivar status: exit status, negative for a signal; None when it could not be run or was cut off.
    :ivar output: what it wrote to standard output; bytes that are no UTF-8 are escaped. Empty when it was cut off.
    :ivar error: the end of what it wrote to standard error, or why it could not be run.
    """

    status: int | None
    output: str = ""
    error: str = ""


class _Program(subprocess.Popen):
    """A program with three pipes that leads a session, and so a process group, of its own."""

    def __init__(self, argv: list[str], environment: dict[str, str], become: dict[str, Any]) -> None:
        pipe = subprocess.PIPE
        super().__init__(argv, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, cwd="/", env=environment, start_new_session=True, **become)


def run(
    argv: list[str],
    deadline: Deadline,
    data: bytes = b"",
    uid: int | None = None,
    gid: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run a program to its end, or kill it and its process group at the deadline. Never raises.

    :param data: its standard input.
    :param uid: the user to become; None, or one's own, changes nothing. Given, it also sets XDG_RUNTIME_DIR.
    :param gid: that user's group.
    :param environment: variables besides PATH and LC_ALL; nothing of this process's own environment is passed on.
    """
    try:
        process = _started(argv, uid, gid, environment)
    except NotStarted as error:
        return Finished(None, error=str(error))
    try:
        reason, written = _attend(process, deadline, data)
    finally:
        status = _put_away(process)
    if reason:
        return Finished(None, error=reason)
    output, error = (text.decode("utf-8", "backslashreplace") for text in written)
    return Finished(status, output, error.strip()[-MAX_ERROR:])


class NotStarted(Exception):
    """A program could not be started; the text says why."""


def _started(argv: list[str], uid: int | None, gid: int | None, environment: Mapping[str, str] | None) -> _Program:
    variables = {"PATH": SEARCH_PATH, "LC_ALL": "C"}
    become: dict[str, Any] = {}
    if uid is not None:
        variables["XDG_RUNTIME_DIR"] = f"/run/user/{uid}"
        if uid != os.geteuid():
            become = {"user": uid, "group": gid, "extra_groups": []}
    try:
        return _Program(argv, {**variables, **(environment or {})}, become)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise NotStarted(f"{argv[0]}: {error}") from error


def _put_away(process: _Program) -> int:
    """Kill what is left of a program and its process group; its status."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # It leads a group of its own, which may outlive it.
        os.killpg(process.pid, signal.SIGKILL)
    status = process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    return status


class Conversation:
    """A program that is told one line after another and answers each with one.

    Its standard input ends when this process does, however that ends: so the program can take its leave by itself.

    :raises NotStarted: it could not be started.
    :ivar pid: of the program.
    """

    def __init__(self, argv: list[str], uid: int | None = None, gid: int | None = None) -> None:
        self._process = _started(argv, uid, gid, None)
        self.pid = self._process.pid
        self._read: dict[Any, bytes] = {self._process.stdout: b"", self._process.stderr: b""}
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            os.set_blocking(stream.fileno(), False)

    def say(self, line: bytes, deadline: Deadline) -> None:
        """Send one line. What the program does not take until the deadline is not sent: :meth:`hear` will tell."""
        left = line + b"\n"
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdin, selectors.EVENT_WRITE)
            while left and selector.select(deadline.remaining()) and not deadline.expired():
                left = _feed(self._process.stdin, left)

    def hear(self, deadline: Deadline) -> tuple[bytes | None, str]:
        """The next line of the answer, without its end; or None, and why there is none: the end of what it wrote to standard error, too."""
        stdout = self._process.stdout
        with selectors.DefaultSelector() as selector:
            for stream in self._read:
                selector.register(stream, selectors.EVENT_READ)
            while b"\n" not in self._read[stdout]:
                ready = selector.select(deadline.remaining())
                if not ready or deadline.expired():
                    return None, self._reason("no answer in time")
                for stream in [key.fileobj for key, _mask in ready]:
                    piece = os.read(stream.fileno(), 65536)
                    if not piece:
                        selector.unregister(stream)
                        if stream is stdout:
                            return None, self._reason("it ended")
                    self._read[stream] += piece
                    if len(self._read[stream]) > MAX_OUTPUT:
                        return None, "too much output"
        line, _end, self._read[stdout] = self._read[stdout].partition(b"\n")
        return line, ""

    def _reason(self, otherwise: str) -> str:
        said = self._read[self._process.stderr]
        with contextlib.suppress(OSError):
            said += os.read(self._process.stderr.fileno(), 65536)
        return said.decode("utf-8", "backslashreplace").strip()[-MAX_ERROR:] or otherwise

    def end(self, seconds: float, number: int = 0) -> tuple[int, bytes]:
        """Close its standard input, give it some seconds to take its leave, and kill what is left.

        :param number: a signal that it gets besides, for a program that may be busy with something else than its input.
        :returns: its status, negative for a signal; and what it wrote to standard output that nobody heard, at most 64 KiB of it.
        """
        deadline = Deadline(seconds)
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, number)
        while os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None and not deadline.expired():
            time.sleep(0.005)
        with contextlib.suppress(OSError):
            self._read[self._process.stdout] += os.read(self._process.stdout.fileno(), 65536)
        return _put_away(self._process), self._read[self._process.stdout]


def _attend(process: subprocess.Popen[bytes], deadline: Deadline, data: bytes) -> tuple[str, list[bytes]]:
    """Feed a program and listen to it until it has ended.

    :returns: why it must be cut off, empty when it ended by itself; and what it wrote to standard output and standard error.
    """
    stdin: Any = process.stdin
    written: dict[Any, bytes] = {process.stdout: b"", process.stderr: b""}
    os.set_blocking(stdin.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(stdin, selectors.EVENT_WRITE)
        for stream in written:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(deadline.remaining())
            if not ready or deadline.expired():
                return "not ended in time", []
            for stream in [key.fileobj for key, _mask in ready]:
                if stream is stdin:
                    data = _feed(stdin, data)
                    if not data:
                        selector.unregister(stdin)
                        stdin.close()
                    continue
                piece = os.read(stream.fileno(), 65536)
                if not piece:
                    selector.unregister(stream)
                written[stream] += piece
                if len(written[stream]) > MAX_OUTPUT:
                    return "too much output", []
    # Looked at and not collected: as long as it is a zombie, its number is no other process's when its group is killed.
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if deadline.expired():
            return "not ended in time", []
        time.sleep(0.005)
    return "", list(written.values())


def _feed(stdin: Any, data: bytes) -> bytes:
    """Write what the pipe takes; what is left, nothing when the program does not want it."""
    try:
        return data[os.write(stdin.fileno(), data) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return b""
