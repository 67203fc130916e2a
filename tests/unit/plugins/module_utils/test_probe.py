# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary_server as server
from ansible_collections.portside.rootless_docker.plugins.module_utils import _probe as probe

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
    ("behave", "event", "data"),
    [
        (lambda client: client.sendall(b"220 ready"), "data", b"220 ready"),
        (lambda client: time.sleep(0.5), "silent", b""),
        (lambda client: None, "closed", b""),
        (reset, "reset", b""),
    ],
)
def test_events(behave, event, data):
    with service(behave) as port:
        reading = probe.run_probes([probe.Probe("x", LOOPBACK, port, wait=0.2)], 2)["x"]
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
    assert time.monotonic() - begun < 1
    assert len(got) == 300 and {r.event for r in got.values()} <= {"silent", "timed_out"}


def test_retry_gives_a_late_service_its_time():
    answers = iter([b"", b"", b"ready"])
    with service(lambda client: client.sendall(next(answers, b"ready"))) as port:
        got = probe.retry_probes(["x"], lambda key: probe.Probe(key, LOOPBACK, port), lambda key, r: r.data == b"ready", 3, 0.01)
    assert got["x"].data == b"ready"


@pytest.fixture
def canary():
    listener = server.listen(LOOPBACK, 0)
    port = listener.getsockname()[1]
    running = server.Server([listener], "nonce", 5)
    running.start()
    yield port
    running.stop()


def ask(port, challenge):
    asked = probe.Probe("x", LOOPBACK, port, challenge, server.ANSWER, 0.3)
    return probe.run_probes([asked], 2)["x"]


def test_canary_answers_the_challenge_it_got(canary):
    one, two = b"1" * server.CHALLENGE, b"2" * server.CHALLENGE
    assert ask(canary, one).data == server.answer("nonce", one, canary)
    assert ask(canary, two).data == server.answer("nonce", two, canary)
    assert server.answer("nonce", one, canary) != server.answer("nonce", one, canary + 1)
    assert server.answer("nonce", one, canary) != server.answer("other", one, canary)


def test_canary_says_nothing_before_it_is_asked(canary):
    assert ask(canary, b"too short").event == "silent"


def test_task_runs_controls_first(canary):
    row = ["control", LOOPBACK, canary, (b"c" * server.CHALLENGE).hex(), server.ANSWER, 0.5]
    got = probe.run_task({"controls": [row], "probes": [["p", LOOPBACK, canary, "", 0, 0.1]], "patience": 2, "settle": 0.1})
    assert bytes.fromhex(got["control"][1]) == server.answer("nonce", b"c" * server.CHALLENGE, canary)
    assert got["p"][0] == "silent"
