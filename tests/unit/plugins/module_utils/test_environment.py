# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _environment as core


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  ", []),
        ("A=1 B=2", ["A=1", "B=2"]),
        ('A=1 "B=x y" C=', ["A=1", "B=x y", "C="]),
        # As systemd 257 printed them.
        ('"DOCKER_B=1 \\"two\\" \\$x"', ['DOCKER_B=1 "two" $x']),
        ("$'A=x\\ty'", ["A=x\ty"]),
        ("'a b' c", ["a b", "c"]),
        ('""', [""]),
        ('"not closed', ["not closed"]),
        ("\\", ["\\"]),
        ("a\\ b", ["a b"]),
        ("a$b", ["a$b"]),
    ],
)
def test_split_words(text, words):
    assert core.split_words(text) == words


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("# comment\n; another\n\nA=1", {"A": "1"}),
        ('A="x y"\nB=\'z "q"\'\n', {"A": "x y", "B": 'z "q"'}),
        # As the role rootless_daemon writes it.
        ('A="\\"\\\\\\`\\$"', {"A": '"\\`$'}),
        ('A="\\n"', {"A": "\\n"}),
        ("A=\\n", {"A": "n"}),
        ("A=1 \\\n2", {"A": "1 2"}),
        ("A=1\nA=2", {"A": "2"}),
        ("  A = 1 ", {"A": "1"}),
        ("export A=1\n1A=2\n=3\nA", {}),
        ('A="not closed', {"A": "not closed"}),
        ("A=" + "x" * 9999, {"A": "x" * core.MAX_VALUE}),
    ],
)
def test_environment_file(text, variables):
    assert core.parse_environment_file(text) == variables


@pytest.mark.parametrize(
    ("raw", "variables"),
    [
        (b"", {}),
        (b"A=1\0B=x=y\0", {"A": "1", "B": "x=y"}),
        (b"A=1\0A=2\0", {"A": "1"}),
        (b"A=\xff\0", {"A": "\\xff"}),
        (b"no pair\0=1\0\xff=1\0", {}),
    ],
)
def test_environ(raw, variables):
    assert core.parse_environ(raw) == variables


def test_no_more_variables_than_a_result_can_hold():
    many = {f"V{number}": "" for number in range(core.MAX_VARIABLES + 9)}
    assert len(core.assignments(f"{name}=" for name in many)) == core.MAX_VARIABLES
    assert len(core.parse_environment_file("\n".join(f"{name}=" for name in many))) == core.MAX_VARIABLES
    assert len(core.parse_environ(b"\0".join(f"{name}=".encode() for name in many))) == core.MAX_VARIABLES


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("PATH", True),
        ("ROOTLESS_DOCKER_DIGEST", True),
        ("DOCKERD_ROOTLESS_ROOTLESSKIT_NET", True),
        ("DOCKERD", True),
        ("DOCKER_AUTH_CONFIG", False),
        ("HTTPS_PROXY", False),
        ("MYPATH", False),
    ],
)
def test_values_that_may_be_secrets_are_not_shown(name, shown):
    assert bool(core.decisive({name: "1"})) is shown
