# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import NOBODY, Cell
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import ADVICE, RULES, advise, diagnose
from ansible_collections.portside.rootless_docker.plugins.module_utils._evidence import Evidence, Holder, Service, holder_of
from ansible_collections.portside.rootless_docker.plugins.module_utils._published import NO_SUCH_ADDRESS

OLD = ("pasta", "--tcp-ports=auto", "532")
FLAGGED = ("pasta", "--no-map-gw", "--tcp-ports=auto", "--host-lo-to-ns-lo", "532")
SOUND = ("pasta", "--no-map-gw", "--tcp-ns=none", "--tcp-ports=auto", "--host-lo-to-ns-lo", "532")
RANGED = ("pasta", "-t", "32768-60999,auto", *SOUND[1:])


def evidence(**facts):
    known = {
        "user": "alice",
        "uid": 1000,
        "engine_version": "26.1.5",
        "rootlesskit_version": "3.2.0",
        "network_driver": "pasta",
        "port_driver": "implicit",
        "child_pid": 532,
        "pasta_pid": 318,
        "pasta_path": "/usr/bin/pasta.avx2",
        "pasta_argv": SOUND,
        **facts,
    }
    return Evidence(**known)


def cell(port=8080, outcome="refused", host_ip="127.0.0.1", container="web", address="127.0.0.1", expected="answers", **fields):
    known = {"group": "container" if container else "canary", "control": True, **fields}
    vantage = f"host {address}"
    return Cell(
        thing="thing", vantage=vantage, address=address, port=port, expected=expected, outcome=outcome, host_ip=host_ip,
        container=container, container_port=80, **known,
    )  # fmt: skip


def inside(outcome="answered", vantage="RootlessKit's namespace", control=True):
    return Cell("host_loopback", "its 127.0.0.1", vantage, "127.0.0.1", 9999, "must_not", outcome, proof="nonce", control=control)


RESET = cell(outcome="reset")
OTHER = Holder("0.0.0.0", 8080, 0, 4711, "python3", False)
OURS = Holder("0.0.0.0", 8080, 1000, 318, "pasta.avx2", True)
BOBS = Holder("0.0.0.0", 8080, 1001, 4712, "pasta.avx2", False)

CASES = [
    (
        "daemon_down",
        evidence(engine_error="absent", engine_message="/run/user/1000/docker.sock does not exist", unit_state="inactive (dead)"),
        [],
        ["does not run", "inactive (dead)"],
        "start docker.service",
    ),
    ("daemon_down", evidence(engine_error="refused", engine_message="nobody listens"), [], ["nobody listens"], "start docker.service"),
    (
        "engine_unusable",
        evidence(engine_error="timed_out", engine_message="gave no answer"),
        [cell(outcome=None)],
        ["no usable answer"],
        "restart",
    ),
    ("engine_unusable", evidence(engine_error="untrusted", engine_message="uid 0"), [], ["uid 0"], "belong to the user"),
    (
        "pasta_dead",
        evidence(pasta_argv=(), pasta_pid=None),
        [cell(), inside("refused", control=False)],
        ["No pasta runs", "child pid 532"],
        "restart",
    ),
    (
        "engine_cannot_publish",
        evidence(engine_version="28.5.2", port_driver="pesto", start_errors=(("bridge", "unsupported ChildIP ::ffff:10.0.2.100"),)),
        [cell(0, None, container="")],
        ["Engine 28.5.2", "pesto"],
        "implicit",
    ),
    (
        "engine_cannot_publish",
        evidence(port_driver="pesto", start_errors=(("bridge", "unsupported ChildIP"),), namespace_answered=True),
        [cell(0, None, container="")],
        ["RootlessKit's half works"],
        "implicit",
    ),
    (
        "pesto_with_ipv6",
        evidence(port_driver="pesto", ipv6=True, start_errors=(("bridge", "cannot expose port"),)),
        [cell(0, None, container="")],
        ["--ipv6", "cannot expose port"],
        "implicit",
    ),
    (
        "pesto_with_ipv6",
        evidence(port_driver="pesto", ipv6=True, sound=frozenset({("answers", "any6", "::1", "tcp")})),
        [cell(outcome="reset", host_ip="", address="::1")],
        ["[::1]:8080 of container web", "--ipv6"],
        "implicit",
    ),
    (
        "port_not_added",
        evidence(port_driver="builtin", publish_errors=(("20000/udp", "not supported"),)),
        [cell(20000, container="", group="namespace", protocol="udp")],
        ["port driver builtin", "not supported"],
        "journalctl",
    ),
    (
        "container_not_started",
        evidence(failed_starts=(("web", "listen tcp4 127.0.0.1:8080: bind: address already in use"),), rootlesskit_version="2.3.6"),
        [],
        ["web: listen tcp4", "2.3.6 is older than 3.1.0"],
        "another port",
    ),
    (
        "container_not_started",
        evidence(port_driver="implicit", failed_starts=(("web", "listen tcp4 192.0.2.7:8080: bind: cannot assign requested address."),)),
        [],
        ["web: listen tcp4", "on 127.0.0.1 and on all addresses"],
        "pesto",
    ),
    (
        "other_loopback_address",
        evidence(port_driver="implicit"),
        [
            cell(outcome="closed", host_ip="127.0.0.2", address="127.0.0.2"),
            cell(outcome="silent", host_ip="127.0.0.2", address="127.0.0.2", protocol="udp"),
            cell(outcome="silent", host_ip="127.0.0.2", expected="must_not", proof="doubt", protocol="udp"),
        ],
        ["127.0.0.2:8080 of container web", "127.0.0.2:8080/udp of container web: nothing came", "to 127.0.0.1 inside"],
        "on 127.0.0.1",
    ),
    (
        "pesto_blocked",
        evidence(port_driver="pesto"),
        [cell(20000, container=""), cell(outcome="wrong_answer", note=NOBODY)],
        ["refuses"],
        "Listen",
    ),
    (
        "canary_refused",
        evidence(start_errors=(("image", "no space left"),)),
        [cell(0, None, container="")],
        ["image canary", "no space left"],
        "docker run",
    ),
    ("out_of_time", evidence(out_of_time=True), [cell(outcome=None)], ["1 cells"], "longer timeout"),
    ("out_of_time", evidence(out_of_time=True), [cell(outcome="timed_out")], ["1 cells"], "longer timeout"),
    (
        "out_of_time",
        evidence(out_of_time=True, engine_error="timed_out", engine_message="no answer to POST /start in time"),
        [cell(outcome="refused"), cell(outcome=None)],
        ["before 1 cells", "POST /start"],
        "longer timeout",
    ),
    (
        "engine_unusable",
        evidence(out_of_time=True, engine_error="timed_out", engine_message="gave no answer", engine_version=None),
        [cell(outcome=None)],
        ["gave no answer"],
        "restart",
    ),
    (
        "port_held_by_other_process",
        evidence(holders=(OTHER,)),
        [cell(outcome="wrong_answer")],
        ["python3 (pid 4711, uid 0)", "0.0.0.0:8080"],
        "Stop that",
    ),
    (
        "port_held_by_other_process",
        evidence(holders=(Holder("192.0.2.7", 8080, 5, None, "", False),)),
        [cell()],
        ["a process of uid 5"],
        "Stop that",
    ),
    (
        "port_held_by_other_daemon",
        evidence(holders=(BOBS,)),
        [cell(outcome="wrong_answer")],
        ["pasta.avx2 (pid 4712, uid 1001)", "another user"],
        "another port",
    ),
    (
        "port_held_by_other_daemon",
        evidence(holders=(Holder("0.0.0.0", 8080, 1001, 4712, "pasta-20260728", False),)),
        [cell(outcome="wrong_answer")],
        ["pasta-20260728 (pid 4712, uid 1001)", "another user"],
        "another port",
    ),
    ("ipv6_off", evidence(), [cell(host_ip="::1", address="::1")], ["[::1]:8080 of container web", "without --ipv6"], "--ipv6"),
    (
        "loopback_flag_missing",
        evidence(rootlesskit_version="2.0.2", pasta_argv=OLD, pasta_has_flag=True),
        [RESET],
        [
            "127.0.0.1:8080 of container web: reset after accept",
            "pasta (pid 318) runs without --host-lo-to-ns-lo",
            "2.0.2 is older than 2.3.2",
        ],
        "role rootlesskit",
    ),
    (
        "loopback_flag_missing",
        evidence(pasta_argv=OLD, pasta_has_flag=False),
        [cell(outcome="closed")],
        ["/usr/bin/pasta.avx2 does not know"],
        "role pasta",
    ),
    ("loopback_flag_missing", evidence(pasta_argv=OLD, pasta_has_flag=True), [RESET], ["a wrapper"], "--pasta-binary"),
    ("ephemeral_range_skipped", evidence(pasta_skips_ephemeral=True), [cell(32768, host_ip="")], ["32768-60999"], "pesto"),
    ("privileged_port", evidence(port_driver="pesto"), [cell(81, host_ip="")], ["below 1024"], "ip_unprivileged_port_start to 81"),
    # RootlessKit names no driver, and was told none: that is implicit.
    ("privileged_port", evidence(port_driver=None), [cell(81, host_ip="")], ["below 1024"], "ip_unprivileged_port_start to 81"),
    (
        "host_loopback_leak",
        evidence(rootlesskit_version="2.3.6", pasta_argv=FLAGGED),
        [inside()],
        ["--tcp-ns=none", "2.3.6 is older than 3.1.0"],
        "3.1.0",
    ),
    (
        "host_loopback_leak",
        evidence(pasta_argv=FLAGGED, host_loopback_disabled=False),
        [inside()],
        ["--tcp-ns=none", "without --disable-host-loopback"],
        "Set DOCKERD_ROOTLESS_ROOTLESSKIT_DISABLE_HOST_LOOPBACK=true; then",
    ),
    (
        "host_loopback_leak",
        evidence(pasta_argv=FLAGGED, host_loopback_disabled=True),
        [inside()],
        ["--tcp-ns=none"],
        "Look at --pasta-binary",
    ),
    (
        "host_loopback_leak",
        evidence(pasta_argv=tuple(a for a in SOUND if a != "--no-map-gw")),
        [inside()],
        ["--no-map-gw"],
        "DISABLE_HOST_LOOPBACK",
    ),
    (
        "host_loopback_leak",
        evidence(network_driver="slirp4netns", pasta_argv=(), pasta_pid=None, host_loopback_disabled=False),
        [inside()],
        ["without --disable-host-loopback"],
        "DISABLE_HOST_LOOPBACK",
    ),
    (
        "detached_host_network",
        evidence(detached_netns=True, services=tuple(Service("127.0.0.1", port, "x", 7, 0, "127.0.0.1") for port in range(22, 29))),
        [inside(vantage="host-network container")],
        ["--detach-netns", "--net=host", "now: x (pid 7) on port 22, ", "and 2 more."],
        "DETACH_NETNS=false",
    ),
    (
        "address_not_on_host",
        evidence(out_of_time=True),
        [cell(outcome=None, address="192.0.2.7", host_ip="192.0.2.7", note=NO_SUCH_ADDRESS)],
        ["192.0.2.7:8080 of container web: could not be tried", "no interface of this host has that address"],
        "another address",
    ),
    (
        "udp_of_slirp4netns",
        evidence(port_driver="slirp4netns"),
        [cell(outcome="silent", protocol="udp")],
        ["127.0.0.1:8080/udp of container web: nothing came", "slirp4netns"],
        "builtin",
    ),
    (
        "container_not_listening",
        evidence(sound=frozenset({("answers", "loopback4", "127.0.0.1", "tcp")})),
        [RESET],
        ["path is sound", "web on its port 80"],
        "docker logs",
    ),
    (
        "port_used_by_connection",
        evidence(connected=frozenset({33000}), pasta_skips_ephemeral=False),
        [cell(33000, host_ip="")],
        ["connection of the host"],
        "ss -tan",
    ),
    (
        "port_used_by_connection",
        evidence(port_driver="pesto", connected=frozenset({33000})),
        [cell(33000, "silent", host_ip="", protocol="udp")],
        ["33000/udp", "connection of the host"],
        "ss -tan",
    ),
    ("pesto_blocked", evidence(port_driver="pesto"), [cell(20000, container=""), cell()], ["refuses every further port"], "Listen failed"),
    ("pesto_blocked", evidence(port_driver="pesto"), [cell(20000, container="", group="namespace")], ["refuses every"], "Listen failed"),
    (
        "loopback_tcp_hangs",
        evidence(pasta_skips_ephemeral=False, holders=(OURS,)),
        [cell(outcome="silent", container="")],
        ["may hang", "bugs 202"],
        "newer passt",
    ),
    ("unknown", evidence(pasta_skips_ephemeral=True, holders=(OURS,)), [cell(outcome="silent", container="")], ["No known"], "evidence"),
    ("no_listener", evidence(), [cell(container="", group="namespace")], ["although it was published"], "restart docker.service"),
    ("no_listener", evidence(), [cell()], ["Nothing on the host listens"], "Restart the container"),
    ("filtered_on_host", evidence(holders=(OURS,)), [cell(outcome="timed_out", container="")], ["timed out", "drops"], "nft list ruleset"),
    (
        "unexpected_answer",
        evidence(),
        [cell(outcome="wrong_answer", proof="data", group="expectation", container="", note="the pattern is not in it")],
        ["the pattern is not in it"],
        "send and pattern",
    ),
    (
        "expectation_not_met",
        evidence(holders=(OTHER,)),
        [cell(outcome="refused", group="expectation", container="")],
        ["127.0.0.1:8080: refused", "expected to answer"],
        "docker ps",
    ),
    (
        "answers_where_it_must_not",
        evidence(holders=(Holder("192.0.2.7", 8080, 0, 99, "socat", False),)),
        [cell(outcome="answered", proof="data", expected="must_not", address="192.0.2.7")],
        ["192.0.2.7:8080", "socat (pid 99"],
        "relays",
    ),
    (
        "listener_without_container",
        evidence(),
        [cell(9999, "silent", "0.0.0.0", "", expected="must_not", proof="open", group="listener")],
        ["no container published", "--net=host"],
        "unpublished_listeners",
    ),
    (
        "open_where_it_must_not",
        evidence(holders=(OURS,)),
        [cell(outcome="silent", proof="open", expected="must_not", address="192.0.2.7")],
        ["192.0.2.7:8080 of container web: connected"],
        "ss -ltnp",
    ),
    (
        "namespace_not_entered",
        evidence(namespace_error="nsenter: not found"),
        [inside(None, control=False)],
        ["nsenter: not found"],
        "util-linux",
    ),
    (
        "namespace_not_entered",
        evidence(namespace_error="nsenter: Permission denied", namespace_answered=False),
        [cell(20000, container="", group="namespace")],
        ["nsenter: Permission denied"],
        "util-linux",
    ),
    ("no_control", evidence(), [cell(expected="must_not", control=False)], ["host 127.0.0.1"], "firewall"),
    (
        "unknown",
        evidence(holders=(OURS,)),
        [cell(outcome="wrong_answer", container="")],
        ["wrong answer", "rootlesskit 3.2.0", "--tcp-ns=none"],
        "evidence",
    ),
]


@pytest.mark.parametrize(("cause", "facts", "cells", "words", "remedy"), CASES)
def test_cause(cause, facts, cells, words, remedy):
    findings = diagnose(facts, cells)
    assert [finding.cause for finding in findings] == [cause]
    assert findings[0].cells == cells
    for word in words:
        assert word in findings[0].message
    assert remedy in findings[0].remedy


def test_every_rule_has_a_case():
    assert {case[0] for case in CASES} == {cause for cause, _rule in RULES}


@pytest.mark.parametrize(
    "facts",
    [
        evidence(pasta_argv=RANGED),
        evidence(port_driver="pesto", pasta_argv=SOUND),
        evidence(pasta_skips_ephemeral=False),
    ],
)
def test_a_dead_port_in_the_ephemeral_range_has_other_causes_too(facts):
    assert [finding.cause for finding in diagnose(facts, [cell(32768, host_ip="")])] == ["no_listener"]


def test_where_a_canary_answers_the_path_is_not_to_blame():
    facts = evidence(pasta_argv=OLD, rootlesskit_version="2.0.2", sound=frozenset({("answers", "loopback4", "127.0.0.1", "tcp")}))
    assert [finding.cause for finding in diagnose(facts, [RESET])] == ["container_not_listening"]
    assert [finding.cause for finding in diagnose(facts, [cell(outcome="silent", protocol="udp")])] == ["loopback_flag_missing"]


def test_a_pasta_that_may_be_hidden_is_not_called_dead():
    facts = evidence(pasta_argv=(), pasta_pid=None, processes_hidden=True)
    assert diagnose(facts, []) == []
    assert [finding.cause for finding in diagnose(facts, [cell()])] == ["no_listener"]


@pytest.mark.parametrize("driver", ["builtin", "slirp4netns"])
def test_a_low_port_that_a_driver_may_bind_is_no_privileged_port(driver):
    facts = evidence(network_driver="slirp4netns", port_driver=driver, pasta_argv=())
    assert [finding.cause for finding in diagnose(facts, [cell(81, host_ip="")])] == ["no_listener"]


def test_a_canary_without_a_port_is_no_privileged_port():
    assert [finding.cause for finding in diagnose(evidence(), [cell(0, None, host_ip="", container="")])] == ["unknown"]


def test_two_causes_at_once_each_explain_their_cells():
    facts = evidence(rootlesskit_version="2.0.2", pasta_argv=OLD, sound=frozenset({("answers", "any4", "127.0.0.1", "tcp")}))
    findings = diagnose(facts, [RESET, inside(), cell(8081, "closed", host_ip="0.0.0.0")])
    assert [finding.cause for finding in findings] == ["loopback_flag_missing", "host_loopback_leak", "container_not_listening"]
    assert all(len(finding.cells) == 1 for finding in findings)


def test_a_port_that_was_tried_in_vain_is_filtered_also_when_time_ran_out():
    facts = evidence(holders=(OURS,), out_of_time=True)
    assert [finding.cause for finding in diagnose(facts, [cell(outcome="timed_out", seconds=1.0)])] == ["filtered_on_host"]


def test_a_message_names_containers_before_canaries():
    canaries = [cell(port, container="") for port in range(20000, 20005)]
    (finding,) = diagnose(evidence(), [*canaries, cell()])
    assert finding.message.startswith("127.0.0.1:8080 of container web: refused; 127.0.0.1:20000: refused")
    assert "and 3 more" in finding.message


def test_what_passes_needs_no_cause():
    assert diagnose(evidence(), [cell(outcome="answered", proof="nonce"), cell(expected="must_not")]) == []


def test_an_exact_listener_comes_before_one_on_all_addresses():
    exact = Holder("127.0.0.1", 8080, 0, 1, "x", False)
    assert holder_of((OURS, exact), "127.0.0.1", 8080) == exact
    assert holder_of((OURS, exact), "192.0.2.7", 8080) == OURS
    assert holder_of((OURS,), "127.0.0.1", 81) is None
    assert holder_of((OURS,), "127.0.0.1", 8080, "udp") is None
    assert holder_of((OURS,), "::1", 8080) is None


@pytest.mark.parametrize(
    ("cause", "facts", "cells", "words"),
    [
        (
            "visible_from_outside",
            evidence(),
            [cell(outcome="reset", expected="must_not", address="192.0.2.7")],
            ["192.0.2.7:8080", "implicit"],
        ),
        ("network_collision", evidence(network="10.0.2.0/24", collisions=("10.0.2.0/24",)), [], ["overlaps with 10.0.2.0/24"]),
        ("canaries_left", evidence(left_behind="no answer to DELETE"), [], ["no answer to DELETE"]),
        ("listeners_not_told", evidence(unseen=("0.0.0.0:9999",)), [], ["alice listens on 0.0.0.0:9999", "cannot be told"]),
        ("stale_programs", evidence(stale=("pasta (pid 318) runs x, installed is y",)), [], ["pasta (pid 318) runs x, installed is y."]),
    ],
)
def test_advice(cause, facts, cells, words):
    (found,) = advise(facts, cells)
    assert found.cause == cause and found.remedy and all(word in found.message for word in words)
    assert diagnose(facts, cells) == []


def test_every_advice_has_a_case():
    cases = next(mark.args[1] for mark in test_advice.pytestmark if mark.name == "parametrize")
    assert {case[0] for case in cases} == {cause for cause, _rule in ADVICE}
    assert advise(evidence(), [cell(outcome="answered", proof="nonce"), cell(expected="must_not")]) == []


def test_results_are_plain_data():
    facts = evidence(holders=(OURS,), start_errors=(("image", "x"),)).as_result()
    assert facts["holders"][0]["name"] == "pasta.avx2" and facts["start_errors"] == [{"canary": "image", "text": "x"}]
    finding = diagnose(evidence(), [cell()])[0].as_result()
    assert finding["cells"] == [{"thing": "thing", "vantage": "host 127.0.0.1", "address": "127.0.0.1", "port": 8080, "protocol": "tcp"}]
