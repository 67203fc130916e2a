# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Probes in RootlessKit's network namespace.

What belongs to a user is entered and run as that user, also when this process is root: then nothing
that the user put in the way can be used to reach what is not theirs.
"""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _probe
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary import source_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run

# The prober comes by standard input, so that the process list stays readable.
_MAIN = (
    "import json, sys\n"
    "given, names = json.load(sys.stdin), {'__name__': 'probe'}\n"
    "exec(compile(given['source'], 'probe', 'exec'), names)\n"
    "json.dump(names['run_task'](given['task']), sys.stdout)\n"
)


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
    except (ValueError, RecursionError):
        return None, "the prober in the namespace wrote no JSON"
    return (result, "") if isinstance(result, dict) else (None, "the prober in the namespace wrote no object")
