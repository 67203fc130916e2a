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

from ansible_collections.portside.rootless_docker.plugins.module_utils._environment import is_given, parse_environment_file
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import DIGEST

CONFIG = "/daemon.json"

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
PUT_RIGHT = "it was started with files as somebody changed them, which an earlier run found, and put the files right"
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
        f"{name} is {value!r}, declared is {variables[name]!r}"
        for name, value in runs.items()
        if name in variables and not is_given(name, variables[name], value)
    ]
    # The digest differs with every one of them; alone it stands for what it is made of besides.
    named = [text for text in differ if not text.startswith(DIGEST)]
    same = variables[DIGEST].partition("-")[0] == (runs.get(DIGEST) or "").partition("-")[0]
    return (named or [PUT_RIGHT if same else REST_CHANGED] * bool(differ)) + [
        f"{name} is set, and nobody declared it" for name, value in runs.items() if name not in variables and value is not None
    ]


def named_start(mark: str | None) -> str:
    """The start of a daemon that a digest names (C(DIGEST-START)); empty where it names none.

    The digest of a running daemon is read from the user's own process.
    """
    match = re.fullmatch(r"[0-9a-f]{32}-([0-9]{1,20})", mark or "")
    return match.group(1) if match else ""


def start_of(state: dict[str, Any]) -> str:
    """What stands for the last start of a user's daemon; empty where that is not known."""
    started = state["unit"]["started"]
    return str(round(started * 1_000_000)) if started else ""


def start_to_name(state: dict[str, Any]) -> str:
    """The start that a user's digest goes on naming.

    Where a restart is due whose reason went with the files, the digest names the start of the daemon that has to end. So it differs from
    what runs until then, and the next daemon is started with it and differs no more. So does one of C(start_of_no_daemon).
    """
    if not state["exists"]:
        return ""
    declared = named_start(parse_environment_file(state["environment"] or "").get(DIGEST))
    runs = state["running"]["variables"].get(DIGEST)
    if not runs or (declared and (declared == start_of(state) or declared.startswith("0"))):
        return declared
    # So a file that was lost or changed by hand is put right, and nobody's containers are stopped.
    return named_start(runs)


def start_of_no_daemon(environment: str) -> str:
    """What the digest names where the start of the daemon that has to end cannot be read: with its zero in front no start that was.

    It is greater than what the file names, so that no daemon runs with it, not even one that was started with the last such.
    """
    return f"0{int(named_start(parse_environment_file(environment).get(DIGEST)) or 0) + 1}"


def with_start(environment: str, start: str, digest: str) -> str:
    """The text of an environment file whose digest names a start; all else stays, the digest that goes with it, too.

    :param digest: for a file in which none is to be found.
    """
    found = re.match("[0-9a-f]{32}", parse_environment_file(environment).get(DIGEST, ""))
    others = re.sub(rf"(?m)^[ \t]*{DIGEST}[ \t]*=.*\n?", "", environment)
    if others and not others.endswith("\n"):
        others += "\n"
    return f'{others}{DIGEST}="{found.group() if found else digest}-{start}"\n'


def goes_with_files(variables: dict[str, str], config: str, state: dict[str, Any], changed: Sequence[str]) -> bool:
    """Whether a reason for a restart lies in files that this run writes anew or removes, so that the next run could not find it.

    :param variables: as for C(unit_action), and C(config) and C(changed), too.
    """
    return (
        any(path not in state["changed_since_start"] for path in changed)
        or any(name not in variables and value is not None for name, value in state["running"]["variables"].items())
        or config_action(config, state)[0] == "restart"
    )


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
    runs = state["running"]["variables"]
    # No variable and no command line follows from daemon.json.
    since = [path for path in state["changed_since_start"] if not path.endswith(CONFIG)]
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


def reading(state: dict[str, Any]) -> tuple[str, str]:
    """How a user's manager reads the files of its units again, and why so.

    With that it forgets when it last reloaded one. So where daemon.json was taken up by a reload, the next run would take it for new.
    """
    if any(path.endswith(CONFIG) for path in state["changed_since_start"]):
        return "reload", "files of the unit changed; its manager reads them again, and so forgets that daemon.json was taken up"
    return "reread", "files of the unit changed; the daemon is not touched, its manager reads them again"
