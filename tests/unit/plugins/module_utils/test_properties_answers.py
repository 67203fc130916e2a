# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user's Engine, RootlessKit and user manager may answer, and what the kernel does: any of it gives a value or a named error."""

from __future__ import annotations

import datetime
import ipaddress
import json
import struct
import time

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._addresses import HostAddress, global_addresses, parse_addresses
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean, error_text, parse_version
from ansible_collections.portside.rootless_docker.plugins.module_utils._rootlesskit import parse_info
from ansible_collections.portside.rootless_docker.plugins.module_utils._unit import parse_show, parse_time
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import Answer, HttpError
from hypothesis import example, given
from hypothesis import strategies as st

ANY_TEXT = st.text(st.characters())  # lone surrogates, too: JSON may bring them
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ANY_TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)),
    max_leaves=8,
)


@given(st.one_of(JSON, st.binary()), st.integers(3, 300))
@example("\x1b]0;x\x07", 20)
@example("\u202e\u2028\ud800", 20)
def test_clean_is_printable_and_short(value, limit):
    shown = clean(value, limit)
    assert len(shown) <= limit and (shown.isprintable() or not shown)
    shown.encode()


@given(st.binary(max_size=2000))
@example(b'{"message": ["x"]}')
@example(b'{"message": "\\u001b[2J\\ud800"}')
@example(b"[" * 2000)
def test_error_text_of_any_body(body):
    shown = error_text(Answer(500, body))
    assert len(shown) <= 600 and shown.isprintable()
    shown.encode()


@given(JSON)
@example("9" * 5000)
def test_parse_version_of_anything(value):
    assert all(0 <= number < 10**9 for number in parse_version(value))


@given(
    st.lists(st.integers(0, 10**8), min_size=1, max_size=4),
    st.sampled_from(["", "-rc.1", "+dfsg1", "~beta", ".x"]),
    st.sampled_from(["", "v"]),
)
def test_versions_survive(numbers, suffix, prefix):
    assert parse_version(prefix + ".".join(map(str, numbers)) + suffix) == tuple(numbers)


@given(st.one_of(JSON, st.dictionaries(st.sampled_from(["version", "networkDriver", "portDriver", "driver", "ipv6", "childIP"]), JSON)))
@example({"networkDriver": {"driver": "\ud800" * 100}, "portDriver": {"driver": ""}})
def test_parse_info_of_any_json(data):
    try:
        info = parse_info(data)
    except HttpError as error:
        assert error.reason == "garbled" and not isinstance(data, dict)
        return
    shown = json.dumps(vars(info), ensure_ascii=False)
    assert shown.isprintable() and len(shown) < 1000
    shown.encode()


# -- the kernel's addresses ------------------------------------------------------------------------------------------------


def message(kind, scope, attributes, tail=b""):
    """One netlink message with these attributes, and what may be none."""
    body = struct.pack("=BBBBI", 2, 24, 0, scope, 1)
    for number, data in attributes:
        body += struct.pack("=HH", 4 + len(data), number) + data + b"\0" * (-len(data) % 4)
    body += tail
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


ADDRESSES = st.lists(st.tuples(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.sampled_from([0, 253, 254])), max_size=5)
OTHERS = st.lists(st.tuples(st.integers(3, 9), st.binary(max_size=9)), max_size=3)


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=60).map(lambda tail: message(20, 0, [(1, b"\x7f\0\0\1")], tail))))
@example(message(20, 0, [], b"\0" * 8))
def test_a_dump_of_any_bytes(data):
    found, _done = parse_addresses(data)
    assert all(ipaddress.ip_address(entry.address) for entry in found)


@given(ADDRESSES, OTHERS, st.binary(max_size=40), st.booleans())
def test_addresses_survive_what_stands_beside_them(addresses, others, tail, peer):
    # On a point-to-point link the peer's address comes as IFA_ADDRESS, and ours as IFA_LOCAL.
    data = b"".join(
        message(20, scope, [*others, *([(1, b"\x09" * len(a.packed)), (2, a.packed)] if peer else [(1, a.packed)])])
        for a, scope in addresses
    )
    expected = [HostAddress(str(a), scope, 24) for a, scope in addresses]
    assert parse_addresses(data + struct.pack("=IHHII", 20, 3, 2, 1, 0) + tail) == (expected, True)
    assert parse_addresses(data) == (expected, False)
    own = global_addresses(expected)
    assert own == list(dict.fromkeys(str(a) for version in (4, 6) for a, scope in addresses if a.version == version and scope == 0))


@given(ADDRESSES, st.data())
def test_a_dump_that_is_cut_gives_whole_addresses_or_none(addresses, data):
    raw = b"".join(message(20, scope, [(1, address.packed)]) for address, scope in addresses)
    found, _done = parse_addresses(raw[: data.draw(st.integers(0, len(raw)))])
    assert found == [HostAddress(str(a), scope, 24) for a, scope in addresses][: len(found)]


# -- the user's manager ----------------------------------------------------------------------------------------------------

OWN = "/etc/systemd/user/docker.service"
VALUE = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = (
    "LoadState", "ActiveState", "SubState", "MainPID", "FragmentPath", "DropInPaths", "NeedDaemonReload",
    "ActiveEnterTimestamp", "ExecReload",
)  # fmt: skip
SHOWN = st.lists(st.one_of(VALUE, st.tuples(st.sampled_from(NAMES), VALUE).map("=".join)), max_size=12).map("\n".join)


@given(SHOWN)
@example("FragmentPath=/a\0b\nDropInPaths=\0")
@example("MainPID=99999999999999\nActiveEnterTimestamp=Tue 0001-01-01 00:00:00 UTC")
def test_parse_show_of_any_text(text):
    unit = parse_show(text, OWN)
    assert 0 <= unit.main_pid < 10**10
    assert OWN not in unit.shadows


@pytest.mark.parametrize("text", ["FragmentPath=" + "/a" * 500_000, "DropInPaths=" + "/a " * 500_000])
def test_a_manager_cannot_keep_parse_show_busy(text):
    begun = time.process_time()
    assert 1 <= len(parse_show(text, OWN).shadows) <= 100
    assert time.process_time() - begun < 10


@given(st.one_of(st.text(), st.from_regex(r"\A[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})? UTC\Z")))
def test_parse_time_of_any_text(text):
    assert isinstance(parse_time(text), float)


@given(st.datetimes(min_value=datetime.datetime(1970, 1, 1)))
def test_times_survive(moment):
    expected = moment.replace(tzinfo=datetime.timezone.utc).timestamp()
    assert parse_time(moment.strftime("Tue %Y-%m-%d %H:%M:%S.%f UTC")) == pytest.approx(expected, abs=1e-5)
