#!/usr/bin/env python
# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what works with what: RootlessKit x passt x drivers x Engine x IPv6, on real binaries, and writes docs/matrix.md.

Every combination is a unit's environment and a restart; nothing is installed in between. Two hosts work side by side. With --sample, a
few combinations are compared with the page instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import itertools
import json
import platform
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import engines
import hosts
from lab import check_machine, inventory
from matrix_host import ask
from matrix_table import ENGINES, PASSTS, ROOTLESSKITS, SAMPLE, Combination, columns, differences, page, sections, selected, text, uncaught
from settings import LabError, run, say, step

POOL = "matrix"
TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "docs/matrix.md"
INTRODUCTION = Path(__file__).with_name("matrix_page.md")
RESULTS = TOP / "build/matrix.jsonl"
CHECK = "portside.rootless_docker.published_port_check"
CHECK_ARGUMENTS = json.dumps({"user": "alice", "fail": False, "containers": False, "unpublished_listeners": "any", "timeout": 60})
# Of each cell of the check, what the page is made of.
KEPT = ["group", "thing", "vantage", "protocol", "address", "host_ip", "expected", "outcome", "verdict", "seconds"]

PREPARE = """
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -y --no-install-recommends install uidmap iptables dbus-user-session slirp4netns
id alice >/dev/null 2>&1 || useradd --create-home --shell /bin/bash alice
loginctl enable-linger alice
for attempt in $(seq 100); do
  systemctl --user --machine=alice@ daemon-reload && break
  sleep 0.1
done
""".strip()

UNIT = """\
[Service]
Type=notify
NotifyAccess=all
EnvironmentFile=/etc/lab-matrix.environment
ExecStart=/usr/bin/env dockerd-rootless.sh --data-root=${LAB_DATA_ROOT}
TimeoutStartSec=40
TimeoutStopSec=10
LimitNOFILE=infinity
LimitNPROC=infinity
TasksMax=infinity
Delegate=yes
KillMode=mixed
"""
PROGRAM = Path("usr/local/lib/lab/matrix_host.py")


def main() -> int:
    """Read the command line and do as it says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], metavar="AXIS=VALUE,...", help="a slice; its table is printed")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run measured")
    parser.add_argument("--sample", action="store_true", help="measure a few combinations and compare them with the page")
    parser.add_argument("--pool", default=POOL, help="of the lab's hosts (default: %(default)s)")
    parser.add_argument("--hosts", nargs="+", default=["matrix1", "matrix2"], help="names of the hosts, one or two (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the hosts up")
    arguments = parser.parse_args()
    try:
        wanted = sample() if arguments.sample else selected(arguments.only)
        check_machine()
        return measure_and_tell(arguments, wanted)
    except (LabError, ValueError) as error:
        say(str(error))
        return 1


def sample() -> list[Combination]:
    """The sample, as far as it takes minutes: an Engine that `make matrix` builds is not built for it."""
    wanted = [each for each in SAMPLE if each.engine != engines.MODULE_ENGINE or engines.is_there("engine", each.engine)]
    for each in SAMPLE:
        if each not in wanted:
            only = " ".join(f"{axis}={text(value)}" for axis, value in dataclasses.asdict(each).items())
            say(f'left out, because its Engine is not built here: {each}; make matrix ONLY="{only}" builds and measures it')
    return wanted


def measure_and_tell(arguments: argparse.Namespace, wanted: list[Combination]) -> int:
    """Measure what is missing; then write, print or compare."""
    versions = provide(wanted)
    results = Results(RESULTS, versions, forget=arguments.fresh, keep=not arguments.sample)
    missing = [each for each in wanted if each not in results.measured]
    begin = time.monotonic()
    if missing:
        try:
            work(arguments, missing, results)
        finally:
            if not arguments.keep:
                lab("down", "--pool", arguments.pool)
    measured = {each: results.measured[each] for each in wanted if each in results.measured}
    say(f"{len(missing)} combinations in {time.monotonic() - begin:.0f} s")
    for line in disagreements(measured):
        say(line)
    if len(measured) < len(wanted):
        say(f"{len(wanted) - len(measured)} of {len(wanted)} combinations could not be measured; see above")
        return 1
    if arguments.sample:
        found = [differences({each: record}, PAGE.read_text()) + uncaught({each: record}) for each, record in measured.items()]
        failed = sum(map(bool, found))
        print(
            *itertools.chain(*found),
            f"matrix sample: {len(found) - failed} passed, {failed} failed, {len(SAMPLE) - len(found)} left out",
            sep="\n",
        )
        return 1 if failed else 0
    missed = uncaught(measured)
    if arguments.only:
        print(*sections(measured), *missed, sep="\n")
        return 1 if missed else 0
    PAGE.write_text(page(INTRODUCTION.read_text(), measured, described(versions), dates(measured)))
    say(f"written: {PAGE.relative_to(TOP)}")
    for line in missed:
        say(line)
    return 1 if missed else 0


# -- programs --------------------------------------------------------------


def provide(wanted: list[Combination]) -> dict[str, str]:
    """Have all programs that these combinations need; their versions."""
    needed = {("engine", each.engine) for each in wanted} | {("rootlesskit", each.rootlesskit) for each in wanted}
    needed |= {("passt", each.passt) for each in wanted if each.passt in PASSTS}
    return {f"{kind} {name}": engines.version_of(kind, name) for kind, name in sorted(needed)}


def described(versions: dict[str, str]) -> dict[str, str]:
    """The versions for the page's table."""
    table = {f"Engine {name}": versions[f"engine {name}"] for name in ENGINES}
    table["RootlessKit"] = ", ".join(ROOTLESSKITS) + f" (2.0.2 is Debian's {versions['rootlesskit 2.0.2'].rpartition(' ')[2]})"
    table |= {f"passt {name}": versions[f"passt {name}"].removeprefix("passt ") for name in PASSTS}
    linux = ".".join(platform.release().split(".")[:2])
    return table | {"host": f"Debian 13 under systemd-nspawn, Linux {linux}, {platform.machine()}"}


def dates(measured: dict[Combination, dict]) -> str:
    """From when to when."""
    days = sorted({record["date"] for record in measured.values()})
    return f"measured on {days[0]}" if len(days) == 1 else f"measured from {days[0]} to {days[-1]}"


# -- results ---------------------------------------------------------------


class Results:
    """What was measured, one line of JSON each, written as it comes.

    A line counts only while the programs are those that it was measured with.
    """

    def __init__(self, path: Path, versions: dict[str, str], *, forget: bool, keep: bool) -> None:
        self._path = path if keep else None
        self._lock = threading.Lock()
        self._versions = versions
        self.measured: dict[Combination, dict] = {}
        if not keep:
            return
        path.parent.mkdir(exist_ok=True)
        if forget:
            path.unlink(missing_ok=True)
        for line in path.read_text().splitlines() if path.exists() else []:
            record = json.loads(line)
            combination = Combination(**record["combination"])
            if record["versions"] == self._programs(combination):
                self.measured[combination] = record

    def _programs(self, combination: Combination) -> dict[str, str]:
        names = [f"engine {combination.engine}", f"rootlesskit {combination.rootlesskit}", f"passt {combination.passt}"]
        return {name: self._versions[name] for name in names if name in self._versions}

    def add(self, combination: Combination, record: dict) -> None:
        """Keep one."""
        record = {
            "combination": dataclasses.asdict(combination),
            "versions": self._programs(combination),
            "date": datetime.date.today().isoformat(),
            **record,
        }
        with self._lock:
            self.measured[combination] = record
            if self._path:
                with self._path.open("a") as target:
                    target.write(json.dumps(record) + "\n")


# -- hosts -----------------------------------------------------------------


def lab(*arguments: str) -> None:
    """Call the lab: it keeps one lock for all that it changes."""
    run([sys.executable, str(Path(__file__).with_name("lab.py")), *arguments], timeout=900)


def boot(arguments: argparse.Namespace) -> list[hosts.Host]:
    """The hosts, prepared: what a rootless daemon needs besides the programs, a user, and a unit that reads its environment."""
    lab("up", "--pool", arguments.pool, *arguments.hosts)
    booted = [hosts.find(name) for name in arguments.hosts]
    for host in booted:
        (host.root / "etc/systemd/user/docker.service").write_text(UNIT)
        (host.root / PROGRAM).parent.mkdir(parents=True, exist_ok=True)
        (host.root / PROGRAM).write_text(Path(__file__).with_name("matrix_host.py").read_text())
    with step(f"preparing {', '.join(arguments.hosts)}"):
        each_at_once(lambda host: run(host.ssh(PREPARE), timeout=300), booted)
    return booted


def each_at_once(action: Callable[[hosts.Host], object], booted: list[hosts.Host]) -> None:
    """Do the same for all hosts at once; raises what the first that failed raised."""
    with ThreadPoolExecutor(len(booted)) as pool:
        list(pool.map(action, booted))


def work(arguments: argparse.Namespace, missing: list[Combination], results: Results) -> None:
    """Let each host take one combination after another."""
    tasks: queue.Queue[Combination] = queue.Queue()
    for each in missing:
        tasks.put(each)

    def serve(host: hosts.Host) -> None:
        while True:
            try:
                combination = tasks.get_nowait()
            except queue.Empty:
                return
            begin = time.monotonic()
            try:
                record = measure(host, combination)
            except (LabError, OSError, ValueError, KeyError) as error:
                say(f"{host.name}: {combination}: {error!r}")
                continue
            results.add(combination, record)
            outcome = "measured" if record["start"]["active"] else "does not start"
            say(f"{host.name}: {combination}: {outcome} ({time.monotonic() - begin:.1f} s, {tasks.qsize()} left)")

    each_at_once(serve, boot(arguments))


# -- one combination -------------------------------------------------------


def environment(combination: Combination) -> dict[str, str]:
    """What the unit gets: every driver by name, and the programs by their folders."""
    folders = [f"{engines.MOUNT}/engine/{combination.engine}", f"{engines.MOUNT}/rootlesskit/{combination.rootlesskit}"]
    if combination.passt in PASSTS:
        folders.append(f"{engines.MOUNT}/passt/{combination.passt}")
    return {
        "PATH": ":".join([*folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin"]),
        "DOCKERD_ROOTLESS_ROOTLESSKIT_NET": combination.network,
        "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER": combination.port,
        "DOCKERD_ROOTLESS_ROOTLESSKIT_MTU": "65520",
        "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS": "--ipv6" if combination.ipv6 else "",
        # An Engine cannot always read what a newer one has written.
        "LAB_DATA_ROOT": f"/home/alice/.local/share/docker-{combination.engine}",
    }


def measure(host: hosts.Host, combination: Combination) -> dict:
    """Start it, publish, ask from the host and from here, and let the check look."""
    own = [host.address, host.address6]
    everywhere = ["127.0.0.1", host.address, "::1", host.address6]
    must_answer = everywhere if combination.ipv6 else everywhere[:2]
    # Host IP and port, and the addresses at which it must answer.
    publish = {"loopback4": ("127.0.0.1", 8080, ["127.0.0.1"]), "all": ("", 8081, must_answer), "ephemeral": ("", 0, must_answer)}
    if combination.ipv6:
        publish["loopback6"] = ("::1", 8082, ["::1"])
    request = {"environment": environment(combination), "publish": publish, "addresses": everywhere}
    record = json.loads(run_with_input(host.ssh(f"timeout 150 python3 /{PROGRAM}"), json.dumps(request), 160))
    if not record["start"]["active"]:
        return record
    # This machine is the other host.
    record["outside"] = [
        [name, address, ask(address, each["port"])] for name, each in record["published"].items() if each["port"] for address in own
    ]
    record["check"] = check(host)
    running = record["check"]["rootlesskit"]
    if not str(running).startswith(combination.rootlesskit):
        raise LabError(f"RootlessKit {running} was running")
    return record


def run_with_input(argv: list[str], text: str, timeout: float) -> str:
    """Run a command that reads *text*; what it printed."""
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{argv[-1]}: no end after {timeout:.0f} s") from error
    if done.returncode:
        raise LabError(f"{argv[-1]}: exit code {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout


def check(host: hosts.Host) -> dict:
    """What the collection's own module says, over Ansible as anybody runs it."""
    argv = ["ansible", host.name, "-i", str(inventory(host.pool)), "-m", CHECK, "-a", CHECK_ARGUMENTS]
    output = run(argv, timeout=120, cwd=TOP)
    found = json.loads(output[output.index("{") :])
    return {
        "cells": [{name: cell[name] for name in KEPT} for cell in found["cells"]],
        "causes": [finding["cause"] for finding in found["findings"]],
        "rootlesskit": found["evidence"].get("rootlesskit_version"),
        "duration": found["duration"],
    }


def disagreements(measured: dict[Combination, dict]) -> list[str]:
    """Where the check and the matrix's own requests saw different things."""
    found = []
    for combination, record in measured.items():
        if not record["start"]["active"]:
            continue
        found += [f"{combination}: {name}: {value}" for name, value in columns(record, combination.ipv6).items() if " or " in value]
    return found


if __name__ == "__main__":
    sys.exit(main())
