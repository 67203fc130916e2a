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
        pasta would accept.
    """
    after = copy.deepcopy(info)
    host, kit = after["host"], coming.get("rootlesskit")
    if kit:
        host.update(rootlesskit=kit["path"], rootlesskit_version=kit["version"])
    if coming.get("pasta_options") is not None:
        host.update(pasta=host["pasta"] or "/usr/bin/pasta", pasta_options=coming["pasta_options"])
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
    """The port driver that C(auto) was resolved to by an earlier run, for a host on which nobody can tell yet."""
    match = re.search(rf'^{PORT_DRIVER}="(\w+)"$', environment or "", re.MULTILINE)
    return match.group(1) if match and user["port_driver"] == "auto" else None
