# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _problems as core

OWN = "/etc/systemd/user/docker.service"
USERS_OWN = "/home/alice/.config/systemd/user/docker.service"
PASTA = ["pasta", "--no-map-gw", "--tcp-ns=none", "--udp-ns=none", "--tcp-ports=auto", "--udp-ports=auto", "--host-lo-to-ns-lo", "933"]


def program(pid, argv=(), options=None):
    return {
        "pid": pid,
        "exe": "/x",
        "deleted": False,
        "installed": "/x",
        "version": None,
        "options": options,
        "argv": list(argv),
        "apparmor": None,
    }


def pair(value):
    return {"asked": value, "in_effect": value}


HOST = {
    "dockerd": "/usr/sbin/dockerd",
    "rootlesskit": "/opt/rootlesskit/3.2.0/rootlesskit",
    "newuidmap": "/usr/bin/newuidmap",
    "pasta": "/usr/bin/pasta",
    "slirp4netns": None,
    "unit_text": "[Unit]\nConditionPathExists=/etc/rootless-docker/%u/environment\n",
    "ephemeral_ports": [32768, 60999],
    "unprivileged_port_start": 1024,
    "ipv6_default_route": True,
    "pasta_version": "0.0~git20260728.f8df3f1-1~bpo13+1",
    "nameservers": ["192.0.2.53"],
    "cgroup": {"version": 2, "controllers": ["cpuset", "cpu", "io", "memory", "pids"]},
    "apparmor": {"enabled": False, "restrict_unprivileged_userns": None, "profiles": []},
    "sysctls": [{"name": "user.max_user_namespaces", "value": "96365", "needed": "28633 or more", "why": "they run out", "ok": True}],
}
SOUND = {
    "name": "alice",
    "exists": True,
    "folder": True,
    "uid": 1000,
    "linger": True,
    "manager": True,
    "bus": True,
    "runtime_directory": True,
    "state_directory": True,
    "subuid_count": 65536,
    "subgid_count": 65536,
    "subordinate_overlaps": [],
    "cgroup_controllers": ["cpu", "memory", "pids"],
    "environment": "",
    "unit": {
        "active": "active", "sub": "running", "load": "loaded", "result": "success", "condition": True, "error": "", "fragment": OWN,
        "shadows": [], "needs_daemon_reload": False,
    },
    "digest": {"declared": "1", "running": "1"},
    "reload_pending": False,
    "running": {
        "rootlesskit": program(883), "dockerd": program(1069), "containerd": program(1081),
        "pasta": program(1063, PASTA, ["--host-lo-to-ns-lo"]), "slirp4netns": None,
        "rootlesskit_version": "3.2.0", "network_driver": "pasta", "changed_variables": [], "api": {"version": "3.2.0"}, "api_error": None,
    },
    "engine": {"version": "26.1.5", "error": None, "reason": None},
    "network": {
        "driver": pair("pasta"), "port_driver": pair("implicit"), "mtu": pair(65520), "ipv6": pair(False), "host_loopback": pair("closed"),
        "collisions": [], "detached_netns": pair(False),
    },
    "published": {"count": 1, "ports": [{"host_port": 8080}]},
    "stale": [],
    "incomplete": False,
}  # fmt: skip


def changed(base, changes):
    """A copy with other values; a name such as unit.active leads into a dict."""
    state = copy.deepcopy(base)
    for name, value in changes.items():
        *path, last = name.split("/")
        place = state
        for part in path:
            place = place[part]
        place[last] = value
    return state


NOTHING_RUNS = {
    "running/rootlesskit": None, "running/dockerd": None, "running/pasta": None, "running/rootlesskit_version": None, "running/api": None,
    "running/network_driver": None, "engine/version": None, "engine/error": "no socket", "engine/reason": "absent", "published": None,
    "network/driver/in_effect": None, "network/port_driver/in_effect": None, "network/mtu/in_effect": None,
    "network/host_loopback/in_effect": "unknown", "digest/running": None,
}  # fmt: skip
STOPPED = {**NOTHING_RUNS, "unit/active": "inactive", "unit/sub": "dead"}
NO_MANAGER = {**NOTHING_RUNS, "manager": False, "bus": False, "runtime_directory": False, "unit/active": "no user manager", "unit/load": "",
              "unit/fragment": "", "unit/condition": False}  # fmt: skip
NO_FOLDER = {"folder": False, "environment": None, "digest/declared": None}
BARE = {**STOPPED, **NO_FOLDER, "state_directory": False, "unit/condition": False}
NO_UNIT = {"unit/load": "not-found", "unit/fragment": ""}
FOREIGN = {"unit/fragment": USERS_OWN, "unit/shadows": [USERS_OWN]}


@pytest.mark.parametrize(
    ("title", "changes", "host", "state"),
    [
        ("all is well", {}, {}, "running"),
        ("the unit is loaded for everybody", BARE, {}, "absent"),
        ("no unit anywhere", {**BARE, **NO_UNIT}, {"unit_text": None}, "absent"),
        ("no manager, no folder", {**NO_MANAGER, **NO_FOLDER, "state_directory": False}, {}, "absent"),
        ("no account, no folder", {"exists": False, "folder": False}, {}, "absent"),
        ("no account, a folder", {"exists": False}, {}, "configured"),
        ("a folder without environment", {**STOPPED, "environment": None}, {}, "configured"),
        ("a folder, and no unit", {**STOPPED, **NO_UNIT}, {"unit_text": None}, "configured"),
        ("a folder, and the unit is masked", {**STOPPED, "unit/load": "masked"}, {}, "configured"),
        ("a folder, no unit, no manager", NO_MANAGER, {"unit_text": None}, "configured"),
        ("a state folder that was left", {**BARE, "state_directory": True}, {}, "configured"),
        ("stopped", STOPPED, {}, "down"),
        ("failed", {**STOPPED, "unit/active": "failed"}, {}, "down"),
        ("no manager to run it", NO_MANAGER, {}, "down"),
        ("the user's own unit, stopped", {**BARE, **FOREIGN}, {}, "down"),
        ("somebody's unit for all users, stopped", BARE, {"unit_text": "[Unit]\nConditionUser=alice\n"}, "down"),
        ("the user's own unit, running", {**NO_FOLDER, **FOREIGN}, {}, "running"),
        ("started by hand", {**NO_FOLDER, **NO_UNIT, "unit/active": "inactive"}, {}, "running"),
        ("the Engine is silent", {"engine/error": "hangs"}, {}, "unusable"),
        ("RootlessKit is silent", {"running/api": None}, {}, "unusable"),
        ("pasta is dead", {"running/pasta": None}, {}, "unusable"),
        ("slirp4netns is dead", {"running/network_driver": "slirp4netns"}, {}, "unusable"),
        ("a driver without a process", {"running/network_driver": "gvisor-tap-vsock", "running/pasta": None}, {}, "running"),
        ("active, and nothing is found", NOTHING_RUNS, {}, "unusable"),
        ("pasta may be hidden", {"running/pasta": None, "running/processes_hidden": True}, {}, "running"),
    ],
)
def test_state(title, changes, host, state):
    assert core.state_of(changed(SOUND, changes), {**HOST, **host}) == state, title


def problems(changes, host=None):
    state, full = changed(SOUND, changes), changed(HOST, host or {})
    state["state"] = core.state_of(state, full)
    return core.user_problems(state, full)


STALE = "dockerd (pid 1069) runs a file that was replaced since: /usr/sbin/dockerd"
COLLISION = {"what": "cidr", "network": "10.0.2.0/24", "host_network": "10.0.2.0/24", "interface": "eth1", "docker_bridge": False}
NEW_PASTA = ["--host-lo-to-ns-lo", "--conf-path"]
FLAGLESS = [argument for argument in PASTA if argument != "--host-lo-to-ns-lo"]
WITH_RANGE = ["pasta", "-t", "32768-60999,auto", *PASTA[1:]]
PESTO = {"network/port_driver": pair("pesto")}
LOW = {"count": 1, "ports": [{"host_port": 80}]}
RESTRICTED = {"apparmor/enabled": True, "apparmor/restrict_unprivileged_userns": True}

# Cause: changes of a sound user and of a sound host, and what the sentences have to say.
WRONG = [
    ("account_missing", {"exists": False}, {}, ["no account alice", "state: absent"]),
    ("half_configured", {**STOPPED, "environment": None}, {}, ["no file environment", "role rootless_daemon"]),
    ("half_configured", {**STOPPED, **NO_UNIT}, {"unit_text": None}, ["no unit docker.service"]),
    ("half_configured", {**STOPPED, "unit/load": "masked"}, {}, ["masked", "unmask docker.service"]),
    ("half_configured", {**STOPPED, "unit/load": "bad-setting"}, {}, ["bad-setting"]),
    ("unit_shadowed", FOREIGN, {}, [USERS_OWN, "hides"]),
    ("drop_in", {"unit/shadows": [f"{USERS_OWN}.d/{n}.conf" for n in range(7)]}, {}, [f"{USERS_OWN}.d/0.conf", "and 2 more"]),
    ("manager_down", {**NO_MANAGER, "linger": False}, {}, ["lingering is off", "loginctl enable-linger alice"]),
    ("manager_down", NO_MANAGER, {}, ["did not come up", "systemctl start user@1000.service"]),
    ("manager_down", {**NO_MANAGER, "runtime_directory": True}, {}, ["/run/user/1000/bus", "dbus-user-session"]),
    ("manager_silent", {**STOPPED, "unit/active": "no user manager", "unit/error": "not ended in time"}, {}, ["not ended in time"]),
    ("no_linger", {"linger": False}, {}, ["at boot", "loginctl enable-linger alice"]),
    ("daemon_down", STOPPED, {}, ["inactive (dead)", "it was stopped", "start docker.service", "journalctl _UID=1000"]),
    ("daemon_down", {**STOPPED, "unit/condition": False}, {}, ["not started since"]),
    ("daemon_down", {**STOPPED, "unit/active": "failed", "unit/result": "start-limit-hit"}, {}, ["start-limit-hit", "reset-failed"]),
    ("daemon_down", {**STOPPED, "unit/active": "activating", "unit/result": "exit-code"}, {}, ["again and again"]),
    ("rootlesskit_not_found", {**NOTHING_RUNS}, {}, ["child_pid", "restart docker.service"]),
    ("rootlesskit_silent", {"running/api": None, "running/api_error": "it hangs"}, {}, ["it hangs", "stops every container of alice"]),
    ("engine_silent", {"engine/error": "no answer in time", "engine/reason": "timed_out"}, {}, ["no answer in time", "journalctl"]),
    ("engine_silent", {"engine/error": "x", "engine/reason": "untrusted"}, {}, ["who put it there"]),
    ("network_dead", {"running/pasta": None, "stale": ["pasta is dead: " + core.DEAD]}, {}, ["pasta is dead", "restart"]),
    ("network_dead", {"running/network_driver": "slirp4netns", "running/pasta": None}, {}, ["slirp4netns is dead"]),
    ("stale", {"stale": [STALE]}, {}, [STALE, "restart"]),
    ("daemon_reload", {"unit/needs_daemon_reload": True}, {}, ["daemon-reload"]),
    ("not_taken_up", {"digest/running": "2"}, {}, ["its digest is 2, declared is 1"]),
    ("not_taken_up", {"digest/running": None}, {}, ["its digest is none"]),
    ("not_taken_up", {"running/changed_variables": ["PATH"]}, {}, ["other values of PATH"]),
    ("reload_pending", {"reload_pending": True}, {}, ["daemon.json", "reload docker.service"]),
    ("drivers_differ", {"network/port_driver/in_effect": "none"}, {}, ["port driver is none, asked for was implicit"]),
    ("loopback_flag_missing", {"running/pasta/argv": FLAGLESS, "running/rootlesskit_version": "2.3.1"}, {},
     ["pasta (pid 1063)", "rootlesskit 2.3.1 is older than 2.3.2", "role rootlesskit"]),
    ("loopback_flag_missing", {"running/pasta/argv": FLAGLESS}, {}, ["wrapper", "--pasta-binary"]),
    ("loopback_flag_missing", {"running/pasta/argv": FLAGLESS, "running/pasta/options": None}, {}, ["127.0.0.1"]),
    ("host_loopback", {"network/host_loopback/in_effect": "mirrored", "running/rootlesskit_version": "2.3.6"}, {},
     ["mirrored", "rootlesskit 2.3.6 is older than 3.1.0"]),
    ("host_loopback", {"network/host_loopback/in_effect": "open"}, {}, ["open", "a wrapper or a flag"]),
    ("detached_host_network", {"network/detached_netns": pair(True)}, {}, ["--net=host", "DETACH_NETNS=false"]),
    ("detached_host_network", {"network/detached_netns/in_effect": True}, {}, ["--net=host"]),
    ("ephemeral_range", {"running/pasta/options": NEW_PASTA}, {}, ["32768 to 60999", "2026_05_07"]),
    ("combination", {**PESTO, "engine/version": "28.5.2"}, {}, ["Engine 28.5.2", "unsupported ChildIP"]),
    ("combination", {**PESTO, "network/ipv6": pair(True)}, {}, ["IPv6", "port driver implicit"]),
    ("collision", {"network/collisions": [COLLISION]}, {}, ["10.0.2.0/24 on eth1", "--cidr"]),
    ("collision", {"network/collisions": [{**COLLISION, "what": "docker network web"}]}, {},
     ["docker network web", "default-address-pools"]),
    ("ipv6_no_route", {"network/ipv6": pair(True)}, {"ipv6_default_route": False}, ["no IPv6 default route"]),
    ("mtu", {"network/mtu": pair(1500)}, {}, ["1500", "MTU=65520"]),
    ("privileged_port", {**PESTO, "published": LOW}, {}, ["below 1024: 80"]),
    ("privileged_port", {"published": {"count": 2, "ports": [{"host_port": 443}, {"host_port": 80}]}}, {},
     ["below 1024: 80, 443", "ip_unprivileged_port_start=80"]),
    ("subordinate_ids", {"subgid_count": 100}, {}, ["100 in /etc/subgid", "65536"]),
    ("subordinate_overlap", {"subordinate_overlaps": [{"file": "/etc/subgid", "first": 100000, "count": 10, "whose": "bob"}]}, {},
     ["100000-100009 that /etc/subgid gives to alice are also those of bob", "--del-subgids 100000-100009"]),
    ("delegation", {"cgroup_controllers": ["pids"]}, {}, ["cpu, memory", "user@1000.service"]),
    ("apparmor", STOPPED, RESTRICTED, ["/opt/rootlesskit/3.2.0/rootlesskit", "userns"]),
    ("out_of_time", {"incomplete": True}, {}, ["timeout"]),
]  # fmt: skip
FOLLOWS = {"apparmor": {"daemon_down"}}


@pytest.mark.parametrize(("cause", "changes", "host", "says"), WRONG)
def test_problem(cause, changes, host, says):
    found = problems(changes, host)
    assert {each["cause"] for each in found} == {cause} | FOLLOWS.get(cause, set())
    text = " ".join(value for each in found if each["cause"] == cause for value in each.values())
    assert all(part in text for part in says), text


def test_each_rule_is_tried():
    assert {cause for cause, *_rest in WRONG} == {cause for cause, _rule in core.RULES}


@pytest.mark.parametrize(
    ("title", "changes", "host"),
    [
        ("all is well", {}, {}),
        ("nobody's daemon", BARE, {}),
        ("nobody's daemon, no manager, no subordinate ids", {**NO_MANAGER, **NO_FOLDER, "state_directory": False, "subuid_count": 0}, {}),
        ("a daemon of the user's own making", {**NO_FOLDER, **FOREIGN, "unit/shadows": [USERS_OWN, f"{USERS_OWN}.d/a.conf"],
                                               "digest/running": None}, {}),
        ("a loopback that was opened on purpose", {"network/host_loopback": pair("open")}, {}),
        ("detached, and opened on purpose", {"network/host_loopback": pair("open"), "network/detached_netns": pair(True)}, {}),
        ("not known whether detached", {"network/detached_netns": pair(None)}, {}),
        ("a new pasta with the range", {"running/pasta/options": NEW_PASTA, "running/pasta/argv": WITH_RANGE}, {}),
        ("a new pasta with pesto", {**PESTO, "running/pasta/options": NEW_PASTA}, {}),
        ("a pasta from before the flag", {"running/pasta/argv": FLAGLESS, "running/pasta/options": []}, {}),
        ("pesto does without the flag", {**PESTO, "running/pasta/argv": FLAGLESS}, {}),
        ("a rootful Docker's bridge", {"network/collisions": [{**COLLISION, "docker_bridge": True}]}, {}),
        ("the launch script chose", {"network/driver/asked": None, "network/port_driver/asked": None}, {}),
        ("a host without controllers", {"cgroup_controllers": []}, {"cgroup/controllers": []}),
        ("no cgroup of the user's", {"cgroup_controllers": None}, {}),
        ("a low port that is allowed", {"published": {"count": 1, "ports": [{"host_port": 80}]}}, {"unprivileged_port_start": 80}),
        ("a low port under builtin", {"network/port_driver": pair("builtin"), "published": LOW}, {}),
        ("a low port under slirp4netns", {"network/port_driver": pair("slirp4netns"), "published": LOW}, {}),
        ("a low port under what nobody knows", {"network/port_driver": pair(None), "published": LOW}, {}),
        ("AppArmor, and it runs", {}, RESTRICTED),
        ("pasta may be hidden", {"running/pasta": None, "running/processes_hidden": True}, {}),
    ],
)  # fmt: skip
def test_no_problem(title, changes, host):
    assert problems(changes, host) == [], title


def test_apparmor_with_a_profile():
    assert [each["cause"] for each in problems(STOPPED, {**RESTRICTED, "apparmor/profiles": ["/etc/apparmor.d/x"]})] == ["daemon_down"]
    assert [each["cause"] for each in problems(STOPPED, {**RESTRICTED, "rootlesskit": "/usr/bin/rootlesskit"})] == ["daemon_down"]


@pytest.mark.parametrize(
    ("changes", "causes", "says"),
    [
        ({}, [], ""),
        ({"dockerd": None}, ["program_missing"], "role docker_engine"),
        ({"rootlesskit": None, "newuidmap": None}, ["program_missing"] * 2, "role rootlesskit"),
        ({"pasta": None}, ["program_missing"], "neither pasta nor slirp4netns"),
        ({"pasta": None, "slirp4netns": "/usr/bin/slirp4netns"}, [], ""),
        ({"sysctls": [{**HOST["sysctls"][0], "value": "0", "ok": False}]}, ["sysctl"], "user.max_user_namespaces is 0"),
        ({"sysctls": [{**HOST["sysctls"][0], "name": "net.ipv4.ping_group_range", "ok": False}]}, [], ""),
        ({"sysctls": [{**HOST["sysctls"][0], "ok": None}]}, [], ""),
    ],
)
def test_host(changes, causes, says):
    found = core.host_problems(changed(HOST, changes))
    assert [each["cause"] for each in found] == causes
    assert says in str(found)


def test_every_problem_has_its_three_sentences():
    for _cause, changes, host, _says in WRONG:
        assert all(each["what"] and each["why"] and each["remedy"] for each in problems(changes, host))


OLD_PASST = {"running/pasta/version": "0.0~git20250503.587980c-2+deb13u1"}
OLDER_PASST = {"running/pasta/version": "0^20250217.ga1e48a0-2.el9"}
OLDEST_PASST = {"running/pasta/version": "2024_02_20.1e6f92b"}
RESOLVED = {"nameservers": ["127.0.0.53"]}


@pytest.mark.parametrize(
    ("title", "changes", "host", "advice"),
    [
        ("nothing is known", {}, RESOLVED, set()),
        ("new", {"running/pasta/version": "2026_07_28.f8df3f1"}, RESOLVED, set()),
        ("Debian 13", OLD_PASST, RESOLVED, {"loopback_tcp_hangs"}),
        ("Enterprise Linux 9.6", OLDER_PASST, RESOLVED, {"loopback_resolver", "loopback_tcp_hangs"}),
        ("another resolver", OLDER_PASST, {"nameservers": ["127.0.0.53", "192.0.2.53"]}, {"loopback_tcp_hangs"}),
        ("no resolver", OLDER_PASST, {"nameservers": []}, {"loopback_tcp_hangs"}),
        ("opened", {**OLDER_PASST, "running/pasta/argv": ["pasta"]}, RESOLVED, {"loopback_tcp_hangs"}),
        ("Ubuntu 24.04", OLDEST_PASST, {}, {"fails_at_boot", "loopback_tcp_hangs"}),
        ("it failed at boot", {**STOPPED, "network/driver": {"asked": "pasta", "in_effect": None}, "unit/result": "start-limit-hit"},
         {"pasta_version": "0.0~git20240220.1e6f92b-1"}, {"fails_at_boot", "loopback_tcp_hangs"}),
        ("the launch script may take another driver", {**STOPPED, "network/driver": pair(None)},
         {"pasta_version": "0.0~git20240220.1e6f92b-1"}, set()),
        ("another driver runs", {"running/pasta": None, "network/driver": pair("slirp4netns")}, {"pasta_version": "2024_02_20.1e6f92b"},
         set()),
        ("IPv6", {"network/ipv6": pair(True), "running/rootlesskit_version": "3.1.0"}, {}, {"ipv6_routes"}),
        ("IPv6, new", {"network/ipv6": pair(True)}, {}, set()),
        ("IPv6, another driver", {"network/ipv6": pair(True), "running/rootlesskit_version": "3.1.0",
                                  "running/network_driver": "slirp4netns"}, {}, set()),
        ("nobody's daemon", BARE, {"pasta_version": "2024_02_20.1e6f92b"}, set()),
        ("no account", {"exists": False}, {}, set()),
    ],
)  # fmt: skip
def test_advice(title, changes, host, advice):
    state, full = changed(SOUND, changes), changed(HOST, host)
    state["state"] = core.state_of(state, full)
    found = core.user_advice(state, full)
    assert {each["cause"] for each in found} == advice, title
    assert all(each["what"] and each["why"] and each["remedy"] for each in found)


def test_each_advice_is_tried():
    cases = next(mark.args[1] for mark in test_advice.pytestmark if mark.name == "parametrize")
    assert set().union(*(case[3] for case in cases)) == {cause for cause, _rule in core.ADVICE}


@pytest.mark.parametrize(
    ("version", "date"),
    [("2026_07_28.1234abc", 20260728), ("0.0~git20250503.587980c-2+deb13u1", 20250503), ("0^20250512.g8ec1341-1.el10", 20250512),
     ("1.2.3", None), ("", None), (None, None)],
)  # fmt: skip
def test_date_of_a_passt(version, date):
    assert core.passt_date(version) == date
