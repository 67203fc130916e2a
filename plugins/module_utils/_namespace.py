# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""RootlessKit's network namespace, and the canary in it.

What belongs to a user is entered and run as that user, also when this process is root: then nothing
that the user put in the way can be used to reach what is not theirs.
"""

from __future__ import annotations

import json
import signal
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary_server, _namespace_agent, _probe
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary import PROGRAM, source_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import Conversation, NotStarted

# The programs come by standard input, so that the process list stays readable.
_MAIN = (
    "import json, sys, types\n"
    "given, loaded = json.loads(sys.stdin.readline()), {}\n"
    "for name, text in given['sources'].items():\n"
    "    loaded[name] = types.ModuleType(name)\n"
    "    exec(compile(text, name, 'exec'), loaded[name].__dict__)\n"
    "loaded['agent'].main(given['task'], loaded['probe'], loaded['server'])\n"
)
STILL_PUBLISHED = "RootlessKit may still publish ports of the canary in its namespace: {reason}"
MARK = "portside-canary"
"""Last argument of the canary's process."""


def is_canary(argv: tuple[str, ...]) -> bool:
    """Whether a process calls itself a canary, in RootlessKit's namespace or in a container of the host's network. A user may lie."""
    return MARK in argv or PROGRAM in argv


class AgentError(Exception):
    """The canary in the namespace could not be put up, or gave no usable answer; the text says why."""


def namespace_argv(child: int, detached: bool, uid: int, command: list[str]) -> list[str]:
    """How a user enters the network namespace of their RootlessKit.

    :param child: pid of RootlessKit's child.
    :param detached: whether RootlessKit runs with --detach-netns; then the child itself stays in the host's namespace.
    """
    netns = f"--net=/proc/{child}/root/run/user/{uid}/dockerd-rootless/netns" if detached else "--net"
    return ["nsenter", "--target", str(child), "--user", "--preserve-credentials", netns, "--"] + command


class Agent:
    """The canary in one RootlessKit's namespace: it is started, but not put up yet.

    :param child: pid of RootlessKit's child; C(detached) as for :func:`namespace_argv`.
    :param task: see C(_namespace_agent.main).
    :raises AgentError: it could not be started.
    :ivar pid: of its process, whose network namespace is RootlessKit's.
    :ivar listening: by key, why a listener could not be had; empty where it could.
    :ivar published: by key, why RootlessKit did not publish it; empty where it did.
    """

    def __init__(self, child: int, detached: bool, uid: int, gid: int, python: str, task: dict[str, Any]) -> None:
        self._task = task
        argv = namespace_argv(child, detached, uid, [python, "-I", "-S", "-c", _MAIN, MARK])
        try:
            self._talk = Conversation(argv, uid, gid)
        except NotStarted as error:
            raise AgentError(str(error)) from error
        self.pid = self._talk.pid
        self.listening: dict[str, str] = {}
        self.published: dict[str, str] = {}

    def put_up(self, deadline: Deadline) -> None:
        """Have it listen and publish.

        :raises AgentError: it could not.
        """
        modules = {"probe": _probe, "server": _canary_server, "agent": _namespace_agent}
        report = self._ask({"sources": {name: source_of(module) for name, module in modules.items()}, "task": self._task}, deadline)
        self.listening = _texts(report.get("listening"))
        self.published = _texts(report.get("published"))

    def run_task(self, task: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        """Run a task of C(_probe.run_task) there.

        :raises AgentError: there is no usable answer.
        """
        return self._ask(task, deadline)

    def end(self, seconds: float) -> str:
        """Have it take away what it put up, and kill it when it is not gone in time.

        :returns: why a port of it may still be published; empty when none is.
        """
        status, said = self._talk.end(seconds, signal.SIGTERM)
        # Where it could not be started, or ended before it minded SIGTERM, nothing was published.
        unsure = status == _namespace_agent.LEFT or (status < 0 and status != -signal.SIGTERM)
        if not (self._task["publish"] and unsure):
            return ""
        try:
            reason = clean(json.loads(said.splitlines()[-1])["left"], 300)
        except (ValueError, LookupError, TypeError, RecursionError):
            reason = "it did not say that it took them away"
        return STILL_PUBLISHED.format(reason=reason)

    def _ask(self, value: Any, deadline: Deadline) -> dict[str, Any]:
        self._talk.say(json.dumps(value).encode(), deadline)
        line, reason = self._talk.hear(deadline)
        if line is None:
            raise AgentError(reason)
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise AgentError("the canary in the namespace wrote no JSON") from error
        if not isinstance(answer, dict):
            raise AgentError("the canary in the namespace wrote no object")
        return answer


def _texts(value: Any) -> dict[str, str]:
    """Texts by key, of what a user's process said."""
    return {key: text[:300] for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}
