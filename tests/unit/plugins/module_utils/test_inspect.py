# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _inspect as core

SUBUID = """\
alice:100000:65536
bob:165536:65536
1002:231072:1000
alice:300000:10

# a comment
carol:400000
dave:many:65536
erin:500000:²
frank:-5:10
gina:1:2:3
"""


@pytest.fixture
def subuid(tmp_path):
    path = tmp_path / "subuid"
    path.write_text(SUBUID)
    return str(path)


def test_entries_of_another_form_are_skipped(subuid):
    assert core.subordinate_entries(subuid) == [
        ("alice", 100000, 65536),
        ("bob", 165536, 65536),
        ("1002", 231072, 1000),
        ("alice", 300000, 10),
    ]


@pytest.mark.parametrize(
    ("user", "uid", "count"),
    [("alice", 1000, 65546), ("bob", 1001, 65536), ("carol", 1002, 1000), ("dave", 1003, 0), ("100000", 7, 0)],
)
def test_count_by_name_and_by_number(subuid, user, uid, count):
    assert core.subordinate_count(subuid, user, uid) == count


@pytest.mark.parametrize(
    ("text", "following"),
    [
        (SUBUID, 300010),
        ("", 100000),
        ("alice:100000:65536\n", 165536),
        # The last line is not the highest range, and a range below the first id leaves that free.
        ("alice:900000:10\nbob:100000:65536\n", 900010),
        ("alice:1000:10\n", 100000),
        (None, 100000),
    ],
)
def test_next_id_is_behind_every_range(tmp_path, text, following):
    path = tmp_path / "subuid"
    if text is not None:
        path.write_text(text)
    assert core.next_subordinate_id(str(path)) == following


def test_undecodable_line_hides_no_other(tmp_path):
    (tmp_path / "subuid").write_bytes(b"\xff\xfe:1:2\nalice:100000:65536\n")
    assert core.subordinate_count(str(tmp_path / "subuid"), "alice", 1000) == 65536


ROOTLESSKIT = "/opt/rootlesskit/3.2.0/rootlesskit"
HOST = {"rootlesskit": ROOTLESSKIT}


def program(pid, exe, deleted=False):
    return {"pid": pid, "exe": exe, "deleted": deleted, "argv": []}


SOUND = {
    "network_driver": "pasta",
    "rootlesskit": program(10, ROOTLESSKIT),
    "dockerd": program(20, "/usr/sbin/dockerd"),
    "pasta": program(30, "/usr/bin/pasta.avx2"),
}
OLD = "/opt/rootlesskit/2.3.6/rootlesskit"


@pytest.mark.parametrize(
    ("title", "differ", "host", "texts"),
    [
        ("sound", {}, HOST, []),
        ("nothing runs", {"network_driver": None, "rootlesskit": None, "dockerd": None, "pasta": None}, HOST, []),
        ("another driver needs no pasta", {"network_driver": "slirp4netns", "pasta": None}, HOST, []),
        ("pasta killed", {"pasta": None}, HOST, ["pasta is dead"]),
        ("rootlesskit switched", {"rootlesskit": program(10, OLD)}, HOST, [f"rootlesskit (pid 10) runs {OLD}, installed is {ROOTLESSKIT}"]),
        ("rootlesskit not installed", {"rootlesskit": program(10, OLD)}, {"rootlesskit": None}, []),
        ("path not to be read", {"rootlesskit": program(10, None)}, HOST, []),
        ("dockerd upgraded", {"dockerd": program(20, "/usr/sbin/dockerd", True)}, HOST,
         ["dockerd (pid 20) runs a file that was replaced since: /usr/sbin/dockerd"]),
        ("pasta upgraded", {"pasta": program(30, "/usr/bin/pasta", True)}, HOST, ["pasta (pid 30) runs a file that was replaced since"]),
        ("rootlesskit's directory removed: told once", {"rootlesskit": program(10, OLD, True)}, HOST,
         ["rootlesskit (pid 10) runs a file that was replaced since"]),
        ("two at once", {"dockerd": program(20, "/usr/sbin/dockerd", True), "pasta": None}, HOST, ["dockerd (pid 20)", "pasta is dead"]),
    ],
)  # fmt: skip
def test_stale(title, differ, host, texts):
    running = {**copy.deepcopy(SOUND), **differ}
    found = core.stale(running, host)
    assert len(found) == len(texts), title
    assert all(text in line for text, line in zip(texts, found)), found


@pytest.fixture
def configuration(tmp_path, monkeypatch):
    """A folder in place of /etc/rootless-docker, with one user."""
    monkeypatch.setattr(core, "CONFIGURATION", str(tmp_path))
    (tmp_path / "alice").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("content", "record"),
    [
        (b'{"linger": true}', {"linger": True}),
        (b"{}", {}),
        (b"", {}),
        (b"{", {}),
        (b"[]", {}),
        (b"null", {}),
        (b"7", {}),
        (b"\xff\xfe\x00", {}),
        (None, {}),
    ],
)
def test_record_of_what_was_made(configuration, content, record):
    if content is not None:
        (configuration / "alice" / "made.json").write_bytes(content)
    assert core.made("alice") == record


def test_record_where_a_folder_stands(configuration):
    (configuration / "alice" / "made.json").mkdir()
    assert core.made("alice") == {}


def test_own_file_is_read_as_it_was_written(configuration):
    (configuration / "alice" / "environment").write_bytes(b'A="1\r2"\r\n')
    assert core.own_file("alice", "environment") == 'A="1\r2"\r\n'


def test_configured_users_are_folders(configuration, tmp_path):
    (configuration / "bob").mkdir()
    (configuration / "notes.txt").write_text("")
    assert core.configured_users() == ["alice", "bob"]


def test_nobody_is_configured_on_a_bare_host(configuration, monkeypatch):
    monkeypatch.setattr(core, "CONFIGURATION", str(configuration / "none"))
    assert core.configured_users() == []


def test_time_of_writing(configuration):
    assert core.modified(str(configuration / "none")) == 0.0
    assert core.modified(str(configuration)) > 0.0


@pytest.mark.parametrize(
    ("argv", "version"),
    [
        (["/bin/echo", "Docker version 26.1.5+dfsg1, build a72d7cd"], "26.1.5+dfsg1"),
        (["/bin/echo", "rootlesskit version 3.2.0"], "3.2.0"),
        (["/bin/echo", "29.8.0~rc.1"], "29.8.0~rc.1"),
        (["/bin/echo", "Docker version library-import, build"], None),
        (["/bin/true"], None),
        (["/none/program"], None),
    ],
)
def test_printed_version(argv, version):
    assert core.printed_version(argv) == version
