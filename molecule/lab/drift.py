#!/usr/bin/env python
# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is broken in many ways: check mode names each and changes nothing, the real run does what it said and only that, the next nothing.

The rounds and their cases are in molecule/drift/drift.yml. For each round: break; `site --check --diff`, which has to show what every case
names, and after which files, processes and units are what they were; `site`, which has to change exactly the tasks that check mode said,
those of the table, and restart the daemons of the table and no other; `site` again, which changes nothing.

Usage: drift.py INVENTORY HOST [--all|--sample] [--only PATTERN]; the host may be bare.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from tallies import changed_tasks, differences

LAB = Path(__file__).resolve().parent
TABLE = LAB.parent / "drift" / "drift.yml"
TIMEOUT = 1800
SNAPSHOT = (LAB.parent / "drift" / "snapshot.sh").read_text(encoding="utf-8")


class Failed(Exception):
    """What was expected did not come; the text says what came."""


class Host:
    """One host of an inventory, and its playbook site."""

    def __init__(self, inventory: str, name: str, table: dict[str, Any]) -> None:
        self.inventory, self.name, self.variables, self.preamble = inventory, name, table["variables"], table["preamble"]
        known = yaml.safe_load(Path(inventory).read_text(encoding="utf-8"))["all"]
        options = known["vars"]["ansible_ssh_common_args"].split()
        self.ssh = ["ssh", "-i", known["vars"]["ansible_ssh_private_key_file"], *options, f"root@{known['hosts'][name]['ansible_host']}"]

    def sh(self, script: str) -> str:
        """What a shell script, behind the table's preamble, prints on the host.

        :raises Failed: it fails.
        """
        done = subprocess.run(
            [*self.ssh, "timeout", "200", "sh", "-eu"],
            input=self.preamble + script + "\n",
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            raise Failed(f"the script ended with status {done.returncode}: {done.stderr[-600:]}\n{script}")
        return done.stdout

    def site(self, check: bool, variables: dict[str, Any], arguments: list[str]) -> tuple[dict[str, dict[str, int]], str, int]:
        """Run the playbook: what became of each task, what it printed, and its exit status."""
        with tempfile.NamedTemporaryFile(suffix=".json") as tally:
            environment = {
                **os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
                "LAB_TALLY": tally.name,
                "ANSIBLE_CALLBACK_PLUGINS": str(LAB / "callbacks"), "ANSIBLE_CALLBACKS_ENABLED": "tally",
            }  # fmt: skip
            argv = ["ansible-playbook", "-i", self.inventory, "--limit", self.name, "-e", json.dumps({**self.variables, **variables})]
            done = subprocess.run(
                [*argv, *(["--check"] if check else []), "--diff", *arguments, "portside.rootless_docker.site"],
                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT,
                check=False,
            )  # fmt: skip
            counted = Path(tally.name).read_text(encoding="utf-8")
        # Long lines are wrapped; a pattern of the table does not depend on where.
        return (json.loads(counted) if counted else {}).get(self.name, {}), re.sub(r"\s+", " ", done.stdout), done.returncode

    def snapshot(self) -> dict[str, str]:
        """Everything that a run could change: a name of the thing, and what it is."""
        return dict(line.partition("\t")[::2] for line in self.sh(SNAPSHOT).splitlines())


def unlike(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What differs between two snapshots."""
    differ = [thing for thing in sorted({*before, *after}) if before.get(thing) != after.get(thing)]
    return [f"{thing}: {before.get(thing, 'absent')} → {after.get(thing, 'absent')}" for thing in differ]


def expect(holds: bool, text: str) -> None:
    """Go on only where it holds."""
    if not holds:
        raise Failed(text)


def recap(output: str) -> str:
    """What went wrong, out of a run's output."""
    return " … ".join(re.findall(r"(?:fatal: |\[ERROR\]).{0,1500}", output))[-4000:]


def restarted(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Users whose daemon is another process than before."""
    was, now = ({thing: value for thing, value in each.items() if thing.startswith("daemon ")} for each in (before, after))
    return sorted(thing.split()[1] for thing in {*was, *now} if was.get(thing) != now.get(thing))


def attempt(host: Host, row: dict[str, Any]) -> str:
    """One round; returns how it went in a few words.

    :raises Failed: it did not go as the table says.
    """
    cases, variables = row["cases"], row.get("variables", {})
    arguments = row.get("arguments", ["--skip-tags", "rootless_verify"])
    tasks, restarts = (sorted({each for case in cases for each in case.get(key, [])}) for key in ("tasks", "restarts"))

    def run(check: bool, words: str) -> tuple[dict[str, dict[str, int]], str]:
        counted, said, status = host.site(check, variables, arguments)
        expect((status != 0) == bool(row.get("fails")), f"{words} ended with status {status}: {recap(said)}")
        return counted, said

    for case in cases:
        host.sh(case.get("break", ""))
    before = host.snapshot()
    predicted, said = run(True, "check mode")
    expect(not unlike(before, host.snapshot()), f"check mode changed the host: {unlike(before, host.snapshot())}")
    for case in cases:
        missing = [pattern for pattern in case.get("names", []) if not re.search(pattern, said)]
        expect(not missing, f"«{case['name']}» is not named in check mode: {missing} in: {said[-6000:]}")
    expect(sorted(changed_tasks(predicted)) == tasks, f"check mode predicts {sorted(changed_tasks(predicted))}, the table has {tasks}")
    done, _said = run(False, "the real run")
    expect(not differences(predicted, done), "not as check mode said: " + "; ".join(differences(predicted, done)))
    touched = restarted(before, host.snapshot())
    expect(touched == restarts, f"restarted were {touched}, the table has {restarts}")
    again, _said = run(False, "the next run")
    expect(sorted(changed_tasks(again)) == sorted(row.get("stays", [])), f"the next run changed {changed_tasks(again)}")
    for case in cases:
        host.sh(case.get("after", ""))
    return f"{len(cases)} cases, {len(changed_tasks(predicted))} tasks as predicted, restarted: {', '.join(touched) or 'nobody'}"


def bare(host: Host) -> str:
    """What check mode predicts for a bare host is what the real run does."""
    before = host.snapshot()
    predicted, said, status = host.site(True, {}, [])
    expect(status == 0, f"check mode failed on a bare host:\n{recap(said)}")
    expect(not unlike(before, host.snapshot()), f"check mode changed the bare host: {unlike(before, host.snapshot())}")
    done, said, status = host.site(False, {}, [])
    expect(status == 0, f"the run failed on a bare host:\n{recap(said)}")
    expect(not differences(predicted, done), "bare host, not as check mode said: " + "; ".join(differences(predicted, done)))
    return f"{len(changed_tasks(predicted))} tasks as predicted"


def main() -> int:
    """Every round, or those that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inventory")
    parser.add_argument("host")
    parser.add_argument("--all", action="store_true", help="all rounds, which is so without any option, too")
    parser.add_argument("--sample", action="store_true", help="only the rounds that the table marks with sample")
    parser.add_argument("--only", default="", help="rounds whose name matches this pattern")
    arguments = parser.parse_args()
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    host = Host(arguments.inventory, arguments.host, table)
    rounds = [row for row in table["rounds"] if re.search(arguments.only, row["name"]) and (row.get("sample") or not arguments.sample)]
    parts: list[tuple[str, Any]] = [("the host as it is found", lambda: bare(host))]
    parts += [("containers", lambda: host.sh(table["containers"]) and "they run")]
    parts += [("a sound host", lambda: attempt(host, {"cases": []}))]
    parts += [(row["name"], lambda row=row: attempt(host, row)) for row in rounds]
    passed = failed = 0
    for name, part in parts:
        begin = time.monotonic()
        try:
            how = part()
        except Failed as error:
            failed += 1
            print(f"FAILED {name} ({time.monotonic() - begin:.0f} s): {error}", flush=True)
            break
        passed += 1
        print(f"ok {name} ({time.monotonic() - begin:.0f} s): {how}", flush=True)
    print(f"drift: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
