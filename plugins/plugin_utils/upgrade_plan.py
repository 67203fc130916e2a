# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host was before an upgrade, and how it becomes that again. Pure: it reads and changes nothing."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_plan import CONFIGURATION, WRAPPER, is_hidden

MODES = {WRAPPER: "0755"}


def daemons(info: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The users that have a daemon of the collection: one that can start, or one that runs although somebody removed its environment.

    Of a user who was new to an upgrade that was taken back, the folder alone is left.
    """
    return {
        name: state
        for name, state in info["users"].items()
        if state["exists"] and state["folder"] and (state["environment"] is not None or state["unit"]["active"] == "active")
    }


class RecordError(Exception):
    """The record of an unfinished upgrade cannot be used; the text says why and what to do."""


def make_record(
    info: dict[str, Any], files: dict[str, str | None], passt: dict[str, str], directory: str, begun: str, declared: list[str]
) -> dict[str, Any]:
    """What is there now, as the way back needs it.

    :param info: what the module C(rootless_docker_info) returned.
    :param files: path to text of everything that an upgrade may change besides programs, None where there is none.
    :param passt: C(version) of the package, and C(file), the path of a copy of it.
    :param directory: where the versions of RootlessKit are.
    :param begun: when, as text.
    :param declared: names of users whose daemons the upgrade may touch.
    """
    folder = os.path.dirname(info["host"]["rootlesskit"] or "")
    return {
        "begun": begun,
        # Only what is in a versioned folder can be switched back to.
        "rootlesskit": os.path.basename(folder) if os.path.dirname(folder) == directory.rstrip("/") else "",
        "passt": passt,
        "files": files,
        "users": {
            name: {"active": state["unit"]["active"] == "active", "started": state["unit"]["started"], "declared": name in declared}
            for name, state in daemons(info).items()
        },
        "text": describe(info),
        # Why the proof before failed, where the operator went on all the same: the way back cannot be proved then.
        "unproved": "",
    }


def parse_record(text: str | None, path: str) -> dict[str, Any]:
    """The record of an upgrade that was not finished; empty where there is none.

    :raises RecordError: it is damaged.
    """
    if text is None:
        return {}
    try:
        record = json.loads(text)
        kinds = {"begun": str, "rootlesskit": str, "passt": dict, "files": dict, "users": dict, "text": str, "unproved": str}
        # Earlier versions of the collection noted nothing of the proof.
        record = {"unproved": "", **record}
        if all(isinstance(record[key], kind) for key, kind in kinds.items()):
            return record
    except (ValueError, KeyError, TypeError):
        pass
    raise RecordError(
        f"{path} is damaged. It holds what was there before an upgrade that was not finished. Remove it, and the next run takes what is "
        "there now for the state to go back to"
    )


def describe(info: dict[str, Any]) -> str:
    """One line for a person: the versions, and each daemon."""
    host = info["host"]
    parts = [f"RootlessKit {host['rootlesskit_version'] or 'none'}", f"passt {host['pasta_version'] or 'none'}"]
    for name, state in daemons(info).items():
        driver = state["network"]["port_driver"]
        parts.append(f"{name} {state['state']}, port driver {driver['in_effect'] or driver['asked'] or 'unknown'}")
    return "; ".join(parts)


def files_back(record: dict[str, Any]) -> list[dict[str, str]]:
    """The recorded files, for the module C(system_files)."""
    return [
        {"path": path, "state": "absent"} if text is None else {"path": path, "content": text, "mode": MODES.get(path, "0644")}
        for path, text in record["files"].items()
    ]


def units_back(record: dict[str, Any], info: dict[str, Any], outages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What to do with each daemon once programs and files are as they were, for the module C(user_unit).

    :param info: what C(rootless_docker_info) returned since.
    :param outages: what C(user_unit) returned of a restart that failed: ports that are still away.
    """
    away = {outage["user"]: {"missing": outage["missing"], "since": outage["since"]} for outage in outages if outage["missing"]}
    entries: list[dict[str, Any]] = []
    for name, was in record["users"].items():
        state = info["users"].get(name, {})
        # Earlier versions of the collection noted neither whose daemon may be touched nor when it was started.
        if not was["active"] or not was.get("declared", True) or not state.get("exists"):
            continue
        active = state["unit"]["active"] == "active"
        # It has not been restarted since, so it runs what it ran: a program that was replaced and put back costs nobody's containers.
        same = active and was.get("started") is not None and state["unit"]["started"] == was["started"]
        sound = same or (
            active and state["state"] == "running" and not state["stale"] and state["digest"]["declared"] == state["digest"]["running"]
        )
        if not sound:
            entries.append({"user": name, "action": "restart", **away.get(name, {})})
        elif state["reload_pending"]:
            # dockerd took up the values of the upgrade that failed.
            entries.append({"user": name, "action": "reload"})
    # A daemon that is new has no configuration any more. One of a unit of the user's own is none of the upgrade's.
    new = [name for name in info["users"] if name not in record["users"] and f"{CONFIGURATION}/{name}/environment" in record["files"]]
    entries += [{"user": name, "action": "stop"} for name in new if info["users"][name]["exists"] and not is_hidden(info["users"][name])]
    return entries


def way_back(record: dict[str, Any], info: dict[str, Any], outages: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything that brings a host back once its programs are: C(files), C(units), and C(text), what is there now.

    A new user's folder stays, with the record of what was made for that user: the removal needs it.
    """
    return {
        "files": files_back(record),
        "units": units_back(record, info, outages),
        "text": describe(info),
    }


def upgrade_record(
    info: dict[str, Any],
    files: dict[str, str | None],
    passt: dict[str, str],
    directory: str,
    path: str,
    begun: str,
    declared: list[str],
) -> dict[str, Any]:
    """The state to go back to.

    :param path: of the record's own file, which is one of C(files).
    :param declared: names of users whose daemons the upgrade may touch, those of an earlier run besides.
    :returns: C(unfinished), whether an earlier run left its record, and C(before), that record or else a new one.
    :raises RecordError: the record is damaged.
    """
    others = {name: text for name, text in files.items() if name != path}
    earlier = parse_record(files[path], path)
    if earlier:
        users = {name: {**was, **({"declared": True} if name in declared else {})} for name, was in earlier["users"].items()}
        return {"unfinished": True, "before": {**earlier, "users": users}}
    return {"unfinished": False, "before": make_record(info, others, passt, directory, begun, declared)}


def outage_texts(outages: list[dict[str, Any]]) -> list[str]:
    """One line a user: how long how many published ports did not answer, and which stay away."""
    return [
        f"{each['user']}: {each['ports']} published port{'' if each['ports'] == 1 else 's'} did not answer for {each['seconds']:.1f} s"
        + (f"; still silent: {', '.join(each['missing'])}" if each["missing"] else "")
        + (f"; not published any more: {', '.join(each['gone'])}" if each["gone"] else "")
        for each in outages
    ]
