# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix's half that runs in a host: starts one combination, publishes a page in several ways, and asks for it with data.

Knows nothing of the collection: what it sees is compared with what the collection's check says. Reads a request from standard input
as JSON and writes one line of JSON. Standard library only.
"""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

USER = "alice"
UNIT = "docker.service"
SYSTEMCTL = ["systemctl", "--user", f"--machine={USER}@"]
ENVIRONMENT = Path("/etc/lab-matrix.environment")
PAGE = b"portside lab page"
IMAGE = "/srv/lab/web.tar"
COMMAND = ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
# What a publish gets to answer: under `implicit` pasta looks for new listeners once a second.
PATIENCE = 8.0
WAIT = 2.0
# The launch script's and RootlessKit's own words for why they end, then anything that looks like an error.
REASONS = [r"\[rootlesskit:parent\] error: (.*)", r"level=fatal msg=\"(.*)\"", r"(.*(?:error|[Ff]ailed|denied|requires|flag provided).*)"]


class Api(http.client.HTTPConnection):
    """The Engine's API."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        """One call; its status and the answer, empty where that is no JSON object."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        self.request(method, path, data if body is not None else None, {"Content-Type": kind} if body is not None else {})
        answer = self.getresponse()
        text = answer.read()
        try:
            found = json.loads(text)
        except ValueError:
            found = {}
        return answer.status, found if isinstance(found, dict) else {}


def ask(address: str, port: int, timeout: float = WAIT) -> str:
    """How a request for the page ends, in the words of the collection's documentation."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
    except ConnectionRefusedError:
        return "refused"
    except (ConnectionResetError, BrokenPipeError):
        return "reset"
    except TimeoutError:
        return "timed_out"
    except OSError:
        return "unreachable"
    if not answer:
        return "closed"
    return "answered" if PAGE in answer else "wrong_answer"


def run(*argv: str, timeout: float = 60) -> subprocess.CompletedProcess:
    """Run a command and keep what it prints."""
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False)


def uid() -> str:
    """The user's number."""
    return run("id", "-u", USER).stdout.strip()


def reason(since: float) -> str:
    """Why the daemon did not start, in the words of the program that gave up."""
    journal = run("journalctl", f"_UID={uid()}", f"--since=@{int(since)}", "-o", "cat", "--no-pager").stdout
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in journal.splitlines()]
    for pattern in REASONS:
        found = [match.group(1) for match in map(re.compile(pattern).search, lines) if match]
        if found:
            return found[-1].strip()
    return "\n".join(lines[-3:])


def start(environment: dict[str, str]) -> dict:
    """Start the daemon with another environment."""
    ENVIRONMENT.write_text("".join(f'{name}="{value}"\n' for name, value in environment.items()))
    run(*SYSTEMCTL, "stop", UNIT)
    run(*SYSTEMCTL, "reset-failed", UNIT)
    since, begin = time.time(), time.monotonic()
    done = run(*SYSTEMCTL, "start", UNIT, timeout=90)
    seconds = round(time.monotonic() - begin, 2)
    # A unit that is active and ends at once has not started either.
    active = done.returncode == 0 and run(*SYSTEMCTL, "is-active", UNIT).stdout.strip() == "active"
    if active:
        return {"active": True, "seconds": seconds}
    run("journalctl", "--sync")
    return {"active": False, "seconds": seconds, "reason": reason(since)}


def publish(api: Api, name: str, host_ip: str, port: int) -> dict:
    """A container with a web server, published in one way."""
    api.call("DELETE", f"/containers/{name}?force=1")
    status, created = api.call(
        "POST",
        f"/containers/create?name={name}",
        {
            "Image": "web",
            "Cmd": COMMAND,
            # busybox ignores SIGTERM as process 1, and the daemon would wait for it when it stops.
            "StopSignal": "SIGKILL",
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": host_ip, "HostPort": str(port) if port else ""}]}},
        },
    )
    if status != 201:
        return {"error": created.get("message", f"status {status}"), "port": 0}
    status, answer = api.call("POST", f"/containers/{name}/start")
    if status != 204:
        return {"error": answer.get("message", f"status {status}"), "port": 0}
    if not port:
        _status, shown = api.call("GET", f"/containers/{name}/json")
        port = int(((shown["NetworkSettings"]["Ports"].get("80/tcp") or [{}])[0]).get("HostPort", 0))
    return {"error": "", "port": port}


def wait_for(seen: dict, first: dict, name: str, port: int, addresses: list[str]) -> None:
    """Ask one publish again and again, until all of these addresses have answered or its patience is over."""
    begin = time.monotonic()
    pending = list(addresses)
    while pending and time.monotonic() < begin + PATIENCE:
        for address in list(pending):
            seen[name, address] = ask(address, port)
            if seen[name, address] == "answered":
                pending.remove(address)
                first.setdefault(name, round(time.monotonic() - begin, 3))
        time.sleep(0.005)


def measure(request: dict) -> dict:
    """Publish, and ask from the host itself."""
    api = Api(f"/run/user/{uid()}/docker.sock")
    if api.call("GET", "/images/web/json")[0] != 200:
        api.call("POST", "/images/create?fromSrc=-&repo=web", Path(IMAGE).read_bytes())
    published: dict[str, dict] = {}
    seen: dict[tuple[str, str], str] = {}
    first: dict[str, float] = {}
    waiting = []
    for name, (host_ip, port, must_answer) in request["publish"].items():
        published[name] = publish(api, name, host_ip, port)
        if published[name]["port"]:
            waiting.append(threading.Thread(target=wait_for, args=(seen, first, name, published[name]["port"], must_answer)))
            waiting[-1].start()
    for each in waiting:
        each.join()
    for name, address in itertools.product(published, request["addresses"]):
        if published[name]["port"] and (name, address) not in seen:
            seen[name, address] = ask(address, published[name]["port"])
    version = api.call("GET", "/version")[1]
    return {
        "published": published,
        "host": [[name, address, outcome] for (name, address), outcome in seen.items()],
        "first_answer": first,
        "engine": f"{version.get('Version')} (API {version.get('ApiVersion')})",
    }


def main() -> None:
    """Do what the request says."""
    request = json.load(sys.stdin)
    result = {"start": start(request["environment"])}
    if result["start"]["active"]:
        result.update(measure(request))
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
