# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes of the scenarios that know nothing of the collection."""

from __future__ import annotations

import socket
import time

USER = "alice"
PAGE = "portside lab page"
# curl's exit codes, by the name that the collection's documentation uses for the same outcome.
CURL = {0: "answered", 7: "refused", 28: "timed_out", 52: "closed", 56: "reset"}


def fetch(address: str, port: int, timeout: float = 3.0) -> str:
    """How an HTTP request from this machine ends: answered (with the lab's page), wrong_answer, closed, reset, refused or timed_out."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "timed_out"
    if not answer:
        return "closed"
    return "answered" if PAGE.encode() in answer else "wrong_answer"


def eventually(probe, wanted: str = "answered", seconds: float = 15.0) -> str:
    """Probe until the wanted outcome comes or time is up; return the last one. A container needs a moment after a reboot."""
    end = time.monotonic() + seconds
    while True:
        outcome = probe()
        if outcome == wanted or time.monotonic() > end:
            return outcome
        time.sleep(0.5)
