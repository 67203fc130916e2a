#!/usr/bin/env python
# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site costs on 1, 4 and 8 hosts, from nothing and where nothing has to be done, in one run; and where its round trips go.

On hosts that it boots and ends. Prints the tables, and writes them to docs/bench-site.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from trips import Run, counted

LAB = Path(__file__).resolve().parent
TOP = LAB.parents[1]
POOL = "bns"
INVENTORY = f"/run/portside-lab/{POOL}.yml"
SITE = "portside.rootless_docker.site"
RUNS = 3
"""Runs without a change, of which the median counts."""
USERS = [{"name": "alice"}, {"name": "bob"}, {"name": "carol"}]
COLLECTION = "portside.rootless_docker."


def lab(*arguments: str) -> None:
    """Call the lab."""
    subprocess.run([sys.executable, str(LAB / "lab.py"), *arguments], check=True, timeout=1200, stdout=subprocess.DEVNULL)


def site(hosts: int, users: int) -> Run:
    """Run it on all hosts of the pool at once."""
    return counted(INVENTORY, SITE, {"rootless_daemon_users": USERS[:users]}, "--forks", str(hosts))


def quiet(hosts: int, users: int) -> Run:
    """A run that finds nothing to do; the median of several by its seconds."""
    runs = sorted((site(hosts, users) for _run in range(RUNS)), key=lambda run: run.seconds)
    if any(run.changed for run in runs):
        raise SystemExit(f"a run that was to change nothing changed something:\n{runs[0].output[-6000:]}")
    return runs[RUNS // 2]


def table(headings: list[str], rows: list[list[str]]) -> str:
    """Markdown that is readable as it is."""
    widths = [max(len(line[column]) for line in [headings, *rows]) for column in range(len(headings))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |" for line in [headings, *rows]]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def cost_row(hosts: int, what: str, run: Run, one: Run) -> list[str]:
    """One run beside the same on one host."""
    return [
        str(hosts), what, f"{run.seconds:.1f}", str(run.tasks // hosts), f"{sum(run.trips.values()) / hosts:.0f}",
        f"{run.seconds / hosts:.1f}", f"{run.seconds / one.seconds:.1f}",
    ]  # fmt: skip


def trip_rows(runs: dict[int, Run]) -> list[list[str]]:
    """Where round trips go: task by task, for each number of users."""
    tasks = dict.fromkeys(task for run in runs.values() for task in run.trips)
    # A bar would begin the next column.
    names = {task: task.removeprefix(COLLECTION).replace(" : ", ": ").replace(" | ", ": ") for task in tasks}
    rows = [[name, *(str(run.trips[task]) for run in runs.values())] for task, name in names.items()]
    return [*rows, ["**all**", *(f"**{sum(run.trips.values())}**" for run in runs.values())]]


def page(costs: str, trips: str, machine: str) -> str:
    """docs/bench-site.md."""
    return f"""<!--
Copyright (c) 2026, the portside.rootless_docker contributors
SPDX-License-Identifier: GPL-3.0-or-later
-->

# What a run of site costs

Written by `make bench-site` on {time.strftime("%Y-%m-%d")}. {machine}

## By number of hosts

One user a host. Everything runs over ssh with pipelining and one fork a host, and ends with the proof (a canary container and each
published port). "From nothing" begins with a Debian 13 that has no Docker: packages are downloaded and installed. Where nothing has to
be done, the median of {RUNS} runs. All hosts share the machine's cores, so here more hosts take longer; hosts of their own do not.

{costs}

Tasks are results of tasks for one host; most of them are skipped on the controller and cost nothing on the host.

## Where the round trips go

A run that finds nothing to do, on one host, the facts and the proof included. A round trip is a start of ssh or sftp by Ansible: a module
takes one, `copy` and `template` take two. Each further user adds what stands in the last column less the one before it. The scenario
`default` holds it to at most 15 for one user and 2 for each further one.

{trips}

A run that finds something to do adds a round trip for each task that acts; it says which tasks those are.

## How to run it

As root, from a clone: `make bench-site`. It boots up to eight throw-away hosts, provisions them, measures, and ends them: about a
quarter of an hour on two cores.
"""


def machine(hosts: int) -> str:
    """What it ran on."""
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"Machine: {len(os.sched_getaffinity(0))} cores for the controller and all {hosts} hosts together, kernel {kernel}, load "
        f"{os.getloadavg()[0]:.1f} before it began; the hosts are Debian 13 in containers of systemd-nspawn on it."
    )


def main() -> int:
    """Boot, measure, write, end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 4, 8])
    arguments = parser.parse_args()
    sizes = sorted(arguments.hosts)
    what = machine(sizes[-1])
    costs: list[tuple[int, str, Run]] = []
    trips: dict[int, Run] = {}
    try:
        for hosts in sizes:
            lab("down", "--pool", POOL)
            lab("up", "--pool", POOL, *(f"bns{number}" for number in range(1, hosts + 1)))
            costs.append((hosts, "from nothing", site(hosts, 1)))
            costs.append((hosts, "nothing to do", quiet(hosts, 1)))
            if not trips:
                trips[1] = costs[-1][2]
                for users in range(2, len(USERS) + 1):
                    site(hosts, users)
                    trips[users] = quiet(hosts, users)
            print(f"{hosts} hosts: measured", flush=True)
    finally:
        lab("down", "--pool", POOL)
    first = {name: run for hosts, name, run in costs if hosts == sizes[0]}
    cost_table = table(
        ["hosts", "run", "s", "tasks a host", "round trips a host", "s a host", "÷ the first row of its kind"],
        [cost_row(hosts, name, run, first[name]) for hosts, name, run in costs],
    )
    trip_table = table(["task", *(f"{users} user{'s' * (users > 1)}" for users in trips)], trip_rows(trips))
    print(f"\n{what}\n\n{cost_table}\n\n{trip_table}")
    (TOP / "docs" / "bench-site.md").write_text(page(cost_table, trip_table, what), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
