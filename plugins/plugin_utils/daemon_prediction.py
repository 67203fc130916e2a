# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host will be once the roles before this one have really run: in check mode they changed nothing. Pure.

Without it check mode would decide by the programs that are there now, and announce a restart which the real run does not do.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _programs

PORT_DRIVER = "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER"


def launch_script_of(unit_text: str | None) -> str | None:
    """The launch script that the unit on the host starts."""
    match = re.search(r"^ExecStart=(\S+)", unit_text or "", re.MULTILINE)
    return match.group(1) if match else None


def predicted(info: dict[str, Any], coming: Mapping[str, Any]) -> dict[str, Any]:
    """What the module C(rootless_docker_info) would return after those roles.

    :param coming: what they would change; what is not in it stays as it is. C(rewritten) and C(removed), paths of program files that they
        replace and remove; C(rootlesskit), a dictionary with the C(path) and C(version) that would be active; C(pasta_options), what
        pasta would accept; C(dockerd_version), the Engine's. Nothing is known of a program that is replaced and of which it says nothing.
    """
    after = copy.deepcopy(info)
    host, kit = after["host"], coming.get("rootlesskit")
    # What is there now says nothing about what takes its place: it may be broken, or another build.
    anew = (None, *coming.get("rewritten", ()))
    if kit:
        host.update(rootlesskit=kit["path"], rootlesskit_version=kit["version"])
    if host["pasta"] in anew:
        options = coming.get("pasta_options") or None
        host.update(pasta=host["pasta"] or ("/usr/bin/pasta" if options else None), pasta_options=options)
    if host["dockerd"] in anew:
        # Without a path nobody asks it about a daemon.json.
        host.update(dockerd=None, dockerd_version=coming.get("dockerd_version") or None)
    # An Engine that comes back lies where the unit looks for it.
    host["launch_script"] = host["launch_script"] or launch_script_of(host["unit_text"])
    for state in after["users"].values():
        running = state.get("running", {})
        for name in _programs.NAMES:
            runs = running.get(name)
            if not runs:
                continue
            if runs["installed"] in coming.get("removed", ()):
                runs["installed"] = None
            if runs["exe"] in (*coming.get("rewritten", ()), *coming.get("removed", ())):
                runs["deleted"] = True
            if name == "rootlesskit" and kit:
                runs["installed"] = kit["path"]
        if running:
            state["stale"] = _programs.stale(running)
    return after


def port_driver_kept(user: Mapping[str, Any], environment: str | None) -> str | None:
    """What C(auto) was resolved to with pasta by an earlier run, where nobody can tell what it means now."""
    match = re.search(rf'^{PORT_DRIVER}="(implicit|pesto)"$', environment or "", re.MULTILINE)
    return match.group(1) if match and user["port_driver"] == "auto" else None
