# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _package_files as core

TEXT = "program\n"
SUM = "0ad1e8b3a2c1e2bd3e6e7ab8b5cb8d02"


@pytest.fixture
def host(tmp_path):
    """A host with one package of one program and one configuration file; its list is newer than they are, as dpkg leaves it."""
    top, database = tmp_path / "top", tmp_path / "dpkg"
    (top / "usr/bin").mkdir(parents=True)
    (top / "etc").mkdir()
    (database / "info").mkdir(parents=True)
    program = top / "usr/bin/tool"
    program.write_text(TEXT)
    program.chmod(0o755)
    (top / "etc/tool.conf").write_text("a")
    time.sleep(0.02)
    lines = [f"{core.file_sum(str(program))}  usr/bin/tool", f"{'0' * 32}  etc/tool.conf"]
    (database / "info/tool:amd64.md5sums").write_text("\n".join(lines) + "\n")
    time.sleep(0.02)
    return program, top, database


def altered(host, packages=("tool",)):
    _program, top, database = host
    return core.altered_files(packages, str(database), str(top))


def replace(program, text=TEXT, mode=0o755):
    other = program.with_name("other")
    other.write_text(text)
    other.chmod(mode)
    os.replace(other, program)


@pytest.mark.parametrize(
    ("title", "change", "found"),
    [
        ("as it was", lambda program: None, False),
        ("touched", os.utime, False),
        ("replaced by the same", replace, False),
        ("another program", lambda program: replace(program, "other"), True),
        ("cut short", lambda program: program.write_text(TEXT[:-1]), True),
        ("another program with the old time", lambda program: (replace(program, "other"), os.utime(program, (1, 1))), True),
        ("everybody may write", lambda program: program.chmod(0o777), True),
        ("removed", lambda program: program.unlink(), True),
        ("a link to the same", lambda program: (program.rename(f"{program}.real"), program.symlink_to(f"{program}.real")), True),
    ],
)
def test_altered(host, title, change, found):
    change(host[0])
    assert altered(host) == ({"tool": ["/usr/bin/tool"]} if found else {}), title


def with_mode(program):
    program.chmod(0o4755)


@pytest.mark.parametrize(
    ("title", "change", "found"),
    [
        ("as it was", with_mode, False),
        ("set again", lambda program: (program.chmod(0o755), with_mode(program)), False),
        ("the bit was taken", lambda program: program.chmod(0o755), True),
        ("not for everybody", lambda program: program.chmod(0o4750), True),
        ("copied", lambda program: (with_mode(program), replace(program)), True),
        ("copied with its bit", lambda program: replace(program, mode=0o4755), False),
    ],
)
@pytest.mark.parametrize("newer", ["the file", "the list"])
def test_mode(host, monkeypatch, title, change, found, newer):
    monkeypatch.setattr(core, "MODES", {"usr/bin/tool": 0o4755})
    program, _top, database = host
    change(program)
    if newer == "the list":
        time.sleep(0.02)
        os.utime(database / "info/tool:amd64.md5sums")
    assert altered(host) == ({"tool": ["/usr/bin/tool"]} if found else {}), title


def test_the_mode_that_the_operator_chose(host, monkeypatch):
    monkeypatch.setattr(core, "MODES", {"usr/bin/tool": 0o4755})
    assert altered(host) == {"tool": ["/usr/bin/tool"]}
    (host[2] / "statoverride").write_text("root root 0755 /usr/bin/tool\n")
    assert altered(host) == {}
    replace(host[0], "other")
    assert altered(host) == {"tool": ["/usr/bin/tool"]}


def test_programs_of(host):
    assert core.programs_of(["tool", "none"], str(host[2])) == ["/usr/bin/tool"]


def test_what_was_moved_away_is_looked_for_there(host):
    program, top, database = host
    (database / "diversions").write_text("/usr/bin/tool\n/usr/bin/tool.distrib\nlocal\n")
    assert altered(host) == {"tool": ["/usr/bin/tool.distrib"]}
    program.rename(top / "usr/bin/tool.distrib")
    replace(program, "mine")
    assert altered(host) == {}


def test_packages_without_a_list(host):
    assert altered(host, ["other", "*"]) == {}


def test_lines_that_are_none():
    assert core.parse_sums(f"{SUM}  usr/bin/a\n{SUM} usr/bin/b\nx  usr/bin/c\n\n{SUM}  etc/d\n") == {"usr/bin/a": SUM}
    assert core.parse_overrides("root #0 755 /usr/bin/a b\nroot root 755\n\n") == {"/usr/bin/a b"}
    assert core.parse_diversions("/a\n/b\n:\n/c\n/d") == {"/a": "/b"}
