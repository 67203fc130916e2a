# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _health as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import ANSWERED, ANSWERS, MUST_NOT, NONCE, Cell

NOW = 1_000_000.0


def cell(outcome=ANSWERED, expected=ANSWERS, group="namespace", thing="8080", address="127.0.0.1", protocol="tcp"):
    proof = NONCE if outcome == ANSWERED else "none"
    return Cell(group, thing, f"host {address}", address, 8080, expected, outcome, proof=proof, control=True, protocol=protocol)


FINDING = {"cause": "no_listener", "message": "127.0.0.1:8080 of container web: refused.", "remedy": "Restart it.", "cells": []}
DEAD = {"cause": "network_dead", "what": "pasta is dead", "why": "nothing restarts it", "remedy": "restart docker.service"}


# -- restarts ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_a_row", "ago", "wait"),
    [
        # The first is due at once, whenever the last one was.
        (0, 0, 0),
        (0, 5, 0),
        # Each one more in a row doubles the wait, up to an hour.
        (1, 0, 60),
        (1, 59, 1),
        (1, 60, 0),
        (2, 60, 60),
        (3, 0, 240),
        (6, 0, 1920),
        (7, 0, 3600),
        (500, 0, 3600),
        (500, 3600, 0),
        # A clock that was set back.
        (7, -1, 0),
    ],
)
def test_wait_between_restarts(in_a_row, ago, wait):
    assert core.seconds_to_wait(core.Record(9, in_a_row, NOW - ago), NOW) == wait


def test_a_daemon_that_dies_again_and_again_is_restarted_ever_less_often():
    record, now, times = core.Record(), NOW, []
    while now < NOW + 86400:
        if core.seconds_to_wait(record, now) == 0:
            record = core.restarted(record, now)
            times.append(now - NOW)
        now += 60
        # It is alive for a moment after each restart, which is no reason to begin anew.
        record = core.seen_alive(record, record.last + 30)
    assert times[:6] == [0, 60, 180, 420, 900, 1860]
    assert len(times) < 32
    assert record.restarts == record.in_a_row == len(times)


def test_one_that_was_well_for_a_while_counts_anew():
    record = core.restarted(core.restarted(core.Record(), NOW), NOW + 100)
    assert core.seen_alive(record, NOW + 100 + core.CALM - 1) == record
    assert core.seen_alive(record, NOW + 100 + core.CALM) == core.Record(2, 0, NOW + 100)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "7", '{"restarts": "7"}', '{"restarts": -1}', '{"in_a_row": true}', '{"last": null}', '{"a": 1}', "[" * 9999],
)  # fmt: skip
def test_a_record_that_is_none_is_a_new_one(text):
    assert core.Record.parse(text) == core.Record()


def test_a_record_is_kept():
    record = core.Record(3, 2, NOW + 0.5)
    assert core.Record.parse(record.text()) == record


# -- the report --------------------------------------------------------------


def test_sound():
    report = core.report_of_check([cell(), cell("refused", MUST_NOT)], [], 1.26)
    assert (report.up, report.sound, report.priority, report.causes) == (True, True, core.NOTICE, ())
    assert core.journal_line("alice", report) == "<5>alice: 2 of 2 cells pass, 1.3 s\n"


@pytest.mark.parametrize(
    ("cells", "findings"),
    [
        ([cell(), cell("refused")], [FINDING]),
        ([cell(), cell("refused")], []),
        ([], []),
        # Something that no cell shows, such as a container that did not start.
        ([cell()], [FINDING]),
    ],
)
def test_unsound(cells, findings):
    report = core.report_of_check(cells, findings, 1.0)
    assert (report.up, report.sound, report.priority) == (True, False, core.ERROR)


def test_a_line_has_the_first_cause_and_names_the_others():
    findings = [FINDING, {**FINDING, "cause": "unknown"}, {**FINDING, "cause": "unknown"}, {**FINDING, "cause": "no_control"}]
    report = core.report_of_check([cell("refused")], findings, 1.0)
    line = core.journal_line("alice", report)
    assert line == (
        "<3>alice: 0 of 1 cells pass, 1.0 s. 127.0.0.1:8080 of container web: refused. Remedy: Restart it. Besides: unknown, no_control\n"
    )
    assert report.causes == ("no_listener", "unknown", "no_control")


def test_whatever_is_said_it_stays_one_line():
    report = core.report_of_check([cell("refused")], [{**FINDING, "message": "a\n<0>b\x1b[2J" * 1000}], 1.0)
    line = core.journal_line("alice", report)
    assert line.count("\n") == 1 and "\x1b" not in line and len(line) < 1600


@pytest.mark.parametrize(
    ("report", "priority", "words"),
    [
        (core.report_of_problems([{**DEAD, "what": "x"}], False), core.ERROR, "x: nothing restarts it. Remedy: restart docker.service"),
        (core.report_of_problems([{**DEAD, "what": "it was stopped"}], True), core.WARNING, "it was stopped"),
        (core.report_of_problems([], False), core.ERROR, "there is no daemon"),
        (core.report_of_restart("pasta is dead", 1, "it is up", True), core.WARNING, "pasta is dead, so docker.service was restarted"),
        (core.report_of_restart("pasta is dead", 2, "it is not up", False), core.ERROR, "number 2 in a row"),
        (core.report_of_waiting("pasta is dead", core.Record(3, 2, NOW), 61.4, "look"), core.ERROR, "not restarted before 61 s from now"),
    ],
)
def test_not_up(report, priority, words):
    assert (report.up, report.sound, report.priority) == (False, False, priority)
    assert words in report.text


# -- metrics -----------------------------------------------------------------

LINE = re.compile(r'(# (HELP|TYPE) rootless_docker_\w+ .+)|(rootless_docker_\w+\{(\w+="([^"\\\n]|\\["\\n])*",?)+\} [0-9.]+)')


def parsed(text):
    """Samples by name and labels, of a text whose every line has the format's form."""
    assert text.endswith("\n")
    assert [line for line in text.splitlines() if not LINE.fullmatch(line)] == []
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_metrics_of_a_sound_daemon():
    cells = [cell(), cell("refused", MUST_NOT, thing="9", address="::1"), cell(group="container"), cell(group="container", address="::1")]
    text = core.metrics("alice", core.report_of_check(cells, [], 1.0), core.Record(4, 0, NOW), 1.23456, NOW)
    assert parsed(text) == {
        'rootless_docker_up{user="alice"}': "1",
        'rootless_docker_sound{user="alice"}': "1",
        'rootless_docker_published_ports{user="alice",verdict="pass"}': "1",
        'rootless_docker_published_ports{user="alice",verdict="fail"}': "0",
        'rootless_docker_published_ports{user="alice",verdict="inconclusive"}': "0",
        'rootless_docker_check_cells{user="alice",group="container",verdict="pass"}': "2",
        'rootless_docker_check_cells{user="alice",group="namespace",verdict="pass"}': "2",
        'rootless_docker_check_duration_seconds{user="alice"}': "1.235",
        'rootless_docker_last_check_timestamp_seconds{user="alice"}': "1000000.0",
        'rootless_docker_restarts_total{user="alice"}': "4",
    }


def test_every_metric_is_explained_whatever_was_seen():
    explained = [
        [line for line in core.metrics(user, report, core.Record(), 1.0, NOW).splitlines() if line.startswith("#")]
        for user, report in (("alice", core.report_of_problems([DEAD], False)), ("bob", core.report_of_check([cell()], [], 1.0)))
    ]
    # node_exporter refuses two files that explain one name differently.
    assert explained[0] == explained[1]
    assert [line.split()[2] for line in explained[0][::2]] == [f"rootless_docker_{name}" for name, _kind, _about in core.METRICS]


def test_metrics_of_a_dead_network():
    found = parsed(core.metrics("alice", core.report_of_problems([DEAD], False), core.Record(), 1.0, NOW))
    assert found['rootless_docker_up{user="alice"}'] == "0"
    assert found['rootless_docker_problem{user="alice",cause="network_dead"}'] == "1"


def test_nothing_that_a_user_chose_becomes_a_label():
    cells = [cell(group="container", thing=f"port-{number}") for number in range(1000)]
    text = core.metrics("alice", core.report_of_check(cells, [], 1.0), core.Record(), 1.0, NOW)
    assert len(parsed(text)) < 12 and "port-" not in text


def test_a_label_is_escaped():
    assert core.escaped('a\\b"c\nd') == 'a\\\\b\\"c\\nd'


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [(["pass", "pass"], "pass"), (["pass", "inconclusive"], "inconclusive"), (["inconclusive", "fail", "pass"], "fail")],
)
def test_a_port_is_as_good_as_its_worst_place(seen, verdict):
    assert core.worst(seen) == verdict
