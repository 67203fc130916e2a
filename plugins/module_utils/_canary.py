# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throw-away containers without an image, which answer on published ports and probe from inside.

The image is a few folders and links and the canary's program; the host's /usr, bound read-only, brings the interpreter.
Everything that is made carries the run's label, and is found again by that label: so it goes also when the run that
made it was killed between two calls.
"""

from __future__ import annotations

import io
import json
import os
import random
import sys
import tarfile
import time
from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary_server, _probe
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import read_process, read_text
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

LABEL = "portside.rootless_docker.canary"
MAKER_LABEL = "portside.rootless_docker.canary_maker"
GRACE = 5.0
"""Seconds that a canary outlives its run's deadline at most."""

_FOLDER = "canary"
_MAIN = f"import json, sys\nsys.path.insert(0, '/{_FOLDER}')\nimport probe, server\nserver.main(json.loads(sys.argv[1]), probe.run_task)\n"


def source_of(module: Any) -> str:
    """The text of one of this collection's modules, also when it was sent to the host as an archive."""
    text = module.__loader__.get_source(module.__name__)
    if not text:
        raise RuntimeError(f"the source of {module.__name__} cannot be read")
    return text


@dataclass(frozen=True)
class Maker:
    """Who made a canary, and until when it may be there.

    :ivar start: of the process, in clock ticks since boot.
    :ivar expires: seconds since boot.
    """

    pid: int
    start: int
    uid: int
    boot_id: str
    expires: int

    def text(self) -> str:
        """As a label's value."""
        return f"{self.pid}:{self.start}:{self.uid}:{self.boot_id}:{self.expires}"

    @classmethod
    def parse(cls, text: Any) -> Maker | None:
        """From a label's value; None when it is not one."""
        fields = text.split(":") if isinstance(text, str) and len(text) < 200 else []
        if len(fields) != 5 or not all(fields[i].isdigit() for i in (0, 1, 2, 4)):
            return None
        return cls(int(fields[0]), int(fields[1]), int(fields[2]), fields[3], int(fields[4]))


def this_maker(seconds: float) -> Maker:
    """This process, for a run that lasts at most C(seconds)."""
    me = read_process(os.getpid())
    if me is None:
        raise RuntimeError("/proc does not show this process")
    boot_id = (read_text("/proc/sys/kernel/random/boot_id", 64) or "").strip()
    return Maker(me.pid, me.start, me.uid, boot_id, int(time.clock_gettime(time.CLOCK_BOOTTIME) + seconds + GRACE) + 1)


def is_stale(maker: Maker, now: Maker, seconds_since_boot: float, start_of_pid: int | None) -> bool:
    """Whether what C(maker) left may be removed.

    :param now: this process.
    :param start_of_pid: start time of the process that has the maker's pid now, None when this process sees none.
    """
    if maker.boot_id != now.boot_id or seconds_since_boot > maker.expires:
        return True
    if now.uid not in (0, maker.uid):
        # With hidepid, other users' processes cannot be seen: being invisible is not being gone.
        return False
    return start_of_pid != maker.start


def image_archive() -> bytes:
    """The image: mount points, links that lead into /usr, and the canary's program."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in ("usr", "proc", "sys", "dev", "tmp", "etc", _FOLDER):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if os.path.isdir(f"/usr/{name}"):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
                archive.addfile(link)
        for name, text in (("main", _MAIN), ("probe", source_of(_probe)), ("server", source_of(_canary_server))):
            program = tarfile.TarInfo(f"{_FOLDER}/{name}.py")
            program.mode, program.size = 0o644, len(text.encode())
            archive.addfile(program, io.BytesIO(text.encode()))
    return data.getvalue()


def interpreter() -> str | None:
    """A Python that is there inside a container, too: below /usr, and no link out of it."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        path = os.path.realpath(candidate) if candidate else ""
        if path.startswith("/usr/") and os.access(path, os.X_OK):
            return path
    return None


def pick_ports(count: int, busy: set[int], ephemeral: tuple[int, int], rng: random.Random) -> list[int]:
    """Free ports from 20000 to 31999, none in the ephemeral range (that trap belongs in one cell only), or where that leaves too few, any "
    "free ones there."""
    free = [port for port in range(20000, 32000) if port not in busy]
    outside = [port for port in free if not ephemeral[0] <= port <= ephemeral[1]]
    return rng.sample(outside if len(outside) >= count else free, count)


def parse_log(data: bytes) -> bytes:
    """Standard output in an answer of the Engine's logs call: frames of a header of 8 bytes and a payload."""
    out = b""
    offset = 0
    while offset + 8 <= len(data):
        size = int.from_bytes(data[offset + 4 : offset + 8], "big")
        if data[offset] == 1:
            out += data[offset + 8 : offset + 8 + size]
        offset += 8 + size
    return out


class Canaries:
    """The canary containers of one run.

    :param engine: the user's Engine.
    :param run_id: names the run.
    :param nonce: the secret of the run's answers.
    :param deadline: of the run; the containers end by themselves soon after it.
    """

    def __init__(self, engine: Engine, run_id: str, nonce: str, deadline: Deadline, python: str) -> None:
        self._engine = engine
        self._id = run_id
        self._nonce = nonce
        self._deadline = deadline
        self._python = python
        self._maker = this_maker(deadline.remaining())
        self._image = ""
        self.failures: dict[str, str] = {}

    def _labels(self) -> dict[str, str]:
        return {LABEL: self._id, MAKER_LABEL: self._maker.text()}

    def sweep(self) -> int:
        """Remove what earlier runs left whose process is gone; the number of things removed."""
        stale = set()
        boottime = time.clock_gettime(time.CLOCK_BOOTTIME)
        for entry in self._engine.containers(True, LABEL) + self._images(LABEL):
            labels = entry.get("Labels")
            labels = labels if isinstance(labels, dict) else {}
            maker = Maker.parse(labels.get(MAKER_LABEL))
            run_id = labels.get(LABEL)
            if maker is None or not isinstance(run_id, str) or run_id == self._id:
                continue
            process = read_process(maker.pid)
            if is_stale(maker, self._maker, boottime, process.start if process else None):
                stale.add(run_id)
        return sum(self._remove_run(run_id, self._deadline) for run_id in stale)

    def _images(self, label: str) -> list[dict[str, Any]]:
        found = self._engine.get("/images/json", {"filters": {"label": [label]}}, kind=list)
        return [entry for entry in found if isinstance(entry, dict)]

    def make_image(self) -> None:
        """Import the image.

        :raises EngineError: the Engine refused; :class:`HttpError`: no usable answer.
        """
        answer = self._engine.call(
            "POST",
            "/images/create?fromSrc=-&" + "&".join(f"changes=LABEL%20{k}={v}" for k, v in self._labels().items()),
            body=image_archive(),
            content_type="application/x-tar",
        )
        for line in answer.body.decode("utf-8", "replace").splitlines():
            try:
                status = json.loads(line)
            except ValueError:
                continue
            if isinstance(status, dict) and isinstance(status.get("error"), str):
                raise EngineError(answer.status, status["error"][:600], "POST /images/create")
            if isinstance(status, dict) and str(status.get("status", "")).startswith("sha256:"):
                self._image = str(status["status"])
        if not self._image:
            raise HttpError("garbled", "the Engine imported the canary's image and did not name it")

    def start(self, role: str, task: dict[str, Any], network: str | None, bindings: dict[str, list[dict[str, str]]]) -> str:
        """Create and start one canary container.

        :param role: names it within the run.
        :param task: for the program in it, see C(_canary_server.main).
        :param network: network mode; None is the Engine's default.
        :param bindings: published ports, as the Engine's API has them.
        :returns: the container's id.
        :raises EngineError: the Engine refused; :class:`HttpError`: no usable answer.
        """
        lifetime = self._deadline.remaining() + GRACE
        program = {"nonce": self._nonce, "lifetime": lifetime, **task}
        host: dict[str, Any] = {
            "Binds": ["/usr:/usr:ro"],
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "AutoRemove": True,
            "LogConfig": {"Type": "json-file", "Config": {}},
            "PortBindings": bindings,
        }
        if network:
            host["NetworkMode"] = network
        created = self._engine.call(
            "POST",
            "/containers/create",
            {"name": f"portside-canary-{self._id}-{role}"},
            {
                "Image": self._image,
                "Cmd": [self._python, "-I", "-S", "-B", f"/{_FOLDER}/main.py", json.dumps(program)],
                "Labels": self._labels(),
                "ExposedPorts": {port: {} for port in bindings},
                "HostConfig": host,
            },
        ).json()
        identity = created.get("Id") if isinstance(created, dict) else None
        if not isinstance(identity, str) or not identity.isalnum():
            raise HttpError("garbled", "the Engine created the canary and did not name it")
        self._engine.call("POST", f"/containers/{identity}/start")
        return identity

    def published(self, identity: str) -> dict[str, list[int]]:
        """Host ports of a container, by container port (C(80/tcp)): what the Engine says it published."""
        settings = self._engine.get(f"/containers/{identity}/json").get("NetworkSettings")
        ports = settings.get("Ports") if isinstance(settings, dict) else None
        found: dict[str, list[int]] = {}
        for port, entries in (ports if isinstance(ports, dict) else {}).items():
            for entry in entries if isinstance(entries, list) else []:
                number = str(entry.get("HostPort", "")) if isinstance(entry, dict) else ""
                if number.isdigit() and 0 < int(number) < 65536:
                    found.setdefault(port, []).append(int(number))
        return found

    def result(self, identity: str, deadline: Deadline) -> dict[str, list[Any]] | None:
        """What the probes inside a container found; None when nothing came in time."""
        while True:
            try:
                body = self._engine.call("GET", f"/containers/{identity}/logs", {"stdout": "1"}).body
            except EngineError:
                return None  # it ended, and the Engine removed it
            line, end, _rest = parse_log(body).partition(b"\n")
            if end:
                try:
                    found = json.loads(line)
                except ValueError:
                    return None
                return found if isinstance(found, dict) else None
            if deadline.remaining() < 0.1:
                return None
            time.sleep(0.05)

    def remove(self, deadline: Deadline) -> None:
        """Remove everything of this run."""
        self._remove_run(self._id, deadline)

    def _remove_run(self, run_id: str, deadline: Deadline) -> int:
        count = 0
        selector = f"{LABEL}={run_id}"
        for entry in self._engine.containers(True, selector):
            count += self._delete(f"/containers/{entry.get('Id')}", {"force": "1", "v": "1"}, deadline)
        for entry in self._images(selector):
            # The image is in use until the Engine has let go of the container.
            while not self._delete(f"/images/{entry.get('Id')}", {"force": "1"}, deadline):
                if deadline.remaining() < 0.1:
                    break
                time.sleep(0.05)
            else:
                count += 1
        return count

    def _delete(self, path: str, query: dict[str, Any], deadline: Deadline) -> bool:
        """Whether it is gone."""
        try:
            self._engine.call("DELETE", path, query, deadline=deadline)
        except EngineError as error:
            return error.status == 404
        return True
