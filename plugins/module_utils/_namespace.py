# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other programs, run with a user's rights, with a limit on time and output; and probes in RootlessKit's network namespace.

What belongs to a user is entered and run as that user, also when this process is root: then nothing
that the user put in the way can be used to reach what is not theirs.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _probe
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary import source_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline

SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
MAX_OUTPUT = 1024 * 1024
# The prober comes by standard input, so that the process list stays readable.
_MAIN = (
    "import json, sys\n"
    "given, names = json.load(sys.stdin), {'__name__': 'probe'}\n"
    "exec(compile(given['source'], 'probe', 'exec'), names)\n"
    "json.dump(names['run_task'](given['task']), sys.stdout)\n"
)


@dataclass(frozen=True)
class Finished:
    """A program's end.

    :ivar status: exit status, negative for a signal; None when it could not be run or was cut off.
    :ivar error: the end of what it wrote to standard error, or why it could not be run.
    """

    status: int | None
    output: bytes = b""
    error: str = ""


def run(argv: list[str], deadline: Deadline, data: bytes = b"", uid: int | None = None, gid: int | None = None) -> Finished:
    """Run a program without a shell, in an environment of its own, and kill it at the deadline.

    :param uid: the user to become; None, or one's own, changes nothing.
    :param gid: that user's group.
    """
    become: dict[str, Any] = {}
    if uid is not None and uid != os.geteuid():
        become = {"user": uid, "group": gid, "extra_groups": []}
    environment = {"PATH": SEARCH_PATH, "LC_ALL": "C"}
    if uid is not None:
        environment["XDG_RUNTIME_DIR"] = f"/run/user/{uid}"
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=environment,
            start_new_session=True,
            **become,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finished(None, error=f"{argv[0]}: {error}")
    try:
        return _collect(process, deadline, data)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # It leads a group of its own, which may outlive it.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None and not stream.closed:
                stream.close()


def _collect(process: subprocess.Popen[bytes], deadline: Deadline, data: bytes) -> Finished:
    stdin: Any = process.stdin
    try:
        # What is sent is far smaller than a pipe holds, so this cannot block.
        stdin.write(data)
        stdin.close()
    except BrokenPipeError:
        pass
    output: dict[Any, bytes] = {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as selector:
        for stream in output:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(deadline.remaining())
            if not ready:
                return Finished(None, error="not ended in time")
            for key, _mask in ready:
                piece = os.read(key.fd, 65536)
                if not piece:
                    selector.unregister(key.fileobj)
                    continue
                output[key.fileobj] += piece
                if len(output[key.fileobj]) > MAX_OUTPUT:
                    return Finished(None, error="too much output")
    while process.poll() is None:
        if deadline.expired():
            return Finished(None, error="not ended in time")
        time.sleep(0.005)
    error = output[process.stderr][-600:].decode("utf-8", "replace").strip()
    return Finished(process.returncode, output[process.stdout], error)


def namespace_argv(child: int, detached: bool, uid: int, command: list[str]) -> list[str]:
    """How a user enters the network namespace of their RootlessKit.

    :param child: pid of RootlessKit's child.
    :param detached: whether RootlessKit runs with --detach-netns; then the child itself stays in the host's namespace.
    """
    netns = f"--net=/proc/{child}/root/run/user/{uid}/dockerd-rootless/netns" if detached else "--net"
    return ["nsenter", "--target", str(child), "--user", "--preserve-credentials", netns, "--"] + command


def probe_in_namespace(
    child: int, detached: bool, uid: int, gid: int, python: str, task: dict[str, Any], deadline: Deadline
) -> tuple[dict[str, list[Any]] | None, str]:
    """Run a task of C(_probe.run_task) in RootlessKit's network namespace.

    :returns: the task's result, and an empty text; or None, and why there is none.
    """
    argv = namespace_argv(child, detached, uid, [python, "-I", "-S", "-c", _MAIN])
    finished = run(argv, deadline, json.dumps({"source": source_of(_probe), "task": task}).encode(), uid, gid)
    if finished.status != 0:
        return None, finished.error or f"nsenter ended with status {finished.status}"
    try:
        result = json.loads(finished.output)
    except ValueError:
        return None, "the prober in the namespace wrote no JSON"
    return (result, "") if isinstance(result, dict) else (None, "the prober in the namespace wrote no object")
