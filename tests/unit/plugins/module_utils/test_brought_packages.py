# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _brought_packages as core

SIMULATED = """\
NOTE: This is only a simulation!
Inst runc (1.1.15+ds1-2+b4 Debian:13.8/stable [amd64])
Inst passt [0.0~git20250503-2] (0.0~git20260728-1~bpo13+1 Debian Backports:stable-backports [amd64])
Inst libc6:i386 (2.41-12 Debian:13.8/stable [i386]) []
Conf runc (1.1.15+ds1-2+b4 Debian:13.8/stable [amd64])
Remv old [1]
Purg older [2]
"""


NOT_THERE = "passt stays at 2: 1, which it was before, cannot be had from the host's archives"


def test_simulation():
    will = core.parse_simulation(SIMULATED)
    assert will.installs == {
        "runc": ("", "1.1.15+ds1-2+b4"),
        "passt": ("0.0~git20250503-2", "0.0~git20260728-1~bpo13+1"),
        "libc6:i386": ("", "2.41-12"),
    }
    assert will.removes == {"old", "older"}
    assert core.parse_simulation("") == core.Transaction({}, frozenset())


def bring(record, names, installs, status=None, automatic=(), groups=(), folders=()):
    will = core.Transaction(installs, frozenset())
    return core.with_installation(record, names, will, status or {}, automatic, list(groups), list(folders))


def test_first_installation():
    record = bring(
        core.Record(), ["docker.io"], {"docker.io": ("", "26"), "runc": ("", "1"), "libc6": ("2", "3")},
        status={"runc": "config-files", "libc6": "installed"}, automatic=["docker.io", "libc6"], groups=["docker"], folders=["/d"],
    )  # fmt: skip
    assert record.as_json() == {
        "asked": ["docker.io"],
        "new": ["docker.io", "runc"],
        "residual": ["runc"],
        "auto": ["docker.io"],
        "changed": {"libc6": {"before": "2", "after": "3"}},
        "groups": ["docker"],
        "folders": ["/d"],
    }


def test_what_is_known_from_before_stays_known():
    first = bring(core.Record(), ["passt"], {"passt": ("1", "2"), "new": ("", "1")}, {"passt": "installed"}, automatic=["passt"])
    there = {"passt": "installed", "new": "installed"}
    again = bring(first, ["passt"], {"passt": ("2", "3"), "new": ("1", "2")}, there)
    assert again.changed == {"passt": {"before": "1", "after": "3"}}
    assert again.as_json() == {**first.as_json(), "changed": again.changed}
    # A run that was cut off between the record and the installation.
    assert bring(bring(core.Record(), ["a"], {"a": ("", "1")}), ["a"], {"a": ("", "1")}).as_json() == {"asked": ["a"], "new": ["a"]}


def test_what_somebody_removed_since_is_forgotten():
    record = core.Record(asked=["a", "b"], new=["a", "b", "c"], residual=["a"])
    assert bring(record, ["d"], {"d": ("", "1")}, {"b": "installed"}).as_json() == {"asked": ["b", "d"], "new": ["b", "d"]}


@pytest.mark.parametrize(("residual", "wanted"), [([], {}), (["a"], {"residual": ["a"]})])
def test_what_is_installed_again_left_no_configuration_of_somebody_elses(residual, wanted):
    """Removed, not purged: what it left is its own, unless there was some before it."""
    record = core.Record(asked=["a"], new=["a"], residual=residual)
    assert bring(record, ["a"], {"a": ("", "1")}, {"a": "config-files"}).as_json() == {"asked": ["a"], "new": ["a"], **wanted}


class Apt:
    """Stands for apt: each package, and what it needs."""

    def __init__(self, needs):
        self.needs = needs

    def __call__(self, arguments):
        assert arguments[0] == "remove"
        gone = set(arguments[1:])
        if "essential" in gone:
            return None
        while True:
            more = {name for name, needed in self.needs.items() if gone & set(needed)} - gone
            if not more:
                return "".join(f"Remv {name} [1]\n" for name in gone)
            gone |= more


@pytest.mark.parametrize(
    ("needs", "candidates", "remove", "needed"),
    [
        ({}, [], [], {}),
        ({"a": ["b"]}, ["a", "b"], ["a", "b"], {}),
        ({"a": ["b"], "theirs": ["b"]}, ["a", "b"], ["a"], {"b": ["theirs"]}),
        # What is needed needs others in turn.
        ({"theirs": ["a"], "a": ["b"], "b": ["c"], "d": []}, ["a", "b", "c", "d"], ["d"], {n: ["theirs"] for n in "abc"}),
        ({"theirs": ["more"], "more": ["a"]}, ["a", "b"], ["b"], {"a": ["more", "theirs"]}),
        ({}, ["a", "essential"], ["a"], {"essential": ["apt, which refuses"]}),
    ],
)
def test_only_what_nothing_else_needs_goes(needs, candidates, remove, needed):
    plan = core.plan_removal(candidates, Apt(needs))
    assert (plan.remove, plan.needed) == (remove, needed)


@pytest.mark.parametrize(
    ("gone", "remove", "needed"),
    [
        ([], [], {"iptables": ["docker.io"], "library": ["docker.io"]}),
        (["docker.io"], ["iptables", "library"], {}),
        (["docker.io", "unrelated"], ["iptables", "library"], {}),
        (["unrelated"], [], {"iptables": ["docker.io"], "library": ["docker.io"]}),
    ],
)
def test_what_another_role_removes_before_needs_nothing_any_more(gone, remove, needed):
    needs = {"docker.io": ["iptables"], "iptables": ["library"], "unrelated": []}
    plan = core.plan_removal(["iptables", "library"], Apt(needs), gone)
    assert (plan.remove, plan.needed) == (remove, needed)


def test_nothing_goes_where_something_would_arrive_instead():
    plan = core.plan_removal(["a"], lambda arguments: "Remv a [1]\nInst b (2 x)\n")
    assert (plan.remove, plan.needed) == ([], {"a": ["b"]})


@pytest.mark.parametrize(
    ("now", "output", "wanted", "said"),
    [
        ("2", "Inst passt [2] (1 x)\n", {"passt": "1"}, []),
        ("1", "", {}, []),
        ("", "", {}, []),
        ("3", "", {}, ["passt stays at 3: it was 1 before, and somebody changed it since"]),
        ("2", None, {}, [NOT_THERE]),
        (
            "2",
            "Inst passt [2] (1 x)\nRemv theirs [1]\n",
            {},
            [NOT_THERE],
        ),
    ],
)
def test_versions_from_before(now, output, wanted, said):
    record = core.Record(changed={"passt": {"before": "1", "after": "2"}})
    assert core.plan_versions(record, {"passt": now}, lambda arguments: output) == (wanted, said)


@pytest.mark.parametrize(("gone", "wanted"), [([], {}), (["docker.io"], {"libc6": "2"}), (["other"], {})])
def test_a_version_that_only_a_package_that_goes_needed(gone, wanted):
    record = core.Record(changed={"libc6": {"before": "2", "after": "3"}})
    asked = []

    def simulate(arguments):
        asked.append(arguments)
        return "Inst libc6 [3] (2 x)\nRemv docker.io [26]\n"

    assert core.plan_versions(record, {"libc6": "3"}, simulate, gone)[0] == wanted
    assert asked == [["--allow-downgrades", "install", "libc6=2", *(f"{name}-" for name in gone)]]


def test_record_goes_through_json():
    record = core.Record(["b", "a"], ["a"], [], ["x"], {"c": {"before": "1", "after": "2"}}, ["g"], ["/d"])
    (again,) = core.parse_records({"me": record.as_json()}, "p").values()
    assert again.as_json() == record.as_json()


@pytest.mark.parametrize("data", [None, [], {"me": []}, {"me": {"new": {}}}, {"me": {"changed": []}}])
def test_damaged_record(data):
    with pytest.raises(core.RecordError, match="^/record is damaged.*or remove it"):
        core.parse_records(data, "/record")
