# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shlex

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _inspect
from ansible_collections.portside.rootless_docker.plugins.module_utils._network_state import options_of_environment
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_action
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_plan as core
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.daemon_prediction import predicted

OLD, NEW = ["--host-lo-to-ns-lo"], ["--host-lo-to-ns-lo", "--conf-path"]
HOST = {
    "dockerd": "/usr/sbin/dockerd",
    "dockerd_version": "26.1.5+dfsg1",
    "launch_script": "/usr/share/docker.io/contrib/dockerd-rootless.sh",
    "rootlesskit": "/opt/rootlesskit/3.2.0/rootlesskit",
    "rootlesskit_version": "3.2.0",
    "pasta": "/usr/bin/pasta",
    "pasta_options": OLD,
    "slirp4netns": None,
    "altered": {},
    "ephemeral_ports": [32768, 60999],
    "configured": [],
    "unit_text": None,
    "wrapper_text": None,
    "drop_ins": [],
    "missing_subordinate_files": [],
}
BARE = {
    **dict.fromkeys(HOST), "altered": {}, "ephemeral_ports": [32768, 60999], "configured": [],
    "drop_ins": [], "missing_subordinate_files": [],
}  # fmt: skip
TEXTS = {"unit": f"{core.HEAD}\n[Unit]\n", "wrapper": "#!/bin/sh\n", "shell": "export DOCKER_HOST\n"}
SHARED = [core.UNIT, core.ENABLED, core.SHELL_SNIPPET, core.WRAPPER]
TO_DO = ("errors", "repair", "preparations", "accounts", "subordinate_ids", "packages", "stop", "start", "reasons")
NETWORK = {"mtu": {"asked": 65520, "in_effect": 65520}, "host_loopback": {"asked": "closed", "in_effect": "closed"}}
FRESH = {
    "exists": True, "home": "/home/alice", "uid": 1000, "linger": False, "subuid_count": 65536, "subgid_count": 65536, "made": {},
    "stale": [], "reload_pending": False, "manager": True, "changed_since_start": [], "network": NETWORK, "engine": {"containers": 1},
    "unit": {"active": "no user manager", "fragment": "", "shadows": [], "drop_ins": [], "needs_daemon_reload": False, "started": None},
    "environment": None, "daemon_json": None, "running": {"variables": {}, "rootlesskit": None, "dockerd": None, "pasta": None},
}  # fmt: skip
SHADOW = "/home/alice/.config/systemd/user/docker.service"


def user(**options):
    return core.complete({"name": "alice", **options})


def plan(users, host=None, states=None, texts=None, check_mode=False):
    missing = {declared["name"]: {"exists": False, "made": {}} for declared in users}
    return core.make_plan(users, {"host": host or HOST, "users": {**missing, **(states or {})}}, texts or TEXTS, check_mode)


def to_do(result):
    """What is left to do besides files, which the module compares by itself."""
    return {key: result[key] for key in TO_DO if result[key]}


def content(result, path):
    return {file["path"]: file.get("content") for file in result["files"]}[path]


def running(result, name="alice"):
    """The state of a user after a run of this plan, read back from the files that it wrote."""
    folder = f"{core.CONFIGURATION}/{name}"
    environment = content(result, f"{folder}/environment")
    words = dict(word.split("=", 1) for word in shlex.split(environment, comments=True))
    return {
        **FRESH, "linger": True, "made": json.loads(content(result, f"{folder}/made.json")),
        "unit": {**FRESH["unit"], "active": "active", "fragment": core.UNIT},
        "environment": environment, "daemon_json": content(result, f"{folder}/daemon.json"),
        "running": {
            "variables": _inspect.compared_variables(environment, words),
            "rootlesskit": {"pid": 318, "argv": rootlesskit_argv(words, folder)},
            "dockerd": {"argv": ["dockerd", f"--config-file={folder}/daemon.json"]}, "pasta": None,
        },
    }  # fmt: skip


def rootlesskit_argv(variables, folder):
    """As the launch scripts start it."""
    return [
        "rootlesskit", "--state-dir=/run/user/1000/dockerd-rootless", *options_of_environment(variables), "--copy-up=/etc",
        "/usr/share/docker.io/contrib/dockerd-rootless.sh", f"--config-file={folder}/daemon.json",
    ]  # fmt: skip


def configured(*names, **host):
    return {**HOST, "configured": list(names), "unit_text": TEXTS["unit"], **host}


@pytest.mark.parametrize(
    ("rootlesskit", "pasta", "engine", "options", "port_driver", "wrapper"),
    [
        ("2.0.2", OLD, "26.1.5", {}, "implicit", False),
        ("2.0.2", NEW, "26.1.5", {}, "implicit", True),
        ("2.3.6", OLD, "26.1.5", {}, "implicit", False),
        ("2.3.6", NEW, "26.1.5", {}, "implicit", True),
        ("3.0.2", NEW, "26.1.5", {}, "implicit", True),
        ("3.1.0", OLD, "26.1.5", {}, "implicit", False),
        ("3.1.0", NEW, "26.1.5", {}, "pesto", False),
        ("3.2.0", NEW, "26.1.5+dfsg1", {}, "pesto", False),
        ("3.3.0", NEW, "26.1.5", {}, "pesto", False),
        ("3.10.0", NEW, "26.1.5", {}, "pesto", False),
        # With --ipv6 a plain publish does not start under pesto.
        ("3.2.0", NEW, "26.1.5", {"ipv6": True}, "implicit", True),
        # Engines that were not seen to publish through pesto, or seen not to.
        ("3.2.0", NEW, "20.10.24", {}, "implicit", True),
        ("3.2.0", NEW, "27.5.1", {}, "implicit", True),
        ("3.2.0", NEW, "28.5.2", {}, "implicit", True),
        ("3.2.0", NEW, "29.7.2", {}, "implicit", True),
        ("3.2.0", NEW, "29.8.0", {}, "pesto", False),
        ("3.2.0", NEW, "29.10.1", {}, "pesto", False),
        ("3.2.0", NEW, "library-import", {}, "implicit", True),
        ("3.2.0", NEW, "", {}, "implicit", True),
        # One that gave no answer may be any; what is known may be enough all the same.
        ("3.2.0", NEW, None, {}, None, False),
        (None, NEW, "26.1.5", {}, None, False),
        ("3.2.0", None, "26.1.5", {}, None, False),
        ("3.2.0", None, "28.5.2", {}, "implicit", None),
        ("3.2.0", None, "26.1.5", {"ipv6": True}, "implicit", None),
        (None, OLD, None, {}, "implicit", False),
        ("3.2.0", None, "26.1.5", {"port_driver": "implicit"}, "implicit", None),
        (None, None, None, {"port_driver": "pesto"}, "pesto", False),
        (None, None, None, {"network_driver": "slirp4netns"}, "builtin", False),
        ("3.2.0", NEW, "26.1.5", {"network_driver": "slirp4netns"}, "builtin", False),
        # What was asked for is what one gets.
        ("3.2.0", NEW, "26.1.5", {"port_driver": "implicit"}, "implicit", True),
        ("3.2.0", NEW, "27.5.1", {"port_driver": "pesto"}, "pesto", False),
        ("3.2.0", NEW, "26.1.5", {"network_driver": "slirp4netns", "port_driver": "slirp4netns"}, "slirp4netns", False),
    ],
)  # fmt: skip
def test_port_driver_and_wrapper(rootlesskit, pasta, engine, options, port_driver, wrapper):
    host = {**HOST, "rootlesskit_version": rootlesskit, "pasta_options": pasta, "dockerd_version": engine}
    declared = user(**options)
    assert core.resolve_port_driver(declared, host) == port_driver
    assert core.needs_wrapper(declared, port_driver, host) is wrapper


SLIRP = {"network_driver": "slirp4netns", "port_driver": "builtin"}


@pytest.mark.parametrize(
    ("options", "rootlesskit", "pasta", "engine", "texts"),
    [
        ({"port_driver": "implicit"}, "2.3.2", OLD, "26.1.5", []),
        ({"port_driver": "implicit"}, "3.2.0", NEW, "28.5.2", []),
        ({"port_driver": "implicit"}, "2.0.2", NEW, "26.1.5", ["rootlesskit 2.0.2 is older than 2.3.2"]),
        ({"port_driver": "implicit"}, "2.3.1", OLD, "26.1.5", ["rootlesskit 2.3.1 is older than 2.3.2"]),
        ({"port_driver": "pesto"}, "3.1.0", NEW, "26.1.5", []),
        ({"port_driver": "pesto"}, "3.0.2", NEW, "26.1.5", ["pesto needs rootlesskit 3.1.0, installed is 3.0.2"]),
        ({"port_driver": "pesto"}, "3.2.0", OLD, "26.1.5", ["pesto needs a pasta that accepts --conf-path, and /usr/bin/pasta does not"]),
        ({"port_driver": "pesto"}, "3.2.0", NEW, "28.5.2", ["pesto does not work with Docker Engine 28.5.2"]),
        ({"port_driver": "pesto"}, "2.0.2", OLD, "28.5.2", ["2.0.2 is older", "needs rootlesskit 3.1.0", "--conf-path", "Engine 28.5.2"]),
        ({"port_driver": "pesto"}, "3.2.0", None, None, []),
        ({"port_driver": "pesto"}, None, NEW, "26.1.5", ["/opt/rootlesskit/3.2.0/rootlesskit gives no version"]),
        (SLIRP, "2.0.2", [], "28.5.2", []),
        (SLIRP, None, None, None, []),
    ],
)  # fmt: skip
def test_combinations_known_not_to_work(options, rootlesskit, pasta, engine, texts):
    host = {**HOST, "rootlesskit_version": rootlesskit, "pasta_options": pasta, "dockerd_version": engine}
    errors = core.combination_errors(user(**options), options["port_driver"], host)
    assert len(errors) == len(texts)
    assert all(text in error and "Remedy: " in error for text, error in zip(texts, errors))
    assert to_do(plan([user(**options)], host, {"alice": FRESH})).get("errors", []) == [f"alice: {error}" for error in errors]


PREFIX = "DOCKERD_ROOTLESS_ROOTLESSKIT_"
VARIABLES = {
    "NET": "pasta",
    "PORT_DRIVER": "implicit",
    "MTU": "65520",
    "DISABLE_HOST_LOOPBACK": "true",
    "DETACH_NETNS": "false",
    "FLAGS": "",
}


@pytest.mark.parametrize(
    ("options", "wrapper", "differ"),
    [
        ({}, False, {}),
        ({"detach_netns": True}, False, {"DETACH_NETNS": "true"}),
        ({}, True, {"FLAGS": f"--pasta-binary={core.WRAPPER}"}),
        ({"network_driver": "slirp4netns", "mtu": 1500, "host_loopback": True}, False,
         {"NET": "slirp4netns", "MTU": "1500", "DISABLE_HOST_LOOPBACK": "false"}),
        ({"cidr": "10.0.3.0/24", "ipv6": True, "rootlesskit_flags": ["--debug", "--a=b"]}, True,
         {"FLAGS": f"--pasta-binary={core.WRAPPER} --cidr=10.0.3.0/24 --ipv6 --debug --a=b"}),
    ],
)  # fmt: skip
def test_environment(options, wrapper, differ):
    expected = {PREFIX + name: value for name, value in {**VARIABLES, **differ}.items()}
    assert core.environment(user(**options), "implicit", wrapper) == expected
    more = core.environment(user(**options, environment={"N": 1, "P": "a b"}), "implicit", wrapper)
    assert more == {**expected, "N": "1", "P": "a b"}
    assert {*expected, core.DIGEST} == set(_inspect.VARIABLES), "what is compared is what is written"


@pytest.mark.parametrize(
    ("value", "text"),
    [("", '""'), (1, '"1"'), ("a # %u", '"a # %u"'), ('a"b', r'"a\"b"'), ("a'b", '"a\'b"'), ("$A `b` \\", r'"\$A \`b\` \\"')],
)
def test_quoted(value, text):
    assert core.quoted(value) == text


def test_bare_host_is_told_what_is_missing():
    result = plan([user(), user(name="bob", port_driver="pesto")], BARE)
    wanted = ("dockerd", "launch script", "rootlesskit", "pasta")
    assert [error.split(" is not")[0] for error in result["errors"]] == [f"{name}: {what}" for name in ("alice", "bob") for what in wanted]
    assert to_do(result).keys() == {"errors"}


def test_check_mode_on_a_bare_host_predicts_what_does_not_depend_on_programs():
    result = plan([user(), user(name="bob", port_driver="pesto")], BARE, check_mode=True)
    assert result["errors"] == []
    assert result["resolved"] == {"alice": "implicit", "bob": "pesto"}
    assert [account["name"] for account in result["accounts"]] == ["alice", "bob"]
    assert result["start"] == [{"user": name, "action": "start", "linger": True} for name in ("alice", "bob")]
    assert {file["path"] for file in result["files"]} >= {"/etc/rootless-docker/alice/daemon.json", core.UNIT, core.ENABLED}
    assert all(not file.get("validate") for file in result["files"]), "there is no dockerd to ask"


PASTA, ENGINE = {"rewritten": ["/usr/bin/pasta"]}, {"rewritten": ["/usr/sbin/dockerd"]}
BACKPORTS, DEBIAN = {**PASTA, "pasta_options": NEW}, {**ENGINE, "dockerd_version": "26.1.5+dfsg1-9+b9"}


@pytest.mark.parametrize("options", [{}, {"port_driver": "pesto"}, {"port_driver": "implicit"}])
@pytest.mark.parametrize(
    ("found", "coming"),
    [
        ({"pasta_options": None}, BACKPORTS),
        ({"pasta_options": OLD}, BACKPORTS),
        # A version that nobody has a date of comes again.
        ({"pasta_options": None}, PASTA),
        ({"dockerd_version": None}, DEBIAN),
        ({"dockerd_version": "28.5.2"}, DEBIAN),
        ({"dockerd": None, "dockerd_version": None}, DEBIAN),
        ({"dockerd_version": None}, ENGINE),
        ({"pasta": None, "pasta_options": None, "dockerd_version": None}, {"rewritten": ["/usr/sbin/dockerd"]}),
    ],
)
def test_check_mode_decides_by_the_programs_that_a_real_run_has_repaired(options, found, coming):
    sound = configured("alice", pasta_options=NEW)
    first = plan([user(**options)], sound, {"alice": FRESH})
    host = predicted({"host": {**sound, **found}, "users": {}}, coming)["host"]
    second = plan([user(**options)], host, {"alice": running(first)}, check_mode=True)
    assert to_do(second) == {}
    assert [(file["path"], file.get("content")) for file in second["files"]] == [(f["path"], f.get("content")) for f in first["files"]]
    assert ("validate" in first["files"][1], bool(second["files"][1]["validate"])) == (True, coming in (BACKPORTS, PASTA))


@pytest.mark.parametrize(
    ("options", "coming", "port_driver", "wrapper", "errors"),
    [
        ({}, {**BACKPORTS, **DEBIAN}, "pesto", False, []),
        ({"port_driver": "implicit"}, {**BACKPORTS, **DEBIAN}, "implicit", True, []),
        ({"port_driver": "pesto"}, {**BACKPORTS, **DEBIAN}, "pesto", False, []),
        ({}, {**DEBIAN, "pasta_options": OLD}, "implicit", False, []),
        ({"port_driver": "pesto"}, {**DEBIAN, "pasta_options": OLD}, "pesto", False, ["needs a pasta that accepts --conf-path"]),
        ({}, BACKPORTS, "implicit", True, []),
        ({}, {}, "implicit", False, []),
    ],
)
def test_check_mode_on_a_bare_host_decides_by_what_comes(options, coming, port_driver, wrapper, errors):
    coming = {**coming, "rootlesskit": {"path": "/opt/rootlesskit/3.2.0/rootlesskit", "version": "3.2.0"}}
    result = plan([user(**options)], predicted({"host": BARE, "users": {}}, coming)["host"], check_mode=True)
    assert result["resolved"] == {"alice": port_driver}
    assert (content(result, core.WRAPPER) is not None) is wrapper
    assert len(result["errors"]) == len(errors)
    assert all(text in error for text, error in zip(errors, result["errors"]))


@pytest.mark.parametrize("silent", [("pasta_options",), ("dockerd_version",), ("pasta_options", "dockerd_version")])
@pytest.mark.parametrize("options", [{}, {"port_driver": "implicit"}, {"ipv6": True}, SLIRP])
@pytest.mark.parametrize("pasta", [OLD, NEW])
def test_programs_that_give_no_answer_change_nobodys_port_driver(silent, options, pasta):
    host = configured("alice", pasta_options=pasta, slirp4netns="/usr/bin/slirp4netns")
    first = plan([user(**options)], host, {"alice": FRESH})
    second = plan([user(**options)], {**host, **dict.fromkeys(silent)}, {"alice": running(first)})
    assert to_do(second) == {}
    assert (second["files"], second["left_out"]) == (first["files"], [])


@pytest.mark.parametrize(
    ("before", "options", "silent", "names"),
    [
        (None, {}, ["pasta_options"], "depends on /usr/bin/pasta, which"),
        (None, {}, ["pasta_options", "dockerd_version"], "depends on /usr/bin/pasta and /usr/sbin/dockerd, which"),
        (None, {"port_driver": "implicit"}, ["pasta_options"], "/usr/bin/pasta"),
        (None, {"ipv6": True}, ["pasta_options"], "/usr/bin/pasta"),
        (SLIRP, {}, ["dockerd_version"], "/usr/sbin/dockerd"),
        # What is known is enough.
        (None, {"ipv6": True}, ["dockerd_version"], None),
        (None, {"port_driver": "pesto"}, ["pasta_options", "dockerd_version"], None),
        (None, SLIRP, ["pasta_options", "dockerd_version"], None),
    ],
)
def test_who_has_no_port_driver_yet_waits_for_an_answer(before, options, silent, names):
    host = configured("alice", pasta_options=NEW, slirp4netns="/usr/bin/slirp4netns")
    state = running(plan([user(**before)], host, {"alice": FRESH})) if before else FRESH
    result = plan([user(**options)], {**host, **dict.fromkeys(silent)}, {"alice": state})
    if names is None:
        assert (result["left_out"], list(result["resolved"])) == ([], ["alice"])
        return
    assert names in result["left_out"][0]
    assert "Remedy: run again when the host is less busy" in result["left_out"][0]
    assert (result["unserved"], result["resolved"], to_do(result)) == (["alice"], {}, {})
    assert "/etc/rootless-docker/alice/environment" not in {file["path"] for file in result["files"]}


def test_slirp4netns_needs_no_pasta():
    missing = {**HOST, "pasta": None, "pasta_options": None}
    declared = user(network_driver="slirp4netns")
    assert plan([declared], missing)["packages"] == ["slirp4netns"]
    assert plan([declared, user(name="bob", **SLIRP)], missing)["packages"] == ["slirp4netns"]
    assert plan([declared], {**missing, "slirp4netns": "/usr/bin/slirp4netns"})["packages"] == []
    assert plan([user()])["packages"] == []


@pytest.mark.parametrize(
    ("program", "altered", "repair", "packages"),
    [
        ("/usr/bin/slirp4netns", {}, [], []),
        ("/usr/bin/slirp4netns", {"slirp4netns": ["/usr/bin/slirp4netns"]}, ["slirp4netns"], []),
        # Removed: apt would say that the package is there.
        (None, {"slirp4netns": ["/usr/bin/slirp4netns"]}, ["slirp4netns"], []),
        (None, {}, [], ["slirp4netns"]),
    ],
)
def test_slirp4netns_is_put_back_or_installed(program, altered, repair, packages):
    result = plan([user(**SLIRP)], {**HOST, "slirp4netns": program, "altered": altered})
    assert (result["repair"], result["packages"]) == (repair, packages)


def test_first_run():
    result = plan([user(daemon_config={"debug": True})])
    assert to_do(result) == {
        "preparations": [{"path": "/etc/rootless-docker/alice/made.json", "content": '{\n  "account": true\n}\n'}],
        "accounts": [{"name": "alice", "shell": "/bin/bash"}],
        "subordinate_ids": [{"user": "alice", "record": "/etc/rootless-docker/alice/made.json"}],
        "start": [{"user": "alice", "action": "start", "linger": True}],
        "reasons": ["alice: start, because it is new"],
    }
    folder = "/etc/rootless-docker/alice"
    assert result["directories"] == [{"path": core.CONFIGURATION, "state": "present"}, {"path": folder, "exclusive": True}]
    assert [file["path"] for file in result["files"]][:3] == [f"{folder}/{name}" for name in ("environment", "daemon.json", "made.json")]
    assert result["files"][1]["validate"] == ["/usr/sbin/dockerd", "--validate", "--config-file=%s"]
    assert content(result, f"{folder}/made.json") == '{\n  "account": true,\n  "linger": true\n}\n'
    assert result["files"][3:] == [
        {"path": core.UNIT, "content": TEXTS["unit"]},
        {"path": core.ENABLED, "target": core.UNIT},
        {"path": core.SHELL_SNIPPET, "content": TEXTS["shell"]},
        {"path": core.WRAPPER, "state": "absent"},
    ]
    assert plan([user()], texts={**TEXTS, "shell": ""})["files"][5] == {"path": core.SHELL_SNIPPET, "state": "absent"}


DECLARED = [
    {},
    {"rootlesskit_flags": ["--debug"], "environment": {"HTTPS_PROXY": 'http://a:"b"\\c@proxy'}, "cidr": "10.0.3.0/24"},
    {"network_driver": "slirp4netns", "daemon_config": {"debug": True, "data-root": "/srv"}},
    {"port_driver": "implicit"},
]


@pytest.mark.parametrize("options", DECLARED)
@pytest.mark.parametrize("pasta", [OLD, NEW])
def test_sound_host_needs_nothing(options, pasta):
    host = configured("alice", pasta_options=pasta, slirp4netns="/usr/bin/slirp4netns")
    first = plan([user(**options)], host, {"alice": FRESH})
    assert [entry["action"] for entry in first["start"]] == ["start"]
    second = plan([user(**options)], host, {"alice": running(first)})
    assert to_do(second) == {}
    assert (second["files"], second["directories"]) == (first["files"], first["directories"])


def test_lingering_that_was_there_before_is_not_ours():
    result = plan([user()], states={"alice": {**FRESH, "linger": True}})
    assert json.loads(content(result, "/etc/rootless-docker/alice/made.json")) == {"home": "/home/alice", "linger": False, "uid": 1000}
    assert result["start"] == [{"user": "alice", "action": "start"}]


def test_lingering_alone_is_put_back():
    state = {**running(plan([user()])), "linger": False}
    assert to_do(plan([user()], configured("alice"), {"alice": state})) == {"start": [{"user": "alice", "action": "none", "linger": True}]}


@pytest.mark.parametrize(
    ("options", "actions", "text"),
    [
        ({"mtu": 1500}, ["restart"], f"alice: restart, because {PREFIX}MTU is '65520', declared is '1500'. A restart of RootlessKit stops"),
        ({"environment": {"A": "b"}}, ["restart"], f"alice: restart, because {daemon_action.REST_CHANGED}"),
        ({"daemon_config": {"data-root": "/srv"}}, ["restart"], f"alice: restart, because {daemon_action.REST_CHANGED}"),
        ({"daemon_config": {"debug": True}}, ["restart"], f"alice: restart, because {daemon_action.REST_CHANGED}"),
        ({"shell": "/bin/sh"}, [], ""),
    ],
)
def test_changed_declaration(options, actions, text):
    result = plan([user(**options)], configured("alice"), {"alice": running(plan([user()]))})
    assert [entry["action"] for entry in result["start"]] == actions
    assert "".join(result["reasons"]).startswith(text)


def test_changed_value_of_a_reloadable_key():
    state = running(plan([user(daemon_config={"debug": True})]))
    result = plan([user(daemon_config={"debug": False})], configured("alice"), {"alice": state})
    assert [entry["action"] for entry in result["start"]] == ["reload"]


def test_wrapper_is_there_for_whom_it_is_needed():
    host = configured("alice", "bob", pasta_options=NEW)
    declared = [user(port_driver="implicit"), user(name="bob")]
    result = plan(declared, host)
    assert result["files"][-1] == {"path": core.WRAPPER, "content": TEXTS["wrapper"], "mode": "0755"}
    # Users who are not in the list may need it; without them it goes.
    assert core.WRAPPER not in {file["path"] for file in plan(declared[1:], host)["files"]}
    assert plan(declared[1:], configured("bob", pasta_options=NEW))["files"][-1] == {"path": core.WRAPPER, "state": "absent"}
    # Its text stands in the digest of those who use it, and of no others.
    states = {name: running(result, name) for name in ("alice", "bob")}
    changed = plan(declared, host, states, {**TEXTS, "wrapper": "#!/bin/sh\nexec true\n"})
    assert changed["start"] == [{"user": "alice", "action": "restart"}]


def test_subordinate_ids_are_asked_for_where_they_are_too_few():
    few = {**FRESH, "subuid_count": 0, "subgid_count": 0}
    states = {"alice": few, "bob": FRESH, "carol": {**few, "subuid_count": 65536}, "dave": {**few, "subgid_count": 65535}}
    entries = plan([user(name=name) for name in [*states, "erin"]], states=states)["subordinate_ids"]
    # Whether useradd gives an account that is still to be made its own, the module finds out.
    assert [entry["user"] for entry in entries] == ["alice", "carol", "dave", "erin"]


NOW = {"subuid": [[100000, 65536]], "subgid": [[300000, 65536]]}


def test_the_record_of_what_was_made_is_kept():
    made = {"linger": True, "account": True, "subid": {"subuid": [[100000, 65536]], "subgid": []}}
    result = plan([user()], states={"alice": {**FRESH, "made": made}})
    assert json.loads(content(result, "/etc/rootless-docker/alice/made.json")) == {**made, "home": "/home/alice", "uid": 1000}
    assert not result["preparations"]
    # An account that is gone keeps its home until it is made again, maybe with another uid.
    result = plan([user()], states={"alice": {"exists": False, "environment": None, "made": {**made, "home": "/old", "uid": 4}}})
    assert json.loads(content(result, "/etc/rootless-docker/alice/made.json")) == {**made, "home": "/old"}
    assert result["preparations"][0]["content"] == core.render_json({**made, "home": "/old"})


@pytest.mark.parametrize(
    ("uid", "kept", "record", "named"),
    [
        # On record before the collection wrote uids down, and written down now.
        (None, {}, {"account": True, "subid": NOW}, False),
        (1000, {}, {"account": True, "subid": NOW}, False),
        ("damaged", {}, {"account": True, "subid": NOW}, False),
        (999, {}, {}, True),
        # Nothing is there but what is on record of an earlier removal.
        ("none", {"data_root": "/d", "account": True, "subid": NOW}, {"account": True, "subid": NOW}, False),
        ("none", {"data_root": "/d", "account": True, "subid": NOW, "uid": 1000}, {"account": True, "subid": NOW}, False),
        ("none", {"data_root": "/d", "account": True, "subid": NOW, "uid": 999}, {}, True),
        # Both, by a run that was cut off: what is there is of the account that is there.
        (1000, {"data_root": "/d", "account": True, "uid": 999}, {"account": True, "subid": NOW}, False),
    ],
)
def test_what_was_made_for_another_account_of_the_name_is_forgotten(uid, kept, record, named):
    made = {} if uid == "none" else {"linger": True, "account": True, "subid": NOW, "ids": NOW, **({} if uid is None else {"uid": uid})}
    result = plan([user()], {**HOST, "kept": {"alice": kept} if kept else {}}, {"alice": {**FRESH, "made": made}})
    written = json.loads(content(result, "/etc/rootless-docker/alice/made.json"))
    assert {key: value for key, value in written.items() if key in ("account", "subid")} == record
    assert (written["uid"], written.get("ids")) == (1000, made.get("ids"))
    notes = [
        note
        for note in result["notes"]
        if note.startswith("alice: the account has uid 1000, and uid 999 is on record") and "Remedy: " in note
    ]
    assert len(notes) == len(result["notes"]) == (1 if named else 0)
    assert (result["accounts"], result["preparations"], result["left_out"]) == ([], [], [])
    # The next run has nothing to say and nothing to write.
    again = plan([user()], configured("alice"), {"alice": running(result)})
    assert (content(again, "/etc/rootless-docker/alice/made.json"), again["notes"]) == (core.render_json(written), [])


IDS = {"uids": [{"owner": "alice", "first": 100000, "count": 65536}], "gids": [{"owner": "1000", "first": 300000, "count": 65536}]}
LONG_AGO = {"subuid": [[500000, 65536]], "subgid": [[300000, 65536]]}


@pytest.mark.parametrize(
    ("state", "host", "made", "ids"),
    [
        ({"subordinate_ids": IDS}, {}, {}, NOW),
        ({"subordinate_ids": IDS}, {}, {"ids": LONG_AGO}, {"subuid": [[100000, 65536], [500000, 65536]], "subgid": [[300000, 65536]]}),
        ({"subordinate_ids": {"uids": [], "gids": IDS["gids"]}, "subuid_count": 0}, {}, {"ids": NOW}, NOW),
        ({"subordinate_ids": IDS, "subordinate_overlaps": [{"whose": "bob"}]}, {}, {"ids": LONG_AGO}, LONG_AGO),
        ({"subordinate_ids": IDS}, {"subordinate_source": "sss"}, {}, None),
        ({}, {}, {}, None),
    ],
)
def test_the_ids_that_files_belong_to_are_on_record(state, host, made, ids):
    result = plan([user()], {**HOST, **host}, {"alice": {**FRESH, **state, "made": made}})
    record = json.loads(content(result, "/etc/rootless-docker/alice/made.json"))
    assert (record.get("ids"), record.get("subid")) == (ids, None)


STOPPED = {**FRESH["unit"], "active": "inactive", "fragment": core.UNIT}


@pytest.mark.parametrize(
    ("title", "differ", "stop"),
    [
        ("runs, lingering is ours", {}, [{"user": "alice", "action": "stop", "linger": False}]),
        ("runs, lingering was there before", {"made": {"linger": False}}, [{"user": "alice", "action": "stop"}]),
        ("runs, record lost", {"made": {}}, [{"user": "alice", "action": "stop"}]),
        ("comes and goes", {"linger": False, "unit": {**STOPPED, "active": "activating"}}, [{"user": "alice", "action": "stop"}]),
        ("stopped, lingers", {"unit": STOPPED}, [{"user": "alice", "action": "none", "linger": False}]),
        ("stopped", {"unit": STOPPED, "linger": False}, []),
        ("failed", {"unit": {**STOPPED, "active": "failed"}, "linger": False}, []),
        ("no manager", {"unit": FRESH["unit"], "linger": False}, []),
        ("the user's own unit", {"unit": {"active": "active", "fragment": SHADOW, "shadows": [SHADOW]}, "made": {}}, []),
        ("no account", {"exists": False}, []),
    ],
)
def test_absent(title, differ, stop):
    result = plan([user(state="absent")], configured("alice"), {"alice": {**running(plan([user()])), **differ}})
    assert result["stop"] == stop, title
    stops = any(entry["action"] == "stop" for entry in stop)
    assert result["reasons"] == ["alice: stop, because its state is absent. All containers of the user stop"] * stops
    assert {"path": "/etc/rootless-docker/alice", "state": "absent", "exclusive": True} in result["directories"]
    assert not to_do(result).keys() & {"errors", "accounts", "subordinate_ids", "packages", "start"}


@pytest.mark.parametrize(
    ("title", "declared", "host", "common", "removed"),
    [
        ("one of two", [user(), user(name="bob", state="absent")], configured("alice", "bob"), "present", [core.WRAPPER]),
        ("one of two, the other not in the list", [user(state="absent")], configured("alice", "bob"), "present", []),
        ("the last", [user(state="absent")], configured("alice"), "absent", SHARED),
        ("the last two", [user(state="absent"), user(name="bob", state="absent")], configured("alice", "bob"), "absent", SHARED),
        # Somebody else's docker.service may lie there: it is not ours to remove.
        ("one who never was", [user(state="absent")], HOST, "absent", []),
        ("nobody", [], HOST, "absent", []),
        ("nobody in the list", [], configured("alice"), "present", []),
    ],
)
def test_what_users_share_goes_with_the_last(title, declared, host, common, removed):
    result = plan(declared, host)
    assert result["directories"][0] == {
        "path": core.CONFIGURATION,
        "state": common,
        **({"exclusive": True} if common == "absent" else {}),
    }, title
    gone = [file["path"] for file in result["files"] if file.get("state") == "absent"]
    assert [path for path in gone if not path.startswith(core.CONFIGURATION)] == removed, title
    assert result["errors"] == []


DROP_IN = "/etc/systemd/user/docker.service.d/nice.conf"


def edited_unit(state, host):
    host["unit_text"] += "LimitNOFILE=4096\n"


def foreign_drop_in(state, host):
    host["drop_ins"] = [DROP_IN]
    state["unit"] = {**state["unit"], "drop_ins": [DROP_IN]}


def line_by_hand(state, host):
    state["environment"] += 'EXTRA="1"\n'
    state["running"] = {**state["running"], "variables": {**state["running"]["variables"], "EXTRA": "1"}}


def key_by_hand(state, host):
    state["daemon_json"] = '{"log-level": "warn"}'


@pytest.mark.parametrize(
    ("edit", "meanwhile", "reason"),
    [
        (edited_unit, ["reread"], f"it was started with {core.UNIT} as somebody changed it"),
        (foreign_drop_in, ["reread"], f"it was started with {DROP_IN} as somebody changed it"),
        (line_by_hand, [], "EXTRA is set, and nobody declared it"),
        (key_by_hand, ["reload"], "daemon.json was changed by hand, and dockerd took it up: log-level"),
    ],
)
def test_a_restart_is_due_until_it_has_happened(edit, meanwhile, reason):
    """Also where the reason lies in files that the run which finds it writes anew."""
    folder = f"{core.CONFIGURATION}/alice"

    def started(result, when):
        state = running(result)
        return {**state, "unit": {**state["unit"], "started": when}}

    def run(state, host, restart, **options):
        return core.make_plan([user(**options)], {"host": host, "users": {"alice": state}}, TEXTS, restart=restart, remove_foreign=True)

    def written(state, result):
        """What is read after a run that did not restart the daemon: sound files, younger than the daemon."""
        environment = content(result, f"{folder}/environment")
        runs = _inspect.compared_variables(environment, state["running"]["variables"])
        return {
            **state, "environment": environment, "daemon_json": content(result, f"{folder}/daemon.json"),
            "unit": {**state["unit"], "drop_ins": []}, "running": {**state["running"], "variables": runs},
            "changed_since_start": [f"{folder}/environment", core.UNIT],
        }  # fmt: skip

    sound = configured("alice")
    first = plan([user()], sound, {"alice": FRESH})
    state, host = started(first, 1000.25), configured("alice")
    edit(state, host)
    found = run(state, host, core.DEFER)
    (line,) = found["deferred"]
    assert line.endswith(f"because {reason}")
    assert [entry["action"] for entry in found["start"]] == meanwhile
    assert found["files"][0]["content"] != first["files"][0]["content"]
    assert run(state, host, core.NOW)["files"] == found["files"], "a run that is cut off leaves the same"

    again = run(written(state, found), sound, core.DEFER)
    (line,) = again["deferred"]
    assert line.endswith(f"because {daemon_action.PUT_RIGHT}")
    assert (again["start"], again["files"][:3]) == ([], found["files"][:3])
    # Something else is declared, and then no more.
    other = run(written(state, found), sound, core.DEFER, mtu=1500)
    assert run(written(state, other), sound, core.DEFER)["deferred"] == again["deferred"]

    done = run(written(state, found), sound, core.NOW)
    assert [entry["action"] for entry in done["start"]] == ["restart"]
    assert done["files"][:3] == found["files"][:3]
    after = started(done, 2000.5)
    quiet = run(after, sound, core.NOW)
    assert (to_do(quiet), quiet["files"]) == ({}, done["files"])
    lost = run({**after, "environment": None}, sound, core.NOW)
    assert (to_do(lost), lost["files"]) == ({}, done["files"]), "a file that was lost stops nobody's containers"

    host = configured("alice")
    edit(after, host)
    assert len(run(written(after, run(after, host, core.DEFER)), sound, core.DEFER)["deferred"]) == 1, "the next edit counts again"


FULL = {
    "path": "/home/alice/.local/share/docker", "folder": "/home/alice", "home_exists": True, "read_only": False, "free_bytes": 0,
    "free_files": None, "writable": True,
}  # fmt: skip
NO_ANSWER = {"uid": 1000, "unit": {**FRESH["unit"], "error": "not ended in time"}}


def edited_wrapper(state, host):
    host["wrapper_text"] = "#!/bin/sh\nexec false\n"


def edited_unit_and_file(state, host):
    edited_unit(state, host)
    state["environment"] = state["environment"].replace("65520", "1500")


def without_a_file(state, host):
    edited_unit(state, host)
    state["environment"] = None


@pytest.mark.parametrize(
    ("obstacle", "of_host", "says"),
    [
        ({"home": "/home/alice", "data_root": FULL}, {}, "full file system"),
        ({"name": "alice", "subuid_count": 0}, {"subordinate_source": "sss"}, "subordinate ids"),
        (NO_ANSWER, {}, "manager gives no answer"),
        ({**NO_ANSWER, "running": FRESH["running"]}, {}, "manager gives no answer"),
        ({"unit": FRESH["unit"], "incomplete": True, "data_root": {"path": None}}, {}, "not everything of it was read"),
    ],
)
@pytest.mark.parametrize(
    ("edit", "marked"),
    [(edited_unit, True), (foreign_drop_in, True), (edited_wrapper, True), (edited_unit_and_file, True), (without_a_file, False)],
)
def test_a_restart_is_due_also_for_a_user_who_is_left_out(obstacle, of_host, says, edit, marked):
    """What all users share is put right in that run, and no later one finds what this daemon was started with."""
    users = [user(port_driver="implicit"), user(name="bob", port_driver="implicit")]
    path = f"{core.CONFIGURATION}/alice/environment"

    def run(state, host, remove_foreign=True):
        return core.make_plan(users, {"host": host, "users": {"alice": state, "bob": bob}}, TEXTS, remove_foreign=remove_foreign)

    def of_alice(result):
        return [file for file in result["files"] if "/alice/" in file["path"]]

    def actions(result):
        return {entry["user"]: entry["action"] for entry in result["start"]}

    def sound():
        return configured("alice", "bob", pasta_options=NEW, wrapper_text=TEXTS["wrapper"], **of_host)

    bob = FRESH
    first = run(FRESH, {**sound(), "subordinate_source": "files"})
    bob, state, host = running(first, "bob"), running(first), sound()
    state["unit"]["started"] = 1000.25
    edit(state, host)
    found = run({**state, **obstacle}, host)
    assert (says in found["left_out"][0], actions(found).get("alice")) == (True, None)
    assert [file["path"] for file in found["files"][: len(of_alice(found))]] == [path] * marked, "before what it stands for is gone"
    if not marked:
        return
    text = content(found, path)
    assert text.splitlines()[:-1] == state["environment"].splitlines()[:-1], "nothing but the digest"

    # The obstacle stays, and then it is gone.
    put_right = {
        **state,
        "environment": text,
        "unit": {**state["unit"], "drop_ins": []},
        "changed_since_start": [path, core.UNIT, core.WRAPPER],
    }
    assert of_alice(run({**put_right, **obstacle}, sound())) == []
    host = {**sound(), "subordinate_source": "files"}
    done = run(put_right, host)
    assert actions(done)["alice"] == "restart"
    after = running(done)
    after["unit"]["started"] = 2000.5
    assert (to_do(run(after, host)), run(after, host)["files"]) == ({}, done["files"])

    # Once more, by a daemon that was started with such a mark.
    host = sound()
    edit(after, host)
    again = run({**after, **obstacle}, host)
    put_right = {
        **after,
        "environment": content(again, path),
        "unit": {**after["unit"], "drop_ins": []},
        "changed_since_start": [path, core.UNIT, core.WRAPPER],
    }
    assert actions(run(put_right, {**sound(), "subordinate_source": "files"}))["alice"] == "restart"


@pytest.mark.parametrize("obstacle", [{"home": "/home/alice", "data_root": FULL}, NO_ANSWER])
def test_a_sound_unit_is_no_reason_to_touch_a_user_who_is_left_out(obstacle):
    state = running(plan([user()]))
    stale = {**state, "stale": ["dockerd was replaced"], "environment": state["environment"] + 'A="b"\n', **obstacle}
    result = plan([user()], configured("alice"), {"alice": stale})
    assert len(result["left_out"]) == 1
    assert [file for file in result["files"] if "/alice/" in file["path"]] == []


@pytest.mark.parametrize(
    ("since", "action", "words"),
    [([], "reread", "the daemon is not touched"), ([f"{core.CONFIGURATION}/alice/daemon.json"], "reload", "forgets that daemon.json")],
)
@pytest.mark.parametrize("differ", [{"unit_text": f"{TEXTS['unit']}RestartSec=3\n"}, {}])
def test_units_are_read_again(since, action, words, differ):
    """A manager that does forgets the last reload, and the next run has to be quiet all the same."""
    state = running(plan([user()]))
    unit = {**state["unit"], "needs_daemon_reload": not differ}
    state = {**state, "unit": unit, "changed_since_start": [core.UNIT, *since]}
    result = plan([user()], configured("alice", **differ), {"alice": state})
    assert [entry["action"] for entry in result["start"]] == [action]
    assert words in result["reasons"][0]


def test_another_pasta_in_place_of_the_daemons_own_is_replaced():
    state = {**running(plan([user()])), "network": {**NETWORK, "mtu": {"asked": 65520, "in_effect": 1400}}}
    result = plan([user()], configured("alice"), {"alice": state})
    assert (result["left_out"], [entry["action"] for entry in result["start"]]) == ([], ["restart"])
    assert result["reasons"][0].startswith("alice: restart, because the MTU is 1400, and RootlessKit was told 65520")


@pytest.mark.parametrize(
    ("declared", "path", "says"),
    [
        ({}, "/home/alice/.local/share/docker", "full file system"),
        ({}, "/elsewhere", ""),
        ({"data-root": "/elsewhere"}, "/elsewhere", "full file system"),
        ({}, None, ""),
    ],
)
def test_only_the_place_where_the_data_is_to_be_is_an_obstacle(declared, path, says):
    said = core.place_obstacle(user(daemon_config=declared), {"home": "/home/alice", "data_root": {**FULL, "path": path}})
    assert says in said and bool(says) == bool(said)
