# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError, clean, parse_version
from ansible_collections.portside.rootless_docker.plugins.module_utils._rootlesskit import parse_info, read_child_pid
from ansible_collections.portside.rootless_docker.plugins.module_utils._runtime_dir import Untrusted, read_runtime_file
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError, RuntimeHttp

UID = os.getuid()


@pytest.fixture
def runtime(tmp_path):
    (tmp_path / str(UID)).mkdir()
    return tmp_path


@contextlib.contextmanager
def answering(runtime, send):
    """A real server on the user's docker.sock."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(runtime / str(UID) / "docker.sock"))
        listener.listen(5)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client, _peer = listener.accept()
                    with client, contextlib.suppress(OSError):
                        client.recv(65536)
                        send(client)

        threading.Thread(target=serve, daemon=True).start()
        yield
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def body(data, status="200 OK", length=None):
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data) if length is None else length}\r\n\r\n"
    return lambda client: client.sendall(head.encode() + data)


def endless(client):
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        client.sendall(b"x" * 65536)


def endless_chunk(client):
    client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
    while True:
        client.sendall(b"x" * 65536)


def drip(client):
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        client.sendall(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("send", "reason"),
    [
        (lambda client: time.sleep(5), "timed_out"),
        (drip, "timed_out"),
        (endless, "too_large"),
        (endless_chunk, "too_large"),
        (lambda client: client.sendall(b"SSH-2.0-x\r\n"), "garbled"),
        (lambda client: None, "garbled"),
        (body(b"x", length=50), "garbled"),
        (lambda client: client.sendall(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000), "garbled"),
    ],
)
def test_a_hostile_server_ends_within_the_deadline(runtime, send, reason):
    begun = time.monotonic()
    with answering(runtime, send), pytest.raises(HttpError) as caught:
        RuntimeHttp(UID, "docker.sock", max_answer=100000, root=str(runtime)).request(
            "GET", "/version", Deadline(0.4 if reason == "timed_out" else 5)
        )
    assert caught.value.reason == reason
    assert time.monotonic() - begun < 4


def test_engine_negotiates_and_reports_errors(runtime):
    engine = Engine(UID, Deadline(5), root=str(runtime))
    with answering(runtime, body(b'{"ApiVersion": "1.56", "Version": "29.9.3\x07"}'.replace(b"\x07", b"\\u0007"))):
        assert engine.negotiate() == {"version": "29.9.3\\x07", "api": "1.56"}
    os.unlink(runtime / str(UID) / "docker.sock")
    with answering(runtime, body(b'{"message": "port is already allocated"}', "500 Error")), pytest.raises(EngineError) as caught:
        engine.containers()
    assert (caught.value.status, caught.value.text) == (500, "port is already allocated")


@pytest.mark.parametrize("data", [b"[1, 2]", b"{}", b"null", b"[" * 100000])
def test_answers_of_another_form(runtime, data):
    engine = Engine(UID, Deadline(5), root=str(runtime))
    with answering(runtime, body(data)):
        if data == b"[1, 2]":
            assert engine.containers() == []
            return
        with pytest.raises(HttpError) as caught:
            engine.containers()
    assert caught.value.reason == "garbled"


def test_absent_refused_and_linked(runtime):
    http = RuntimeHttp(UID, "docker.sock", root=str(runtime))
    path = runtime / str(UID) / "docker.sock"

    def reason():
        with pytest.raises(HttpError) as caught:
            http.request("GET", "/", Deadline(1))
        return caught.value.reason

    assert reason() == "absent"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert reason() == "refused"
    path.rename(runtime / "elsewhere")
    path.symlink_to(runtime / "elsewhere")
    assert reason() == "untrusted"


def test_runtime_files(runtime):
    state = runtime / str(UID) / "dockerd-rootless"
    state.mkdir()
    assert read_child_pid(UID, root=str(runtime)) is None
    (state / "child_pid").write_text("532\n")
    assert read_child_pid(UID, root=str(runtime)) == 532
    (state / "child_pid").write_text("-1; reboot")
    assert read_child_pid(UID, root=str(runtime)) is None
    (state / "child_pid").write_text("\u00b2")
    assert read_child_pid(UID, root=str(runtime)) is None
    os.unlink(state / "child_pid")
    os.mkfifo(state / "child_pid")
    with pytest.raises(Untrusted):
        read_runtime_file(UID, "dockerd-rootless", "child_pid", root=str(runtime))
    (runtime / "secret").write_text("1")
    (state / "link").symlink_to(runtime / "secret")
    with pytest.raises(OSError):
        read_runtime_file(UID, "dockerd-rootless", "link", root=str(runtime))


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.2.0", (3, 2, 0)), ("v2.3.6-rc.1", (2, 3, 6)), ("26.1.5+dfsg1", (26, 1, 5)), ("library-import", ()), ("", ()), (None, ())],
)
def test_parse_version(text, version):
    assert parse_version(text) == version


def test_clean():
    assert clean("a\x1b[1m\nb", 50) == "a\\x1b[1m\\nb"
    assert len(clean("x" * 1000, 20)) == 20


def test_parse_info():
    info = parse_info({"version": "3.2.0", "childPID": 532, "networkDriver": {"driver": "pasta", "childIP": "10.0.2.100"}})
    assert (info.version, info.network_driver, info.port_driver) == ("3.2.0", "pasta", None)
    hostile = parse_info({"version": ["x"], "networkDriver": 3, "portDriver": {"driver": "p\n" * 500}})
    assert (hostile.version, hostile.network_driver) == (None, None)
    assert len(hostile.port_driver) == 60
    with pytest.raises(HttpError):
        parse_info([])
