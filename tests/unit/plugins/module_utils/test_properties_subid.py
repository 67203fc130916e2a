# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

"""Whatever lies in the files and whatever is asked for: nobody loses or shares an id, and foreign lines stay."""

import re

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _subid as core
from hypothesis import assume, given
from hypothesis import strategies as st

UIDS = {"alice": 1000, "bob": 1001, "carol": 1002}
# A small world, in which ranges meet each other, the limits and the accounts often.
START = st.integers(65500, 65900)
COUNT = st.integers(0, 120)
OWNER = st.sampled_from(["alice", "bob", "1000", "1002", "ghost"])
LINE = st.one_of(
    st.tuples(OWNER, START, COUNT).map(lambda parts: ":".join(map(str, parts))),
    st.sampled_from(["", "# note", "alice:1", "+", "bob:1:2:3", "carol:070000:0x10"]),
    st.text(max_size=12).map(lambda text: text.replace("\n", "")),
)
TEXT = st.tuples(st.lists(LINE, max_size=8), st.sampled_from(["", "\n"])).map(lambda parts: "\n".join(parts[0]) + parts[1])
KINDS = st.sampled_from([("uid",), ("gid",), ("uid", "gid")])
REQUEST = st.builds(core.Request, st.sampled_from(list(UIDS)), st.booleans(), st.one_of(st.none(), START), st.integers(1, 150), KINDS)
PRESENT = REQUEST.map(lambda request: request._replace(present=True))
HOST = st.builds(
    lambda uid, gid, low, high, real: core.Host(
        {"uid": uid, "gid": gid},
        UIDS,
        {kind: core.limits(f"SUB_UID_MIN {low}\nSUB_UID_MAX {high}\nSUB_GID_MIN {low}\nSUB_GID_MAX {high}\n", kind) for kind in core.KINDS},
        {"uid": dict.fromkeys(real, "x"), "gid": {}},
    ),
    TEXT, TEXT, START, st.integers(65700, 66500), st.lists(START, max_size=3),
)  # fmt: skip


def planned(requests, host):
    try:
        return core.plan(requests, host)
    except core.SubidError as error:
        assert re.search("Nothing was changed. Remedy: ", str(error))
        return None


def ids(ranges):
    return {each for some in ranges for each in range(some.start, some.end)}


def owned(texts, kind, user):
    return ids(core.owned(texts[kind], core.names_of(user, UIDS[user])))


@given(st.lists(PRESENT, min_size=1, max_size=4), HOST)
def test_ranges_only_grow_and_meet_nobodys(requests, host):
    outcome = planned(requests, host)
    assume(outcome is not None)
    for kind in core.KINDS:
        before, after = host.texts[kind], outcome.texts[kind]
        assert after.startswith(before), "what was there stays byte for byte"
        for user in UIDS:
            new = ids(outcome.added.get(user, {kind: []})[kind])
            assert owned(outcome.texts, kind, user) == owned(host.texts, kind, user) | new
            assert not new & owned(host.texts, kind, user)
            assert not new & set(host.real[kind])
            assert new <= ids([host.limits[kind].free])
            assert not new & ids(host.limits[kind].real)
            for other_kind in core.KINDS:
                others = [entry.ids for entry in core.entries(outcome.texts[other_kind]) if entry.owner not in (user, str(UIDS[user]))]
                assert not new & ids(others)
    for request in requests:
        for kind in request.kinds:
            has = owned(outcome.texts, kind, request.user)
            wanted = None if request.start is None else ids([core.Range(request.start, request.count)])
            assert len(has) >= request.count if wanted is None else wanted <= has


@given(st.lists(PRESENT, min_size=1, max_size=4), HOST)
def test_a_second_time_changes_nothing(requests, host):
    outcome = planned(requests, host)
    assume(outcome is not None)
    again = core.plan(requests, core.Host(outcome.texts, host.uids, host.limits, host.real))
    assert (again.texts, again.added, again.removed) == (outcome.texts, {}, {})


@given(st.lists(PRESENT, min_size=1, max_size=3), HOST)
def test_what_was_added_can_be_taken_away_again(requests, host):
    outcome = planned(requests, host)
    assume(outcome is not None)
    back = [
        core.Request(user, False, each.start, each.count, (kind,))
        for user, kinds in outcome.added.items()
        for kind, ranges in kinds.items()
        for each in ranges
    ]
    after = core.plan(back, core.Host(outcome.texts, host.uids, host.limits, host.real)).texts
    for kind in core.KINDS:
        # A last line without a line end got one.
        assert after[kind].rstrip("\n") == host.texts[kind].rstrip("\n")


@given(REQUEST.map(lambda request: request._replace(present=False)), HOST)
def test_only_what_was_told_is_taken_away(request, host):
    outcome = core.plan([request], host)
    unwanted = None if request.start is None else ids([core.Range(request.start, request.count)])
    names = core.names_of(request.user, UIDS[request.user])
    for kind in core.KINDS:
        before, after = host.texts[kind], outcome.texts[kind]
        gone = owned(host.texts, kind, request.user) - owned(outcome.texts, kind, request.user)
        if kind not in request.kinds:
            assert after == before
            continue
        told = owned(host.texts, kind, request.user)
        assert gone == (told if unwanted is None else told & unwanted) == ids(outcome.removed.get(request.user, {kind: []})[kind])
        mine = {entry.line for entry in core.entries(before) if entry.owner in names}
        foreign = [line for index, line in enumerate(before.split("\n")) if index not in mine]
        kept = iter(after.split("\n"))
        assert all(line in kept for line in foreign), "in order"


@given(st.lists(st.tuples(START, COUNT).map(lambda pair: core.Range(*pair)), max_size=8), st.tuples(START, COUNT), st.integers(1, 100))
def test_ranges(ranges, within, count):
    within = core.Range(*within)
    assert ids(core.merged(ranges)) == ids(ranges)
    assert ids(core.less(within, ranges)) == ids([within]) - ids(ranges)
    assert core.total(ranges) == len(ids(ranges))
    gap = core.first_gap(ranges, within, count)
    free = ids([within]) - ids(ranges)
    starts = [first for first in sorted(free) if set(range(first, first + count)) <= free]
    assert gap == (starts[0] if starts else None)


@given(st.text(max_size=200))
def test_any_text(text):
    lines = text.split("\n")
    for entry in core.entries(text):
        assert lines[entry.line].startswith(f"{entry.owner}:")
        assert entry.ids.start >= 0
    assert set(core.damaged(text)).isdisjoint(entry.line + 1 for entry in core.entries(text))
    core.login_defs(text)
    core.source(text)
    for kind in core.KINDS:
        core.limits(text, kind)


@pytest.mark.parametrize("count", [1, 65536, core.END])
def test_the_whole_space_of_ids_at_most(count):
    defs = f"SUB_UID_MIN 0\nSUB_UID_MAX {2**40}\nSUB_GID_MIN 0\nSUB_GID_MAX {2**40}\n"
    host = core.Host({"uid": "", "gid": ""}, UIDS, {kind: core.limits(defs, kind) for kind in core.KINDS}, {"uid": {}, "gid": {}})
    outcome = planned([core.Request("alice", count=count)], host)
    assert (outcome is None) == (count == core.END)
    assert outcome is None or outcome.added["alice"]["uid"][0].end <= core.END
