# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The form in which every module that tries ports returns what it saw. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import PASS, Cell, table
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import Finding


def summary(subject: str, cells: list[Cell], findings: list[Finding]) -> str:
    """In plain words, how many cells pass, then each cause with its remedy.

    :param subject: whose ports, or from where they were tried.
    """
    bad = sum(cell.verdict != PASS for cell in cells)
    if bad:
        what = f"{bad} of {len(cells)} cells do not pass"
    elif cells:
        what = f"{len(cells)} cells pass, the rest could not be tried" if findings else f"all {len(cells)} cells pass"
    else:
        what = "nothing could be tried"
    return "\n".join([f"{subject}: {what}.", *(f"{finding.message}\n  Remedy: {finding.remedy}" for finding in findings)])


def assemble(subject: str, cells: list[Cell], findings: list[Finding], seconds: float) -> dict[str, Any]:
    """What the modules have in common: changed, ok, msg, table, table_text, cells, findings and duration.

    :param seconds: that the run took.
    """
    lines = table(cells)
    return {
        "changed": False,
        "ok": bool(cells) and not findings and all(cell.verdict == PASS for cell in cells),
        "msg": summary(subject, cells, findings),
        "table": lines,
        "table_text": "\n".join(lines),
        "cells": [cell.as_result() for cell in cells],
        "findings": [finding.as_result() for finding in findings],
        "duration": round(seconds, 3),
    }
