# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the timer does, in the order in which it happens to a host. Metrics are read as Prometheus would, from node_exporter over HTTP."""

from __future__ import annotations

import json
import re
import time

import pytest
from outsider import eventually

INTERVAL = 10
LATE = INTERVAL / 10 + 1
"""Seconds that systemd may add to the interval."""
START = 60
"""Seconds that a daemon gets to start in, its containers included, on a busy machine."""
BOB = "Bob.b-1"
PROGRAM = {"alice": "pasta|pasta.avx2", BOB: "slirp4netns"}


@pytest.fixture
def metrics(host):
    """All samples of one user, by name and the labels besides, as node_exporter serves them."""

    def call(user: str) -> dict[str, float]:
        found = {}
        for line in host.check_output("curl -sS --max-time 5 http://127.0.0.1:9100/metrics").splitlines():
            match = re.fullmatch(r"rootless_docker_(\w+)\{(.*)\} (\S+)", line)
            if match:
                labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2]))
                if labels.pop("user") == user:
                    found[" ".join([match[1], *(f"{key}={labels[key]}" for key in sorted(labels))])] = float(match[3])
        return found

    return call


@pytest.fixture
def look(host, metrics):
    """Have the service run now; the metrics of that run, and the unit's lines in the journal since it began."""

    def call(user: str) -> tuple[dict[str, float], list[str]]:
        service = f"rootless-docker-health@{user}.service"
        found: dict[str, float] = {}
        lines: list[str] = []
        for _attempt in range(5):
            # One that is under way ends first: a second start would only join it.
            host.check_output(f"timeout 60 sh -c 'while systemctl is-active {service} | grep -qx activating; do sleep 0.1; done'")
            cursor = host.check_output("journalctl --lines=0 --show-cursor --quiet").rpartition("cursor: ")[2].strip()
            host.check_output(f"systemctl start {service} && journalctl --sync")
            said = host.check_output(f"journalctl --unit={service} --after-cursor='{cursor}' --output=json --no-pager")
            messages = [json.loads(line) for line in said.splitlines()]
            found, lines = metrics(user), [f"{each['PRIORITY']} {each['SYSLOG_IDENTIFIER']} {each['MESSAGE']}" for each in messages]
            # On a busy machine a look may be cut short, and then it says so, and nothing else.
            if "problem cause=out_of_time" not in found:
                break
        return found, lines

    return call


@pytest.fixture
def say(capsys):
    """Print what was measured, also where all is well."""

    def call(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}")

    return call


@pytest.fixture
def main_pid(host):
    """RootlessKit's process: another one after a restart."""
    return lambda user: host.check_output(f"systemctl --user --machine={user}@ show --property=MainPID --value docker.service")


@pytest.fixture
def unit(host):
    """Do something to a user's docker.service."""
    return lambda user, action: host.check_output(f"systemctl --user --machine={user}@ {action} docker.service")


def kill(host, user: str) -> float:
    """Kill what serves the user's network, by its pid; when that was."""
    pids = host.check_output(f"pgrep -u {user} -x '{PROGRAM[user]}'").split()
    assert len(pids) == 1
    host.check_output(f"kill -KILL {pids[0]}")
    return time.monotonic()


def test_sound(look):
    """Both users; one line a run in the journal, and nothing of systemd's beside it."""
    for user in ("alice", BOB):
        found, lines = look(user)
        assert (found["up"], found["sound"], found["restarts_total"]) == (1, 1, 0)
        assert not [name for name in found if name.startswith("problem")]
        assert len(lines) == 1
        assert re.fullmatch(rf"5 rootless-docker-health {user}: (\d+) of \1 cells pass, .* s", lines[0])
    found, _lines = look("alice")
    assert found["published_ports verdict=pass"] == 4
    assert found["published_ports verdict=fail"] == 0


def test_cost(host, say):
    """Processor time of one run, as systemd counts it."""
    for user in ("alice", BOB):
        service = f"rootless-docker-health@{user}.service"
        host.check_output(f"systemctl start {service}")
        seconds = int(host.check_output(f"systemctl show --property=CPUUsageNSec --value {service}")) / 1e9
        say(f"{user}: one look takes {seconds:.2f} s of processor time")
        assert seconds < 2


def test_pasta_killed(host, on_host, look, main_pid, say):
    """The port answers again within the interval and the time that a daemon takes to start."""
    before = main_pid("alice")
    killed = kill(host, "alice")
    assert on_host("127.0.0.1", 8080) == "refused"
    assert eventually(lambda: on_host("127.0.0.1", 8080), seconds=INTERVAL + LATE + START) == "answered"
    seconds = time.monotonic() - killed
    say(f"pasta killed: the published port answers again after {seconds:.1f} s, with an interval of {INTERVAL} s")
    assert seconds < INTERVAL + LATE + START
    assert main_pid("alice") != before
    # The run that restarted it goes on until the daemon is up again, which is later than the first answer.
    found, _lines = look("alice")
    assert (found["restarts_total"], found["up"], found["sound"]) == (1, 1, 1)
    said = host.check_output("journalctl --unit=rootless-docker-health@alice.service --priority=warning --output=cat --no-pager")
    assert re.search(r"alice: pasta is dead, so docker.service was restarted.* it is up after", said)


def test_slirp4netns_killed(host, metrics, main_pid):
    """The same for the other network driver, and the other user is not touched."""
    alice, before = main_pid("alice"), main_pid(BOB)
    kill(host, BOB)
    seen = [metrics(BOB)]
    # All of one run: the next one no longer has the problem.
    eventually(lambda: seen.append(metrics(BOB)) or seen[-1]["restarts_total"], wanted=1, seconds=INTERVAL + LATE + START)
    assert (seen[-1]["restarts_total"], seen[-1]["problem cause=network_dead"]) == (1, 1)
    assert main_pid(BOB) != before
    assert main_pid("alice") == alice


def test_a_container_that_does_not_come_back_is_started(host, docker, look, unit):
    """One that does not run after the restart, as may happen below RootlessKit 3.1.0; here the unit itself stops it."""
    host.check_output("systemctl stop rootless-docker-health@alice.timer rootless-docker-health@alice.service")
    # As if there had been no restart: the next one waits for nothing.
    host.check_output("rm -f /var/lib/rootless-docker-health/alice.json")
    folder = "/run/systemd/user/docker.service.d"
    stop = "ExecStartPost=/usr/bin/docker --host=unix://%t/docker.sock stop -t 0 everywhere"
    host.check_output(f"mkdir -p {folder} && printf '[Service]\n{stop.replace('%', '%%')}\n' > {folder}/stop.conf")
    host.check_output("systemctl --user --machine=alice@ daemon-reload")
    unit("alice", "reset-failed")  # of the starts before, which systemd counts
    try:
        assert docker("inspect --format='{{.State.Running}}' everywhere") == "true"
        kill(host, "alice")
        _found, lines = look("alice")
        assert re.search(r"^4 .* it is up after .* did not come back by themselves and were started: everywhere\.$", lines[-1])
        assert docker("inspect --format='{{.State.Running}}' everywhere") == "true"
    finally:
        host.check_output(f"rm -r {folder}")
        host.check_output("systemctl --user --machine=alice@ daemon-reload")


def test_restarts_are_not_repeated_for_ever(host, look, main_pid):
    """After some in a row that did not help it waits, and says for how long; then it goes on by itself."""
    host.check_output("systemctl stop rootless-docker-health@alice.timer rootless-docker-health@alice.service")
    record = "/var/lib/rootless-docker-health/alice.json"
    host.check_output(f"""printf '{{"restarts": 5, "in_a_row": 3, "last": %s}}' "$(date +%s)" > {record}""")
    before = main_pid("alice")
    kill(host, "alice")
    found, lines = look("alice")
    assert (found["up"], found["restarts_total"], found["problem cause=network_dead"]) == (0, 5, 1)
    assert re.search(r"^3 .*pasta is dead, and docker.service is not restarted before 2[0-9][0-9] s from now: 3 restarts", lines[-1])
    assert main_pid("alice") == before
    host.check_output(f"""printf '{{"restarts": 5, "in_a_row": 3, "last": %s}}' "$(($(date +%s) - 250))" > {record}""")
    found, _lines = look("alice")
    assert main_pid("alice") != before
    assert found["restarts_total"] == 6
    host.check_output("systemctl start rootless-docker-health@alice.timer")


def test_stopped_stays_stopped(host, look, unit):
    """What somebody stopped is reported and left alone."""
    unit("alice", "stop")
    for _time in range(2):
        found, lines = look("alice")
        assert (found["up"], found["problem cause=daemon_down"]) == (0, 1)
        assert re.search("^4 .*docker.service is inactive .*it was stopped", lines[-1])
    assert host.run("systemctl --user --machine=alice@ is-active docker.service").stdout.strip() == "inactive"
    unit("alice", "reset-failed")  # of the starts before, which systemd counts
    unit("alice", "start")
    found, _lines = look("alice")
    assert (found["up"], found["restarts_total"]) == (1, 6)


def test_dead_port_is_named_and_nothing_is_restarted(docker, look, main_pid):
    """A container that does not listen: nothing that a restart would mend."""
    before = main_pid("alice")
    docker("run -d --name deaf --stop-signal=KILL -p 8091:80 web /bin/busybox httpd -f -p 127.0.0.1:80 -h /www")
    found, lines = look("alice")
    assert (found["up"], found["sound"], found["published_ports verdict=fail"]) == (1, 0, 1)
    assert found["problem cause=container_not_listening"] == 1
    assert re.search("^3 .*8091 of container deaf.* Remedy: ", lines[-1])
    assert main_pid("alice") == before
    docker("rm -f deaf")


def test_hostile_socket(host, look, main_pid):
    """RootlessKit's socket hangs: the run ends in time, says so, and restarts nothing."""
    before = main_pid("alice")
    state = f"/run/user/{host.user('alice').uid}/dockerd-rootless"
    host.check_output(f"mv {state}/api.sock {state}/api.sock.real")
    serve = f"systemd-run --quiet --unit=hostile --uid=alice /usr/bin/python3 /usr/local/lib/hostile_socket.py hangs {state}/api.sock"
    host.check_output(f"{serve}; timeout 10 sh -c 'until test -S {state}/api.sock; do sleep 0.1; done'")
    try:
        found, lines = look("alice")
        assert found["up"] == 0
        assert found["problem cause=rootlesskit_silent"] == 1
        assert "problem cause=network_dead" not in found
        assert found["check_duration_seconds"] < 20
        assert re.search("^3 .*RootlessKit gives no usable answer", lines[-1])
    finally:
        host.check_output(f"systemctl stop hostile; rm -f {state}/api.sock; mv {state}/api.sock.real {state}/api.sock")
    assert main_pid("alice") == before
    found, _lines = look("alice")
    assert (found["sound"], found["restarts_total"]) == (1, 6)
