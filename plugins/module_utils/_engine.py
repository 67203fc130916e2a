# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker Engine's API on a user's socket: only what this collection uses."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import Answer, HttpError, RuntimeHttp

NEWEST_KNOWN_API = (1, 44)
"""Newest API version this code was written for. Engines of the 29 line accept no older one; an older Engine is asked in its own."""


class EngineError(Exception):
    """The Engine answered, and said no.

    :ivar status: HTTP status.
    :ivar text: the Engine's own words, at most 600 characters.
    """

    def __init__(self, status: int, text: str, what: str) -> None:
        super().__init__(f"{what}: the Engine answered {status}: {text}")
        self.status = status
        self.text = text


def clean(value: Any, limit: int = 200) -> str:
    """Text from a user's daemon, made fit to print: control characters escaped, cut at C(limit) characters."""
    text = value if isinstance(value, str) else str(value)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii") for c in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def error_text(answer: Answer) -> str:
    """The C(message) of an error answer, or the start of its body."""
    try:
        data = answer.json()
    except HttpError:
        data = None
    if isinstance(data, dict) and isinstance(data.get("message"), str):
        return clean(data["message"], 600)
    return clean(answer.body[:600].decode("utf-8", "replace"), 600)


class Engine:
    """One user's Engine, at /run/user/UID/docker.sock.

    :param uid: the user's uid.
    :ivar deadline: for every request, unless a request brings its own; may be replaced.
    """

    def __init__(self, uid: int, deadline: Deadline, root: str = "/run/user") -> None:
        self._http = RuntimeHttp(uid, "docker.sock", root=root)
        self.deadline = deadline
        self._prefix = ""
        self.socket = self._http.path

    def call(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
        deadline: Deadline | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """One request.

        :param query: values that are no strings are sent as JSON.
        :param body: bytes as they are, anything else as JSON.
        :raises HttpError: no usable answer; :class:`EngineError` for a status of 400 or above.
        """
        target = self._prefix + path
        if query:
            target += "?" + urllib.parse.urlencode({k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()})
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        answer = self._http.request(method, target, deadline or self.deadline, data, content_type)
        if answer.status >= 400:
            raise EngineError(answer.status, error_text(answer), f"{method} {path}")
        return answer

    def get(self, path: str, query: dict[str, Any] | None = None, kind: type = dict) -> Any:
        """GET one JSON value, which must be of C(kind).

        :raises HttpError: C(garbled) when it is of another kind; otherwise as :meth:`call`.
        """
        value = self.call("GET", path, query).json()
        if not isinstance(value, kind):
            raise HttpError("garbled", f"{self.socket} answered GET {path} with something that is no {kind.__name__}")
        return value

    def negotiate(self) -> dict[str, str]:
        """Ask for the version, and speak the newest API that both sides know from then on.

        :returns: C(version) and C(api), both made fit to print.
        """
        answer = self.get("/version")
        api = str(answer.get("ApiVersion", ""))
        parsed = parse_version(api)
        major, minor = min(parsed[:2], NEWEST_KNOWN_API) if len(parsed) >= 2 else NEWEST_KNOWN_API
        self._prefix = f"/v{major}.{minor}"
        return {"version": clean(answer.get("Version", ""), 60), "api": clean(api, 20)}

    def containers(self, everything: bool = False, label: str | None = None) -> list[dict[str, Any]]:
        """The Engine's list of containers; entries that are no objects are left out.

        :param everything: also those that do not run.
        :param label: only those with this label.
        """
        query: dict[str, Any] = {"all": "1" if everything else "0"}
        if label:
            query["filters"] = {"label": [label]}
        return [entry for entry in self.get("/containers/json", query, kind=list) if isinstance(entry, dict)]

    def images(self, repository: str) -> list[dict[str, Any]]:
        """The Engine's list of images with a tag in this repository; entries that are no objects are left out."""
        found = self.get("/images/json", {"filters": {"reference": [f"{repository}:*"]}}, kind=list)
        return [entry for entry in found if isinstance(entry, dict)]


def parse_version(text: Any) -> tuple[int, ...]:
    """The leading numbers of a version: C(v3.2.0-rc.1) gives (3, 2, 0). Empty when there are none."""
    numbers: list[int] = []
    for part in str(text).strip().lstrip("v").split("."):
        digits = ""
        for character in part[:9]:
            if character not in "0123456789":
                break
            digits += character
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)
