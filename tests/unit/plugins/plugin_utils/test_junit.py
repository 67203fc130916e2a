# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import xml.dom.minidom
import xml.etree.ElementTree as ET

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.portside.rootless_docker.plugins.filter.junit import FilterModule
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import Cell
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import junit as core


def cell(outcome="answered", expected="answers", vantage="host 127.0.0.1", thing="8080:80", **more):
    given = {"proof": "none", "control": True, "protocol": "tcp", "seconds": 0.0125, **more}
    return Cell("canary", thing, vantage, "127.0.0.1", 8080, expected, outcome, **given).as_result()


def finding(*cells, cause="no_listener"):
    places = [{name: each[name] for name in ("thing", "vantage", "address", "port", "protocol")} for each in cells]
    return {"cause": cause, "message": "Nobody listens.", "remedy": "Restart it.", "cells": places}


def result(*cells, findings=(), **more):
    return {"user": "alice", "cells": list(cells), "findings": list(findings), "msg": "words", **more}


def parsed(*results):
    text = core.junit(results, "web1")
    xml.dom.minidom.parseString(text.encode())
    return ET.fromstring(text.encode())


def only_case(*results):
    (case,) = parsed(*results).iter("testcase")
    return case


@pytest.mark.parametrize(
    ("group", "thing", "container_port", "name"),
    [
        ("canary", "127.0.0.1:8080:24001", 24001, "canary, tcp: 127.0.0.1:PORT:PORT answers"),
        ("host_loopback", "gateway:8080", 0, "host_loopback, tcp: gateway:PORT answers"),
        ("outside", "8080:24001", 24001, "outside, tcp: PORT:PORT answers"),
        ("outside", "web 8080->80", 0, "outside, tcp: web 8080->80 answers"),
        ("container", "web 8080->80", 80, "container, tcp: web 8080->80 answers"),
    ],
)
def test_a_canary_has_the_same_name_in_every_run(group, thing, container_port, name):
    given = cell(thing=thing, proof="nonce")
    assert only_case(result({**given, "group": group, "container_port": container_port})).get("name") == name


@pytest.mark.parametrize(
    ("given", "tag", "kind", "message"),
    [
        (cell(proof="nonce"), None, None, None),
        (cell("refused", "must_not"), None, None, None),
        (cell("refused"), "failure", "fail", "refused (fail)"),
        (cell("answered", "must_not", proof="nonce"), "failure", "fail", "answered (fail)"),
        (cell("refused", "must_not", control=False), "failure", "inconclusive", "refused (inconclusive)"),
        (cell(None), "error", "not_tried", "not tried (inconclusive)"),
    ],
)
def test_a_cell_is_a_test_case(given, tag, kind, message):
    case = only_case(result(given, findings=[finding(given)] if tag else []))
    assert (case.get("classname"), case.get("time")) == ("web1.alice.host 127.0.0.1", "0.013")
    assert case.get("name") == f"canary, tcp: PORT:80 {'must not answer' if given['expected'] == 'must_not' else 'answers'}"
    assert [child.tag for child in case] == ([tag] if tag else [])
    if tag:
        assert (case[0].get("type"), case[0].get("message")) == (kind, message)
        assert case[0].text == "no_listener: Nobody listens.\nRemedy: Restart it."


def test_a_finding_is_told_only_where_it_belongs():
    one, two = cell("refused"), cell("refused", thing="8081:80", note="a note")
    first, second = parsed(result(one, two, findings=[finding(one)])).iter("failure")
    assert first.text.startswith("no_listener") and second.text == "no finding explains it\nNote: a note"


def test_suites_are_users_and_vantage_points_and_have_counts():
    sound, dead = cell(proof="nonce", seconds=1), cell("refused", seconds=0.5)
    away = cell(None, vantage="host 192.0.2.7")
    top = parsed(result(sound, dead, away), result(sound, user="bob"), result(sound, user=None, vantage="peer"))
    assert [suite.get("name") for suite in top] == [
        "alice: host 127.0.0.1",
        "alice: host 192.0.2.7",
        "bob: host 127.0.0.1",
        "peer: host 127.0.0.1",
    ]
    counts = ("tests", "failures", "errors", "skipped", "time")
    assert [tuple(element.get(name) for name in counts) for element in (top, *top)] == [
        ("5", "1", "1", "0", "3.513"),
        ("2", "1", "0", "0", "1.500"),
        ("1", "0", "1", "0", "0.013"),
        ("1", "0", "0", "0", "1.000"),
        ("1", "0", "0", "0", "1.000"),
    ]
    assert {suite.get("hostname") for suite in top} == {"web1"}


@pytest.mark.parametrize(
    ("given", "tag", "kind", "words"),
    [
        (result(findings=[finding(cause="daemon_down")]), "failure", "daemon_down", "Nobody listens.\nRemedy: Restart it."),
        (result(), "error", "not_tried", "words"),
        ({"user": "alice", "failed": True, "msg": "user alice does not exist"}, "error", "not_run", "user alice does not exist"),
        ({"skipped": True}, "error", "not_run", "it did not run"),
    ],
)
def test_what_has_no_cell_does_not_get_lost(given, tag, kind, words):
    case = only_case(given)
    assert (case[0].tag, case[0].get("type"), case[0].text) == (tag, kind, words)


def test_a_result_that_is_none_is_called_by_the_item_of_its_loop():
    assert only_case({"unreachable": True, "ansible_loop_var": "who", "who": "alice"}).get("classname") == "web1.alice.daemon"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('<failure message="x"/>', '<failure message="x"/>'),
        ("]]></testcase>&amp;<!--", "]]></testcase>&amp;<!--"),
        ("\0\x01\x1b[31m", "\\x00\\x01\\x1b[31m"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x7f\x85\u2028", "\\x7f\\x85\u2028"),
        ("\ud800\udfff", "\\ud800\\udfff"),
        ("\ufffe\uffff", "\\ufffe\\uffff"),
        ("\u00e9\u20ac\U0001f600", "\u00e9\u20ac\U0001f600"),
        ("x" * 5000, "x" * 3997 + "..."),
    ],
)
def test_hostile_names_stay_names(name, shown):
    given = cell("refused", thing=name, vantage=name, note=name)
    top = parsed(result(given, findings=[{**finding(given), "message": name}], user=name))
    (case,) = top.iter("testcase")
    assert len(list(top.iter())) == 4
    assert shown[:3000] in case.get("name") or case.get("name").endswith("...")
    assert top[0].get("name").startswith(shown[:3000])
    assert case[0].text.startswith("no_listener: ")


def test_filter_names_what_is_no_result():
    convert = FilterModule().filters()["junit"]
    assert ET.fromstring(convert([result(cell())], "web1").encode()).tag == "testsuites"
    with pytest.raises(AnsibleFilterError, match="junit: result 1 is str and no dictionary"):
        convert([result(), "x"])
