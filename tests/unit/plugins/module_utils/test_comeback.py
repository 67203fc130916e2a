# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which containers are started again after a restart of their daemon."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _comeback as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline

AWAY = {"Running": False, "Restarting": False}


@pytest.mark.parametrize(
    ("state", "policy", "starts"),
    [
        (AWAY, {"Name": "always"}, True),
        (AWAY, {"Name": "unless-stopped"}, True),
        (AWAY, {"Name": "no"}, False),
        (AWAY, {"Name": "on-failure"}, False),
        ({**AWAY, "Running": True}, {"Name": "always"}, False),
        ({**AWAY, "Restarting": True}, {"Name": "always"}, False),
        (AWAY, None, False),
        (AWAY, {"Name": ["always"]}, False),
        (None, {"Name": "always"}, False),
    ],
)
def test_should_run(state, policy, starts):
    assert core.should_run({"State": state, "HostConfig": {"RestartPolicy": policy}}) is starts


def test_a_container_of_another_form_is_left_alone():
    assert core.should_run({"HostConfig": 1, "State": AWAY}) is False


def test_identities():
    assert core.identities([{"Id": "0123456789ab"}, {"Id": "../../x"}, {"Id": None}, {}]) == ["0123456789ab"]


@pytest.mark.parametrize(
    ("started", "words"),
    [
        ([], ""),
        (["web"], "; containers that did not come back by themselves and were started: web"),
        (["web", "db (refused: x)"], "; containers that did not come back by themselves and were started: web, db (refused: x)"),
    ],
)
def test_in_words(started, words):
    assert core.in_words(started) == words


UID = os.getuid()
GONE = "0123456789ab"
VERSION = (200, {"ApiVersion": "1.45"})
NONE_RUN = (200, [])
STOPPED = (200, {"Name": "/web", "State": AWAY, "HostConfig": {"RestartPolicy": {"Name": "always"}}})
STARTING = (503, {"message": "starting"})


@contextlib.contextmanager
def engine(root, answers):
    """A real server on the user's docker.sock, which gives these answers one after another."""
    (root / str(UID)).mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / str(UID) / "docker.sock"))
        listener.listen(5)

        def serve():
            with contextlib.suppress(OSError):
                for status, data in answers:
                    client, _peer = listener.accept()
                    with client:
                        client.recv(65536)
                        body = json.dumps(data).encode()
                        client.sendall(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

        threading.Thread(target=serve, daemon=True).start()
        yield
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("title", "answers", "told"),
    [
        ("started", [VERSION, NONE_RUN, STOPPED, (204, None)], ["web"]),
        ("it runs", [VERSION, (200, [{"Id": GONE}])], []),
        ("it is gone", [VERSION, NONE_RUN, (404, {"message": "No such container"})], []),
        ("refused", [VERSION, NONE_RUN, STOPPED, STARTING], ["web (refused: starting)"]),
        ("no version", [STARTING], ["no more, GET /version: the Engine answered 503: starting"]),
        ("forbidden", [(403, {"message": "no"})], ["no more, GET /version: the Engine answered 403: no"]),
        ("no list", [VERSION, STARTING], ["no more, GET /containers/json: the Engine answered 503: starting"]),
        (
            "a list of another form",
            [VERSION, (200, {})],
            ["no more, {socket} answered GET /containers/json with something that is no list"],
        ),
    ],
)
def test_whatever_the_engine_answers_is_told(tmp_path, title, answers, told):
    with engine(tmp_path, answers):
        found = core.start_again(UID, [GONE], Deadline(5), str(tmp_path))
    assert found == [text.format(socket=tmp_path / str(UID) / "docker.sock") for text in told], title
