# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users whose daemon goes: what goes with it, what is kept, and what is remembered of that. Pure.

The folder of a user below C(/etc/rootless-docker) goes with the daemon. What outlives it (the data, the account and the subordinate ids
that the role made) is on record in :data:`RECORD` from before that moment until it is gone too. So a run that is cut off is completed by
the next, and data that was kept can be removed later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._account_facts import (
    another_note,
    another_uid,
    data_root_path,
    recorded_uid,
    without_made,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._environment import parse_environment_file
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_accounts import (
    answer_obstacle,
    data_obstacle,
    orphan_obstacle,
)
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_action import ENDED
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_input import NAME

CONFIGURATION = "/etc/rootless-docker"
LINGER = "/var/lib/systemd/linger"
STATE = "/var/lib/rootless-docker"
RECORD = f"{STATE}/rootless_daemon.json"
FILES = ("environment", "daemon.json", "made.json")
OUTLIVE = ("account", "subid", "ids", "uid")
"""Keys of C(made.json) for what the role made of an account, for the ids that its files belong to, and for whose it is."""


def with_kept(info: dict[str, Any]) -> dict[str, Any]:
    """The same information, with what was kept of users who come back among what was made for them.

    What was made for another account of the same name is left out; C(another) is that one's uid, and None where there was none.
    """
    users = {}
    for name, state in info["users"].items():
        uid, made, entry = state.get("uid"), state.get("made", {}), info["host"].get("kept", {}).get(name, {})
        kept = {key: entry[key] for key in OUTLIVE if key in entry}
        # Each by itself: a run that was cut off may have left both, and made.json is of the account that came later.
        own = [record if another_uid(record, uid) is None else without_made(record) for record in (kept, made)]
        if made:
            own[0].pop("uid", None)
        merged = {**own[0], **own[1]}
        users[name] = {**state, "made": merged, "another": another_uid(merged, uid)}
    return {**info, "users": users}


def users_to_remove(info: dict[str, Any], remove_data: bool) -> list[dict[str, Any]]:
    """Every user whom the role configured on the host, declared absent; with C(remove_data) those too whose data was kept earlier.

    Users with a health timer and without a folder, which somebody removed by hand, are among them: what was theirs goes with all the rest.
    """
    host = info["host"]
    timers = (host.get("health") or {}).get("timers", [])
    watched = {timer["user"] for timer in timers if timer["linked"] and NAME.fullmatch(timer["user"])}
    names = {*host["configured"], *watched, *(host.get("kept", {}) if remove_data else [])}
    return [{"name": name, "state": "absent", "remove_data": remove_data} for name in sorted(names)]


def plan_removal(plan: dict[str, Any], user: dict[str, Any], state: dict[str, Any], kept: dict[str, Any], unstopped: str = "") -> None:
    """Add one user that should have no daemon to the plan.

    :param state: what was read of the user; empty where nothing was.
    :param kept: the record of all users of whom something is kept; brought up to date.
    :param unstopped: why its daemon could not be stopped, so that it may run still; empty where nobody tried, or it was.
    """
    name = user["name"]
    folder = f"{CONFIGURATION}/{name}"
    concerned = state.get("folder") or (user["remove_data"] and name in kept)
    silent = (answer_obstacle(state) or orphan_obstacle(state)) if concerned else ""
    reason = unstopped or (f"{name} was left out: {silent}" if silent else "")
    if reason:
        plan["left_out"].append(reason)
        plan["unanswered"].append(name)
        return
    plan["directories"].append({"path": folder, "state": "absent", "exclusive": True})
    if state.get("exists"):
        plan_stop(plan, name, state)
    elif state.get("folder"):
        plan["notes"].append(f"{name}: there is no such account, and its daemon does not run, so there is nothing to stop")
        if state["made"].get("linger"):
            # loginctl knows only users with an account. It goes before made.json does, which the next run goes by if this one is cut off.
            plan["files"].append({"path": f"{LINGER}/{name}", "state": "absent"})
    plan["files"] += [{"path": f"{folder}/{file}", "state": "absent"} for file in FILES]
    if state.get("folder"):
        remember(plan, user, state, kept)
    if name not in kept:
        return
    unit = state.get("unit", {"fragment": "", "shadows": [], "active": ""})
    if user["remove_data"] and unit["active"] == "active" and unit["fragment"] in unit["shadows"]:
        plan["left_out"].append(
            f"{name}: the data in {kept[name]['data_root']} was kept, as a daemon runs by a unit of the user's own, {unit['fragment']}. "
            f"Remedy: as {name}, systemctl --user disable --now docker.service, and run again"
        )
        return
    if user["remove_data"] and state.get("incomplete"):
        plan["left_out"].append(f"{name}: the data was kept, as {data_obstacle(state)}, and run again")
        return
    if user["remove_data"]:
        entry = {"user": name, "data_root": kept[name]["data_root"], "account": bool(kept[name].get("account"))}
        uid = recorded_uid(kept[name])
        plan["hand_back"].append(entry if uid is None else {**entry, "uid": uid})
        if kept[name].get("subid") and not kept[name].get("account"):
            plan["subid_back"] += subids_to_take(name, kept[name]["subid"])
        plan["reasons"].append(f"{name}: remove the data in {kept[name]['data_root']}, because remove_data is true")
    elif state.get("folder"):
        also = [word for key, word in (("account", "the account"), ("subid", "its subordinate ids")) if kept[name].get(key)]
        plan["notes"].append(f"{name}: kept are the data in {kept[name]['data_root']}{''.join(f', {word}' for word in also)}")


def spare_others(plan: dict[str, Any], users: dict[str, dict[str, Any]]) -> None:
    """Count everybody in whose daemon runs, or may run, and is not stopped by this plan: the programs are its programs too.

    :param users: every user with a daemon, by whatever means it was made, as the module C(rootless_docker_info) returns them.
    """
    seen_to = {entry["user"] for entry in plan["stop"] if entry["action"] == "stop"}.union(plan["unanswered"])
    for name, state in users.items():
        reason = daemon_in_use(name, state) if state["exists"] and name not in seen_to else ""
        if reason:
            plan["left_out"].append(f"{name}: {reason}")
            plan["unanswered"].append(name)


def daemon_in_use(name: str, state: dict[str, Any]) -> str:
    """Why what a daemon needs cannot go, where the role does not stop it; empty where none runs."""
    found = [state["running"][program]["pid"] for program in ("rootlesskit", "dockerd") if state["running"].get(program)]
    if found:
        return (
            f"a daemon runs that is not the role's to stop: process {', '.join(map(str, found))}. What it may need stays. Remedy: stop it "
            f"(as {name}, `systemctl --user disable --now docker.service`, or as it was started), and run again; or run with "
            "rootless_docker_remove_programs_in_use: true, and it does not start any more"
        )
    # Of one whose manager gives no answer the processes were read.
    return answer_obstacle({**state, "unit": {}})


def remember(plan: dict[str, Any], user: dict[str, Any], state: dict[str, Any], kept: dict[str, Any]) -> None:
    """Put what outlives the daemon on record."""
    name, made, another = user["name"], state["made"], state["another"]
    # An account that came later under the name is not the one whose daemon goes.
    exists = state["exists"] and another is None
    outlive = {key: made[key] for key in OUTLIVE if made.get(key)}
    if exists:
        outlive["uid"] = state["uid"]
    if another is not None:
        plan["notes"].append(another_note(name, state["uid"], another))
    home = state["home"] if exists else made.get("home")
    # What is declared counts only where the file that dockerd reads is gone.
    config = state.get("daemon_json") or json.dumps(user["daemon_config"])
    path = data_root_path(home if isinstance(home, str) else "", config, parse_environment_file(state.get("environment") or ""))
    if os.path.isabs(path):
        kept[name] = {**outlive, "data_root": path}
    elif name not in kept:
        ids = ", and so do the subordinate ids that the role gave" if outlive.get("subid") else ""
        plan["notes"].append(
            f"{name}: its data stays{ids}, and is not on record, as nobody knows where its home was. Remedy: look for that, and remove "
            "what is to go by hand"
        )
    if not exists and name in kept:
        # The account needs no removal any more, and one of the same name that comes later is not the role's.
        kept[name] = {key: value for key, value in kept[name].items() if key != "account"}


def after_data(plan: dict[str, Any], undone: dict[str, str], others: Iterable[str] = ()) -> dict[str, Any]:
    """What follows once the data went: C(subid_back), the ids to take away, and C(record), the file to have.

    :param plan: what C(daemon_plan) decided.
    :param undone: users of whom something is left, by name. They stay on record, and keep the ids that their data belongs to.
    :param others: users whose account is another than the one on record. They do not stay on record, and keep their ids.
    """
    gone = {entry["user"] for entry in plan["hand_back"]} - set(undone)
    return {
        "subid_back": [entry for entry in plan["subid_back"] if entry["user"] in gone.difference(others)],
        "record": record_file({name: entry for name, entry in plan["kept"].items() if name not in gone}),
    }


def subids_to_take(name: str, record: Any) -> list[dict[str, Any]]:
    """The ranges on record as entries for the module C(subid); what is not sound in it is left out."""
    record = record if isinstance(record, dict) else {}
    return [
        {"user": name, "state": "absent", "start": each[0], "count": each[1], "kinds": [kind]}
        for kind, key in (("uid", "subuid"), ("gid", "subgid"))
        for each in (record.get(key) if isinstance(record.get(key), list) else [])
        if isinstance(each, list) and len(each) == 2 and all(isinstance(number, int) and not isinstance(number, bool) for number in each)
    ]


def plan_stop(plan: dict[str, Any], name: str, state: dict[str, Any]) -> None:
    """Stop a daemon of ours, and let lingering be as it was before."""
    runs = state["unit"]["active"] not in ENDED and state["unit"]["fragment"] not in state["unit"]["shadows"]
    linger = state["made"].get("linger", False) and state["linger"]
    if runs or linger:
        plan["stop"].append({"user": name, "action": "stop" if runs else "none", **({"linger": False} if linger else {})})
    if runs:
        plan["reasons"].append(f"{name}: stop, because its state is absent. All containers of the user stop")


def record_file(kept: dict[str, Any]) -> dict[str, Any]:
    """The record as an entry for the module system_files."""
    if not kept:
        return {"path": RECORD, "state": "absent"}
    return {"path": RECORD, "content": json.dumps({"kept": kept}, indent=2, sort_keys=True) + "\n"}
