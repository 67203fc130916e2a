# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user's account lacks for a daemon: what the role can give, and what keeps it from one. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._subid import FILES, recorded

SUBORDINATE_IDS = 65536
FREE_BYTES = 1024 * 1024
"""A new Engine 26.1 writes 180 KiB of databases: with 128 KiB free it was seen not to start, with 256 it did. The rest is margin."""
FREE_FILES = 64
"""A new Engine 26.1 makes about 45 files and folders before it answers."""


def answer_obstacle(state: dict[str, Any]) -> str:
    """Why nobody knows what runs of a user; empty where that is known.

    No manager is an answer: then nothing of the unit runs. So is all that was read where only the place of the data gave none.
    """
    error = state.get("unit", {}).get("error")
    if error:
        manager = f"user@{state['uid']}.service"
        return (
            f"its systemd manager gives no answer ({error}), so nobody knows whether its daemon runs. Remedy: see what it does "
            f"(`systemctl status {manager}`), and run again when it answers; `systemctl restart {manager}` starts it anew, and stops "
            "everything that the user runs"
        )
    if state.get("incomplete") and not state["data_root"]["path"]:
        return (
            "not everything of it was read in time, so nobody knows what runs: something that belongs to the user hangs, or the host "
            "is overloaded. Remedy: run again when the host is less busy; if it stays so, see what hangs, with the module "
            "rootless_docker_info and a longer timeout"
        )
    return ""


def orphan_obstacle(state: dict[str, Any]) -> str:
    """Why the daemon of a user without an account cannot be stopped; empty where none runs."""
    found = state.get("orphans")
    if not found:
        return ""
    uids = sorted({each["uid"] for each in found})
    managers = " ".join(f"user@{uid}.service" for uid in uids)
    return (
        f"there is no such account, and its daemon runs: process {', '.join(str(each['pid']) for each in found)} of uid "
        f"{', '.join(map(str, uids))}. Remedy: see whether the directory service answers (`getent passwd {state['name']}`), and run again "
        f"when it does; if the account is gone for good, stop everything that it runs (`systemctl stop {managers}`), and run again"
    )


def account_obstacle(state: dict[str, Any], host: dict[str, Any]) -> str:
    """Why this account cannot have a daemon whatever is done on the host; empty where it can, or where it is not known.

    :param state: of the user, and C(host), as the module C(rootless_docker_info) returns them.
    """
    if not state["exists"]:
        return home_obstacle(host)
    source = host.get("subordinate_source", "files")
    if source != "files" and too_few(state):
        return (
            f"{source}, which /etc/nsswitch.conf names as the source of subordinate ids, gives {state['subuid_count']} uids and "
            f"{state['subgid_count']} gids, needed are {SUBORDINATE_IDS}. Remedy: have them given there (see `getsubids {state['name']}`), "
            "or have «subid: files» in /etc/nsswitch.conf"
        )
    return ""


def too_few(state: dict[str, Any]) -> bool:
    """Whether a user has too few subordinate ids."""
    return min(state["subuid_count"], state["subgid_count"]) < SUBORDINATE_IDS


def with_ids(record: dict[str, Any], state: dict[str, Any], host: dict[str, Any]) -> dict[str, Any]:
    """A user's record with the subordinate ids that the user has, whoever gave them: files belong to them when they are lost.

    It is no record of what the role made, so the removal does not go by it. What the user had before stays in it, behind. While ids are
    somebody else's too, whose they are is the operator's to say.
    """
    told = "subordinate_ids" in state and not state.get("subordinate_overlaps") and host.get("subordinate_source", "files") == "files"
    if not told or too_few(state):
        return record
    ids = {}
    for kind, path in FILES.items():
        key = path.rpartition("/")[2]
        now = [(each["first"], each["count"]) for each in state["subordinate_ids"][f"{kind}s"]]
        ids[key] = [list(each) for each in dict.fromkeys([*now, *map(tuple, recorded(record, key, "ids"))])]
    return {**record, "ids": ids}


def data_obstacle(state: dict[str, Any]) -> str:
    """Why a daemon could not start for want of a place for its data; empty where it could, or where it is not known."""
    root = state.get("data_root") or {}
    path, folder = root.get("path"), root.get("folder")
    if not path:
        return ""
    if state.get("incomplete"):
        return f"its data folder {path} gives no answer. Remedy: see to what it lies on (`findmnt`), a network file system perhaps"
    if root["home_exists"] is False:
        return (
            f"its home {state['home']} does not exist, and the daemon does not start without. Remedy: make it "
            f"(`mkhomedir_helper {state['name']}`, or mount what it lies on), or give the account another"
        )
    found = no_room(root, folder)
    if not found and root["writable"] is False:
        found = f"lies in {folder}, where the user may not write. Remedy: `chown` or `chmod` that folder"
    return found and f"its data folder {path} {found}, or give the user another place for it (data-root in daemon_config)"


def home_obstacle(host: dict[str, Any]) -> str:
    """Why useradd could not make a home for a new account; empty where it could, or where it is not known."""
    homes = host.get("new_homes") or {}
    found = no_room(homes, homes["folder"]) if homes.get("folder") else ""
    return found and f"its account is to be created, and {homes['folder']}, where homes are made, {found}"


def no_room(root: dict[str, Any], folder: str) -> str:
    """Why nothing can be written in a folder, with what to do; empty where it can."""
    few_bytes = root["free_bytes"] is not None and root["free_bytes"] < FREE_BYTES
    few_files = root["free_files"] is not None and root["free_files"] < FREE_FILES
    rules = [
        (
            root["read_only"],
            f"lies on a file system that is mounted read-only. Remedy: mount it for writing (`findmnt --target {folder}` names it)",
        ),
        (
            few_bytes,
            f"lies on a full file system: {root['free_bytes'] or 0} bytes are free, needed are {FREE_BYTES}. "
            f"Remedy: make room (`df {folder}` names it)",
        ),
        (
            few_files,
            f"lies on a file system with room for {root['free_files']} more files, needed are {FREE_FILES}. "
            f"Remedy: remove some (`df --inodes {folder}` names it)",
        ),
    ]
    return next((text for applies, text in rules if applies), "")


def overlap_notes(state: dict[str, Any]) -> list[str]:
    """Subordinate ids that are somebody else's too, in a sentence each. Whose they are only the operator can say."""
    found = [problem for problem in state.get("problems", []) if problem["cause"] == "subordinate_overlap"]
    return [f"{each['what']}; {each['why']}. Remedy: {each['remedy']}" for each in found]
