# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distribution's pasta with port driver implicit, seen from outside the collection."""

from __future__ import annotations

from outsider import USER, eventually


def test_unit_is_active_and_enabled(host):
    """It runs now, and it will after the next boot."""
    assert host.check_output(f"systemctl --user --machine={USER}@ is-active docker.service") == "active"
    assert host.check_output(f"systemctl --user --machine={USER}@ is-enabled docker.service") == "enabled"
    assert host.check_output(f"loginctl show-user {USER} --property=Linger --value") == "yes"


def test_rootful_daemon_does_not_run(host):
    """The distribution's package brings one."""
    assert host.run("systemctl is-active docker.service").stdout.strip() != "active"
    assert not host.file("/var/run/docker.sock").exists


def test_running_pasta_has_every_flag(pasta_argv):
    """What runs, not what is written in a file."""
    assert {"--host-lo-to-ns-lo", "--tcp-ns=none", "--udp-ns=none", "--tcp-ports=auto", "--no-map-gw", "--mtu=65520"} <= set(pasta_argv)


def test_pinned_rootlesskit_runs(rootlesskit_exe):
    """The one of the role, not the distribution's."""
    assert rootlesskit_exe == "/opt/rootlesskit/3.2.0/rootlesskit"


def test_loopback_port(on_host, outside, address):
    """Answers on the host's loopback, and nowhere else. Under implicit the port can be seen from outside, and gives nothing."""
    assert eventually(lambda: on_host("127.0.0.1", 8080)) == "answered"
    assert on_host(address, 8080) in ("reset", "closed")
    assert outside(8080) in ("reset", "closed")


def test_ports_on_all_addresses(on_host, outside, address):
    """Answer on loopback, on the host's address, and to another machine."""
    for port in (8081, 8082):
        assert eventually(lambda port=port: on_host("127.0.0.1", port)) == "answered"
        assert on_host(address, port) == "answered"
        assert outside(port) == "answered"


def test_port_that_the_engine_chose(on_host, outside, published):
    """A port of the ephemeral range."""
    port = published("chosen")
    assert port >= 32768
    assert eventually(lambda: on_host("127.0.0.1", port)) == "answered"
    assert outside(port) == "answered"


def test_nothing_else_answers(on_host, outside):
    """A port that nobody published."""
    assert on_host("127.0.0.1", 8099) == "refused"
    assert outside(8099) == "refused"


def test_client_address_is_kept(docker, host, outside):
    """What pasta is chosen for: the container sees who asked."""
    assert outside(8081) == "answered"
    gateway = host.backend.get_variables()["lab_gateway"]
    assert eventually(lambda: gateway in docker("logs --tail 5 everywhere 2>&1"), wanted=True, seconds=5)


def test_root_owns_nothing_below_the_home(host):
    """The home is the user's own."""
    assert host.check_output(f"find /home/{USER} /home/bob -uid 0") == ""


def test_shell_finds_the_daemon(host):
    """DOCKER_HOST is set in a login shell."""
    assert "rootless" in host.check_output(f"runuser -l {USER} -c 'docker info --format {{{{.SecurityOptions}}}}'")


def test_second_user_has_a_daemon_of_its_own(host):
    """Another network driver, a nologin shell, and configuration of its own."""
    uid = host.user("bob").uid
    info = host.check_output(f"curl -sS --unix-socket /run/user/{uid}/docker.sock http://docker/info")
    assert '"Debug":true' in info
    assert "slirp4netns" in host.check_output("pgrep -u bob -l slirp4netns")
