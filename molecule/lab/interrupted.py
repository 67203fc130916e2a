#!/usr/bin/env python
# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of site, or of upgrade, that is cut off after any change is completed by the next run.

For each N: a fresh host, the playbook killed after its N-th change, the playbook again (which ends with the proof), and once more, which
must change nothing. With --upgrade the host is sound first, with RootlessKit 2.3.6 and the distribution's pasta, and upgrade brings 3.2.0,
the backports' pasta and another configuration, so that restarts are cut off too. With --only, just these N.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

LAB = Path(__file__).resolve().parent
POOL = "cut"
INVENTORY = f"/run/portside-lab/{POOL}.yml"
BEFORE = {
    "rootlesskit_version": "2.3.6",
    "rootlesskit_allow_loopback_leak": True,
    "rootless_daemon_users": [{"name": "alice"}],
}
WANTED = {"rootless_daemon_users": [{"name": "alice", "mtu": 65520}, {"name": "bob", "shell": "/usr/sbin/nologin"}]}
UPGRADED = {"pasta_source": "backports", "rootless_daemon_users": [{"name": "alice", "mtu": 9000, "daemon_config": {"debug": True}}]}


def lab(*arguments: str) -> None:
    """Call the lab."""
    subprocess.run([sys.executable, str(LAB / "lab.py"), *arguments], check=True, timeout=600, stdout=subprocess.DEVNULL)


def play(playbook: str, variables: dict, *arguments: str, cut: int = 0) -> tuple[int, str]:
    """Run a playbook of the collection, in a session of its own so that a cut ends it and nothing else."""
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
    if cut:
        environment.update(LAB_CUT=str(cut), ANSIBLE_CALLBACK_PLUGINS=str(LAB / "callbacks"), ANSIBLE_CALLBACKS_ENABLED="cut")
    argv = ["ansible-playbook", "-i", INVENTORY, "-e", json.dumps(variables), *arguments, f"portside.rootless_docker.{playbook}"]
    done = subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=600, start_new_session=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def fresh(upgrade: bool) -> None:
    """A fresh host; for an upgrade one that is sound in its old state."""
    lab("down", "--pool", POOL)
    lab("up", "--pool", POOL, "--rootlesskit", "2.3.6", "--rootlesskit", "3.2.0", "cut")
    if upgrade:
        code, output = play("site", BEFORE, "--skip-tags", "rootless_verify")
        if code != 0:
            raise SystemExit(output)


def attempt(number: int, upgrade: bool) -> str:
    """Cut after change number N; returns what went wrong, empty where all is well, "end" where there was no N-th change."""
    fresh(upgrade)
    wanted = ("upgrade", UPGRADED) if upgrade else ("site", WANTED)
    begin = time.monotonic()
    code, output = play(*wanted, cut=number)
    if code == 0:
        return "end"
    where = re.search(r"CUT after: (.*)", output)
    if not where:
        return f"the run that was to be cut failed by itself:\n{output}"
    code, output = play(*wanted)
    if code != 0:
        return f"cut after {where.group(1)}, the next run failed:\n{output}"
    code, output = play(*wanted)
    if code != 0 or not re.search(r"\bchanged=0\b", output):
        return f"cut after {where.group(1)}, the run after the next changed something:\n{output}"
    print(f"cut after {number}, {where.group(1)}: completed ({time.monotonic() - begin:.0f} s)", flush=True)
    return ""


def main() -> int:
    """Every N, or those that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true")
    parser.add_argument("--only", type=int, nargs="+", default=[])
    arguments = parser.parse_args()
    passed, failed = 0, 0
    try:
        for number in arguments.only or range(1, 100):
            outcome = attempt(number, arguments.upgrade)
            if outcome == "end":
                break
            passed, failed = passed + (not outcome), failed + bool(outcome)
            if outcome:
                print(f"{number}: {outcome}", flush=True)
    finally:
        lab("down", "--pool", POOL)
    print(f"interrupted: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
