# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers that ran before their daemon was restarted, and whose restart policy says that they should again.

With RootlessKit below 3.1.0 dockerd cannot always start them: pasta shows the host's listeners in the new namespace, and those of the old
pasta, which had their ports, may be among them ("address already in use"). dockerd does not try again.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError, clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._runtime_dir import RUNTIME_ROOT
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

MAX_CONTAINERS = 200
POLICIES = ("always", "unless-stopped")


def identities(containers: list[dict[str, Any]]) -> list[str]:
    """The ids in the Engine's list of containers; pure."""
    found = [str(entry.get("Id", "")) for entry in containers[:MAX_CONTAINERS]]
    return [each for each in found if re.fullmatch("[0-9a-f]{12,64}", each)]


def in_words(started: list[str]) -> str:
    """What :func:`start_again` told, to be put after what was done; empty where there is nothing to tell; pure."""
    return f"; containers that did not come back by themselves and were started: {', '.join(started)}" if started else ""


def should_run(details: dict[str, Any]) -> bool:
    """Whether a container that ran before should run and does not; pure."""
    state, config = details.get("State"), details.get("HostConfig")
    policy = config.get("RestartPolicy") if isinstance(config, dict) else None
    named = isinstance(policy, dict) and policy.get("Name") in POLICIES
    return named and isinstance(state, dict) and not state.get("Running") and not state.get("Restarting")


def running(uid: int, deadline: Deadline) -> list[str]:
    """Ids of a user's running containers; none where the Engine does not say."""
    engine = Engine(uid, deadline)
    try:
        engine.negotiate()
        return identities(engine.containers())
    except (HttpError, EngineError):
        return []


def start_again(uid: int, before: list[str], deadline: Deadline, root: str = RUNTIME_ROOT) -> list[str]:
    """Start those that should run and do not.

    :param before: ids of those that ran.
    :returns: their names; with the Engine's words where it refused.
    """
    engine = Engine(uid, deadline, root)
    told = []
    try:
        engine.negotiate()
        away = set(before) - set(identities(engine.containers()))
        for identity in sorted(away):
            try:
                details = engine.get(f"/containers/{identity}/json")
            except EngineError:
                continue  # it is gone
            if not should_run(details):
                continue
            name = clean(str(details.get("Name", "")).lstrip("/"), 64)
            try:
                engine.call("POST", f"/containers/{identity}/start")
                told.append(name)
            except EngineError as error:
                told.append(f"{name} (refused: {error.text[:200]})")
    except (HttpError, EngineError) as error:
        # The user's Engine may answer what it likes: that must not keep the others' units from being brought up.
        told.append(f"no more, {clean(error, 200)}")
    return told
