# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _subid as core
from ansible_collections.portside.rootless_docker.plugins.modules import subid as module

Range, Request = core.Range, core.Request
LIMITS = {kind: core.limits("", kind) for kind in core.KINDS}
UIDS = {"alice": 1000, "bob": 1001, "carol": 1002, "gone": None}
FIRST = "alice:100000:65536\n"


def host(subuid="", subgid=None, defs="", real=None, uids=None, reserved=None):
    """A host with these files; C(subgid) is as C(subuid) unless given."""
    texts = {"uid": subuid, "gid": subuid if subgid is None else subgid}
    limits = {kind: core.limits(defs, kind) for kind in core.KINDS}
    return core.Host(texts, uids or UIDS, limits, real or {"uid": {}, "gid": {}}, reserved or {})


def texts(outcome):
    return outcome.texts["uid"], outcome.texts["gid"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100000", 100000), ("0x186a0", 100000), ("0X186A0", 100000), ("0303240", 100000), ("0", 0), ("00", 0),
        ("", None), ("-1", None), ("+1", None), (" 1", None), ("1 ", None), ("1\r", None), ("089", None), ("1_000", None), ("²", None),
        ("1" * 16, None), ("0x", None),
    ],
)  # fmt: skip
def test_numbers_are_those_of_shadow_utils(text, value):
    assert core.number(text) == value


@pytest.mark.parametrize(
    ("line", "damaged"),
    [
        ("", False), ("   ", False), ("# a comment", False), ("+", False), ("-@group", False), ("alice:100000:65536", False),
        ("alice:100000:0", False), ("#alice:100000:65536", False), ("alice:100000", True), ("alice:100000:65536:1", True),
        (":100000:65536", True), ("alice::65536", True), ("alice:100000:65536 ", True), ("alice:100000:65536\r", True), ("alice", True),
        ("a" * 1011 + ":100000:65536", True),
    ],
)  # fmt: skip
def test_damaged_lines_are_named_and_left(line, damaged):
    text = f"bob:300000:65536\n{line}\n"
    assert core.damaged(text) == [2] * damaged
    outcome = core.plan([Request("carol")], host(text))
    assert outcome.texts["uid"].startswith(text)


@pytest.mark.parametrize(
    ("title", "subuid", "subgid", "requests", "added"),
    [
        ("none yet", "", "", [Request("alice")], "alice:100000:65536\n"),
        ("behind another's", FIRST, FIRST, [Request("bob")], "bob:165536:65536\n"),
        ("in a gap", f"{FIRST}carol:300000:65536\n", "", [Request("bob")], "bob:165536:65536\n"),
        ("over a gap that is too small", f"{FIRST}carol:200000:65536\n", "", [Request("bob")], "bob:265536:65536\n"),
        ("another's by number", "1000:100000:65536\n", "", [Request("bob")], "bob:165536:65536\n"),
        ("what lies only in the other file", "", FIRST, [Request("bob")], "bob:165536:65536\n"),
        ("an owner who is gone", "ghost:100000:65536\n", "", [Request("bob")], "bob:165536:65536\n"),
        ("several at once", "", "", [Request("alice"), Request("bob")], "alice:100000:65536\nbob:165536:65536\n"),
        ("too few", "alice:100000:1000\n", "alice:100000:1000\n", [Request("alice")], "alice:101000:64536\n"),
        ("more than there are", FIRST, FIRST, [Request("alice", count=65537)], "alice:165536:1\n"),
        ("an exact range", FIRST, "", [Request("bob", start=500000, count=10)], "bob:500000:10\n"),
        ("an exact range, half of it there", "bob:500000:5\n", "bob:500000:5\n", [Request("bob", start=499995, count=15)],
         "bob:499995:5\nbob:500005:5\n"),
    ],
)  # fmt: skip
def test_what_is_added(title, subuid, subgid, requests, added):
    before = host(subuid, subgid)
    outcome = core.plan(requests, before)
    assert texts(outcome) == (subuid + added, subgid + added), title
    again = core.plan(requests, host(*texts(outcome)))
    assert texts(again) == texts(outcome)
    assert not again.added


@pytest.mark.parametrize(
    ("title", "subuid", "request_"),
    [
        ("as many", FIRST, Request("alice")),
        ("more", "alice:100000:200000\n", Request("alice")),
        ("by number", "1000:100000:65536\n", Request("alice")),
        ("in parts", "alice:100000:65535\n1000:300000:1\n", Request("alice")),
        ("an exact range within a larger one", "alice:100000:200000\n", Request("alice", start=150000, count=10)),
        ("an exact range that lies outside of the limits, and is there", "alice:70000:10\n", Request("alice", start=70000, count=10)),
        ("absent, and not there", FIRST, Request("bob", present=False)),
        ("absent, another range", FIRST, Request("alice", present=False, start=500000)),
        ("absent, of an account that is gone", FIRST, Request("gone", present=False)),
    ],
)
def test_what_needs_no_change(title, subuid, request_):
    assert texts(core.plan([request_], host(subuid))) == (subuid, subuid), title


def both(*ranges):
    return {kind: [Range(*each) for each in ranges] for kind in core.KINDS}


@pytest.mark.parametrize(
    ("title", "before", "reserved", "requests", "added"),
    [
        ("the own range, though a lower one is free", "", {"alice": both((165536, 65536))}, [Request("alice")], "alice:165536:65536\n"),
        ("both lost, the other named first", "", {"alice": both((100000, 65536)), "bob": both((165536, 65536))},
         [Request("bob"), Request("alice")], "bob:165536:65536\nalice:100000:65536\n"),
        ("of somebody who is not asked about", "", {"carol": both((100000, 65536))}, [Request("bob")], "bob:165536:65536\n"),
        ("of somebody without an account", "", {"gone": both((100000, 10))}, [Request("bob")], "bob:100010:65536\n"),
        ("in parts, in this order", "", {"alice": both((300000, 65535), (100000, 1))}, [Request("alice")],
         "alice:300000:65535\nalice:100000:1\n"),
        ("as many as it needs", "", {"alice": both((300000, 65536), (100000, 65536))}, [Request("alice")], "alice:300000:65536\n"),
        ("less than it needs", "", {"alice": both((300000, 10))}, [Request("alice", count=20)], "alice:300000:10\nalice:100000:10\n"),
        ("a part is there", "alice:300000:10\n", {"alice": both((300000, 20))}, [Request("alice", count=20)], "alice:300010:10\n"),
        ("an exact range", "", {"alice": both((300000, 65536))}, [Request("alice", start=500000)], "alice:500000:65536\n"),
    ],
)  # fmt: skip
def test_ids_that_files_belong_to(title, before, reserved, requests, added):
    outcome = core.plan(requests, host(before, reserved=reserved))
    assert texts(outcome) == (before + added, before + added), title
    assert outcome.warnings == []


def test_as_many_as_it_needs_and_none_of_those_that_files_belong_to():
    """An account that was made again, by useradd."""
    outcome = core.plan([Request("alice")], host(FIRST, reserved={"alice": both((300000, 65536))}))
    assert texts(outcome) == (FIRST, FIRST)
    says = "alice: files belong to 300000-365535, and /etc/sub%s gives other ids. Remedy: "
    assert [warning.startswith(says % kind) for warning, kind in zip(outcome.warnings, ("uid", "gid"), strict=True)] == [True, True]
    assert core.plan([Request("alice")], host(FIRST, reserved={"alice": both((100000, 5))})).warnings == []


@pytest.mark.parametrize(
    ("before", "ids", "start", "reason"),
    [
        ("bob:300000:1\n", (300000, 65536), 100000, "300000-300000 bob has in /etc/subuid"),
        ("", (70000, 65536), 100000, "70000-135535 is not within 100000-600100000"),
    ],
)
def test_ids_that_files_belong_to_and_that_cannot_be_had_again(before, ids, start, reason):
    outcome = core.plan([Request("alice")], host(before, reserved={"alice": both(ids)}))
    assert outcome.added["alice"] == both((start, 65536))
    says = f"alice: files belong to {Range(*ids)}, and these ids were not added to /etc/subuid again: {reason}. Remedy: "
    assert [says in warning for warning in outcome.warnings] == [True, False], "the other is of /etc/subgid"


def test_each_file_is_filled_by_itself_with_ids_that_files_belong_to():
    reserved = {"alice": {"uid": [Range(300000, 65536)], "gid": []}}
    added = core.plan([Request("alice")], host(reserved=reserved)).added
    assert added == {"alice": {"uid": [Range(300000, 65536)], "gid": [Range(100000, 65536)]}}


def test_an_exact_range_is_none_of_somebody_elses_files():
    with pytest.raises(core.SubidError, match="100000-100009 files of alice belong to"):
        core.plan([Request("bob", start=100000, count=20)], host(reserved={"alice": both((100000, 10))}))


def test_a_range_that_is_there_twice_counts_once():
    outcome = core.plan([Request("alice")], host("alice:100000:40000\n1000:100000:40000\n"))
    assert outcome.added["alice"]["uid"] == [Range(140000, 25536)]


def test_files_that_need_different_numbers_are_filled_each_by_itself():
    outcome = core.plan([Request("alice")], host("alice:100000:65536\n", "alice:100000:1000\n"))
    assert outcome.added == {"alice": {"uid": [], "gid": [Range(101000, 64536)]}}
    outcome = core.plan([Request("alice")], host("", FIRST))
    assert outcome.added == {"alice": {"uid": [Range(100000, 65536)], "gid": []}}, "the place that the other file has"


def test_only_one_kind():
    outcome = core.plan([Request("alice", kinds=("gid",))], host())
    assert texts(outcome) == ("", FIRST)


@pytest.mark.parametrize(
    ("title", "real", "start"),
    [
        ("an account in the middle", {"uid": {120000: "ldap1"}, "gid": {}}, 120001),
        ("a group in the middle", {"uid": {}, "gid": {100000: "staff"}}, 100001),
        ("the last id", {"uid": {165535: "ldap1"}, "gid": {}}, 165536),
        ("the next id", {"uid": {165536: "ldap1"}, "gid": {}}, 100000),
    ],
)
def test_real_ids_are_passed_over(title, real, start):
    assert core.plan([Request("alice")], host(real=real)).added["alice"]["uid"] == [Range(start, 65536)], title


@pytest.mark.parametrize(
    ("defs", "start"),
    [
        ("SUB_UID_MIN 200000\n", 200000),
        ("SUB_GID_MIN 200000\n", 200000),
        ("SUB_UID_MIN 200000\nSUB_UID_MIN\t300000\n", 300000),
        ("#SUB_UID_MIN 200000\n", 100000),
        ('SUB_UID_MIN "200000"\n', 200000),
        ("UID_MAX 300000\n", 300001),
        ("SYS_GID_MAX 100999\n", 101000),
        ("SUB_UID_MIN many\n", 100000),
        ("SUB_UID_MIN 0\nSUB_GID_MIN 0\n", 65536),
    ],
)
def test_limits_of_login_defs(defs, start):
    assert core.plan([Request("alice")], host(defs=defs)).added["alice"] == {kind: [Range(start, 65536)] for kind in core.KINDS}


@pytest.mark.parametrize(
    ("title", "request_", "options", "texts_"),
    [
        ("another's", Request("bob", start=165535, count=2), {"subuid": FIRST},
         ["bob: 165535-165536", "/etc/subuid", "165535-165535 alice has in /etc/subuid", "another start"]),
        ("another's by number", Request("bob", start=100000), {"subuid": "1000:100000:1\n"}, ["100000-100000 1000 has in /etc/subuid"]),
        ("another's in the other file", Request("bob", start=100000, kinds=("gid",)), {"subuid": FIRST, "subgid": ""}, ["alice has in"]),
        ("an account", Request("bob", start=100000), {"real": {"uid": {100005: "ldap"}, "gid": {}}}, ["100005-100005 is the uid of ldap"]),
        ("a group", Request("bob", start=100000), {"real": {"uid": {}, "gid": {100005: "staff"}}}, ["100005-100005 is the gid of staff"]),
        ("accounts that nobody lists", Request("bob", start=100000), {"defs": "UID_MAX 100001\n"},
         ["100000-100001 /etc/login.defs keeps for accounts"]),
        ("below the limits", Request("bob", start=99999), {}, ["99999-165534", "100000-600100000", "SUB_UID_MIN", "Remedy"]),
        ("beyond the limits", Request("bob", start=600100000, count=2), {}, ["SUB_UID_MAX"]),
        ("no room", Request("bob", count=2), {"defs": "SUB_UID_MIN 100000\nSUB_UID_MAX 100000\n"}, ["no 2 free ids", "SUB_UID_MAX"]),
        ("no room at all", Request("bob"), {"defs": "SUB_UID_MIN 100000\nSUB_UID_MAX 99999\n"}, ["leave no ids"]),
        ("no account", Request("gone"), {}, ["gone: there is no such account", "getent passwd gone"]),
    ],
)  # fmt: skip
def test_refused(title, request_, options, texts_):
    with pytest.raises(core.SubidError) as error:
        core.plan([request_], host(**options))
    assert all(text in str(error.value) for text in [*texts_, "Nothing was changed", "Remedy: "]), (title, str(error.value))


@pytest.mark.parametrize(
    ("title", "before", "request_", "after"),
    [
        ("everything", f"bob:1:2\n{FIRST}1000:300000:5\nalice:1:0\ncarol:5:5", Request("alice", present=False), "bob:1:2\ncarol:5:5"),
        ("a range", f"{FIRST}alice:300000:5\n", Request("alice", present=False, start=300000, count=5), FIRST),
        ("the beginning", FIRST, Request("alice", present=False, start=90000, count=10001), "alice:100001:65535\n"),
        ("the end", FIRST, Request("alice", present=False, start=165535, count=99), "alice:100000:65535\n"),
        ("the middle, by number", "1000:100000:10\nbob:1:2\n", Request("alice", present=False, start=100004, count=2),
         "1000:100000:4\n1000:100006:4\nbob:1:2\n"),
        ("an account that is gone", "gone:100000:10\n", Request("gone", present=False), ""),
        ("one that was damaged stays", "alice:100000\nalice:100000:1\n", Request("alice", present=False), "alice:100000\n"),
    ],
)  # fmt: skip
def test_what_is_taken_away(title, before, request_, after):
    outcome = core.plan([request_], host(before))
    assert texts(outcome) == (after, after), title
    assert outcome.removed[request_.user]["uid"]


def test_one_request_sees_what_the_last_did():
    requests = [Request("alice", present=False), Request("bob", start=100000)]
    assert texts(core.plan(requests, host(FIRST)))[0] == "bob:100000:65536\n"


@pytest.mark.parametrize(("defs", "added"), [("", 0), ("SUB_UID_COUNT 0\nSUB_GID_COUNT 0\n", 65536), ("SUB_UID_COUNT 1000\n", 64536)])
def test_an_account_that_is_about_to_be_made_gets_its_own_from_useradd(defs, added):
    outcome = core.plan([Request("gone")], host(defs=defs), about_to_be_made=True)
    assert sum(each.count for each in outcome.added.get("gone", {"uid": []})["uid"]) == added


def test_a_line_end_that_is_missing_is_added_first():
    outcome = core.plan([Request("bob")], host("alice:100000:65536"))
    assert outcome.texts["uid"] == "alice:100000:65536\nbob:165536:65536\n"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("", "files"), ("passwd: sss\n", "files"), ("subid: files", "files"), ("subid:\tsss files\n", "sss"), ("  subid : ldap\n", "ldap"),
        ("#subid: sss\n", "files"), ("subid: # sss\n", "files"), ("subid:\n", "files"),
    ],
)  # fmt: skip
def test_source(text, source):
    assert core.source(text) == source


HAS = {"uid": [Range(100000, 65536)], "gid": []}


@pytest.mark.parametrize(
    ("request_", "kinds"),
    [
        (Request("alice"), {"gid": "has 0, needed are 65536"}),
        (Request("alice", kinds=("uid",)), {}),
        (Request("alice", start=100000, kinds=("uid",)), {}),
        (Request("alice", start=100001, kinds=("uid",)), {"uid": "does not have 165536-165536"}),
        (Request("alice", present=False), {"uid": "still has 100000-165535"}),
        (Request("alice", present=False, start=1), {}),
    ],
)
def test_what_a_source_lacks(request_, kinds):
    assert core.missing(request_, HAS) == kinds


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"subid": {"subuid": [[100000, 65536]]}}, [Range(100000, 65536)]),
        ({}, []), ({"subid": []}, []), ({"subid": {"subuid": 5}}, []), ({"subid": {"subuid": [[1], [1, "2"], [True, 1], [-1, 1], 7]}}, []),
    ],
)  # fmt: skip
def test_record(record, found):
    assert core.recorded(record, "subuid") == found


def test_the_record_forgets_nothing():
    record = {"linger": True, "subid": {"subuid": [[100000, 10]], "subgid": []}}
    added = {"uid": [Range(100000, 10), Range(300000, 5)], "gid": [Range(300000, 5)]}
    assert module.noted(record, added) == {
        "linger": True, "subid": {"subuid": [[100000, 10], [300000, 5]], "subgid": [[300000, 5]]},
    }  # fmt: skip


@pytest.mark.parametrize("uid", [1000, 999, None])
def test_a_record_of_an_earlier_account_of_the_name(uid):
    record = {"linger": True, "account": True, "subid": {"subuid": [[100000, 10]]}, "ids": {"subuid": [[100000, 10]]}, "uid": 999}
    own, said = module.own_record(record, "alice", uid)
    if uid == 1000:
        assert own == {"linger": True, "ids": record["ids"]}, "its files may be there still, and belong to these ids"
        assert said[0].startswith("alice: the account has uid 1000, and uid 999 is on record") and "Remedy: " in said[0]
    else:
        assert (own, said) == (record, [])


@pytest.mark.parametrize(("start", "count"), [(-1, 5), (core.END, 1), (0, -1)])
def test_reserved_ids_that_are_none(start, count):
    with pytest.raises(core.SubidError, match="reserved: "):
        module.parse_reserved([{"user": "alice", "kind": "uid", "start": start, "count": count}])


@pytest.mark.parametrize(
    ("text", "real", "found"),
    [
        (f"{FIRST}bob:165536:65536\n", {}, []),
        (f"{FIRST}1000:100000:65536\n", {}, []),
        (f"{FIRST}bob:165535:65536\n", {}, [("uid", (165535, 1), "bob")]),
        (f"{FIRST}1001:100000:10\nbob:100000:1\n", {}, [("uid", (100000, 10), "1001"), ("uid", (100000, 1), "bob")]),
        (FIRST, {165535: "ldap1", 165536: "ldap2"}, [("uid", (165535, 1), "uid ldap1")]),
    ],
)
def test_overlaps(text, real, found):
    assert core.overlaps("uid", core.entries(text), ("alice", "1000"), real) == found
