# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _system_files as core

CONTENT = "wanted ü\n"


def run(*wanted, remove_foreign=False):
    """What the module does with these: compare, check, apply."""
    files = [entry for entry in wanted if isinstance(entry, core.File)]
    directories = [entry for entry in wanted if isinstance(entry, core.Directory)]
    plan = core.make_plan(files, directories, remove_foreign)
    core.validate(plan)
    core.apply(plan)
    assert core.make_plan(files, directories, remove_foreign).changes == [], "a second run finds nothing to do"
    return plan


def paths(plan):
    return [change.path for change in plan.changes]


def tree(top):
    """Everything below a folder, as it would be described."""
    found = [os.path.join(folder, name) for folder, *names in os.walk(top) for name in [*names[0], *names[1]]]
    return {path: core.state_of(path) for path in found}


# What stands at the path before. Each gets the path and a neighbour that has to stay as it is.
def nothing(path, neighbour):
    pass


def same(path, neighbour):
    path.write_text(CONTENT)
    path.chmod(0o644)


def other_content(path, neighbour):
    path.write_text("old\n")
    path.chmod(0o644)


def other_line_ends(path, neighbour):
    path.write_bytes(CONTENT.replace("\n", "\r\n").encode())
    path.chmod(0o644)


def other_mode(path, neighbour):
    path.write_text(CONTENT)
    path.chmod(0o666)


def no_text(path, neighbour):
    path.write_bytes(b"\xff\x00\n")


def link_to_neighbour(path, neighbour):
    path.symlink_to(neighbour)


def dangling_link(path, neighbour):
    path.symlink_to(neighbour.with_name("none"))


def pipe(path, neighbour):
    os.mkfifo(path)


def directory(path, neighbour):
    (path / "sub").mkdir(parents=True)
    path.chmod(0o755)


OBSTACLES = [nothing, same, other_content, other_line_ends, other_mode, no_text, link_to_neighbour, dangling_link, pipe, directory]
FILE, LINK, FOLDER, ABSENT = "file", "link", "directory", "absent"
# The same, less what is there already and what is refused.
DONE = {(same, FILE), (link_to_neighbour, LINK), (directory, FOLDER), (nothing, ABSENT)}
REFUSED = {(directory, FILE), (directory, LINK)}


def wanted(kind, path, neighbour):
    return {
        FILE: core.File(str(path), CONTENT),
        LINK: core.File(str(path), target=str(neighbour)),
        FOLDER: core.Directory(str(path)),
        ABSENT: core.File(str(path), present=False),
    }[kind]


@pytest.fixture
def place(tmp_path):
    """A path, and beside it what a link may point to."""
    neighbour = tmp_path / "neighbour"
    neighbour.write_text("untouched\n")
    neighbour.chmod(0o600)
    return tmp_path / "etc" / "wanted", neighbour


@pytest.mark.parametrize("kind", [FILE, LINK, FOLDER, ABSENT])
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_from_anything_to_anything(place, obstacle, kind):
    path, neighbour = place
    path.parent.mkdir()
    obstacle(path, neighbour)
    before, untouched = tree(path.parent), core.state_of(str(neighbour))
    entry = wanted(kind, path, neighbour)
    if (obstacle, kind) in REFUSED:
        with pytest.raises(core.FilesError, match=f"{path} is a directory where a {kind} is wanted; move it away"):
            run(entry)
        assert tree(path.parent) == before
        return
    plan = run(entry)
    assert paths(plan) == ([] if (obstacle, kind) in DONE else [str(path)])
    assert core.state_of(str(path)) == core.wanted_state(entry)
    assert core.state_of(str(neighbour)) == untouched, "a link is replaced, never followed"
    assert [name for name in os.listdir(path.parent) if name != path.name] == [], "no temporary file is left"


def test_owner_is_who_runs_it(place):
    path, _neighbour = place
    run(core.File(str(path), CONTENT))
    assert (path.stat().st_uid, path.stat().st_gid) == (os.geteuid(), os.getegid())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to any group")
@pytest.mark.parametrize("kind", [FILE, LINK, FOLDER])
@pytest.mark.parametrize("obstacle", [nothing, other_content, other_mode, link_to_neighbour, directory])
def test_a_folder_that_gives_its_group_to_what_is_in_it(place, obstacle, kind):
    path, neighbour = place
    path.parent.mkdir()
    os.chown(path.parent, 0, 50)
    path.parent.chmod(0o2775)
    obstacle(path, neighbour)
    if (obstacle, kind) in REFUSED:
        return
    entry = wanted(kind, path, neighbour)
    run(entry)
    assert core.state_of(str(path)) == core.wanted_state(entry)
    assert (path.parent.stat().st_gid, stat.S_IMODE(path.parent.stat().st_mode)) == (50, 0o2775)
    assert (neighbour.stat().st_gid, stat.S_IMODE(neighbour.stat().st_mode)) == (os.getegid(), 0o600)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_mode(place, mode):
    path, _neighbour = place
    run(core.File(str(path), CONTENT, mode=mode), core.Directory(str(path.parent), mode=mode | 0o700))
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE(path.parent.stat().st_mode) == mode | 0o700


def test_narrow_umask_does_not_close_what_others_read(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    umask = os.umask(0o077)
    try:
        run(core.File(str(path), CONTENT), core.Directory(str(tmp_path / "c" / "d")))
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(umask)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/file", "c", "c/d")}
    assert modes == {"a": 0o755, "a/b": 0o755, "a/b/file": 0o644, "c": 0o755, "c/d": 0o755}


@pytest.mark.parametrize("content", ["", "no line end", "a\r\nb\r", "\ufeffx\n", "ü€😀\n", "\\xff\n"])
def test_content_as_given(place, content):
    path, _neighbour = place
    run(core.File(str(path), content))
    assert path.read_bytes() == content.encode()


def test_folders_come_first_and_go_last(tmp_path):
    folder = tmp_path / "conf"
    inner, file, link = folder / "alice", folder / "alice" / "daemon.json", folder / "link"
    entries = [(core.File, inner / "daemon.json"), (core.Directory, inner), (core.Directory, folder), (core.File, link)]

    def declared(present):
        return [
            kind(str(path), present=present) if kind is core.Directory else core.File(str(path), CONTENT, present=present)
            for kind, path in entries
        ]

    # The outer folder is named both before and behind the inner one: the order of the list does not decide.
    for order in (slice(None), slice(None, None, -1)):
        assert set(paths(run(*declared(True)[order]))) == {str(path) for path in (folder, inner, file, link)}
        removed = paths(run(*declared(False)[order]))
        assert set(removed) == {str(path) for path in (folder, inner, file, link)}
        assert removed.index(str(file)) < min(removed.index(str(inner)), removed.index(str(folder)))
        assert os.listdir(tmp_path) == []


@pytest.fixture
def exclusive(tmp_path):
    """A folder with a declared file, a foreign one, and a foreign folder with content."""
    folder = tmp_path / "alice"
    run(core.Directory(str(folder)), core.File(str(folder / "ours"), CONTENT))
    (folder / "notes.txt").write_text("somebody's\n")
    (folder / "d").mkdir()
    (folder / "d" / "x").write_text("somebody's\n")
    entries = [core.Directory(str(folder), exclusive=True), core.File(str(folder / "ours"), CONTENT)]
    return folder, entries, [str(folder / "d"), str(folder / "notes.txt")]


def test_foreign_is_named_and_left(exclusive):
    folder, entries, foreign = exclusive
    before = tree(folder)
    plan = run(*entries)
    assert (plan.foreign, plan.changes) == (foreign, [])
    assert tree(folder) == before


def test_foreign_is_removed_when_told(exclusive):
    folder, entries, foreign = exclusive
    plan = run(*entries, remove_foreign=True)
    assert (plan.foreign, paths(plan)) == ([], foreign)
    assert os.listdir(folder) == ["ours"]


def test_foreign_link_is_removed_and_its_target_stays(exclusive, tmp_path):
    folder, entries, _foreign = exclusive
    (tmp_path / "kept").mkdir()
    (folder / "link").symlink_to(tmp_path / "kept")
    run(*entries, remove_foreign=True)
    assert sorted(os.listdir(tmp_path)) == ["alice", "kept"]


@pytest.mark.parametrize("present", [True, False])
def test_what_a_killed_run_left_half_written_is_nobody_elses(tmp_path, present):
    folder = tmp_path / "alice"
    run(core.Directory(str(folder)), core.File(str(folder / "ours"), CONTENT))
    (folder / ".ours.new").write_text("wan")
    entries = core.Directory(str(folder), present=present, exclusive=True), core.File(str(folder / "ours"), CONTENT, present=present)
    plan = run(*entries)
    assert plan.foreign == []
    assert (os.listdir(folder) == ["ours"]) if present else not folder.exists()


def test_folder_that_goes_keeps_what_is_foreign(exclusive):
    folder, entries, foreign = exclusive
    absent = [core.Directory(str(folder), present=False, exclusive=True), core.File(entries[1].path, present=False)]
    above = core.Directory(str(folder.parent), present=False, exclusive=True)
    plan = run(above, *absent)
    assert (plan.foreign, paths(plan)) == (foreign, [entries[1].path])
    assert sorted(os.listdir(folder)) == ["d", "notes.txt"]
    assert paths(run(*absent, remove_foreign=True)) == [*foreign, str(folder)]
    assert not folder.exists()


def test_folder_goes_if_it_is_empty(exclusive):
    folder, entries, _foreign = exclusive
    tidy = core.Directory(str(folder), present=False, if_empty=True)
    plan = run(tidy, core.File(entries[1].path, present=False))
    assert (plan.foreign, paths(plan)) == ([], [entries[1].path])
    (folder / "notes.txt").unlink()
    (folder / "d" / "x").unlink()
    inner = core.Directory(str(folder / "d"), present=False, if_empty=True)
    assert paths(run(tidy, inner)) == [inner.path, tidy.path]


def test_what_is_no_folder_does_not_go_as_an_empty_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    plan = run(*[core.Directory(str(tmp_path / name), present=False, if_empty=True) for name in ("link", "none")])
    assert plan.changes == []
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("before", [nothing, link_to_neighbour])
def test_exclusive_folder_that_is_none_yet_has_nothing_foreign(place, before):
    path, neighbour = place
    path.parent.mkdir()
    before(path, neighbour.parent)
    plan = run(core.Directory(str(path), exclusive=True), core.File(str(path / "ours"), CONTENT), remove_foreign=True)
    assert (plan.foreign, paths(plan)) == ([], [str(path), str(path / "ours")])
    assert neighbour.exists()


def test_what_was_not_declared_exclusive_is_not_looked_into(exclusive):
    folder, entries, _foreign = exclusive
    assert run(core.Directory(str(folder)), entries[1]).foreign == []


@pytest.mark.parametrize(
    ("validate", "text"),
    [
        (("/bin/false",), "refused and nothing was changed. /bin/false says"),
        (("/bin/sh", "-c", "cat %s >&2; echo %s; exit 3"), "says: wanted ü$"),
        (("/bin/sh", "-c", "echo bad key in %s; exit 3"), "says: bad key in {path}$"),
        (("/none/program", "%s"), "cannot be checked, and nothing was changed. /none/program: "),
        (("/etc/passwd", "%s"), "cannot be checked, and nothing was changed. /etc/passwd: "),
    ],
)
def test_refused_content_changes_nothing(place, validate, text):
    path, neighbour = place
    path.parent.mkdir()
    path.write_text("old\n")
    before = tree(neighbour.parent)
    with pytest.raises(core.FilesError, match=f"^{path}: .*{text.format(path=path)}"):
        run(core.Directory(str(path.parent / "new")), core.File(str(path), CONTENT, validate=validate))
    assert tree(neighbour.parent) == before


def test_checker_reads_the_new_content(place):
    path, _neighbour = place
    run(core.File(str(path), CONTENT, validate=("/bin/grep", "-q", "wanted", "%s")))
    assert path.read_text() == CONTENT


@pytest.mark.parametrize("entry", [{"content": CONTENT}, {"present": False}, {"target": "x"}])
def test_checker_is_not_asked_without_need(place, entry):
    path, neighbour = place
    path.parent.mkdir()
    if "content" in entry:
        same(path, neighbour)
    run(core.File(str(path), validate=("/bin/false",), **entry))


def test_failed_rename_leaves_no_temporary_file(place):
    path, _neighbour = place
    path.parent.mkdir()
    plan = core.make_plan([core.File(str(path), CONTENT)], [])
    # Somebody puts a folder there between comparing and writing.
    (path / "sub").mkdir(parents=True)
    with pytest.raises(OSError):
        core.apply(plan)
    assert os.listdir(path.parent) == [path.name]
    assert os.listdir(path) == ["sub"]


def test_file_is_replaced_not_written_into(place):
    path, neighbour = place
    path.parent.mkdir()
    os.link(neighbour, path)
    run(core.File(str(path), CONTENT))
    assert neighbour.read_text() == "untouched\n"


def test_comparing_changes_nothing_and_names_what_applying_changes(exclusive, tmp_path):
    folder, entries, foreign = exclusive
    (folder / "ours").write_text("old\n")
    (folder / "gone").symlink_to("ours")
    files = [entries[1], core.File(str(tmp_path / "new"), "x\n"), core.File(str(folder / "gone"), present=False)]
    before = tree(tmp_path)
    plan = core.make_plan(files, [entries[0]], remove_foreign=True)
    core.validate(plan)
    assert tree(tmp_path) == before
    core.apply(plan)
    after = tree(tmp_path)
    differ = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    # What lay in a folder goes with it.
    assert differ == {*paths(plan), str(folder / "d" / "x")}
    assert set(paths(plan)) == {str(folder / "ours"), str(tmp_path / "new"), str(folder / "gone"), *foreign}
    assert {change.path: change.after for change in plan.changes} == {path: core.state_of(path) for path in paths(plan)}


def test_diff_shows_state_and_content(place):
    path, neighbour = place
    path.parent.mkdir()
    other_content(path, neighbour)
    owner = f"{os.geteuid()}:{os.getegid()}"
    plan = core.make_plan([core.File(str(path), "x" * 2 * core.MAX_SHOWN)], [])
    (shown,) = core.diff(plan)
    assert shown["before"] == f"# owner={owner} mode=0644 state=file\nold\n"
    assert len(shown["after"]) < core.MAX_SHOWN + 100
    assert shown["before_header"] == shown["after_header"] == str(path)


def test_bytes_are_written_as_they_are_and_compared_by_digest(tmp_path):
    path = tmp_path / "program"
    path.write_text("old")
    wanted = core.File(str(path), data=b"\x00\xff\r\n")
    plan = run(wanted)
    assert path.read_bytes() == b"\x00\xff\r\n"
    assert "sha256=" in core.diff(plan)[0]["before"] and "old" not in core.diff(plan)[0]["before"]
    path.chmod(0o666)
    before = path.stat().st_mtime_ns
    assert paths(run(wanted)) == [str(path)]
    assert path.stat().st_mtime_ns == before
