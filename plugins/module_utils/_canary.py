# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throw-away containers without an image, which answer on published ports and probe from inside.

The image is a few folders and links and the canary's program; the host's /usr, bound read-only, brings the interpreter.
Everything that is made is found again by what it is called: so it goes also when the run that made it was killed between
two calls. A label alone is no proof: containers inherit those of their image, whoever made that.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary_server, _probe
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError, clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import read_process, read_text, whole_number
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

LABEL = "portside.rootless_docker.canary"
MAKER_LABEL = "portside.rootless_docker.canary_maker"
REPOSITORY = "portside-canary"
"""Repository of the images, whose tag is the run's id, and the beginning of the containers' names."""
RUN_ID = "[0-9a-f]{12}"
SWEEP_SECONDS = 1.0
"""Seconds that leftovers get to go; one that somebody's own container keeps would cost the whole run otherwise."""
GRACE = 5.0
"""Seconds that a canary outlives its run's deadline at most."""

_FOLDER = "canary"
PROGRAM = f"/{_FOLDER}/main.py"
"""Path of what a canary container runs."""
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
        number = "([0-9]{1,15})"
        found = re.fullmatch(f"{number}:{number}:{number}:([0-9a-f-]{{1,36}}):{number}", text) if isinstance(text, str) else None
        return cls(int(found[1]), int(found[2]), int(found[3]), found[4], int(found[5])) if found else None


NOBODY = 0
"""The pid of a maker whose canaries stay after it has ended: what it made may go when its time is over."""


def this_maker(seconds: float, stays: bool = False) -> Maker:
    """This process, for a run that lasts at most C(seconds).

    :param stays: whether what it makes is to stay when it has ended.
    """
    me = read_process(os.getpid())
    if me is None:
        raise RuntimeError("/proc does not show this process")
    boot_id = (read_text("/proc/sys/kernel/random/boot_id", 64) or "").strip()
    pid = NOBODY if stays else me.pid
    return Maker(pid, me.start, me.uid, boot_id, int(time.clock_gettime(time.CLOCK_BOOTTIME) + seconds + GRACE) + 1)


def is_stale(maker: Maker, now: Maker, seconds_since_boot: float, start_of_pid: int | None) -> bool:
    """Whether what C(maker) left may be removed.

    :param now: this process.
    :param start_of_pid: start time of the process that has the maker's pid now, None when this process sees none.
    """
    if maker.boot_id != now.boot_id or seconds_since_boot > maker.expires:
        return True
    if maker.pid == NOBODY:
        return False
    if now.uid not in (0, maker.uid):
        # With hidepid, other users' processes cannot be seen: being invisible is not being gone.
        return False
    return start_of_pid != maker.start


@dataclass(frozen=True)
class Made:
    """A container or an image that a run made and that is still there.

    :ivar path: in the Engine's API.
    """

    run_id: str
    maker: Maker
    path: str


def _match(pattern: str, values: Any) -> re.Match[str] | None:
    found = (re.fullmatch(pattern, value) for value in (values if isinstance(values, list) else []) if isinstance(value, str))
    return next((match for match in found if match), None)


def _made(entry: dict[str, Any], run_id: str, path: str) -> Made | None:
    labels = entry.get("Labels")
    labels = labels if isinstance(labels, dict) else {}
    maker = Maker.parse(labels.get(MAKER_LABEL))
    return Made(run_id, maker, path) if maker and labels.get(LABEL) == run_id else None


def made_container(entry: dict[str, Any]) -> Made | None:
    """An entry of the Engine's list of containers, if it has a canary's name, image and labels; None for everybody else's."""
    found = _match(f"/({REPOSITORY}-({RUN_ID})-[a-z0-9]+)", entry.get("Names"))
    if not found or entry.get("Image") != f"{REPOSITORY}:{found[2]}":
        return None
    return _made(entry, found[2], f"/containers/{found[1]}")


def made_image(entry: dict[str, Any]) -> Made | None:
    """The same of an image, which must have a canary's tag and labels."""
    found = _match(f"{REPOSITORY}:({RUN_ID})", entry.get("RepoTags"))
    return _made(entry, found[1], f"/images/{REPOSITORY}:{found[1]}") if found else None


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


MAX_PORTS = 500
"""Ports that one run takes at most, by far."""


class NoFreePort(Exception):
    """There is no port left for a canary."""

    def __init__(self, where: str) -> None:
        super().__init__(f"the check finds no free port {where} for its canaries: nearly all are in use (ss -tuan)")


class FreePorts:
    """Ports from 20000 to 31999 that are free, each given once.

    None lies in the ephemeral range (that trap belongs in one cell only), unless there are too few others.
    """

    def __init__(self, busy: set[int], ephemeral: tuple[int, int], rng: random.Random) -> None:
        first, last = ephemeral
        span = range(20000, 32000) if len(busy.intersection(range(20000, 32000))) < 11000 else range(1024, 65536)
        free = [port for port in span if port not in busy]
        inside = [port for port in free if first <= port <= last]
        outside = [port for port in free if not first <= port <= last]
        # Taken from the end: those outside the range come first.
        self._free = [port for some in (inside, outside) for port in rng.sample(some, min(MAX_PORTS, len(some)))]
        # Linux gives the ports at even distances from the first to outgoing connections, the others only when it has run out: a check of
        # many ports makes so many connections that one of them might have the port when pasta wants to bind it.
        ephemeral_ports = range(first + 1, last + 1, 2) or range(first, last + 1)
        some_ports = rng.sample(ephemeral_ports, min(MAX_PORTS, len(ephemeral_ports)))
        self._ephemeral = [port for port in some_ports if port not in busy]

    def take(self, count: int) -> list[int]:
        """So many ports.

        :raises NoFreePort: there are none left.
        """
        if len(self._free) < count:
            raise NoFreePort("from 1024 to 65535")
        return [self._free.pop() for _each in range(count)]

    def take_ephemeral(self) -> int:
        """One of the ephemeral range.

        :raises NoFreePort: there is none left.
        """
        if not self._ephemeral:
            raise NoFreePort("of net.ipv4.ip_local_port_range")
        return self._ephemeral.pop()


def parse_log(data: bytes) -> bytes:
    """Standard output in an answer of the Engine's logs call: frames of a header of 8 bytes and a payload."""
    out = bytearray()  # grows in place: a log may have very many frames
    offset = 0
    while offset + 8 <= len(data):
        size = int.from_bytes(data[offset + 4 : offset + 8], "big")
        if data[offset] == 1:
            out += data[offset + 8 : offset + 8 + size]
        offset += 8 + size
    return bytes(out)


def published_ports(details: dict[str, Any]) -> dict[str, dict[str, int]]:
    """What the Engine's details of a container say that it published, by container port (C(80/tcp)) and host address; pure."""
    settings = details.get("NetworkSettings")
    ports = settings.get("Ports") if isinstance(settings, dict) else None
    found: dict[str, dict[str, int]] = {}
    for port, entries in (ports if isinstance(ports, dict) else {}).items():
        if not re.fullmatch("[0-9]{1,5}/[a-z]{1,8}", port):
            continue
        for entry in entries if isinstance(entries, list) else []:
            address, text = (entry.get("HostIp", ""), entry.get("HostPort")) if isinstance(entry, dict) else (None, None)
            number = whole_number(text) if isinstance(text, str) else None
            if isinstance(address, str) and number is not None and 0 < number < 65536:
                found.setdefault(port, {})[address] = number
    return found


class Canaries:
    """The canary containers of one run.

    :param engine: the user's Engine.
    :param run_id: names the run, 12 hexadecimal digits.
    :param nonce: the secret of the run's answers.
    :param deadline: of the run; the containers end by themselves soon after it.
    :param hold: seconds that they stay when the run is over.
    """

    def __init__(self, engine: Engine, run_id: str, nonce: str, deadline: Deadline, python: str, hold: float = 0) -> None:
        self._engine = engine
        self._id = run_id
        self._nonce = nonce
        self._deadline = deadline
        self._python = python
        self._hold = hold
        self._maker = this_maker(deadline.remaining() + hold, stays=hold > 0)
        self._image = f"{REPOSITORY}:{run_id}"

    def _labels(self) -> dict[str, str]:
        return {LABEL: self._id, MAKER_LABEL: self._maker.text()}

    def sweep(self) -> None:
        """Remove what earlier runs left whose process is gone."""
        self._remove(self._stale, self._deadline.within(SWEEP_SECONDS))

    def _stale(self, there: list[Made]) -> list[Made]:
        """What of this may be removed, whoever made it."""
        boottime = time.clock_gettime(time.CLOCK_BOOTTIME)
        stale = []
        for made in there:
            process = read_process(made.maker.pid)
            if is_stale(made.maker, self._maker, boottime, process.start if process else None):
                stale.append(made)
        return stale

    def _still_there(self) -> list[Made]:
        """What runs of this check made, containers first."""
        containers = [made_container(entry) for entry in self._engine.containers(True, LABEL)]
        images = [made_image(entry) for entry in self._engine.images(REPOSITORY)]
        return [made for made in containers + images if made]

    def make_image(self) -> None:
        """Import the image.

        :raises EngineError: the Engine refused; :class:`HttpError`: no usable answer.
        """
        # It says 200 before it has begun: a failure comes in the body.
        answer = self._engine.call(
            "POST",
            f"/images/create?fromSrc=-&repo={REPOSITORY}&tag={self._id}&"
            + "&".join(f"changes=LABEL%20{k}={v}" for k, v in self._labels().items()),
            body=image_archive(),
            content_type="application/x-tar",
        )
        for line in answer.body.decode("utf-8", "replace").splitlines():
            try:
                status = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(status, dict) and isinstance(status.get("error"), str):
                raise EngineError(answer.status, clean(status["error"], 600), "POST /images/create")

    def start(self, role: str, task: dict[str, Any], network: str | None, bindings: dict[str, list[dict[str, str]]]) -> str:
        """Create and start one canary container.

        :param role: names it within the run.
        :param task: for the program in it, see C(_canary_server.main).
        :param network: network mode; None is the Engine's default.
        :param bindings: published ports, as the Engine's API has them.
        :returns: the container's id.
        :raises EngineError: the Engine refused; :class:`HttpError`: no usable answer.
        """
        lifetime = self._deadline.remaining() + self._hold + GRACE
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
            {"name": f"{REPOSITORY}-{self._id}-{role}"},
            {
                "Image": self._image,
                "Cmd": [self._python, "-I", "-S", "-B", PROGRAM, json.dumps(program)],
                "Labels": self._labels(),
                "ExposedPorts": {port: {} for port in bindings},
                "HostConfig": host,
            },
        ).json()
        identity = created.get("Id") if isinstance(created, dict) else None
        if not isinstance(identity, str) or not re.fullmatch("[0-9a-f]{12,64}", identity):
            raise HttpError("garbled", "the Engine created the canary and did not name it")
        self._engine.call("POST", f"/containers/{identity}/start")
        return identity

    def published(self, identity: str) -> dict[str, dict[str, int]]:
        """Host ports of a container, by container port (C(80/tcp)) and host address: what the Engine says it published."""
        return published_ports(self._engine.get(f"/containers/{identity}/json"))

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
                except (ValueError, RecursionError):
                    return None
                return found if isinstance(found, dict) else None
            if deadline.remaining() < 0.1:
                return None
            time.sleep(0.05)

    def discard(self, identity: str) -> None:
        """Remove one container before the end; what stays, the removal at the end names."""
        self._delete(f"/containers/{identity}", self._deadline)

    def remove(self, deadline: Deadline) -> None:
        """Remove everything of this run.

        :raises EngineError: something is still there at the deadline; :class:`HttpError`: no usable answer.
        """
        error = self._remove(lambda there: [made for made in there if made.run_id == self._id], deadline)
        # What a run that was killed had told the Engine may have been made since the sweep.
        self._remove(self._stale, deadline.within(SWEEP_SECONDS))
        if error is not None:
            raise error

    def _remove(self, choose: Callable[[list[Made]], list[Made]], deadline: Deadline) -> EngineError | None:
        """Remove what C(choose) takes of what is there, until nothing is; what the Engine said about the first thing that stayed.

        It looks again after each round: the Engine may still be making what it was told before, and an image is in use until the Engine has
        let go of the container.
        """
        while things := choose(self._still_there()):
            errors = [error for error in [self._delete(thing.path, deadline) for thing in things] if error]
            if deadline.remaining() < 0.1:
                return errors[0] if errors else None
            time.sleep(0.05 if errors else 0.01)
        return None

    def _delete(self, path: str, deadline: Deadline) -> EngineError | None:
        """None when it is gone."""
        # Never by force for an image: the tag would go, and an image in use would stay, without a name to find it by.
        query = {"force": "1", "v": "1"} if path.startswith("/containers/") else None
        try:
            self._engine.call("DELETE", path, query, deadline=deadline)
        except EngineError as error:
            return None if error.status == 404 else error
        except HttpError as error:
            # One that is slow must not keep the others.
            return EngineError(0, str(error), f"DELETE {path}")
        return None
