# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import daemon_input as core


def test_defaults_are_those_of_the_argument_spec():
    spec = Path(__file__).parents[4] / "roles" / "rootless_daemon" / "meta" / "argument_specs.yml"
    options = yaml.safe_load(spec.read_text())["argument_specs"]["main"]["options"]["rootless_daemon_users"]["options"]
    assert options.pop("name")["required"] is True
    names = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}
    optional = {name: options.pop(name) for name in core.OPTIONAL}
    assert all("default" not in option for option in optional.values())
    assert {name: names[option["type"]] for name, option in optional.items()} == core.OPTIONAL
    assert {name: option["default"] for name, option in options.items()} == core.USER_DEFAULTS
    assert {name: names[option["type"]] for name, option in options.items()} == {k: type(v) for k, v in core.USER_DEFAULTS.items()}
    assert options["state"]["choices"] == list(core.STATES)
    assert options["network_driver"]["choices"] == list(core.PORT_DRIVERS)
    assert set(options["port_driver"]["choices"]) == {driver for drivers in core.PORT_DRIVERS.values() for driver in drivers}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"drivers": "pasta"}, "unknown option drivers; known are name, state"),
        ({"health": "off"}, "health 'off' is no bool"),
        ({"name": None}, "name None is no user name"),
        ({"name": ""}, "name '' is no user name"),
        ({"name": "../etc"}, "name '../etc' is no user name"),
        ({"name": "-alice"}, "name '-alice' is no user name"),
        ({"name": ".alice"}, "name '.alice' is no user name"),
        ({"name": "alice\n"}, "is no user name"),
        ({"name": "a" * 33}, "is no user name"),
        ({"name": 1000}, "name 1000 is no user name"),
        ({"name": "root"}, "root cannot have a rootless daemon"),
        ({"state": "presnt"}, "state 'presnt' is none of present, absent"),
        ({"network_driver": "vpnkit"}, "network_driver 'vpnkit' is none of pasta, slirp4netns"),
        ({"port_driver": "builtin"}, "port_driver 'builtin' does not go with pasta; choose one of auto, implicit, pesto"),
        ({"network_driver": "slirp4netns", "port_driver": "pesto"}, "port_driver 'pesto' does not go with slirp4netns"),
        ({"mtu": 575}, "mtu 575 is not between 576 and 65520"),
        ({"mtu": 65521}, "mtu 65521 is not between"),
        ({"mtu": True}, "mtu True is not between"),
        ({"mtu": "1500"}, "mtu '1500' is no int"),
        ({"ipv6": "no"}, "ipv6 'no' is no bool"),
        ({"environment": None}, "environment None is no dict"),
        ({"daemon_config": "{}"}, "daemon_config '{}' is no dict"),
        ({"rootlesskit_flags": "--debug"}, "rootlesskit_flags '--debug' is no list"),
        ({"cidr": "10.0.3.1/24"}, "cidr '10.0.3.1/24' is no IPv4 network"),
        ({"cidr": "fd00::/64"}, "is no IPv4 network"),
        ({"cidr": "10.0.3.0/26"}, "cidr 10.0.3.0/26 has no room"),
        ({"port_driver": "pesto", "ipv6": True}, "port_driver pesto cannot be used with ipv6"),
        ({"rootlesskit_flags": ["-x"]}, "rootlesskit_flags: '-x' has to start with --"),
        ({"rootlesskit_flags": ["--debug", "--cidr 10.0.3.0/24"]}, "'--cidr 10.0.3.0/24' has to start with -- and have no blank"),
        ({"rootlesskit_flags": ["--debug", "--foo=it's"]}, 'rootlesskit_flags: "--foo=it\'s" has a quote or a backslash'),
        ({"rootlesskit_flags": ['--foo="a"']}, "has a quote or a backslash, which RootlessKit would get as it is; write the bare value"),
        ({"rootlesskit_flags": ["--foo=a\\"]}, "has a quote or a backslash"),
        ({"environment": {"A B": "x"}}, "environment: 'A B' is no name of a variable"),
        ({"environment": {"1A": "x"}}, "environment: '1A' is no name"),
        ({"environment": {"A": "x\nPATH=/tmp"}}, "environment: 'A' is no name of a variable, or its value has a line break"),
        ({"environment": {"A": "x\r"}}, "its value has a line break"),
        ({"environment": {"A": "x\0"}}, "its value has a line break"),
        ({"environment": {"DOCKERD_ROOTLESS_ROOTLESSKIT_MTU": "1"}}, "DOCKERD_ROOTLESS_ROOTLESSKIT_MTU is written by this role"),
        ({"environment": {"PATH": "/tmp"}}, "environment: PATH is written by this role"),
        ({"environment": {core.DIGEST: "0"}}, f"environment: {core.DIGEST} is written by this role"),
    ],
)  # fmt: skip
def test_each_error_is_told_once(options, error):
    (text,) = core.input_errors([{"name": "bob"}, {"name": "alice", **options}])
    assert error in text
    assert text.startswith(f"rootless_daemon_users: {options.get('name', 'alice')}: ")


def test_errors_of_the_list():
    assert core.input_errors(["alice"]) == ["rootless_daemon_users: 'alice' is no mapping of options; write it as `- name: alice`"]
    (text,) = core.input_errors([{"name": "alice"}, {"name": "bob"}, {"name": "alice", "state": "absent"}])
    assert text == "rootless_daemon_users: 'alice' is there 2 times; one entry a user"
    assert len(core.input_errors([{"name": "alice", "mtu": 1, "cidr": "x"}, {"name": "bob", "shoes": 1}, {}])) == 4


def test_sound_input_has_no_error():
    full = {
        "name": "bob_2-b", "state": "absent", "shell": "/usr/sbin/nologin", "network_driver": "slirp4netns", "port_driver": "builtin",
        "mtu": 576, "cidr": "10.0.3.0/25", "ipv6": True, "detach_netns": True,
        "host_loopback": True, "rootlesskit_flags": ["--debug", "--dns=10.0.3.3"],
        "environment": {"HTTPS_PROXY": "http://proxy:3128", "_n": 1}, "daemon_config": {"debug": True},
    }  # fmt: skip
    assert core.input_errors([]) == []
    assert core.input_errors([{"name": "alice"}, full, {"name": "Carol.C", "port_driver": "pesto"}]) == []
