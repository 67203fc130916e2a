# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import threading
import time

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _ask as questions
from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary_server as server
from ansible_collections.portside.rootless_docker.plugins.module_utils import _contract as contract
from ansible_collections.portside.rootless_docker.plugins.module_utils import _probe as probe
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline

LOOPBACK = "127.0.0.1"


@contextlib.contextmanager
def service(behave):
    """A real listener whose connections C(behave) gets, one after the other."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve():
            while True:
                try:
                    client, _peer = listener.accept()
                except OSError:
                    return
                with client:
                    behave(client)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("behave", "wait", "event", "data"),
    [
        (lambda client: client.sendall(b"220 ready"), 5, "data", b"220 ready"),
        (lambda client: time.sleep(3), 0.2, "silent", b""),
        (lambda client: None, 5, "closed", b""),
        (reset, 5, "reset", b""),
    ],
)
def test_events(behave, wait, event, data):
    with service(behave) as port:
        reading = probe.run_probes([probe.Probe("x", LOOPBACK, port, wait=wait)], 9)["x"]
    assert (reading.event, reading.data) == (event, data)


def test_refused_and_unreachable():
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
    got = probe.run_probes([probe.Probe("a", LOOPBACK, port), probe.Probe("b", "255.255.255.255", 9)], 1)
    assert (got["a"].event, got["b"].event) == ("refused", "unreachable")


def test_an_endless_answer_is_cut():
    with service(lambda client: client.sendall(b"x" * 100000)) as port:
        reading = probe.run_probes([probe.Probe("x", LOOPBACK, port, want=10**9, wait=0.5)], 2)["x"]
    assert len(reading.data) == probe.MAX_DATA


def test_the_end_of_time_ends_all():
    with service(lambda client: time.sleep(3)) as port:
        begun = time.monotonic()
        got = probe.run_probes([probe.Probe(str(n), LOOPBACK, port, wait=9) for n in range(300)], 0.3)
    assert time.monotonic() - begun < 2.9
    assert len(got) == 300 and {r.event for r in got.values()} <= {"silent", "timed_out"}


def test_fewer_handles_than_probes():
    with service(lambda client: client.sendall(b"x")) as port:
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            taken = []
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            for handle in taken[-6:]:
                os.close(handle)
            got = probe.run_probes([probe.Probe(str(n), LOOPBACK, port) for n in range(100)], 5)
            os._exit(0 if [r.event for r in got.values()] == ["data"] * 100 else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_no_port_is_kept_after_the_end():
    with service(lambda client: time.sleep(0.5)) as port:
        assert probe.run_probes([probe.Probe("x", LOOPBACK, port, wait=0.1)], 1)["x"].event == "silent"
        with open("/proc/net/tcp", encoding="ascii") as table:
            assert not [line for line in table if line.split()[2].endswith(f":{port:04X}")]


def test_what_must_not_answer_and_ends_late_is_not_taken_for_open():
    with service(lambda client: time.sleep(0.5)) as port:
        cell = contract.Cell("container", "late", f"host {LOOPBACK}", LOOPBACK, port, contract.MUST_NOT, None)
        seen = questions.ask([cell], {0: questions.BareQuestion(cell)}, Deadline(5))
    assert seen[0].outcome == "closed"


def test_a_port_that_ended_once_is_not_open_because_it_ends_later_the_next_time():
    delays = iter([0.0, 0.5])
    with service(lambda client: time.sleep(next(delays, 0.5))) as port:
        cell = contract.Cell("container", "late", f"host {LOOPBACK}", LOOPBACK, port, contract.ANSWERS, None)
        seen = questions.ask([cell], {0: questions.BareQuestion(cell)}, Deadline(9), 1.0)
    assert seen[0].outcome == "closed"


@pytest.mark.parametrize(("most", "outcome"), [(0.4, "silent"), (2, "closed")])
def test_a_silent_port_is_watched_as_long_as_the_caller_has_patience(most, outcome):
    with service(lambda client: time.sleep(0.6)) as port:
        cell = contract.Cell("container", "late", f"host {LOOPBACK}", LOOPBACK, port, contract.ANSWERS, None)
        seen = questions.ask([cell], {0: questions.BareQuestion(cell)}, Deadline(9), 0.1, lambda seconds: seconds < most)
    assert seen[0].outcome == outcome


def test_a_canary_that_must_not_answer_and_ends_late_is_not_taken_for_silent():
    with service(lambda client: time.sleep(0.5)) as port:
        cell = contract.Cell("canary", "late", f"host {LOOPBACK}", LOOPBACK, port, contract.MUST_NOT, None)
        seen = questions.ask([cell], {0: questions.CanaryQuestion(cell, "nonce", port)}, Deadline(9))
    assert seen[0].outcome in ("closed", "reset")


def test_silence_over_udp_is_not_asked_for_ever():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        handle.bind((LOOPBACK, 0))
        port = handle.getsockname()[1]
        cell = contract.Cell("container", "udp", f"host {LOOPBACK}", LOOPBACK, port, contract.ANSWERS, None, protocol="udp")
        begun = time.monotonic()
        seen = questions.ask([cell], {0: questions.BareQuestion(cell)}, Deadline(5))
    assert (seen[0].outcome, seen[0].proof) == ("silent", contract.DOUBT)
    assert time.monotonic() - begun < 4


def test_patience_begins_when_the_first_round_is_complete():
    with service(lambda client: time.sleep(0.4)) as port:
        readings = []
        probe.retry_probes(
            ["x"], lambda key: probe.Probe(key, LOOPBACK, port, wait=2), lambda key, r: readings.append(r.event), 0.2, 0.01, limit=5
        )
    assert readings == ["closed", "closed"]


def test_retry_gives_a_late_service_its_time():
    answers = iter([b"", b"", b"ready"])
    with service(lambda client: client.sendall(next(answers, b"ready"))) as port:
        got = probe.retry_probes(["x"], lambda key: probe.Probe(key, LOOPBACK, port), lambda key, r: r.data == b"ready", 3, 0.01)
    assert got["x"].data == b"ready"


PLACES = (LOOPBACK, "tcp"), (LOOPBACK, "udp"), ("::1", "tcp"), ("::1", "udp"), (server.ANY, "tcp"), (server.ANY, "udp")


@pytest.fixture(params=PLACES, ids=" ".join)
def canary(request):
    """A canary that listens: how it is asked, as the first fields of a probe, and its protocol."""
    address, protocol = request.param
    try:
        listener = server.listen(address, 0, protocol)
    except OSError as error:
        pytest.skip(f"this machine has no {address}: {error}")
    running = server.Server([listener], "nonce", 5)
    running.start()
    yield LOOPBACK if address == server.ANY else address, listener.getsockname()[1], protocol
    running.stop()


def ask(canary, challenge):
    address, port, protocol = canary
    return probe.run_probes([probe.Probe("x", address, port, challenge, server.ANSWER, 0.9, protocol)], 4)["x"]


def test_canary_answers_the_challenge_it_got(canary):
    one, two = b"1" * server.CHALLENGE, b"2" * server.CHALLENGE
    assert ask(canary, one).data == server.answer("nonce", one, *canary[1:])
    assert ask(canary, two).data == server.answer("nonce", two, *canary[1:])


def test_an_answer_tells_run_port_and_protocol():
    challenge = b"1" * server.CHALLENGE
    asked = [("nonce", 1, "tcp"), ("other", 1, "tcp"), ("nonce", 2, "tcp"), ("nonce", 1, "udp")]
    assert len({server.answer(nonce, challenge, port, protocol) for nonce, port, protocol in asked}) == len(asked)


def test_canary_says_nothing_before_it_is_asked(canary):
    assert ask(canary, b"too short").event == "silent"


def test_an_ipv6_canary_is_for_ipv6_only():
    try:
        listener = server.listen("::", 0)
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    with listener:
        assert ask((LOOPBACK, listener.getsockname()[1], "tcp"), b"x").event == "refused"


def test_closed_udp_port_is_refused():
    with server.listen(LOOPBACK, 0, "udp") as listener:
        port = listener.getsockname()[1]
    assert ask((LOOPBACK, port, "udp"), b"").event == "refused"


def test_task_runs_controls_first():
    with server.listen(LOOPBACK, 0) as listener:
        running = server.Server([listener], "nonce", 5)
        running.start()
        port = listener.getsockname()[1]
        row = ["control", LOOPBACK, port, (b"c" * server.CHALLENGE).hex(), server.ANSWER, 0.5]
        got = probe.run_task({"controls": [row], "probes": [["p", LOOPBACK, port, "", 0, 0.1, "tcp"]], "patience": 2, "settle": 0.1})
        running.stop()
    assert bytes.fromhex(got["control"][1]) == server.answer("nonce", b"c" * server.CHALLENGE, port)
    assert got["p"][0] == "silent"


def test_what_must_not_answer_gets_the_time_that_answers_take():
    def slow(client):
        challenge = client.recv(server.CHALLENGE)
        time.sleep(0.4)
        with contextlib.suppress(OSError):
            client.sendall(server.answer("nonce", challenge, client.getsockname()[1], "tcp"))

    with service(slow) as one, service(slow) as other:
        cells = [
            contract.Cell("canary", "x", f"host {LOOPBACK}", LOOPBACK, port, expected, None)
            for port, expected in ((one, contract.ANSWERS), (other, contract.MUST_NOT))
        ]
        seen = questions.ask(cells, {i: questions.CanaryQuestion(c, "nonce", c.port) for i, c in enumerate(cells)}, Deadline(5))
    assert [cell.outcome for cell in seen] == ["answered", "answered"]


def test_a_task_gives_its_probes_the_time_that_controls_take():
    def slow(client):
        time.sleep(0.3)
        with contextlib.suppress(OSError):
            client.sendall(b"x")

    with service(slow) as port:
        rows = [[key, LOOPBACK, port, "", 1, wait, "tcp"] for key, wait in (("control", 1), ("probe", 0.1))]
        got = probe.run_task({"controls": rows[:1], "probes": rows[1:], "patience": 2, "settle": 0})
    assert got["probe"][0] == "data"


def test_no_error_over_udp_is_a_reset():
    got = probe.run_probes([probe.Probe("x", LOOPBACK, 9, b"x" * 70000, protocol="udp")], 1)["x"]
    assert (got.event, got.error) == ("unreachable", "EMSGSIZE")
