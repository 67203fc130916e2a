# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import rootful_plan as core

RECORD = "/record.json"
UNITS = {"docker.socket": "docker.io", "docker.service": "docker.io", "containerd.service": "containerd"}
PACKAGES = ["docker.io", "docker-cli"]
ALL_LINKS = [f"/etc/systemd/system/{name}" for name in UNITS]

NOT_THERE = {"load": "not-found", "active": "inactive", "enabled": "", "fragment": ""}
RUNNING = {"load": "loaded", "active": "active", "enabled": "enabled", "fragment": "/usr/lib/systemd/system/x"}
OFF = {"load": "loaded", "active": "inactive", "enabled": "disabled", "fragment": "/usr/lib/systemd/system/x"}
MASKED = {"load": "masked", "active": "inactive", "enabled": "masked", "fragment": ""}


def host(unit, installed=True, record=None, **units):
    version = "26.1.5" if installed else ""
    return {
        "packages": {"docker.io": version, "docker-cli": version, "containerd": version},
        "units": {name: units.get(name.partition(".")[0] if name != "docker.socket" else "socket", unit) for name in UNITS},
        "files": {RECORD: json.dumps(record) if record is not None else None},
    }


def plan(state, choice="auto", source="distribution"):
    return core.make_plan(state, RECORD, source, choice, "docker.io", PACKAGES, UNITS)


def changed(choice):
    return {name: {"enabled": True, "active": True, "changed": choice} for name in UNITS}


OURS = [*PACKAGES, "containerd"]


@pytest.mark.parametrize(
    ("choice", "ours", "rootful", "mode"),
    [
        ("auto", True, True, "mask"),
        ("auto", True, False, "mask"),
        ("auto", False, True, "refuse"),
        ("auto", False, False, "keep"),
        ("fail", True, True, "refuse"),
        ("fail", True, False, "mask"),
        ("fail", False, False, "keep"),
        ("mask", False, True, "mask"),
        ("stop", True, True, "stop"),
        ("leave", True, True, "leave"),
    ],
)
def test_mode(choice, ours, rootful, mode):
    assert core.choose_mode(choice, ours, rootful) == mode


def test_bare_host_is_masked_before_the_packages():
    result = plan(host(NOT_THERE, installed=False))
    assert result["install"] == PACKAGES
    assert result["mask"] == ALL_LINKS
    assert result["units"] == []
    assert result["files"][0]["path"] == RECORD
    assert json.loads(result["files"][0]["content"]) == {"packages": OURS, "units": changed("mask")}


def test_run_cut_off_between_masks_and_packages_goes_on():
    result = plan(host(MASKED, installed=False, record={"packages": OURS, "units": changed("mask")}))
    assert (result["install"], result["files"], result["units"]) == (PACKAGES, [], [])


def test_engine_that_was_removed_comes_again_and_the_record_stays_as_it_is():
    state = host(MASKED, record={"packages": OURS, "units": changed("mask")})
    state["packages"]["docker.io"] = ""
    result = plan(state)
    assert (result["install"], result["files"], result["record_last"]) == (["docker.io"], [], False)


def test_stop_cut_off_before_the_packages_goes_on():
    result = plan(host(NOT_THERE, installed=False, record={"packages": OURS, "units": changed("stop")}), "stop")
    assert (result["install"], result["files"], len(result["units"])) == (PACKAGES, [], 3)


def test_leave_cut_off_after_unmasking_goes_on():
    result = plan(host(OFF, record={"packages": OURS, "units": changed("mask")}), "leave")
    assert (result["files"], len(result["units"]), result["record_last"]) == ([], 3, True)


def test_masked_host_needs_nothing():
    result = plan(host(MASKED, record={"packages": OURS, "units": changed("mask")}))
    assert (result["files"], result["units"], result["install"], result["record_last"]) == ([], [], [], False)


def test_mask_is_restored_where_somebody_took_it_away():
    result = plan(host(RUNNING, record={"packages": OURS, "units": changed("mask")}))
    assert result["mask"] == ALL_LINKS
    assert [act["state"] for act in result["units"]] == ["stopped"] * 3


def test_foreign_rootful_daemon_is_refused_and_named():
    result = plan(host(RUNNING))
    assert result["mode"] == "refuse"
    assert result["rootful"] == ["docker.socket", "docker.service"]
    assert result["files"] == []


def test_foreign_rootful_daemon_masked_leaves_containerd_alone():
    result = plan(host(RUNNING), "mask")
    assert result["mask"] == ALL_LINKS[:2]
    assert [act["name"] for act in result["units"]] == ["docker.socket", "docker.service"]


def test_foreign_mask_is_left_alone():
    result = plan(host(MASKED), "mask")
    assert (result["files"], result["units"]) == ([], [])


def test_engine_of_another_source_is_not_ours():
    state = host(RUNNING, installed=False, record={"packages": OURS, "units": {}})
    assert plan(state, "auto", "present")["mode"] == "refuse"


def test_unit_file_in_the_way_of_a_mask():
    own = {**RUNNING, "fragment": "/etc/systemd/system/docker.service"}
    assert plan(host(OFF, docker=own), "mask")["blocked"] == ["/etc/systemd/system/docker.service"]


def test_stop_on_a_bare_host_disables_what_arrives():
    result = plan(host(NOT_THERE, installed=False), "stop")
    assert result["mask"] == []
    assert all(act == {"name": act["name"], "enabled": False, "state": "stopped"} for act in result["units"])
    assert len(result["units"]) == 3


def test_stop_after_mask_unmasks_and_disables():
    result = plan(host(MASKED, record={"packages": OURS, "units": changed("mask")}), "stop")
    assert result["unmask"] == ALL_LINKS
    assert len(result["units"]) == 3
    assert json.loads(result["files"][0]["content"])["units"] == changed("stop")


def test_stopped_host_needs_nothing():
    result = plan(host(OFF, record={"packages": OURS, "units": changed("stop")}), "stop")
    assert (result["files"], result["units"]) == ([], [])


def test_leave_puts_back_and_forgets_last():
    result = plan(host(MASKED, record={"packages": OURS, "units": changed("mask")}), "leave")
    assert result["unmask"] == ALL_LINKS
    assert all(act["enabled"] is True and act["state"] == "started" for act in result["units"])
    assert [file for file in result["files"] if file["path"] == RECORD] == []
    assert result["record_last"] is True
    assert json.loads(result["record_file"]["content"]) == {"packages": OURS, "units": {}}


def test_leave_without_a_record_touches_nothing():
    result = plan(host(RUNNING), "leave")
    assert (result["files"], result["units"], result["record_last"]) == ([], [], False)


def test_present_installs_nothing_and_passes_over_units_that_are_not_there():
    result = plan(host(NOT_THERE, installed=False), "mask", "present")
    assert (result["install"], result["files"], result["units"]) == ([], [], [])


@pytest.mark.parametrize("text", ["{", "[]", '{"units": []}', '{"units": {"a": 1}}'])
def test_damaged_record(text):
    with pytest.raises(core.PlanError, match=RECORD):
        core.parse_record(text, RECORD)


def was(choice, unit, packages, installed=True):
    """A host whose units the role masked or stopped."""
    return host(unit, installed, record={"packages": packages, "units": changed(choice)})


@pytest.mark.parametrize(
    ("title", "state", "removed", "unmasked", "acts"),
    [
        ("our packages went", was("mask", MASKED, OURS, False), [], ALL_LINKS, []),
        ("they would go", was("mask", MASKED, OURS), OURS, ALL_LINKS, []),
        ("a run was cut off after unmasking", was("mask", NOT_THERE, OURS, False), [], [], []),
        ("units that were there before", was("mask", MASKED, []), [], ALL_LINKS, list(UNITS)),
        ("these, stopped", was("stop", OFF, []), [], [], list(UNITS)),
        ("an Engine of another source", was("mask", MASKED, [], False), [], ALL_LINKS, list(UNITS)),
        ("one package that others need", was("mask", MASKED, OURS), PACKAGES, ALL_LINKS, ["containerd.service"]),
        ("all is as it was", was("mask", RUNNING, []), [], [], []),
        ("nothing on record", host(MASKED), [], [], []),
    ],
)  # fmt: skip
def test_removal(title, state, removed, unmasked, acts):
    result = core.make_removal(state, RECORD, UNITS, removed)
    assert [entry["path"] for entry in result["files"]] == unmasked, title
    assert result["units"] == [{"name": name, "enabled": True, "state": "started"} for name in acts], title


def test_removal_of_units_that_were_off():
    record = {"packages": [], "units": {"docker.service": {"enabled": False, "active": False, "changed": "mask"}}}
    assert core.make_removal(host(MASKED, record=record), RECORD, UNITS, [])["units"] == []


def test_removal_with_a_damaged_record():
    with pytest.raises(core.PlanError, match="is damaged"):
        core.make_removal({**host(MASKED), "files": {RECORD: "[]"}}, RECORD, UNITS, [])
