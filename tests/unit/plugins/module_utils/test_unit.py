# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import functools
import os
import socket

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _unit as core

OWN = "/etc/systemd/user/docker.service"
USERS_OWN = "/home/alice/.config/systemd/user/docker.service"
STARTED, RELOADED = 1795428900.25, 1795429800.75

# As systemctl prints a running unit, in its own order of the properties.
RUNNING = f"""\
ExecReload={{ path=/bin/kill ; argv[]=/bin/kill -s HUP $MAINPID ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; \
code=(null) ; status=0/0 }}
MainPID=1234
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath={OWN}
DropInPaths=
NeedDaemonReload=no
ActiveEnterTimestamp=Mon 2026-11-23 10:15:00.250000 UTC
ConditionResult=yes
Result=success
UnitFileState=enabled
Environment=PATH=/usr/sbin:/usr/bin "A=x y" "B=\\"1\\" \\$x"
EnvironmentFiles=/etc/rootless-docker/alice/environment (ignore_errors=no)
EnvironmentFiles=/home/alice/a (b) (ignore_errors=yes)
"""
RELOAD = (
    "start_time=[Mon 2026-11-23 10:30:00.750000 UTC] ; stop_time=[Mon 2026-11-23 10:30:00.760000 UTC] ; pid=5678 ; code=exited ; status=0"
)

# A manager that knows no such unit.
NOT_FOUND = """\
MainPID=0
LoadState=not-found
ActiveState=inactive
SubState=dead
FragmentPath=
DropInPaths=
NeedDaemonReload=no
ActiveEnterTimestamp=
ConditionResult=no
"""


def changed(text=RUNNING, **properties):
    """The recorded text with other values for some properties."""
    lines = [line.split("=", 1) for line in text.splitlines()]
    return "".join(f"{name}={properties.get(name, value)}\n" for name, value in lines)


def test_running_unit():
    assert core.parse_show(RUNNING, OWN) == core.Unit(
        active="active",
        sub="running",
        main_pid=1234,
        fragment=OWN,
        taken_up=STARTED,
        load="loaded",
        result="success",
        enabled="enabled",
        condition=True,
        environment={"PATH": "/usr/sbin:/usr/bin", "A": "x y", "B": '"1" $x'},
        environment_files=("/etc/rootless-docker/alice/environment", "/home/alice/a (b)"),
    )


@pytest.mark.parametrize(
    ("waiting", "listens", "is_up"),
    [
        (0, True, True),
        # One that stands still, to which somebody connected again and again: it is there, and whoever asks it learns that it is silent.
        (2, True, True),
        (0, False, False),
    ],
)
def test_manager(tmp_path, monkeypatch, waiting, listens, is_up):
    uid = os.geteuid()
    folder = tmp_path / str(uid) / "systemd"
    folder.mkdir(parents=True)
    monkeypatch.setattr(core, "connect_runtime_socket", functools.partial(core.connect_runtime_socket, root=str(tmp_path)))
    monkeypatch.setattr(core.os.path, "exists", lambda path: path == f"/run/user/{uid}/bus")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(folder / "private"))
        if listens:
            server.listen(0)
        for _number in range(waiting):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(str(folder / "private"))
        assert core.manager_is_up(uid) is is_up


def test_unit_that_is_not_there():
    assert core.parse_show(NOT_FOUND, OWN) == core.Unit(active="inactive", sub="dead", load="not-found")


@pytest.mark.parametrize(
    ("properties", "field", "value"),
    [
        ({"ActiveState": "failed", "SubState": "failed"}, "active", "failed"),
        ({"ActiveState": "\x1b[2J"}, "active", "\\x1b[2J"),
        ({"Result": "start-limit-hit"}, "result", "start-limit-hit"),
        ({"ConditionResult": "no"}, "condition", False),
        ({"DropInPaths": '"/a b/c.conf" /d.conf'}, "drop_ins", ("/a b/c.conf", "/d.conf")),
        ({"Environment": "nonsense =x 1A=y"}, "environment", {}),
        ({"NeedDaemonReload": "yes"}, "needs_daemon_reload", True),
        # systemd writes no where the user has no folder in /etc/rootless-docker.
        ({"MainPID": "0"}, "main_pid", 0),
        ({"MainPID": ""}, "main_pid", 0),
        ({"MainPID": "²"}, "main_pid", 0),
        ({"MainPID": "-1"}, "main_pid", 0),
        ({"MainPID": "9" * 5000}, "main_pid", 0),
    ],
)
def test_properties(properties, field, value):
    assert getattr(core.parse_show(changed(**properties), OWN), field) == value


@pytest.mark.parametrize(
    ("fragment", "drop_ins", "shadows"),
    [
        (OWN, "", ()),
        ("", "", ()),
        (USERS_OWN, "", (USERS_OWN,)),
        (OWN, f"{USERS_OWN}.d/a.conf /etc/systemd/user/docker.service.d/b.conf",
         (f"{USERS_OWN}.d/a.conf", "/etc/systemd/user/docker.service.d/b.conf")),
        (USERS_OWN, f"{USERS_OWN}.d/a.conf", (USERS_OWN, f"{USERS_OWN}.d/a.conf")),
    ],
)  # fmt: skip
def test_shadows(fragment, drop_ins, shadows):
    unit = core.parse_show(changed(FragmentPath=fragment, DropInPaths=drop_ins), OWN)
    assert (unit.fragment, unit.shadows) == (fragment, shadows)


def test_path_below_xdg_is_our_own(tmp_path):
    """systemd 252 reads the unit through the link /etc/xdg/systemd/user and names it by that path."""
    (tmp_path / "etc" / "systemd" / "user").mkdir(parents=True)
    (tmp_path / "etc" / "xdg" / "systemd").mkdir(parents=True)
    (tmp_path / "etc" / "xdg" / "systemd" / "user").symlink_to("../../systemd/user")
    own = tmp_path / "etc" / "systemd" / "user" / "docker.service"
    own.write_text("[Service]\n")
    named = f"{tmp_path}/etc/xdg/systemd/user/docker.service"
    unit = core.parse_show(changed(FragmentPath=named), str(own))
    assert (unit.fragment, unit.shadows) == (named, ())


RELOADED_ONCE = RUNNING.replace("start_time=[n/a]", RELOAD)


@pytest.mark.parametrize(
    ("title", "text", "taken_up"),
    [
        ("started", RUNNING, STARTED),
        ("reloaded since", RELOADED_ONCE, RELOADED),
        ("started after that", changed(RELOADED_ONCE, ActiveEnterTimestamp="Mon 2026-11-23 10:45:00 UTC"), RELOADED + 899.25),
        ("never started", changed(ActiveEnterTimestamp=""), 0.0),
        ("a unit without reload", "".join(RUNNING.splitlines(keepends=True)[1:]), STARTED),
        ("nothing", "", 0.0),
    ],
)  # fmt: skip
def test_taken_up(title, text, taken_up):
    assert core.parse_show(text, OWN).taken_up == taken_up, title


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu 1970-01-01 00:00:01 UTC", 1.0),
        ("Thu 1970-01-01 00:00:01.5 UTC", 1.5),
        ("Mon 2026-11-23 10:15:00.250000 UTC", STARTED),
        ("n/a", 0.0),
        ("", 0.0),
        # Another zone is not guessed at, and what is no time is none.
        ("Mon 2026-11-23 11:15:00 CET", 0.0),
        ("Mon 2026-13-45 99:99:99 UTC", 0.0),
    ],
)
def test_parse_time(text, seconds):
    assert core.parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "\n\n", "no pair\n", "=\n=\n", "ActiveState\n", "Fail: connection refused\n"])
def test_garbage_is_an_unknown_unit(text):
    assert core.parse_show(text, OWN) == core.Unit("unknown")


def test_systemctl_names_the_machine_only_for_others():
    assert core.systemctl("alice", os.geteuid()) == ["systemctl", "--user"]
    assert core.systemctl("alice", os.geteuid() + 1) == ["systemctl", "--user", "--machine=alice@"]
