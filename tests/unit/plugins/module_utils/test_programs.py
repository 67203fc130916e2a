# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import os

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _programs as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import Process

ROOTLESSKIT = "/opt/rootlesskit/3.2.0/rootlesskit"
OLD = "/opt/rootlesskit/2.3.6/rootlesskit"


def program(pid, exe, deleted=False, installed=None):
    return {"pid": pid, "exe": exe, "deleted": deleted, "installed": installed or exe, "argv": []}


SOUND = {
    "network_driver": "pasta",
    "rootlesskit": program(10, ROOTLESSKIT),
    "dockerd": program(20, "/usr/sbin/dockerd"),
    "containerd": program(21, "/usr/bin/containerd"),
    # pasta starts its variant for newer processors by itself.
    "pasta": program(30, "/usr/bin/pasta.avx2", installed="/usr/bin/pasta"),
    "slirp4netns": None,
}
NOTHING = {"network_driver": None, "rootlesskit": None, "dockerd": None, "containerd": None, "pasta": None}
SWITCHED = program(10, OLD, installed=ROOTLESSKIT)


@pytest.mark.parametrize(
    ("title", "differ", "texts"),
    [
        ("sound", {}, []),
        ("nothing runs", NOTHING, []),
        ("another driver", {"network_driver": "slirp4netns", "pasta": None, "slirp4netns": program(31, "/usr/bin/slirp4netns")}, []),
        ("a driver without a process", {"network_driver": "gvisor-tap-vsock", "pasta": None}, []),
        ("pasta killed", {"pasta": None}, ["pasta is dead"]),
        ("pasta may be hidden", {"pasta": None, "processes_hidden": True}, []),
        ("slirp4netns killed", {"network_driver": "slirp4netns", "pasta": None}, ["slirp4netns is dead"]),
        ("rootlesskit switched", {"rootlesskit": SWITCHED}, [f"rootlesskit (pid 10) runs {OLD}, installed is {ROOTLESSKIT}"]),
        ("nothing installed", {"rootlesskit": {**SWITCHED, "installed": None}}, []),
        ("path not to be read", {"rootlesskit": {**SWITCHED, "exe": None}}, []),
        ("dockerd upgraded", {"dockerd": program(20, "/usr/sbin/dockerd", True)},
         ["dockerd (pid 20) runs a file that was replaced since: /usr/sbin/dockerd"]),
        ("containerd upgraded", {"containerd": program(21, "/usr/bin/containerd", True)},
         ["containerd (pid 21) runs a file that was replaced since: /usr/bin/containerd"]),
        ("containerd of somebody else's", {"containerd": None}, []),
        ("pasta upgraded", {"pasta": program(30, "/usr/bin/pasta", True)}, ["pasta (pid 30) runs a file that was replaced since"]),
        ("rootlesskit's directory removed: told once", {"rootlesskit": {**SWITCHED, "deleted": True}},
         ["rootlesskit (pid 10) runs a file that was replaced since"]),
        ("two at once", {"dockerd": program(20, "/usr/sbin/dockerd", True), "pasta": None}, ["dockerd (pid 20)", "pasta is dead"]),
    ],
)  # fmt: skip
def test_stale(title, differ, texts):
    found = core.stale({**copy.deepcopy(SOUND), **differ})
    assert len(found) == len(texts), title
    assert all(text in line for text, line in zip(texts, found)), found


@pytest.mark.parametrize(
    ("title", "change", "replaced"),
    [
        ("as it was", lambda path, other: None, False),
        ("another file put in its place", lambda path, other: os.replace(other, path), True),
        ("removed, and the kernel's mark not seen yet", lambda path, other: os.unlink(path), True),
        # It is the file that counts, not its times.
        ("touched", lambda path, other: os.utime(path, (4e9, 4e9)), False),
    ],
)
def test_was_replaced(tmp_path, title, change, replaced):
    path, other = tmp_path / "dockerd", tmp_path / "new"
    path.write_text("")
    other.write_text("")
    (tmp_path / "7").mkdir()
    # In the place of the kernel's link, which leads to the file and not to its name.
    os.link(path, tmp_path / "7" / "exe")
    change(str(path), str(other))
    process = Process(pid=7, ppid=1, uid=0, state="S", start=1, comm="dockerd", exe=str(path))
    assert core.was_replaced(process, str(tmp_path)) is replaced, title


def test_what_is_marked_as_deleted_was_replaced(tmp_path):
    process = Process(pid=7, ppid=1, uid=0, state="S", start=1, comm="x", exe="/usr/bin/x", exe_deleted=True)
    assert core.was_replaced(process, str(tmp_path))
    assert not core.was_replaced(Process(pid=7, ppid=1, uid=0, state="S", start=1, comm="x"), str(tmp_path))


def test_would_start_goes_by_the_path_of_the_unit(tmp_path):
    for folder, name in (("one", "rootlesskit"), ("two", "docker-rootlesskit"), ("two", "dockerd")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text("")
        (tmp_path / folder / name).chmod(0o755)
    variables = {"PATH": f"{tmp_path}/one:{tmp_path}/two"}
    # The launch script looks for docker-rootlesskit in every folder first.
    assert core.would_start("rootlesskit", variables) == f"{tmp_path}/two/docker-rootlesskit"
    assert core.would_start("dockerd", variables) == f"{tmp_path}/two/dockerd"
    assert core.would_start("pasta", variables) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Docker version 26.1.5+dfsg1, build a72d7cd", "26.1.5+dfsg1"),
        ("rootlesskit version 3.2.0", "3.2.0"),
        ("29.8.0~rc.1", "29.8.0~rc.1"),
        ("slirp4netns version 1.2.1\ncommit: 09e31e92\nlibslirp: 4.8.0", "1.2.1"),
        ("pasta 2026_07_28.1234abc\nCopyright Red Hat\nGNU General Public License, version 2", "2026_07_28.1234abc"),
        ("Docker version library-import, build", None),
        ("pasta unknown version", None),
        ("", None),
        ("1." + "9" * 999, "1." + "9" * 55 + "..."),
    ],
)
def test_version(text, version):
    assert core.version_in(text) == version


def answering(**answers):
    """A function that runs programs; those that are not named are not there."""
    return lambda argv: answers.get(argv[0].rpartition("/")[2].replace("-", "_"), (127, ""))


@pytest.mark.parametrize(
    ("title", "path", "answers", "version"),
    [
        ("it says so", "/usr/bin/pasta", {"pasta": (0, "pasta 2026_07_28.1a")}, "2026_07_28.1a"),
        ("it says nothing, dpkg knows", "/usr/bin/pasta", {"pasta": (0, ""), "dpkg_query": (0, "installed 0.0~git20250503-2")},
         "0.0~git20250503-2"),
        ("it says nothing, rpm knows", "/usr/bin/pasta", {"rpm": (0, "installed 0^20250512-1.el10")}, "0^20250512-1.el10"),
        ("removed, its configuration left", "/usr/bin/pasta", {"dpkg_query": (0, "config-files 1.0")}, None),
        ("not the package's file", "/opt/passt/pasta", {"pasta": (0, ""), "dpkg_query": (0, "installed 1.0")}, ""),
        ("it names none", "/usr/sbin/dockerd", {"dockerd": (0, "Docker version library-import, build")}, ""),
        ("it fails", "/usr/sbin/dockerd", {"dockerd": (1, "")}, None),
        ("killed, or not to be run", "/usr/sbin/dockerd", {}, None),
        ("nobody knows", "/usr/bin/pasta", {}, None),
    ],
)  # fmt: skip
def test_version_on_disk(title, path, answers, version):
    assert core.disk_version("pasta", path, answering(**answers)) == version, title


def pasta(*accepts, runs=0):
    """A function that runs a pasta that accepts these options."""
    return lambda argv: (runs if all(option in accepts for option in argv[1:-1]) else 1, "")


LOOPBACK, CONF = core.PASTA_OPTIONS


@pytest.mark.parametrize(
    ("title", "ask", "options"),
    [
        ("a new one", pasta(f"{LOOPBACK}=/nonexistent", f"{CONF}=/nonexistent"), [LOOPBACK, CONF]),
        ("an old one", pasta(LOOPBACK), [LOOPBACK]),
        ("a very old one", pasta(), []),
        ("cut short", pasta(runs=-11), None),
        ("not to be run", lambda argv: (127, ""), None),
        ("time was up after the first", lambda argv: (0 if LOOPBACK in argv else 127, ""), None),
    ],
)
def test_options_of_pasta(title, ask, options):
    assert core.pasta_options("/usr/bin/pasta", ask) == options, title


def test_programs_are_run(tmp_path):
    ask = core.asker(Deadline(5))
    assert ask(["/bin/echo", "version 1.2"]) == (0, "version 1.2\n")
    assert ask(["/none/program"]) == (127, "")
    # As a program that was cut short, and one for which there was no time.
    cut = tmp_path / "pasta"
    cut.write_bytes(b"\x7fELF")
    cut.chmod(0o755)
    assert core.pasta_options(str(cut), ask) is None
    assert core.pasta_options("/bin/true", ask) == list(core.PASTA_OPTIONS)
    assert core.pasta_options("/bin/true", core.asker(Deadline(0))) is None


def test_a_process_in_a_result_is_bounded():
    process = Process(pid=7, ppid=1, uid=0, state="S", start=1, comm="x", argv=("\x1b" * 9999,) * 999, exe="/" + "x" * 999)
    shown = core.program(process)
    assert len(shown["argv"]) == core.MAX_ARGUMENTS
    assert max(map(len, shown["argv"])) <= core.MAX_ARGUMENT
    assert len(shown["exe"]) <= 300
    assert core.program(None) is None
