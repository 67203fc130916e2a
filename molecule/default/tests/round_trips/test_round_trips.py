# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of site costs where nothing has to be done; docs/bench-site.md says where the round trips go."""

from __future__ import annotations

from pathlib import Path

from lab.trips import counted

CONVERGE = Path(__file__).resolve().parents[2] / "converge.yml"
INVENTORY = "/run/portside-lab/default.yml"
ONE_USER, FURTHER_USER, USERS = 15, 2, 2


def test_a_run_without_change_makes_few_round_trips():
    """The facts and the proof included."""
    run = counted(INVENTORY, str(CONVERGE), {})
    assert run.changed == 0
    assert USERS <= sum(run.trips.values()) <= ONE_USER + FURTHER_USER * (USERS - 1), run.trips
