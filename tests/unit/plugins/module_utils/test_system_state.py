# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _system_state as core


def answer(status, output=""):
    return lambda arguments: (status, output)


def test_packages_that_dpkg_knows_in_part():
    output = "installed passt 0.0~git20250503-2\nconfig-files docker.io 26.1.5\n"
    assert core.package_versions(["passt", "docker.io", "nothing"], answer(1, output)) == {
        "passt": "0.0~git20250503-2",
        "docker.io": "",
        "nothing": "",
    }


def test_no_packages_ask_nobody():
    assert core.package_versions([], None) == {}


def test_units_come_in_the_order_asked():
    output = (
        "LoadState=masked\nActiveState=inactive\nFragmentPath=\nUnitFileState=masked\n\n"
        "LoadState=not-found\nActiveState=inactive\nFragmentPath=\nUnitFileState=\n"
    )
    empty = dict.fromkeys(core.UNIT_PROPERTIES, "")
    assert core.unit_states(["docker.service", "none.service"], answer(0, output)) == {
        "docker.service": {**empty, "load": "masked", "active": "inactive", "enabled": "masked"},
        "none.service": {**empty, "load": "not-found", "active": "inactive"},
    }


def test_units_without_systemd():
    assert core.unit_states(["docker.service"], answer(127))["docker.service"] == dict.fromkeys(core.UNIT_PROPERTIES, "")


def test_files_and_programs(tmp_path):
    present = tmp_path / "tool"
    present.write_text("text")
    assert core.file_contents([str(present), str(tmp_path / "none")]) == {str(present): "text", str(tmp_path / "none"): None}
    present.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(present)
    owner = f"{present.stat().st_uid}:{present.stat().st_gid}"
    wanted = {str(present): f"{owner} 0640", str(link): f"{owner} link", str(tmp_path / "none"): None}
    assert core.file_attributes(list(wanted)) == wanted
    assert core.find_programs(["tool"], [str(tmp_path)]) == {"tool": ""}
    present.chmod(0o755)
    assert core.find_programs(["tool", "none"], ["/nonexistent", str(tmp_path)]) == {"tool": str(present), "none": ""}


@pytest.mark.parametrize(
    ("option", "accepted_form", "accepted"),
    [
        ("--flag", "--flag", True),
        ("--path", "--path=/nonexistent", True),
        ("--path=/x", "--path=/x", True),
        ("--path=/x", None, False),
        ("--unknown", None, False),
    ],
)
def test_option_by_exit_status(option, accepted_form, accepted):
    calls = []

    def run(arguments):
        calls.append(arguments)
        return (0 if arguments[1] == accepted_form else 1), ""

    assert core.accepts_option("/usr/bin/pasta", option, run) is accepted
    assert all(call[2] == "--version" for call in calls)
    # The form with a value comes first, or an option that wants one would swallow --version and the program would start.
    assert "=" in calls[0][1]


def test_apt_sources_by_both_names():
    output = (
        "Packages|main|stable|trixie|http://archive.example.org/debian/|/etc/apt/sources.list:1\n"
        "Packages|main|trixie|$(CODENAME)|http://other.example.org/debian/|/etc/apt/sources.list.d/a.sources:1\n"
        "Translations|main|trixie|trixie|http://archive.example.org/debian/|/etc/apt/sources.list:1\n"
        "Packages|contrib|trixie|trixie|http://archive.example.org/debian/|/etc/apt/sources.list:1\n"
    )
    suites = core.apt_sources(output)
    assert suites["stable"] == [{"uri": "http://archive.example.org/debian/", "suite": "stable", "file": "/etc/apt/sources.list"}]
    assert [entry["suite"] for entry in suites["trixie"]] == ["stable", "trixie"]
    assert [entry["file"] for entry in suites["trixie"]] == ["/etc/apt/sources.list", "/etc/apt/sources.list.d/a.sources"]
    assert set(suites) == {"stable", "trixie"}


def test_entries_of_folders_are_counted(tmp_path):
    for path in ("containers/a", "containers/b", "image/overlay2/content/x", "image/vfs/content/y"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "containers")
    patterns = [f"{tmp_path}/{name}" for name in ("containers", "image/*/content", "nothing", "link")]
    assert list(core.entry_counts(patterns).values()) == [2, 2, 0, 0]
