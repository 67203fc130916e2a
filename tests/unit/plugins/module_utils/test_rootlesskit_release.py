# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import http.server
import io
import os
import tarfile
import threading
import time

import pytest
from ansible.module_utils.urls import open_url
from ansible_collections.portside.rootless_docker.plugins.module_utils import _rootlesskit_release as core

VERSION = "3.2.0"


def make_archive(path, entries=None):
    """An archive as the releases are; entries are (name, text of a file) or (name, type of a member that is none)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in entries if entries is not None else [(name, name) for name in core.PROGRAMS]:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content.encode()))
            else:
                member.type = content
                member.linkname = "/etc/passwd"
                tar.addfile(member)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "archive.tar.gz"
    return str(path), make_archive(path)


def installed(tmp_path, archive, version=VERSION):
    directory = str(tmp_path / "opt")
    core.install(directory, version, archive[1], archive[0])
    core.switch(directory, version)
    return directory


def test_versions_sort_by_number():
    versions = ["2.3.10", "3.2.0", "2.3.9", "3.2.0-beta.1"]
    assert sorted(versions, key=core.version_key) == ["2.3.9", "2.3.10", "3.2.0-beta.1", "3.2.0"]


@pytest.mark.parametrize(
    ("current", "keep", "removed"),
    [("3.2.0", 2, ["2.3.2"]), ("3.2.0", 0, ["3.1.0", "2.3.6", "2.3.2"]), ("2.3.2", 1, ["3.1.0", "2.3.6"]), ("2.3.6", 9, [])],
)
def test_versions_to_remove(current, keep, removed):
    assert core.versions_to_remove(["2.3.2", "3.2.0", "2.3.6", "3.1.0"], current, keep) == removed


@pytest.mark.parametrize(("keep", "removed"), [(0, ["3.1.0", "2.3.6", "2.3.2"]), (1, ["3.1.0", "2.3.6"]), (2, ["2.3.6"])])
def test_the_version_that_was_in_use_is_the_first_to_stay(keep, removed):
    assert core.versions_to_remove(["2.3.2", "3.2.0", "2.3.6", "3.1.0"], "3.2.0", keep, previous="2.3.2") == removed


@pytest.mark.parametrize(
    ("keep", "previous", "removed"),
    [
        (0, "2.3.6", ["3.1.0", "2.3.6"]),
        # Resumed with the same version, and with another one.
        (1, "3.2.0", ["3.1.0", "2.3.6"]),
        (1, "3.1.0", ["3.1.0", "2.3.6"]),
        (2, "2.3.6", ["3.1.0"]),
        (3, "3.2.0", []),
    ],
)
def test_the_version_that_an_unfinished_upgrade_needs_stays(keep, previous, removed):
    assert core.versions_to_remove(["2.3.2", "3.2.0", "2.3.6", "3.1.0"], "3.2.0", keep, previous, needed="2.3.2") == removed


@pytest.mark.parametrize("needed", ["3.2.0", "1.0.0", ""])
def test_a_needed_version_that_is_current_or_gone_keeps_no_other(needed):
    assert core.versions_to_remove(["3.2.0", "3.1.0"], "3.2.0", 0, "3.2.0", needed) == ["3.1.0"]


@pytest.mark.parametrize(
    ("text", "version"),
    [(None, ""), ('{"rootlesskit": "2.3.6"}', "2.3.6"), ('{"rootlesskit": ""}', ""), ("{}", ""), ("[]", ""), ("damaged", "")],
)
def test_the_record_of_an_upgrade_names_a_version(tmp_path, text, version):
    record = tmp_path / "upgrade.json"
    if text is not None:
        record.write_text(text)
    assert core.version_of_upgrade(str(record)) == version


def test_an_installed_version_knows_its_archive(tmp_path, archive):
    directory = installed(tmp_path, archive)
    assert core.recorded_checksum(directory, VERSION) == archive[1]
    assert core.recorded_checksum(directory, "2.3.6") == ""


@pytest.mark.parametrize(
    ("architecture", "checksums", "text"),
    [
        ("i686", {"i686": "0" * 64}, "no release for architecture"),
        ("x86_64", {"aarch64": "0" * 64}, "rootlesskit_checksums"),
        ("x86_64", {"x86_64": "abc"}, "64 hexadecimal"),
    ],
)
def test_checksum_refused(architecture, checksums, text):
    with pytest.raises(core.ReleaseError, match=text):
        core.wanted_checksum(VERSION, architecture, checksums)


def test_checksum_in_capitals():
    assert core.wanted_checksum(VERSION, "x86_64", {"x86_64": "A" * 64}) == "a" * 64


def test_installed_version_is_sound(tmp_path, archive):
    directory = installed(tmp_path, archive)
    state = core.read_state(directory, VERSION, archive[1])
    assert state == core.State([VERSION], VERSION)
    assert os.readlink(f"{directory}/current") == VERSION
    assert os.readlink(f"{directory}/{VERSION}/docker-rootlesskit") == "rootlesskit"
    assert sorted(os.listdir(directory)) == [VERSION, "current"]


def test_nothing_there(tmp_path):
    assert core.read_state(str(tmp_path / "none"), VERSION, "0" * 64).damage == ["not installed"]


def overwrite(folder):
    (folder / "rootlesskit").write_text("other")


def chmod(folder):
    (folder / "rootlessctl").chmod(0o777)


def link_away(folder):
    (folder / "rootlesskit").unlink()
    (folder / "rootlesskit").symlink_to("/bin/true")


def remove_alias(folder):
    (folder / "docker-rootlesskit").unlink()


def remove_manifest(folder):
    (folder / ".files.json").unlink()


def directory_in_the_way(folder):
    (folder / "rootlessctl").unlink()
    (folder / "rootlessctl").mkdir()


@pytest.mark.parametrize("harm", [overwrite, chmod, link_away, remove_alias, remove_manifest, directory_in_the_way])
def test_damage_is_found_and_repaired(tmp_path, archive, harm):
    directory = installed(tmp_path, archive)
    harm(tmp_path / "opt" / VERSION)
    assert core.read_state(directory, VERSION, archive[1]).damage
    core.install(directory, VERSION, archive[1], archive[0])
    assert core.read_state(directory, VERSION, archive[1]).damage == []


def test_another_checksum_is_another_build(tmp_path, archive):
    directory = installed(tmp_path, archive)
    assert core.read_state(directory, VERSION, "0" * 64).damage == ["it came from an archive with another SHA-256"]


@pytest.mark.parametrize(
    "entries",
    [
        [("rootlesskit", "x")],
        [(name, "x") for name in (*core.PROGRAMS, "extra")],
        [(name, "x") for name in (*core.PROGRAMS, "rootlesskit")],
        [("../rootlesskit", "x")],
        [("/usr/bin/rootlesskit", "x")],
        [("sub/rootlesskit", "x")],
        [("rootlesskit", tarfile.SYMTYPE), ("rootlessctl", "x"), ("rootlesskit-docker-proxy", "x")],
        [("rootlesskit", tarfile.LNKTYPE), ("rootlessctl", "x"), ("rootlesskit-docker-proxy", "x")],
        [("rootlesskit", tarfile.FIFOTYPE), ("rootlessctl", "x"), ("rootlesskit-docker-proxy", "x")],
    ],
)
def test_archive_with_anything_else_is_refused(tmp_path, entries):
    path = tmp_path / "bad.tar.gz"
    checksum = make_archive(path, entries)
    with pytest.raises(core.ReleaseError, match="archive"):
        core.install(str(tmp_path / "opt"), VERSION, checksum, str(path))
    assert os.listdir(tmp_path / "opt") == []


def test_archive_with_a_leading_dot(tmp_path):
    path = tmp_path / "dot.tar.gz"
    checksum = make_archive(path, [(".", tarfile.DIRTYPE), *((f"./{name}", "x") for name in core.PROGRAMS)])
    core.install(str(tmp_path / "opt"), VERSION, checksum, str(path))
    assert core.read_state(str(tmp_path / "opt"), VERSION, checksum).damage == []


def test_truncated_archive_is_refused(tmp_path, archive):
    path = tmp_path / "cut.tar.gz"
    with open(archive[0], "rb") as file:
        path.write_bytes(file.read()[:-40])
    with pytest.raises(core.ReleaseError, match=r"SHA-256 is .*, expected"):
        core.verify_archive(str(path), archive[1], "https://mirror.example.org/x")
    with pytest.raises(core.ReleaseError):
        core.unpack(str(path), str(tmp_path))


def test_leftovers_of_killed_runs_are_seen(tmp_path, archive):
    directory = installed(tmp_path, archive)
    for name in (".3.1.0.new-abc", ".current.new-abc", ".2.3.6.old-abc", ".else"):
        (tmp_path / "opt" / name).mkdir()
    state = core.read_state(directory)
    assert state.leftovers == [".2.3.6.old-abc", ".3.1.0.new-abc", ".current.new-abc"]
    core.remove(directory, state.leftovers)
    assert sorted(os.listdir(directory)) == [".else", VERSION, "current"]


@pytest.mark.parametrize(
    ("names", "ours"),
    [
        ((".files.json",), True),
        ((".files.json", "rootlesskit", "notes.txt"), True),
        ((*core.PROGRAMS, core.LINK), True),
        (("rootlesskit",), True),
        (("rootlesskit", "notes.txt"), False),
        ((), False),
    ],
)
def test_a_version_of_which_a_part_is_missing_goes_and_is_no_way_back(tmp_path, archive, names, ours):
    directory = installed(tmp_path, archive)
    (tmp_path / "opt" / "9.9.9").mkdir()
    for name in names:
        (tmp_path / "opt" / "9.9.9" / name).write_text("{")
    state = core.read_state(directory)
    assert (state.versions, state.others) == (["9.9.9", VERSION] if ours else [VERSION], [] if ours else ["9.9.9"])
    assert core.read_state(directory, VERSION, archive[1]).versions == [VERSION]


def test_what_is_nobodys_version_is_named(tmp_path, archive):
    directory = installed(tmp_path, archive)
    (tmp_path / "opt" / "notes.txt").write_text("mine")
    (tmp_path / "opt" / "9.9.9").symlink_to(VERSION)
    (tmp_path / "opt" / ".3.1.0.new-abc").mkdir()
    state = core.read_state(directory)
    assert (state.versions, state.others) == ([VERSION], ["9.9.9", "notes.txt"])


def test_remove_takes_versions_and_the_link(tmp_path, archive):
    directory = installed(tmp_path, archive)
    core.remove(directory, ["current", VERSION])
    assert os.listdir(directory) == []


def test_foreign_things_in_the_way(tmp_path, archive):
    directory = installed(tmp_path, archive)
    os.unlink(f"{directory}/current")
    os.mkdir(f"{directory}/current")
    with pytest.raises(core.ReleaseError, match="no symbolic link"):
        core.read_state(directory)
    with pytest.raises(core.ReleaseError, match="no folder"):
        core.read_state(archive[0])


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path: whole, cut short, too slow, or not at all."""

    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", "1000" if self.path == "/cut" else "30")
        self.end_headers()
        for _count in range(3):
            self.wfile.write(b"x" * 10)
            self.wfile.flush()
            if self.path == "/slow":
                time.sleep(0.3)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as instance:
        threading.Thread(target=instance.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{instance.server_port}"
        instance.shutdown()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_download(tmp_path, server):
    core.download(f"{server}/whole", str(tmp_path / "got"), 5, open_url)
    assert (tmp_path / "got").read_bytes() == b"x" * 30


@pytest.mark.parametrize(
    ("path", "timeout", "text"),
    [("/cut", 5, "cut short after 30 of 1000 bytes"), ("/missing", 5, "404"), ("/slow", 0.4, r"rootlesskit_timeout|timed out")],
)
def test_download_that_fails(tmp_path, server, path, timeout, text):
    with pytest.raises(core.ReleaseError, match=text) as caught:
        core.download(server + path, str(tmp_path / "got"), timeout, open_url)
    assert server in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://", "nonsense"])
def test_download_from_nowhere(tmp_path, url):
    with pytest.raises(core.ReleaseError, match="the download failed"):
        core.download(url, str(tmp_path / "got"), 2, open_url)
