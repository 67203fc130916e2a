# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator expects of a port: how it is written, how it is tried, and what an answer says about it.

Pure: nothing here opens a socket. What an operator writes is trusted, also the regular expression; what comes back from a port is not, and
only its first 4096 bytes are looked at.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._arguments import BadArgument
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary_server import ANSWER, answer
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import (
    ANSWERED,
    ANSWERS,
    DATA,
    DOUBT,
    MUST_NOT,
    NOTHING,
    OPEN,
    PATTERN,
    WRONG_ANSWER,
    outcome_of,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._probe import MAX_DATA, SILENT, TCP, UDP, Probe, Reading

HOST, NAMESPACE, PEER = "host", "namespace", "peer"
"""From where: the host that has the daemon, RootlessKit's namespace on it, another host."""

MAX_ENTRIES = 10000
MAX_NAME = 100
MAX_PATTERN = 1000
MAX_SEND = {TCP: 16384, UDP: 1400}
"""Bytes: what one call gives to the kernel whole, and what one packet carries on any network."""
MAX_SHOWN = 60
"""Bytes of a wrong answer that a note shows."""

PROBE_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "protocol": {"type": "str", "choices": [TCP, UDP], "default": TCP},
    "expected": {"type": "str", "choices": [ANSWERS, MUST_NOT], "default": ANSWERS},
    "send": {"type": "str"},
    "send_base64": {"type": "str"},
    "pattern": {"type": "str"},
    "wait": {"type": "float", "default": 1.0},
}
"""What every entry has, wherever it is tried from."""

EXPECTATION_SPEC: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {**PROBE_OPTIONS, "from": {"type": "str", "choices": [HOST, NAMESPACE], "default": HOST}},
}
"""Argument specification of a list of expectations."""

PROBE_GROUPS = ("outside", "canary", "namespace", "container", "expectation")
"""Parts of the table, as in C(_contract.GROUPS), that a probe from elsewhere can belong to."""

PROBE_SPEC: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "required": True,
    "options": {
        **PROBE_OPTIONS,
        "from": {"type": "str", "choices": [PEER], "default": PEER},
        "canary": {"type": "dict", "options": {"nonce": {"type": "str", "required": True}, "port": {"type": "int", "required": True}}},
        "group": {"type": "str", "choices": list(PROBE_GROUPS), "default": PROBE_GROUPS[0]},
        "visible": {"type": "bool", "default": True},
    },
}
"""Argument specification of a list of probes from elsewhere."""

STAYS_OPEN = (
    "the connection stays open, so something listens there and the way to it is open; whether the service answers was not tried, because "
    "nothing was sent"
)
NO_ICMP = "nothing came back to an empty datagram: the port may be open, or its refusal may be lost on the way; give send to tell"
UNANSWERED = {
    TCP: "the connection was taken and what was sent stayed without an answer",
    UDP: "nothing came back to what was sent",
}
UNSPOKEN = {
    TCP: "the connection was taken and no byte came",
    UDP: "nothing came back to an empty datagram",
}


@dataclass(frozen=True)
class Expectation:
    """One port, and whether it must answer.

    :ivar name: as it is shown; one line of printable text.
    :ivar address: numeric.
    :ivar expected: V(answers) or V(must_not).
    :ivar send: what is said to the service; empty says nothing (over UDP: an empty datagram).
    :ivar pattern: what the answer must contain; None when any byte is an answer.
    :ivar source: from where, V(host), V(namespace) or V(peer).
    :ivar canary: nonce and port of the canary that is behind it, None for a service that is not ours.
    :ivar wait: seconds for the handshake, and again for the answer.
    :ivar visible: whether a port that must not answer may be seen as open all the same.
    """

    name: str
    address: str
    port: int
    protocol: str = TCP
    expected: str = ANSWERS
    send: bytes = b""
    pattern: re.Pattern[bytes] | None = None
    source: str = HOST
    canary: tuple[str, int] | None = None
    group: str = "expectation"
    wait: float = 1.0
    visible: bool = True

    @property
    def spoken(self) -> bool:
        """Whether the service is one that says something, as far as is known: to what is sent, or by itself."""
        return bool(self.canary or self.send or self.pattern)


def place(address: str, port: int, protocol: str = TCP) -> str:
    """Address, port and protocol, as in a message."""
    return f"[{address}]:{port}/{protocol}" if ":" in address else f"{address}:{port}/{protocol}"


def _address(text: str) -> str:
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError as error:
        raise BadArgument(f"address is {clean(text, 60)!r}, which is no IP address: give a numeric one, names are not looked up") from error
    if "%" in text:
        raise BadArgument(f"address is {clean(text, 60)!r}: give an address without a scope, link-local ones cannot be tried")
    if parsed.is_unspecified or parsed.is_multicast:
        raise BadArgument(f"address is {text}, which nobody can connect to: give an address of one host")
    return str(parsed)


def _port(port: int) -> int:
    if not 1 <= port <= 65535:
        raise BadArgument(f"port is {port}: it must be between 1 and 65535")
    return port


def _send(entry: dict[str, Any], protocol: str) -> bytes:
    text, encoded = entry.get("send"), entry.get("send_base64")
    if text and encoded:
        raise BadArgument("send and send_base64 are both given: leave one out")
    option, data = "send", (text or "").encode()
    if encoded:
        option = "send_base64"
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadArgument(f"send_base64 is no base64 ({error}): encode the bytes with base64 --wrap=0") from error
    if len(data) > MAX_SEND[protocol]:
        raise BadArgument(f"{option} has {len(data)} bytes: send at most {MAX_SEND[protocol]} over {protocol}")
    return data


def _pattern(text: str | None) -> re.Pattern[bytes] | None:
    if not text:
        return None
    if len(text) > MAX_PATTERN:
        raise BadArgument(f"pattern has {len(text)} characters: {MAX_PATTERN} are the most; search for less")
    try:
        return re.compile(text.encode())
    except (re.error, OverflowError, RecursionError) as error:
        raise BadArgument(f"pattern {clean(text, 60)!r} is no regular expression of Python's ({error}): mend it, or escape it") from error


def _wait(seconds: float) -> float:
    if not 0.05 <= seconds <= 30:
        raise BadArgument(f"wait is {seconds}: it must be between 0.05 and 30 seconds")
    return seconds


def _canary(given: dict[str, Any] | None) -> tuple[str, int] | None:
    if not given:
        return None
    if not 1 <= len(given["nonce"]) <= MAX_NAME:
        raise BadArgument(f"canary.nonce has {len(given['nonce'])} characters: pass on the one that the check returned, of 1 to {MAX_NAME}")
    if not 1 <= given["port"] <= 65535:
        raise BadArgument(f"canary.port is {given['port']}: it must be between 1 and 65535")
    return given["nonce"], given["port"]


def _parse(entry: dict[str, Any]) -> Expectation:
    address, port = _address(entry["address"]), _port(entry["port"])
    protocol = entry.get("protocol") or TCP
    return Expectation(
        name=clean(entry.get("name") or place(address, port, protocol), MAX_NAME),
        address=address,
        port=port,
        protocol=protocol,
        expected=entry.get("expected") or ANSWERS,
        send=_send(entry, protocol),
        pattern=_pattern(entry.get("pattern")),
        source=entry.get("from") or HOST,
        canary=_canary(entry.get("canary")),
        group=entry.get("group") or "expectation",
        wait=_wait(1.0 if entry.get("wait") is None else entry["wait"]),
        visible=entry.get("visible") is not False,
    )


def parse_expectations(entries: list[dict[str, Any]], option: str = "expectations") -> list[Expectation]:
    """A list of C(EXPECTATION_SPEC) or C(PROBE_SPEC) as its module got it, judged before anything is tried.

    :param option: name of the list, for messages.
    :raises BadArgument: naming the first entry that cannot be used, its option, the cause and the remedy.
    """
    if len(entries) > MAX_ENTRIES:
        raise BadArgument(f"{option} has {len(entries)} entries: {MAX_ENTRIES} are the most; divide them among several tasks")
    parsed = []
    for index, entry in enumerate(entries):
        try:
            parsed.append(_parse(entry))
        except BadArgument as error:
            name = f" ({clean(entry['name'], 60)})" if entry.get("name") else ""
            raise BadArgument(f"{option}[{index}]{name}: {error}") from error
    return parsed


def probe_of(expectation: Expectation, key: str, challenge: bytes = b"") -> Probe:
    """How it is tried.

    :param challenge: fresh, for a canary; a service that is not ours gets what the operator says.
    """
    if expectation.canary:
        send, want = challenge, ANSWER
    else:
        # A page's pattern may be in its last packet: with one, all is read that comes in time.
        send, want = expectation.send, MAX_DATA if expectation.pattern else 0
    return Probe(key, expectation.address, expectation.port, send, want, expectation.wait, expectation.protocol)


def judge_reading(expectation: Expectation, reading: Reading, challenge: bytes = b"") -> tuple[str, str, str]:
    """Outcome, proof and note of what came.

    :param challenge: the one that the probe sent.
    :returns: an outcome of C(_contract.OUTCOMES); V(nonce), V(pattern), V(data), V(open), V(doubt) or V(none); a note, or nothing.
    """
    if expectation.canary:
        nonce, port = expectation.canary
        outcome, proof = outcome_of(reading.event, reading.data, answer(nonce, challenge, port, expectation.protocol))
        # Without data, the error tells this machine's own refusal from what the port did.
        return outcome, proof, _shown(reading.data) if outcome == WRONG_ANSWER else reading.error
    if reading.data:
        data = reading.data[:MAX_DATA]
        if expectation.pattern is None:
            return ANSWERED, DATA, ""
        if expectation.pattern.search(data):
            return ANSWERED, PATTERN, ""
        return WRONG_ANSWER, DATA, f"the pattern is not in it; {_shown(data)}"
    if reading.event != SILENT:
        return reading.event, NOTHING, reading.error
    if expectation.spoken:
        return SILENT, NOTHING, (UNANSWERED if expectation.send else UNSPOKEN)[expectation.protocol]
    return (SILENT, OPEN, STAYS_OPEN) if expectation.protocol == TCP else (SILENT, DOUBT, NO_ICMP)


def _shown(data: bytes) -> str:
    """The start of an answer: any byte may be in it, and a note is one line of ASCII."""
    more = f" and {len(data) - MAX_SHOWN} bytes more" if len(data) > MAX_SHOWN else ""
    return f"what came: {data[:MAX_SHOWN]!r}{more}"
