# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of the scenario `mutations` leaves out no cause without a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import ADVICE, RULES

TABLE = yaml.safe_load((Path(__file__).parents[4] / "molecule/mutations/mutations.yml").read_text())
PLATFORMS = yaml.safe_load((Path(__file__).parents[4] / "molecule/mutations/molecule.yml").read_text())["platforms"]
FIELDS = {"name", "host", "break", "arguments", "causes", "besides", "advice", "mend", "roles", "unprivileged"}
CAUSES = {cause for cause, _rule in RULES}
ALL_ADVICE = {cause for cause, _rule in ADVICE}
NOT_PROVOKED = TABLE["not_provoked"]


def test_every_cause_is_provoked_or_says_why_not():
    provoked = [cause for row in TABLE["mutations"] for cause in row.get("causes", {})]
    assert {*provoked, *NOT_PROVOKED} - ALL_ADVICE == CAUSES
    assert not set(provoked).intersection(NOT_PROVOKED)
    assert all(len(reason.split()) > 5 for reason in NOT_PROVOKED.values())


def test_every_advice_is_provoked_or_says_why_not():
    provoked = {cause for row in TABLE["mutations"] for cause in row.get("advice", {})}
    assert {*provoked, *NOT_PROVOKED} - CAUSES == ALL_ADVICE
    assert not provoked.intersection(NOT_PROVOKED)


@pytest.mark.parametrize("row", TABLE["mutations"], ids=lambda row: re.sub(r"\W+", "_", row["name"]))
def test_a_row_can_fail(row):
    assert set(row) <= FIELDS
    assert row["host"] in {platform["name"] for platform in PLATFORMS}
    assert row["break"].strip() and (row.get("mend", "").strip() or row.get("roles"))
    expected = {**row.get("causes", {}), **row.get("advice", {})}
    assert expected and all(words and all(words) for words in expected.values())
    assert set(row.get("besides", [])) <= CAUSES


def test_names_are_unique():
    names = [row["name"] for row in TABLE["mutations"]]
    assert len(names) == len(set(names))
