# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run another program without a shell, with a limit on time and output, and with the rights of a chosen user."""

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
    variables = {"PATH": SEARCH_PATH, "LC_ALL": "C"}
    become: dict[str, Any] = {}
    if uid is not None:
        variables["XDG_RUNTIME_DIR"] = f"/run/user/{uid}"
        if uid != os.geteuid():
            become = {"user": uid, "group": gid, "extra_groups": []}
    try:
        process = _Program(argv, {**variables, **(environment or {})}, become)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Finished(None, error=f"{argv[0]}: {error}")
    try:
        reason, written = _attend(process, deadline, data)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # It leads a group of its own, which may outlive it.
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    if reason:
        return Finished(None, error=reason)
    output, error = (text.decode("utf-8", "backslashreplace") for text in written)
    return Finished(status, output, error.strip()[-MAX_ERROR:])


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
