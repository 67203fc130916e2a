# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Environments as systemd prints them, as its environment files hold them, and as the kernel shows them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_VALUE = 4096
"""Characters that are kept of one value."""

MAX_VARIABLES = 512
"""Variables that are kept of one environment."""

MAX_TEXT = 128 * 1024
"""Characters that are looked at: the kernel takes no longer value for a process."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

DECISIVE = re.compile(r"DOCKERD|DOCKERD_ROOTLESS_\w+|DOCKER_HOST|DOCKER_INSECURE_NO_IPTABLES_RAW|ROOTLESS_DOCKER_DIGEST|PATH|XDG_\w+")
"""Names of variables that decide how a daemon runs. Values of others are not shown: they may be secrets."""

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def split_words(text: str) -> list[str]:
    """The words of a list that C(systemctl show) prints: apart by spaces, quoted with C("…") or C($'…') where need be.

    A quote that is not closed ends with the text, and so does what is longer than C(MAX_TEXT).
    """
    text = text[:MAX_TEXT]
    words: list[str] = []
    current: list[str] | None = None
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if not quote and character in " \t\n":
            if current is not None:
                words.append("".join(current))
            current = None
            continue
        current = [] if current is None else current
        if character == "\\" and quote != "'" and position < len(text):
            following = text[position]
            position += 1
            current.append(_ESCAPES.get(following, following) if quote == "$'" else following)
        elif quote and character == quote[-1]:
            quote = ""
        elif not quote and text.startswith("$'", position - 1):
            quote = "$'"
            position += 1
        elif not quote and character in "\"'":
            quote = character
        else:
            current.append(character)
    return words if current is None else [*words, "".join(current)]


def assignments(words: Iterable[str]) -> dict[str, str]:
    """C(NAME=VALUE) words as a dict; words of another form are left out."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and NAME.fullmatch(name) and (name in found or len(found) < MAX_VARIABLES):
            found[name] = value[:MAX_VALUE]
    return found


def parse_environment_file(text: str) -> dict[str, str]:
    r"""The variables of an environment file, by the rules of systemd.exec(5).

    C(#) and C(;) begin a comment line, a value may be quoted with C(") or C('), C(\\) takes the meaning from the next character, and at
    the end of a line continues it.
    """
    found: dict[str, str] = {}
    for line in text.replace("\\\n", "").split("\n"):
        name, equals, rest = line.strip().partition("=")
        name, rest = name.strip(), rest.strip()
        if not equals or not NAME.fullmatch(name) or (name not in found and len(found) >= MAX_VARIABLES):
            continue
        found[name] = _unquoted(rest)[:MAX_VALUE]
    return found


def _unquoted(text: str) -> str:
    value: list[str] = []
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\" and quote != "'" and position < len(text):
            following = text[position]
            position += 1
            # Between double quotes only these lose their special meaning; before another character the backslash stays.
            value.append(following if quote != '"' or following in '"\\`$' else character + following)
        elif quote and character == quote:
            quote = ""
        elif not quote and character in "\"'":
            quote = character
        else:
            value.append(character)
    return "".join(value)


def parse_environ(raw: bytes) -> dict[str, str]:
    """The variables in /proc/PID/environ; of one that is there twice the first counts, as for getenv(3)."""
    found: dict[str, str] = {}
    for entry in raw.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        key = name.decode("ascii", "replace")
        if equals and NAME.fullmatch(key) and key not in found and len(found) < MAX_VARIABLES:
            found[key] = value.decode("utf-8", "backslashreplace")[:MAX_VALUE]
    return found


def decisive(variables: dict[str, str]) -> dict[str, str]:
    """Those whose values are shown."""
    return {name: value for name, value in variables.items() if DECISIVE.fullmatch(name)}


def is_given(name: str, declared: str, runs: str | None) -> bool:
    """Whether a process has a variable as it was declared.

    The launch scripts of Engine 29.5 and later put an option before the flags that they were given, unless they are told not to detach.
    """
    return runs == declared or (name == "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS" and runs == f"--detach-netns {declared}")
