#!/usr/bin/env python
# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the check of 1, 50 and 500 published ports costs, beside loops over wait_for and uri, in one run.

On a host that it boots and ends. Prints a table, and writes it to docs/bench-ports.md and as a plot to docs/bench-ports.svg.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

LAB = Path(__file__).resolve().parent
TOP = LAB.parents[1]
POOL, HOST = "bnc", "bnc1"
INVENTORY = f"/run/portside-lab/{POOL}.yml"
RUNS = 9
"""Of each check: under `implicit` pasta looks for a canary once a second, so one may take a second longer than the next."""
LOOP_SECONDS = 360
"""Longest that both loops may take for one number of ports; where they would take longer, they run on fewer."""
FEWER = 50


@dataclass(frozen=True)
class Method:
    """One way to look at the ports: its task in bench_ports.yml, its name, and its colour in the plot."""

    task: str
    name: str
    colour: str
    looped: bool


METHODS = (
    Method("Check namespace", "check, canary in the namespace", "#0072b2", False),
    Method("Check container", "check, canary container", "#56b4e9", False),
    Method("Loop wait_for", "loop over wait_for", "#d55e00", True),
    Method("Loop uri", "loop over uri", "#e69f00", True),
)
BASE = METHODS[0]


@dataclass(frozen=True)
class Cost:
    """What one method took for so many ports.

    :ivar task: seconds for the whole task, as the operator waits; the median of several runs of a check.
    :ivar runs: seconds that each run of the check says it took; none for a loop.
    :ivar measured: on how many ports; where these are fewer, C(task) is extrapolated.
    """

    method: Method
    ports: int
    task: float
    runs: tuple[float, ...]
    measured: int

    @property
    def module(self) -> float | None:
        """The median of the runs; None for a loop."""
        return statistics.median(self.runs) if self.runs else None

    @property
    def seconds(self) -> str:
        """Of a check, in words."""
        return f"{self.module:.2f} s in the module ({min(self.runs):.2f} to {max(self.runs):.2f}) and {self.task:.2f} s for the task"

    @property
    def extrapolated(self) -> bool:
        """Whether it was measured on fewer ports."""
        return self.measured < self.ports

    @property
    def per_port(self) -> float:
        """Milliseconds."""
        return self.task / self.ports * 1000


def lab(*arguments: str) -> None:
    """Call the lab."""
    subprocess.run([sys.executable, str(LAB / "lab.py"), *arguments], check=True, timeout=600, stdout=subprocess.DEVNULL)


def playbook(name: str, variables: dict, clock: str | None = None) -> None:
    """Run a playbook on the host; end with its last lines where it fails."""
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
    if clock:
        environment.update(LAB_CLOCK=clock, ANSIBLE_CALLBACK_PLUGINS=str(LAB / "callbacks"), ANSIBLE_CALLBACKS_ENABLED="clock")
    argv = ["ansible-playbook", "-i", INVENTORY, "-e", json.dumps(variables), name]
    done = subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=3600, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout[-6000:])


def measure(ports: int, looped: int) -> list[Cost]:
    """Every method on so many published ports; the loops on C(looped) of them."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as clock:
        playbook(str(LAB / "bench_ports.yml"), {"bench_ports": ports, "bench_loop_ports": looped, "bench_runs": RUNS}, clock.name)
        events = [json.loads(line) for line in clock]
    costs = []
    for method in METHODS:
        items = [event for event in events if event["what"] == "item" and event["task"] == method.task]
        if len(items) != (looped if method.looped else RUNS):
            raise SystemExit(f"{method.task}: {len(items)} items were timed")
        seconds = [item["seconds"] for item in items]
        if method.looped:
            costs.append(Cost(method, ports, sum(seconds) / looped * ports, (), looped))
        else:
            costs.append(Cost(method, ports, statistics.median(seconds), tuple(item["duration"] for item in items), ports))
    return costs


def row(cost: Cost, base: Cost) -> list[str]:
    """A line of the table."""
    return [
        str(cost.ports),
        cost.method.name,
        "" if cost.module is None else f"{cost.module:.2f}",
        f"{cost.task:.2f}" + (f" (extrapolated from {cost.measured})" if cost.extrapolated else ""),
        f"{cost.per_port:.1f}",
        f"{cost.task / base.task:.1f}",
        f"{cost.task / base.module:.1f}" if base.module else "",
    ]


HEADINGS = ["ports", "how", "s in the module", "s for the task", "ms a port", "task ÷ task of the check", "task ÷ module time of the check"]


def table(costs: list[Cost]) -> str:
    """All costs, as Markdown that is readable as it is."""
    base = {cost.ports: cost for cost in costs if cost.method == BASE}
    rows = [HEADINGS] + [row(cost, base[cost.ports]) for cost in costs]
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEADINGS))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |" for line in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def in_words(costs: list[Cost]) -> str:
    """What the largest number of ports says, and which number is which."""
    most = {cost.method: cost for cost in costs if cost.ports == max(cost.ports for cost in costs)}
    base = most[BASE]
    deep = next(cost for method, cost in most.items() if method.task == "Check container")
    loops = [
        f"{cost.method.name} {cost.task / base.task:.1f} (task by task) and {cost.task / base.module:.1f} (by module time)"
        for method, cost in most.items()
        if method.looped
    ]
    return f"""With `canary: namespace`, {base.ports} ports take {base.seconds}.
With `canary: container`, the default, they take {deep.seconds}.
The aim, 500 ports within a second, is set for the canary in the namespace and for the module's own time.

- **task ÷ task of the check** sets like against like: what an operator waits for, both with all that Ansible adds. Where one ratio is
  to be said, it is this one.
- **task ÷ module time of the check** sets the loop's whole task against the time inside the check's module. Ansible's own part, which a
  loop has for each item and the check has once, is left out on the check's side only.

Both compare with the check whose canary is in the namespace, at the same number of ports. With {base.ports} ports, times as long:
{"; ".join(loops)}."""


def page(costs: list[Cost], machine: str) -> str:
    """docs/bench-ports.md."""
    return f"""<!--
Copyright (c) 2026, the portside.rootless_docker contributors
SPDX-License-Identifier: GPL-3.0-or-later
-->

# What the check costs, by number of ports

Written by `make bench-ports` on {time.strftime("%Y-%m-%d")}. {machine}

One container publishes so many ports on 127.0.0.1, each with a small web server behind it. Everything runs over ssh with
pipelining, as an operator would run it: the module [published_port_check](guide-check.md) once for all ports, and loops over
`ansible.builtin.wait_for` and `ansible.builtin.uri` with one item a port. The port driver is `implicit`. For the check, the median
of {RUNS} runs after one to warm up; each of them had to pass.

{table(costs)}

![Seconds for the task by number of ports](bench-ports.svg)

A hollow point is extrapolated. A load above the number of cores makes everything slower: then the ratios say more than the seconds.

## Which number says what

{in_words(costs)}

What the check and the loops do differs. The check tries each port from every address of the host, also from where it must not answer, and
puts up and removes its canaries; the loops connect to 127.0.0.1 once. `wait_for` is content with a connection, which a dead port on
pasta accepts, too; `uri` reads a page.

## What the time consists of

With a canary in the namespace: the containers' ports are asked, and a service that waits to be spoken to counts as silent after 0.3 s,
or when the canaries have answered, whichever is later. At the same time pasta has to find the canary, under `implicit` within about a
second; then what must stay silent over UDP is waited for, 0.3 s. Reading processes and sockets before and after takes some tenths. The
wait for pasta is why one run differs from the next.

With a canary container, the Engine's own work is added: it starts a container with eight published ports and one with `--net=host`
side by side, and removes both.

## How to run it

As root, from a clone: `make bench-ports`. It boots a throw-away host, publishes, measures, and ends the host: 5 to 15 minutes,
most of it for the loops. Where both loops would take more than {LOOP_SECONDS // 60} minutes for a number of ports, they run on
{FEWER} of them, and the table says so.
"""


# -- the plot ---------------------------------------------------------------

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP_EDGE, BOTTOM = 70, 600, 50, 420
SECONDS = range(-1, 5)
PORTS = range(4)
"""Powers of ten on the axes."""


def position(ports: float, seconds: float) -> tuple[float, float]:
    """Where a point lies; both axes are logarithmic."""

    def part(value: float, powers: range) -> float:
        return (math.log10(value) - powers[0]) / (powers[-1] - powers[0])

    return round(LEFT + part(ports, PORTS) * (RIGHT - LEFT), 1), round(BOTTOM - part(seconds, SECONDS) * (BOTTOM - TOP_EDGE), 1)


def plot(costs: list[Cost]) -> str:
    """docs/bench-ports.svg: a line for each method, with its name at the end; hollow points are extrapolated."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="14" fill="#222">',
        "<title>Seconds for the task by number of published ports</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="26" font-size="16">Seconds for the task, by number of published ports (both axes logarithmic)</text>',
    ]
    for exponent in SECONDS:
        _x, y = position(1, 10.0**exponent)
        parts.append(f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 5}" text-anchor="end">{10.0**exponent:g} s</text>')
    for count in dict.fromkeys(cost.ports for cost in costs):
        x, _y = position(count, 1)
        parts.append(f'<line x1="{x}" x2="{x}" y1="{TOP_EDGE}" y2="{BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{BOTTOM + 22}" text-anchor="middle">{count}</text>')
    parts.append(f'<text x="{(LEFT + RIGHT) // 2}" y="{BOTTOM + 46}" text-anchor="middle">published ports</text>')
    ends = []
    for method in METHODS:
        mine = [cost for cost in costs if cost.method == method]
        points = [position(cost.ports, cost.task) for cost in mine]
        line = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{method.colour}" stroke-width="2.5"/>')
        for cost, (x, y) in zip(mine, points):
            fill = "#fff" if cost.extrapolated else method.colour
            parts.append(f'<circle cx="{x}" cy="{y}" r="4.5" fill="{fill}" stroke="{method.colour}" stroke-width="2"/>')
        ends.append((points[-1][1], points[-1][0], method, mine[-1]))
    below = 0.0
    for y, x, method, cost in sorted(ends, key=lambda end: end[0]):
        # Names of lines that end close to each other go one below the other.
        below = max(y, below + 20)
        parts.append(f'<text x="{x + 14}" y="{below + 5:.1f}">{method.name}: {cost.task:.3g} s</text>')
    return "\n".join([*parts, "</svg>", ""])


def machine() -> str:
    """What it ran on."""
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"Machine: {cores} cores, kernel {kernel}, load {load:.1f} before it began; the host is a Debian 13 in a container of "
        "systemd-nspawn on it."
    )


def main() -> int:
    """Boot, measure, write, end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="use the host if it is up, and leave it up")
    parser.add_argument("--ports", type=int, nargs="+", default=[1, 50, 500], help="how many are published, at most 1000")
    arguments = parser.parse_args()
    what = machine()
    costs: list[Cost] = []
    try:
        lab("up", "--pool", POOL, HOST)
        playbook("portside.rootless_docker.site", {"rootless_daemon_users": [{"name": "alice"}]})
        for ports in sorted(arguments.ports):
            looped = ports
            expected = sum(cost.per_port for cost in costs[-len(METHODS) :] if cost.method.looped) * ports / 1000
            if expected > LOOP_SECONDS:
                looped = min(ports, FEWER)
                print(f"the loops would take {expected:.0f} s for {ports} ports: they run on {looped}", flush=True)
            costs += measure(ports, looped)
            print(f"{ports} ports: measured", flush=True)
    finally:
        if not arguments.keep:
            lab("down", "--pool", POOL)
    print(f"\n{what}\n\n{table(costs)}")
    (TOP / "docs" / "bench-ports.md").write_text(page(costs, what), encoding="utf-8")
    (TOP / "docs" / "bench-ports.svg").write_text(plot(costs), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
