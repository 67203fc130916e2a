# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that the health timer runs, as root, for one user: look, restart where the network is dead, report.

It is packed with what it imports into one file on the host (plugin_utils/health_program.py), and needs no Ansible there.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import secrets
import time
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _health, _inspect, _problems
from ansible_collections.portside.rootless_docker.plugins.module_utils._arguments import BadArgument, own_addresses
from ansible_collections.portside.rootless_docker.plugins.module_utils._check import Check, Wanted
from ansible_collections.portside.rootless_docker.plugins.module_utils._comeback import in_words, running, start_again
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import diagnose
from ansible_collections.portside.rootless_docker.plugins.module_utils._run import run
from ansible_collections.portside.rootless_docker.plugins.module_utils._unit import UNIT

STATE = "/var/lib/rootless-docker-health"
LOOK_SECONDS = 10.0
"""Many times what it takes at rest: it runs behind everything else, and one that is cut short would say that the daemon is down."""
CHECK_SECONDS = 20.0
CONFIRM_SECONDS = 1.0
"""Between two looks at a dead network: a daemon that is about to end has lost its network and is still active."""
RESTART_SECONDS = 60.0
"""That a restart is waited for. systemd goes on with it all the same."""
ENGINE_SECONDS = 5.0
"""In which the Engine has to say, before a restart, what runs."""
START_SECONDS = 20.0
"""For starting containers that did not come back by themselves. With all of the above it is less than the service's TimeoutStartSec."""

WITHOUT_HOST = frozenset(
    {
        "account_missing", "half_configured", "manager_down", "manager_silent", "daemon_down", "rootlesskit_not_found",
        "rootlesskit_silent", "engine_silent", "network_dead", "out_of_time",
    }
)  # fmt: skip
"""Causes of C(_problems) that say why a daemon cannot be checked, and that need no look at the programs on disk."""


# -- look --------------------------------------------------------------------


def look(user: str) -> dict[str, Any]:
    """What C(rootless_docker_info) reads of one user, with the state, and the problems that keep a daemon from being checked."""
    host = {"unit_text": _inspect.text_of(_inspect.UNIT_FILE)}
    state = _inspect.inspect_users([user], Deadline(LOOK_SECONDS))[user]
    state["state"] = _problems.state_of(state, host)
    rules = [(cause, rule) for cause, rule in _problems.RULES if cause in WITHOUT_HOST]
    state["problems"] = [
        {"cause": cause, **problem._asdict()}
        for cause, rule in rules
        if state["exists"] or cause in _problems.WITHOUT_ACCOUNT
        for problem in rule(state, host)
    ]
    return state


def dead_network(state: dict[str, Any]) -> dict[str, str] | None:
    """The problem that pasta or slirp4netns is dead under a daemon that should run; None where it is not.

    A unit that is on its way up or down, or that somebody stopped, is not active.
    """
    if not state["exists"] or state["unit"]["active"] != "active" or not state["running"]["rootlesskit"]:
        return None
    return next((each for each in state["problems"] if each["cause"] == "network_dead"), None)


def still_dead(user: str, before: dict[str, Any]) -> bool:
    """Whether a second look finds the same daemon with a dead network."""
    time.sleep(CONFIRM_SECONDS)
    now = look(user)
    return dead_network(now) is not None and now["running"]["rootlesskit"]["pid"] == before["running"]["rootlesskit"]["pid"]


# -- act ---------------------------------------------------------------------


def restart(account: pwd.struct_passwd) -> tuple[str, bool]:
    """Restart the unit with the user's own rights, and containers that do not come back; what came of it in words, and whether it is up."""
    before = running(account.pw_uid, Deadline(ENGINE_SECONDS))
    begin = time.monotonic()
    done = run(["systemctl", "--user", "restart", UNIT], Deadline(RESTART_SECONDS), uid=account.pw_uid, gid=account.pw_gid)
    if done.status == 0:
        took = f"it is up after {time.monotonic() - begin:.1f} s"
        started = start_again(account.pw_uid, before, Deadline(START_SECONDS)) if before else []
        return took + in_words(started), True
    reason = done.error or f"systemctl ended with status {done.status}"
    return f"it is not up: {reason}. See journalctl _UID={account.pw_uid} _SYSTEMD_USER_UNIT={UNIT}", False


def check(account: pwd.struct_passwd, host_loopback: bool) -> _health.Report:
    """Prove the ports with a canary in RootlessKit's namespace, which leaves the daemon alone.

    :param host_loopback: whether the host's loopback must be closed.
    """
    wanted = Wanted(addresses=own_addresses(None), namespace=True, container=False, host_loopback=host_loopback, unpublished=False)
    clock = Deadline(CHECK_SECONDS)
    cells, evidence = Check(account, wanted, CHECK_SECONDS).run()
    findings = [finding.as_result() for finding in diagnose(evidence, cells)]
    return _health.report_of_check(cells, findings, clock.elapsed())


def attend(user: str, keep: Any, record: _health.Record) -> tuple[_health.Report, _health.Record]:
    """Look after one user's daemon.

    :param keep: takes the record and keeps it; called before a restart, so that one that is cut off counts.
    """
    state = look(user)
    dead = dead_network(state)
    if dead is not None and still_dead(user, state):
        wait = _health.seconds_to_wait(record, time.time())
        if wait:
            return _health.report_of_waiting(dead["what"], record, wait, dead["remedy"]), record
        record = _health.restarted(record, time.time())
        keep(record)
        outcome, came_up = restart(pwd.getpwnam(user))
        return _health.report_of_restart(dead["what"], record.in_a_row, outcome, came_up), record
    if state["state"] != _problems.RUNNING:
        unit = state.get("unit", {})
        stopped = state["state"] == _problems.DOWN and unit["active"] == "inactive" and unit["result"] in ("", "success")
        return _health.report_of_problems(state["problems"], stopped), record
    record = _health.seen_alive(record, time.time())
    # What an operator opened on purpose is no defect.
    return check(pwd.getpwnam(user), state["network"]["host_loopback"]["asked"] != "open"), record


# -- files -------------------------------------------------------------------


def write(folder: str, name: str, text: str) -> None:
    """Put a file into a folder, atomically. The folder may be another account's: nothing in it is followed, and nothing is opened.

    :raises OSError: it cannot be written.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    copy = f".{name}.{secrets.token_hex(8)}"
    try:
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=handle)
        try:
            os.fchmod(descriptor, 0o644)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.rename(copy, name, src_dir_fd=handle, dst_dir_fd=handle)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(copy, dir_fd=handle)
            raise
    finally:
        os.close(handle)


def read_record(path: str) -> _health.Record:
    """What the last run left."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return _health.Record.parse(file.read(4096))
    except OSError:
        return _health.Record()


def say(line: str) -> None:
    """To standard output, which is the journal."""
    os.write(1, line.encode("utf-8", "backslashreplace"))


def main(argv: list[str]) -> int:
    """One run.

    :returns: exit status: 0 also where something is wrong with the daemon, which the journal and the metrics say; 1 where this run could
        not look or not report.
    """
    parser = argparse.ArgumentParser(description="Look after one user's rootless Docker daemon, once")
    parser.add_argument("--textfile-directory", default="", help="folder of node_exporter's textfile collector; none where it is not there")
    parser.add_argument("user")
    options = parser.parse_args(argv)
    begin = time.monotonic()
    name = f"{options.user}.json"
    before = read_record(os.path.join(STATE, name))
    status = 0

    def keep(record: _health.Record) -> None:
        write(STATE, name, record.text())

    try:
        report, record = attend(options.user, keep, before)
        if record != before:
            keep(record)
    except (BadArgument, OSError, KeyError) as error:
        report, record, status = _health.Report(_health.ERROR, f"the check could not be made: {error}", causes=("unknown",)), before, 1
    say(_health.journal_line(options.user, report))
    folder = options.textfile_directory
    if folder and os.path.isdir(folder):
        text = _health.metrics(options.user, report, record, time.monotonic() - begin, time.time())
        try:
            write(folder, f"rootless_docker_{options.user}.prom", text)
        except OSError as error:
            say(f"<{_health.ERROR}>{options.user}: the metrics could not be written to {folder}: {error.strerror}\n")
            status = 1
    return status
