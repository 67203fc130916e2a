#!/usr/bin/env python
# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of site, of upgrade or of uninstall that is cut off after any change is completed by the next run.

For each N: a fresh host, the playbook killed after its N-th change, the playbook again, and once more, which must change nothing. Site and
upgrade end with the proof; after uninstall the host is compared with what it was. For upgrade the host is sound first, with RootlessKit
2.3.6 and the distribution's pasta, and gets 3.2.0, the backports' pasta and another configuration, so that restarts are cut off too. With
--only, just these N.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import hosts

LAB = Path(__file__).resolve().parent
POOL = "cut"
INVENTORY = f"/run/portside-lab/{POOL}.yml"
OLD = {"rootlesskit_version": "2.3.6", "rootlesskit_allow_loopback_leak": True, "rootless_daemon_users": [{"name": "alice"}]}
WANTED = {"rootless_daemon_users": [{"name": "alice", "mtu": 65520}, {"name": "bob", "shell": "/usr/sbin/nologin"}]}
UPGRADED = {"pasta_source": "backports", "rootless_daemon_users": [{"name": "alice", "mtu": 9000, "daemon_config": {"debug": True}}]}


@dataclasses.dataclass(frozen=True)
class Mode:
    """What is cut off.

    :ivar before: variables of a run of site that prepares the host; None for a bare one.
    """

    playbook: str
    variables: dict
    before: dict | None = None


MODES = {
    "site": Mode("site", WANTED),
    "upgrade": Mode("upgrade", UPGRADED, OLD),
    "uninstall": Mode("uninstall", {"rootless_docker_remove_data": True}, WANTED),
}


def lab(*arguments: str) -> None:
    """Call the lab."""
    subprocess.run([sys.executable, str(LAB / "lab.py"), *arguments], check=True, timeout=1800, stdout=subprocess.DEVNULL)


def play(playbook: str, variables: dict, *arguments: str, cut: int = 0) -> tuple[int, str]:
    """Run a playbook of the collection, in a session of its own so that a cut ends it and nothing else."""
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
    if cut:
        environment.update(LAB_CUT=str(cut), ANSIBLE_CALLBACK_PLUGINS=str(LAB / "callbacks"), ANSIBLE_CALLBACKS_ENABLED="cut")
    argv = ["ansible-playbook", "-i", INVENTORY, "-e", json.dumps(variables), *arguments, f"portside.rootless_docker.{playbook}"]
    done = subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=1800, start_new_session=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def snapshot(command: str) -> str:
    """Note what the host is, or compare it with that; what differs, empty where nothing does."""
    host = hosts.find("cut")
    (host.root / "root/snapshot.py").write_text((LAB / "snapshot.py").read_text())
    argv = host.ssh(f"timeout 60 python3 /root/snapshot.py {command} /root/before.json")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def fresh(mode: Mode) -> None:
    """A fresh host, prepared where the mode says so."""
    lab("down", "--pool", POOL)
    lab("up", "--pool", POOL, "--rootlesskit", "2.3.6", "--rootlesskit", "3.2.0", "cut")
    trouble = snapshot("take") if mode.playbook == "uninstall" else ""
    if mode.before and not trouble:
        code, output = play("site", mode.before, "--skip-tags", "rootless_verify")
        trouble = output if code else ""
    if trouble:
        raise SystemExit(trouble)


def attempt(number: int, mode: Mode) -> str:
    """Cut after change number N; returns what went wrong, empty where all is well, "end" where there was no N-th change."""
    fresh(mode)
    wanted = (mode.playbook, mode.variables)
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
    left = snapshot("compare") if mode.playbook == "uninstall" else ""
    if left:
        return f"cut after {where.group(1)}, the host is not what it was:\n{left}"
    print(f"cut after {number}, {where.group(1)}: completed ({time.monotonic() - begin:.0f} s)", flush=True)
    return ""


def main() -> int:
    """Every N, or those that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=MODES, nargs="?", default="site")
    parser.add_argument("--only", type=int, nargs="+", default=[])
    arguments = parser.parse_args()
    passed, failed = 0, 0
    try:
        for number in arguments.only or range(1, 100):
            outcome = attempt(number, MODES[arguments.mode])
            if outcome == "end":
                break
            passed, failed = passed + (not outcome), failed + bool(outcome)
            if outcome:
                print(f"{number}: {outcome}", flush=True)
    finally:
        lab("down", "--pool", POOL)
    print(f"interrupted {arguments.mode}: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
