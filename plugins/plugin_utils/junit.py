# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of the checks as JUnit XML: one test case a cell, one suite a user and vantage point. Pure.

There is no standard; this is what GitLab, Jenkins and GitHub's reporters have in common: testsuites, testsuite with counts, testcase with
classname, name and time, and in it failure or error with type, message and text.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import Any

# What XML 1.0 cannot hold, not even escaped; a line break or a tab in an attribute is legal and unreadable.
_UNFIT = re.compile("[^\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
OWN = frozenset({"canary", "namespace", "host_loopback"})
"""Groups whose ports are the check's own, chosen anew in each run."""
MAX_TEXT = 4000
"""Characters of one attribute or text."""


class BadResult(Exception):
    """What was given is no result of a check; the text says what is missing."""


def fit(value: Any, lines: bool = False) -> str:
    """Text that XML can hold: anything else escaped as Python writes it, and cut at 4000 characters.

    :param lines: whether line breaks stay.
    """
    text = str(value)
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 3] + "..."
    parts = text.split("\n") if lines else [text]
    return "\n".join(_UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), part) for part in parts)


def _place(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    return cell["thing"], cell["vantage"], cell["address"], cell["port"], cell["protocol"]


def _name(cell: Mapping[str, Any]) -> str:
    """What a cell is about, the same in each run: a canary has other ports every time."""
    thing = str(cell["thing"])
    # From outside, only a canary has a port in a container that is known.
    if cell["group"] in OWN or (cell["group"] == "outside" and cell["container_port"]):
        for port in (cell["port"], cell["container_port"]):
            thing = re.sub(rf"\b{port}\b", "PORT", thing)
    return thing


def _suite(parent: ET.Element, name: str, host: str) -> ET.Element:
    return ET.SubElement(parent, "testsuite", name=fit(name), hostname=fit(host))


def _case(suite: ET.Element, classname: str, name: str, seconds: float = 0.0) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=fit(classname), name=fit(name), time=f"{seconds:.3f}")


def _because(case: ET.Element, tag: str, kind: str, message: str, text: str) -> None:
    ET.SubElement(case, tag, type=fit(kind), message=fit(message)).text = fit(text, lines=True)


def _add_cell(suite: ET.Element, classname: str, cell: Mapping[str, Any], finding: Mapping[str, Any] | None) -> None:
    wanted = "must not answer" if cell["expected"] == "must_not" else "answers"
    case = _case(suite, classname, f"{cell['group']}, {cell['protocol']}: {_name(cell)} {wanted}", cell["seconds"])
    if cell["verdict"] == "pass":
        return
    seen = f"{cell['outcome'] or 'not tried'} ({cell['verdict']})"
    why = f"{finding['cause']}: {finding['message']}\nRemedy: {finding['remedy']}" if finding else "no finding explains it"
    text = f"{why}\nNote: {cell['note']}" if cell["note"] else why
    _because(case, "failure" if cell["outcome"] else "error", cell["verdict"] if cell["outcome"] else "not_tried", seen, text)


def _add_lone(top: ET.Element, host: str, subject: str, name: str, because: tuple[str, str, str, str]) -> None:
    """A test case that no cell stands for."""
    _because(_case(_suite(top, f"{subject}: daemon", host), f"{host}.{subject}.daemon", name), *because)


def _add_result(top: ET.Element, host: str, result: Mapping[str, Any]) -> None:
    """The suites of one result: one a vantage point, and more for what no cell stands for."""
    # A result that is none still has the item of its loop.
    subject = str(result.get("user") or result.get("vantage") or result.get(result.get("ansible_loop_var", ""), "check"))
    message = str(result.get("msg", "it did not run"))
    if "cells" not in result or "findings" not in result:
        _add_lone(top, host, subject, "the check gave a result", ("error", "not_run", "it gave none", message))
        return
    why = {_place(place): finding for finding in result["findings"] for place in finding["cells"]}
    suites: dict[str, ET.Element] = {}
    for cell in result["cells"]:
        vantage = cell["vantage"]
        if vantage not in suites:
            suites[vantage] = _suite(top, f"{subject}: {vantage}", host)
        _add_cell(suites[vantage], f"{host}.{subject}.{vantage}", cell, why.get(_place(cell)))
    lone = [finding for finding in result["findings"] if not finding["cells"]]
    for finding in lone:
        text = f"{finding['message']}\nRemedy: {finding['remedy']}"
        _add_lone(top, host, subject, finding["cause"], ("failure", finding["cause"], finding["message"], text))
    if not lone and not result["cells"]:
        _add_lone(top, host, subject, "something was tried", ("error", "not_tried", "nothing was tried", message))


def _count(element: ET.Element) -> None:
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", str(sum(case.find("error") is not None for case in cases)))
    element.set("skipped", "0")
    element.set("time", f"{sum(float(case.get('time') or 0) for case in cases):.3f}")


def junit(results: Iterable[Mapping[str, Any]], host: str = "") -> str:
    """A JUnit XML document.

    :param results: of C(published_port_check) or C(port_probe_info); one that failed before it tried anything is an error.
    :param host: name of the host that they are about.
    :raises BadResult: when one is no dictionary.
    """
    top = ET.Element("testsuites", name="published ports")
    for number, result in enumerate(results):
        if not isinstance(result, Mapping):
            raise BadResult(f"result {number} is {type(result).__name__} and no dictionary: give a list of what the modules returned")
        _add_result(top, host, result)
    for element in top.iter():
        if element.tag in ("testsuites", "testsuite"):
            _count(element)
    ET.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(top, encoding="unicode") + "\n"
