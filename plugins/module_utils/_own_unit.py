# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user's own docker.service and daemon.json, as dockerd-rootless-setuptool.sh leaves them: read with the user's rights, and bounded."""

from __future__ import annotations

import os
import pwd
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run
from ansible_collections.portside.rootless_docker.plugins.module_utils._unit import Unit

MAX_BYTES = 65536
READ_SECONDS = 2


def is_in_home(path: str, home: str) -> bool:
    """Whether a path lies below a home, by its name."""
    return path.startswith(home.rstrip("/") + "/") and ".." not in path.split("/")


def read_as(account: pwd.struct_passwd, path: str, deadline: Deadline) -> tuple[str | None, str]:
    """The text of a file, read as the user, since what its name leads to is the user's to choose.

    :returns: the text, None where there is none; and why it cannot be used.
    """
    argv = ["head", f"--bytes={MAX_BYTES + 1}", "--", path]
    done = run(argv, deadline.within(READ_SECONDS), uid=account.pw_uid, gid=account.pw_gid)
    if done.status != 0:
        absent = done.status is not None and "No such file or directory" in done.error
        return None, "" if absent else f"{path} cannot be read: {clean(done.error, 200)}"
    if len(done.output.encode()) > MAX_BYTES:
        return None, f"{path} is larger than {MAX_BYTES} bytes"
    return done.output, ""


def read_own(account: pwd.struct_passwd, unit: Unit, variables: dict[str, str], deadline: Deadline) -> dict[str, Any] | None:
    """What an adoption has to know of the unit in force, where that lies in the user's home; None elsewhere.

    :param variables: the environment that the unit would start with.
    """
    if unit.fragment not in unit.shadows or not is_in_home(unit.fragment, account.pw_dir):
        return None
    folder = variables.get("XDG_CONFIG_HOME") or os.path.join(account.pw_dir, ".config")
    config = os.path.join(folder, "docker/daemon.json")
    unit_text, unit_error = read_as(account, unit.fragment, deadline)
    config_text, config_error = read_as(account, config, deadline)
    return {
        "unit": unit_text,
        "daemon_json": config_text,
        "daemon_json_path": clean(config, 300),
        "errors": [error for error in (unit_error, config_error) if error],
    }
