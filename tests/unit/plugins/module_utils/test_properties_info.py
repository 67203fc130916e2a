# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

"""Whatever a user puts where rootless_docker_info looks: no exception, and an answer of bounded size."""

import json

from ansible_collections.portside.rootless_docker.plugins.module_utils import (
    _cgroups,
    _engine_state,
    _environment,
    _network_state,
    _networks,
    _prerequisites,
    _programs,
    _rootlesskit,
    _unit,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import Process
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(max_size=300)
WORDS = st.lists(
    st.one_of(TEXT, st.sampled_from(["--net", "--net=pasta", "--address=10.0.2.1", "--netmask", "-n", "-a", "--mtu", "--ipv6=", "-T"])),
    max_size=12,
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=80)),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=12), inner, max_size=5)),
    max_leaves=20,
)


def shaped(**fields):
    """An object of this shape, in which any field may be any JSON, or missing."""
    return st.fixed_dictionaries({}, optional={name: st.one_of(kind, JSON) for name, kind in fields.items()})


def printable(value):
    """Whether every text in a result is."""
    if isinstance(value, dict):
        return all(printable(each) for pair in value.items() for each in pair)
    if isinstance(value, (list, tuple)):
        return all(map(printable, value))
    return not isinstance(value, str) or value.isprintable()


@given(TEXT)
def test_words(text):
    words = _environment.split_words(text)
    assert sum(map(len, words)) <= len(text)
    _environment.assignments(words)


@given(st.lists(st.text(alphabet="ab \"'\\$\n\t#é", max_size=12), max_size=8))
def test_words_survive_being_quoted(words):
    quoted = " ".join('"' + "".join("\\" + c if c in '"\\$`' else c for c in word) + '"' for word in words)
    assert _environment.split_words(quoted) == words


@given(TEXT)
def test_environment_file(text):
    for name, value in _environment.parse_environment_file(text).items():
        assert _environment.NAME.fullmatch(name)
        assert len(value) <= _environment.MAX_VALUE


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True),
        st.text(alphabet=st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]), max_size=20),
    )
)
def test_environment_file_survives_being_quoted(variables):
    text = "".join(f'{name}="' + "".join("\\" + c if c in '"\\$`' else c for c in value) + '"\n' for name, value in variables.items())
    assert _environment.parse_environment_file(text) == variables


@given(st.binary(max_size=400))
def test_environ(raw):
    assert all(_environment.NAME.fullmatch(name) for name in _environment.parse_environ(raw))


@given(
    st.one_of(
        TEXT, st.lists(st.tuples(st.sampled_from(_unit.PROPERTIES), TEXT)).map(lambda pairs: "\n".join("=".join(pair) for pair in pairs))
    )
)
def test_unit(text):
    unit = _unit.parse_show(text, "/etc/systemd/user/docker.service")
    shown = (
        unit.active,
        unit.sub,
        unit.load,
        unit.result,
        unit.enabled,
        unit.fragment,
        unit.drop_ins,
        unit.shadows,
        unit.environment_files,
    )
    assert printable(shown)
    assert 0 <= unit.main_pid < 10**10


HEX = st.text(alphabet="0123456789abcdefABCDEF", min_size=8, max_size=8)
LINE4 = st.tuples(st.text(max_size=20), HEX, HEX, HEX, TEXT, TEXT, TEXT, HEX).map("\t".join)
LINE6 = st.lists(st.text(alphabet="0123456789abcdef", min_size=1, max_size=33), min_size=8, max_size=11).map(" ".join)


@given(st.lists(st.one_of(TEXT, LINE4, LINE6), max_size=20))
def test_routes(lines):
    routes = _networks.parse_routes4("\n".join(["head", *lines])) + _networks.parse_routes6("\n".join(lines))
    assert printable([route.interface for route in routes])
    assert len(_networks.collisions({"cidr": ["10.0.2.0/24", "fd00::/64", lines[0] if lines else ""]}, routes)) <= 3 * len(routes)


@given(JSON)
def test_network(value):
    _networks.parse_network(value)


@given(TEXT)
def test_small_files(text):
    assert printable(_cgroups.parse_controllers(text))
    assert len(_cgroups.parse_controllers(text)) <= 64
    assert all(printable(list(_prerequisites.judge(sysctl, text).values())) for sysctl in _prerequisites.SYSCTLS)
    version = _programs.version_in(text)
    assert version is None or (version.isprintable() and len(version) <= 60)


PORT = shaped(IP=st.sampled_from(["0.0.0.0", "::", "127.0.0.1", "fe80::1%x"]), PrivatePort=st.integers(-1, 70000),
              PublicPort=st.integers(-1, 70000), Type=st.sampled_from(["tcp", "udp", "sctp", "icmp"]))  # fmt: skip
CONTAINER = shaped(Id=TEXT, Names=st.lists(TEXT, max_size=2), Ports=st.lists(PORT, max_size=6))
NETWORK = shaped(
    Name=TEXT, IPAM=shaped(Config=st.lists(shaped(Subnet=st.one_of(TEXT, st.sampled_from(["10.0.0.0/8", "fd00::/64"]))), max_size=3))
)


@given(st.one_of(JSON, st.lists(CONTAINER, max_size=5)))
def test_published(containers):
    found = _engine_state.published_ports(containers, limit=3)
    assert len(found["ports"]) == min(3, found["count"])
    assert printable(found)
    assert all(0 < each[key] < 65536 for each in found["ports"] for key in ("host_port", "container_port"))


@given(st.one_of(JSON, st.lists(NETWORK, max_size=5)))
def test_subnets(networks):
    assert printable(_engine_state.network_subnets(networks))


DRIVER = shaped(driver=TEXT, dns=st.lists(TEXT), childIP=TEXT, ipv6=st.booleans())
INFO = shaped(
    version=TEXT, apiVersion=TEXT, childPID=st.integers(), networkDriver=DRIVER,
    portDriver=shaped(driver=TEXT, protos=st.lists(TEXT, max_size=40)),
)  # fmt: skip


@given(st.one_of(JSON, INFO))
def test_info(data):
    try:
        info = _rootlesskit.parse_info(data)
    except HttpError:
        assert not isinstance(data, dict)
        return
    assert printable(info.as_result())
    assert len(json.dumps(info.as_result())) < 20000


@given(
    WORDS,
    WORDS,
    WORDS,
    st.one_of(st.none(), INFO.map(_rootlesskit.parse_info)),
    st.dictionaries(st.sampled_from(["NET", "MTU", "FLAGS"]).map(_network_state.PREFIX.__add__), TEXT),
)
def test_network_state(kit, pasta, slirp4netns, info, variables):
    for options in (_network_state.own_options(kit), _network_state.options_of_environment(variables)):
        state = _network_state.network_state(options, info, pasta, slirp4netns)
        assert printable(state)
        assert state["host_loopback"]["in_effect"] in ("closed", "open", "mirrored", "unknown")


@given(st.lists(TEXT, max_size=80), st.one_of(st.none(), TEXT))
def test_program(argv, exe):
    process = Process(pid=7, ppid=1, uid=1000, state="S", start=1, comm="x", argv=tuple(argv), exe=exe)
    assert printable(_programs.program(process, installed=exe))
