# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever bytes a user's socket answers with, in whatever pieces: an answer or a named error, in time, and not more memory than agreed."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import tracemalloc

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError
from ansible_collections.portside.rootless_docker.plugins.module_utils._rootlesskit import get_info
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError, RuntimeHttp
from hypothesis import example, given
from hypothesis import strategies as st

UID = os.getuid()
MOST = 1000
SECONDS = 0.15
REASONS = {"timed_out", "too_large", "garbled"}


class Hostile:
    """A real server on the sockets of a user's runtime directory, which answers each connection with C(pieces), then keeps or closes it."""

    def __init__(self, root):
        self.root = str(root)
        self.pieces = [b""]
        self.keeps_open = False
        self._held = []
        state = root / str(UID) / "dockerd-rootless"
        state.mkdir(parents=True)
        for path in (root / str(UID) / "docker.sock", state / "api.sock"):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen(16)
            threading.Thread(target=self._serve, args=[listener], daemon=True).start()

    def _serve(self, listener):
        while True:
            client, _peer = listener.accept()
            threading.Thread(target=self._answer, args=[client], daemon=True).start()

    def _answer(self, client):
        with client, contextlib.suppress(OSError):
            client.settimeout(5)
            client.recv(65536)
            for piece in self.pieces:
                client.sendall(piece)
            if self.keeps_open:
                client.recv(1)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return Hostile(tmp_path_factory.mktemp("run"))


LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n", b"HTTP/1.1 204 No\r\n", b"HTTP/1.0 500 \r\n", b"HTTP/1.1 999999 x\r\n",
        b"HTTP/9 1\r\n", b"Content-Length: 5\r\n", b"Content-Length: -5\r\n", b"Content-Length: " + b"9" * 30 + b"\r\n",
        b"Content-Length: x\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"X:" + b"y" * 70000 + b"\r\n",
        b"A: b\r\n" * 101, b"\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"-1\r\n", b"ffffffffffff\r\n", b"5;" + b"e" * 70000 + b"\r\n",
        b"hello", b"\xff\x00", b"x" * 2000, b"{}", b"[",
    ]
)  # fmt: skip
PIECES = st.one_of(st.lists(LINES, max_size=8), st.lists(st.binary(max_size=40), max_size=4))


@given(PIECES, st.sampled_from([False, False, False, True]))
@example([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"], True)
@example([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"], True)
@example([b"HTTP/1.1 100 Continue\r\n\r\n" * 1000], False)
def test_an_outcome_in_time(hostile, pieces, keeps_open):
    hostile.pieces, hostile.keeps_open = pieces, keeps_open
    begun = time.monotonic()
    try:
        answer = RuntimeHttp(UID, "docker.sock", max_answer=MOST, root=hostile.root).request("GET", "/version", Deadline(SECONDS))
    except HttpError as error:
        assert error.reason in REASONS and hostile.root in str(error) or "more bytes came" in str(error)
    else:
        assert len(answer.body) <= MOST and 0 <= answer.status <= 999
    assert time.monotonic() - begun < SECONDS + 3


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=9), st.sampled_from(["1.44", "\x1b[2J"])
)
NAMES = st.sampled_from(["ApiVersion", "Version", "message", "version", "networkDriver", "portDriver", "driver"])
VALUES = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)), max_leaves=6)


@given(VALUES.map(json.dumps), st.sampled_from([200, 200, 400, 599]))
@example('{"Version": 1e999, "ApiVersion": -' + "9" * 4000 + "}", 200)
@example('{"Version": ' + "9" * 5000 + "}", 400)
@example("[" * 400 + "]" * 400, 200)
@example('{"Version":' + "[" * 900 + "]" * 900 + "}", 200)
@example('{"Version":' + "[" * 100000 + "]" * 100000 + "}", 500)
def test_an_engine_and_a_rootlesskit_of_any_json(hostile, text, status):
    body = text.encode()
    hostile.pieces, hostile.keeps_open = [b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(body)), body], False
    engine = Engine(UID, Deadline(2), root=hostile.root)
    for ask in (engine.negotiate, engine.containers, lambda: get_info(UID, Deadline(2), hostile.root)):
        try:
            ask()
        except EngineError as error:
            assert error.status == status and error.text.isprintable()
        except HttpError as error:
            assert error.reason == "garbled"


ENDLESS = {
    "body": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    "status line": (b"", b"H" * 65536),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 65000 + b"\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n", b"x" * 65536),
    "chunks of one byte": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 10000),
    "trailers": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 10000),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_without_end_takes_neither_the_time_nor_the_memory(hostile, name):
    head, again = ENDLESS[name]
    hostile.pieces, hostile.keeps_open = [head, *[again] * 2000], False
    limit = 1 << 19
    tracemalloc.start()
    try:
        with pytest.raises(HttpError) as caught:
            RuntimeHttp(UID, "docker.sock", max_answer=limit, root=hostile.root).request("GET", "/version", Deadline(20))
        assert tracemalloc.get_traced_memory()[1] < 16 * limit
    finally:
        tracemalloc.stop()
    assert caught.value.reason in ("too_large", "garbled")
