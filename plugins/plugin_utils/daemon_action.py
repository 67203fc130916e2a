# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done with one user's unit, decided by what runs and not by what was written. Pure.

A restart stops every container of the user. So a file that was changed by hand is only written anew where the daemon was started before
the change, and where it was started with what is declared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import DIGEST

NOW, DEFER, NEVER = "now", "defer", "never"
"""The values of the variable rootless_daemon_restart."""

ENDED = ("inactive", "failed", "no user manager")
"""States of a unit of which nothing runs."""

# dockerd takes these up on SIGHUP (Docker's documentation of daemon.json); every other key needs a restart.
RELOADABLE = {
    "allow-nondistributable-artifacts", "authorization-plugins", "debug", "default-runtime", "features", "insecure-registries", "labels",
    "live-restore", "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts", "registry-mirrors", "runtimes",
    "shutdown-timeout",
}  # fmt: skip

REST_CHANGED = "the unit, the environment, the wrapper, or keys of daemon.json that need a restart changed"
NOBODY_KNOWS = "its environment file was changed since, and nobody knows which text it was started with"
RELOAD = "daemon.json changed in keys that a reload takes up"


def split_config(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """daemon.json's keys that a reload takes up, and those that need a restart."""
    reloadable = {key: value for key, value in config.items() if key in RELOADABLE}
    return reloadable, {key: value for key, value in config.items() if key not in RELOADABLE}


def effective(text: str) -> str:
    """A file less its comments and blank lines: a better comment is no reason to stop anybody's containers."""
    return "\n".join(line for line in text.splitlines() if line.startswith("#!") or not re.match(r"\s*(#|$)", line))


def edited(wanted: dict[str, str], found: dict[str, str | None], gone: Sequence[str]) -> list[str]:
    """Paths of files that do something else than they should, so that a daemon which was started with them does, too.

    :param wanted: path and text of each file that decides how a daemon starts.
    :param found: what is there now; one that is missing has not been started with.
    :param gone: paths of files that should not be there, and are about to be removed.
    """
    differ = [path for path, text in wanted.items() if found.get(path) is not None and effective(found[path] or "") != effective(text)]
    return [*differ, *gone]


def unlike_declared(variables: dict[str, str], runs: dict[str, str | None]) -> list[str]:
    """Variables of the running daemon that differ from what is declared, one phrase each.

    :param runs: of the running process, those that are always declared and those that its environment file names.
    """
    differ = [
        f"{name} is {value!r}, declared is {variables[name]!r}" for name, value in runs.items() if variables.get(name, value) != value
    ]
    # The digest differs with every one of them; alone it stands for what it is made of besides.
    named = [text for text in differ if not text.startswith(DIGEST)]
    return (named or [REST_CHANGED] * bool(differ)) + [
        f"{name} is set, and nobody declared it" for name, value in runs.items() if name not in variables and value is not None
    ]


def config_action(config: str, state: dict[str, Any]) -> tuple[str, str]:
    """What a difference in daemon.json needs.

    dockerd tells nobody which configuration it took up. Where the file was written after dockerd last read it, dockerd still has what is
    declared; otherwise it has what the file says now.
    """
    if config == state["daemon_json"]:
        return ("reload", RELOAD) if state["reload_pending"] else ("none", "")
    if state["reload_pending"] or state["daemon_json"] is None:
        return "reload", RELOAD
    try:
        found = json.loads(state["daemon_json"])
        (reloadable, other), (now_reloadable, now_other) = split_config(json.loads(config)), split_config(found)
    except (ValueError, AttributeError, RecursionError):
        return "restart", "daemon.json was changed by hand since, and cannot be read"
    differ = {key for key in {*other, *now_other} if other.get(key) != now_other.get(key)} | reloadable.keys() ^ now_reloadable.keys()
    if differ:
        # A reload does not unset what is gone.
        return "restart", f"daemon.json was changed by hand, and dockerd took it up: {', '.join(sorted(differ))}"
    return "reload", RELOAD


def unit_action(
    variables: dict[str, str],
    environment_text: str,
    config: str,
    state: dict[str, Any],
    changed: Sequence[str] = (),
    effect: Sequence[str] = (),
) -> tuple[str, str]:
    """What to do with a user's unit, and why; C(none) where it runs as declared, C(stuck) where a restart would give the same again.

    :param variables: what the unit should have been started with, the digest included.
    :param environment_text: the wanted text of the user's environment file.
    :param config: the wanted text of daemon.json.
    :param changed: what C(edited) found.
    :param effect: what else runs otherwise than declared, one phrase each.
    """
    if not state.get("exists") or state["unit"]["active"] != "active":
        return "start", f"it is {state['unit']['active'] if state.get('exists') else 'new'}"
    if not state["running"]["rootlesskit"]:
        return "restart", "its RootlessKit cannot be found, so nobody knows what runs (STATE/child_pid names no process of the user's)"
    if state["stale"]:
        return "restart", "; ".join(state["stale"])
    runs, since = state["running"]["variables"], state["changed_since_start"]
    started_with = [path for path in changed if path not in since]
    same_text = effective(environment_text) == effective(state["environment"] or "")
    # A command line follows from the variables.
    differ = unlike_declared(variables, runs) or list(effect)
    if differ:
        futile = same_text and not changed and not since
        return "stuck" if futile else "restart", "; ".join(differ)
    if started_with:
        return "restart", f"it was started with {', '.join(started_with)} as somebody changed it"
    if not same_text and any(name not in runs for name in variables):
        return "restart", NOBODY_KNOWS
    return config_action(config, state)


def put_off(policy: str, action: str, state: dict[str, Any]) -> bool:
    """Whether an action has to wait. Only what stops a daemon that runs ever does, and with C(defer) only where that would stop containers.

    How many containers run is None where that is not known.
    """
    stops = action == "restart" or (action == "adopt" and state["unit"]["active"] not in ENDED)
    return stops and (policy == NEVER or (policy == DEFER and state.get("engine", {}).get("containers") != 0))


def meanwhile(config: str, state: dict[str, Any], reread: bool) -> str:
    """What is done at once where a restart is put off: a reload is never, and whoever restarts later gets the unit as it is now."""
    if config != state["daemon_json"] or state["reload_pending"]:
        return "reload"
    return "reread" if reread else "none"
