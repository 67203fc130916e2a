# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import threading

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _account_facts
from ansible_collections.portside.rootless_docker.plugins.module_utils import _inspect as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import Process
from ansible_collections.portside.rootless_docker.plugins.module_utils._unit import Unit

NO_FILES = _account_facts.SubordinateFiles({"uid": [], "gid": []}, {"uid": {}, "gid": {}})


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


def test_ids_on_record(configuration, monkeypatch):
    """Of who is configured and of whom data is kept; what the user had before what the role gave, each once."""
    made = '{"ids": {"subuid": [[300000, 5]], "subgid": 7}, "subid": {"subuid": [[100000, 5], [300000, 5]], "subgid": [[1, "x"]]}}'
    (configuration / "alice" / "made.json").write_text(made)
    (configuration / "rootless_daemon.json").write_text('{"kept": {"bob": {"data_root": "/b", "ids": {"subgid": [[400000, 5]]}}}}')
    monkeypatch.setattr(core, "RECORD", str(configuration / "rootless_daemon.json"))
    assert [tuple(each.values()) for each in core.recorded_ids()] == [
        ("alice", "uid", 300000, 5), ("alice", "uid", 100000, 5), ("bob", "gid", 400000, 5),
    ]  # fmt: skip


def test_nobody_is_configured_on_a_bare_host(configuration, monkeypatch):
    monkeypatch.setattr(core, "CONFIGURATION", str(configuration / "none"))
    assert core.configured_users() == []


def test_time_of_writing(configuration):
    assert core.modified(str(configuration / "none")) == 0.0
    assert core.modified(str(configuration)) > 0.0


RUN = ("/usr/bin/dockerd-rootless.sh",)
KIT = ("rootlesskit", "--state-dir=/run/user/1000/x", "--net=pasta", *RUN)


def process(pid, ppid, argv=(), state="S"):
    return Process(pid=pid, ppid=ppid, uid=1000, state=state, start=pid, comm="x", argv=argv)


@pytest.mark.parametrize(
    ("title", "child_pid", "processes", "child"),
    [
        ("named by the state folder", 11, [process(10, 1, KIT), process(11, 10, KIT)], 11),
        ("the state folder is gone", None, [process(10, 1, KIT), process(11, 10, ("/proc/self/exe", *KIT[1:]))], 11),
        ("the state folder names a process that is not the user's", 1, [process(10, 1, KIT), process(11, 10, KIT)], 11),
        ("only the parent is there", None, [process(10, 1, KIT)], None),
        ("a RootlessKit of something else", None, [process(10, 1, ("rootlesskit", "--net=pasta", "buildkitd")),
         process(11, 10, ("rootlesskit", "--net=pasta", "buildkitd"))], None),
        ("a shell that runs the script", None, [process(10, 1, ("sh", *RUN)), process(11, 10, ("sh", *RUN))], None),
        ("a zombie", None, [process(10, 1, KIT), process(11, 10, KIT, state="Z")], None),
        ("nothing", None, [], None),
    ],
)  # fmt: skip
def test_child(title, child_pid, processes, child):
    assert core.find_child(child_pid, processes) == child, title


OURS = ("/etc/rootless-docker/alice/environment",)
FLAGS = "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS"
ACTIVE = Unit("active", environment_files=OURS)


@pytest.mark.parametrize(
    ("title", "declared", "runs", "unit", "names"),
    [
        ("the same", {"PATH": "/bin"}, {"PATH": "/bin", "HOME": "/"}, ACTIVE, []),
        ("another value", {"PATH": "/bin"}, {"PATH": "/usr/bin"}, ACTIVE, ["PATH"]),
        ("a new one", {"DOCKERD_ROOTLESS_ROOTLESSKIT_MTU": "1"}, {"PATH": "/bin"}, ACTIVE, ["DOCKERD_ROOTLESS_ROOTLESSKIT_MTU"]),
        ("one that decides nothing", {"FOO": "1"}, {"PATH": "/bin"}, ACTIVE, []),
        ("the digest has a rule of its own", {"ROOTLESS_DOCKER_DIGEST": "1"}, {"PATH": "/bin"}, ACTIVE, []),
        ("a file that root does not read", {"PATH": "/bin"}, {"PATH": "/"}, Unit("active", environment_files=("/home/alice/env",)), []),
        ("an option of the launch script", {FLAGS: ""}, {FLAGS: "--detach-netns "}, ACTIVE, []),
        ("other flags", {FLAGS: "--ipv6"}, {FLAGS: "--detach-netns "}, ACTIVE, [FLAGS]),
        ("a unit that does not run", {"PATH": "/bin"}, {"PATH": "/"}, Unit("failed"), []),
    ],
)
def test_changed_variables(title, declared, runs, unit, names):
    assert core.changed_variables(declared, runs, unit) == names, title


@pytest.mark.parametrize(
    ("title", "unit", "text", "variables"),
    [
        ("the unit alone", Unit("active", load="loaded", environment={"A": "1"}), None, {"A": "1"}),
        ("the file wins", Unit("active", load="loaded", environment={"A": "1"}, environment_files=OURS),
         'A="2"', {"A": "2"}),
        ("a unit that does not name the file", Unit("active", load="loaded", environment={"A": "1"}), 'A="2"', {"A": "1"}),
        ("no manager to ask", Unit("no user manager"), 'A="2"', {"A": "2"}),
    ],
)  # fmt: skip
def test_declared_variables(title, unit, text, variables):
    assert core.declared_variables(unit, "alice", text) == variables, title


def test_a_name_without_an_account():
    state = core.blank("no-such-user", None, NO_FILES)
    core.conclude(state, {})
    assert state == {
        "name": "no-such-user", "exists": False, "folder": False, "made": {}, "environment": None, "daemon_json": None, "orphans": [],
        "state": "absent", "problems": [], "advice": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "state", "found"),
    [
        (
            ("rootlesskit", "--net=pasta", "/usr/bin/dockerd-rootless.sh", "--config-file=/etc/rootless-docker/gone/daemon.json"),
            "S",
            ["gone"],
        ),
        (("dockerd", "--config-file=/etc/rootless-docker/away/daemon.json"), "S", ["away"]),
        (("dockerd", "--config-file=/etc/rootless-docker/away/daemon.json"), "Z", []),
        (("dockerd", "--config-file=/etc/rootless-docker/alice/daemon.json"), "S", []),
        (("grep", "x--config-file=/etc/rootless-docker/gone/daemon.json"), "S", []),
        ((), "S", []),
    ],
)
def test_daemons_of_users_without_an_account(argv, state, found):
    processes = [Process(pid=pid, ppid=1, uid=200001, state=state, start=1, comm="x", argv=argv) for pid in range(2, 20)]
    orphans = core.find_orphans(["gone", "away"], processes)
    assert {user for user, every in orphans.items() if every} == set(found)
    assert all(every[0] == {"pid": 2, "uid": 200001} and len(every) == core.MAX_ORPHANS for every in orphans.values() if every)


def test_who_has_a_folder_and_no_account_is_looked_for_by_its_daemon(configuration):
    (configuration / "no-such-user").mkdir()
    (configuration / "no-such-user" / "environment").write_text("A=b\n")
    option = f"--config-file={configuration}/no-such-user/daemon.json"
    with subprocess.Popen([sys.executable, "-c", "input()", option], stdin=subprocess.PIPE) as process:
        state = core.inspect_users(["no-such-user"], Deadline(5))["no-such-user"]
        process.stdin.write(b"\n")
    assert (state["orphans"], state["environment"]) == ([{"pid": process.pid, "uid": os.geteuid()}], "A=b\n")


def test_a_data_folder_that_gives_no_answer_leaves_the_rest_known(monkeypatch):
    def hangs(path, account):
        raise TimeoutError

    monkeypatch.setattr(core._account_facts, "data_root_facts", hangs)
    account = pwd.getpwuid(0)
    state = core.blank(account.pw_name, account, NO_FILES)
    with pytest.raises(TimeoutError):
        core.inspect_user(state, account, [], Deadline(5), "/nfs/alice")
    assert (state["data_root"], state["incomplete"]) == ({**dict.fromkeys(core.DATA_ROOT), "path": "/nfs/alice"}, True)


def test_programs_of_the_packages_that_were_named(monkeypatch):
    monkeypatch.setattr(core._package_files, "altered_files", lambda names: {name: [f"/usr/bin/{name}"] for name in names})
    assert core.inspect(["no-such-user"], False, "/none", 5, packages=["tool"])["host"]["altered"] == {"tool": ["/usr/bin/tool"]}
    assert core.inspect(["no-such-user"], False, "/none", 5)["host"]["altered"] == {}


def test_a_user_of_whom_nothing_could_be_read_is_whole():
    """What is there when time is up has every field, so that rules and roles can read it."""
    account = pwd.getpwuid(0)
    state = core.blank(account.pw_name, account, NO_FILES)
    core.conclude(state, core.inspect_host("/none", Deadline(5)))
    assert [problem["cause"] for problem in state["problems"]][-1] == "out_of_time"


@pytest.fixture
def hanging(monkeypatch):
    """Makes calls of a function hang, as on a file system whose server is gone, where a condition on their arguments holds."""
    release = threading.Event()

    def hang(name, module=core, condition=lambda *_given: True):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: release.wait() if condition(*given) else real(*given))

    yield hang
    release.set()


def test_a_user_whose_reader_hangs_keeps_nobody_elses_answer(hanging):
    hanging("data_root_facts", _account_facts, lambda _path, account: account.pw_name == "nobody")
    users = core.inspect(["root", "nobody"], False, "/none", 1.5)["users"]
    assert {name: state["incomplete"] for name, state in users.items()} == {"root": False, "nobody": True}
    assert users["nobody"]["problems"][-1]["cause"] == "out_of_time"


@pytest.mark.parametrize(
    ("name", "part"),
    [("inspect_host", "what is installed on the host"), ("find_account", "who has a daemon, their processes and accounts")],
)
def test_what_is_common_to_all_and_hangs_is_named(hanging, name, part):
    hanging(name)
    with pytest.raises(TimeoutError, match=f"^reading {part} did not end within 0.1 seconds; find what hangs"):
        core.inspect(["nobody"], False, "/none", 0.1)
