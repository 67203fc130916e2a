# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a playbook and counts its round trips: every ssh and sftp that Ansible starts, by task."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

LAB = Path(__file__).resolve().parent
PROGRAMS = ("ssh", "sftp")
WRAPPER = '#!/bin/sh\nprintf "%s\\n" "$LAB_TASK" >>"$LAB_TRIPS"\nexec {program} "$@"\n'
TIMEOUT = 1800
RECAP = re.compile(r"^\S+\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)\s+skipped=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """What one run of a playbook took.

    :ivar seconds: from start to end, as the operator waits.
    :ivar trips: round trips by task, of all hosts together, in the order of the tasks.
    :ivar tasks: results of tasks, of all hosts together; what was skipped on the controller included.
    :ivar changed: how many of them changed something.
    :ivar output: what ansible-playbook printed.
    """

    seconds: float
    trips: Counter[str]
    tasks: int
    changed: int
    output: str


def counted(inventory: str, playbook: str, variables: dict, *arguments: str) -> Run:
    """Run it; end with its last lines where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "trips"
        log.touch()
        for name in PROGRAMS:
            wrapper = Path(folder) / name
            wrapper.write_text(WRAPPER.format(program=shutil.which(name)))
            wrapper.chmod(0o755)
        environment = {
            **os.environ,
            **{f"ANSIBLE_{name.upper()}_EXECUTABLE": f"{folder}/{name}" for name in PROGRAMS},
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACK_PLUGINS": str(LAB / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "trips",
            "LAB_TRIPS": str(log),
        }
        argv = ["ansible-playbook", "-i", inventory, "-e", json.dumps(variables), *arguments, playbook]
        begin = time.monotonic()
        done = subprocess.run(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=TIMEOUT, check=False,
        )  # fmt: skip
        seconds = time.monotonic() - begin
        if done.returncode:
            raise SystemExit(done.stdout[-6000:])
        recap = [[int(number) for number in line] for line in RECAP.findall(done.stdout)]
        return Run(
            seconds=seconds,
            trips=Counter(log.read_text().splitlines()),
            tasks=sum(ok + skipped for ok, _changed, _unreachable, _failed, skipped in recap),
            changed=sum(line[1] for line in recap),
            output=done.stdout,
        )
