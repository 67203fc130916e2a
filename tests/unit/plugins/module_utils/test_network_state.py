# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _network_state as core
from ansible_collections.portside.rootless_docker.plugins.module_utils._rootlesskit import Info

SCRIPT = "/usr/share/docker.io/contrib/dockerd-rootless.sh"
# From hosts: RootlessKit 3.2.0 with the Engine 26.1.5's launch script, and what it started.
KIT = (
    "docker-rootlesskit", "--state-dir=/run/user/1000/dockerd-rootless", "--net=pasta", "--mtu=65520", "--slirp4netns-sandbox=auto",
    "--slirp4netns-seccomp=auto", "--disable-host-loopback", "--port-driver=implicit", "--copy-up=/etc", "--copy-up=/run",
    "--propagation=rslave", SCRIPT, "--config-file=/etc/rootless-docker/alice/daemon.json",
)  # fmt: skip
PASTA = (
    "pasta", "--stderr", "--ns-ifname=tap0", "--mtu=65520", "--config-net", "--address=10.0.2.100", "--netmask=24", "--gateway=10.0.2.2",
    "--dns-forward=10.0.2.3", "--no-map-gw", "--tcp-ns=none", "--udp-ns=none", "--ipv4-only", "--tcp-ports=auto", "--udp-ports=auto",
    "--host-lo-to-ns-lo", "933",
)  # fmt: skip
PASTA6 = (*PASTA[:12], "--address=fd00::100", "--gateway=fd00::2", *PASTA[13:])
SLIRP = ("slirp4netns", "--mtu", "65520", "-r", "3", "--disable-host-loopback", "--enable-sandbox", "--enable-seccomp", "890", "tap0")


def less(argv, *options):
    return tuple(argument for argument in argv if argument not in options)


@pytest.mark.parametrize(
    ("argv", "options"),
    [
        (KIT, KIT[1:11]),
        # dockerd has a --mtu, too.
        (("rootlesskit", "--net=pasta", SCRIPT, "--mtu=1400"), ("--net=pasta",)),
        (("rootlesskit", "--cidr", "10.9.0.0/24", "/opt/bin/dockerd", "--mtu=1400"), ("--cidr", "10.9.0.0/24")),
        (("rootlesskit", "--net=pasta"), ("--net=pasta",)),
        (("rootlesskit",), ()),
        ((), ()),
    ],
)
def test_own_options(argv, options):
    assert core.own_options(argv) == options


@pytest.mark.parametrize(
    ("options", "differ"),
    [
        (KIT[1:11], {}),
        ((*KIT[1:11], "--ipv6"), {"ipv6": True}),
        ((*KIT[1:11], "--ipv6=false"), {}),
        ((*KIT[1:11], "--cidr", "10.9.0.0/24"), {"cidr": "10.9.0.0/24"}),
        ((*KIT[1:11], "--mtu=1500"), {"mtu": 1500}),
        ((*KIT[1:11], "--mtu=many"), {"mtu": None}),
        ((*KIT[1:11], "--detach-netns"), {"detached_netns": True}),
        (less(KIT[1:11], "--disable-host-loopback"), {"host_loopback": "open"}),
        (
            (*KIT[1:11], "--pasta-binary=/usr/local/libexec/rootless-docker/pasta"),
            {"pasta_binary": "/usr/local/libexec/rootless-docker/pasta"},
        ),
        ((*KIT[1:11], "--net=\x1b"), {"driver": "\\x1b"}),
    ],
)
def test_asked_for(options, differ):
    assert core.asked_for(options) == {
        "driver": "pasta", "port_driver": "implicit", "mtu": 65520, "ipv6": False, "cidr": None, "host_loopback": "closed",
        "detached_netns": False, "pasta_binary": None, **differ,
    }  # fmt: skip


P = core.PREFIX


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({}, ("--disable-host-loopback",)),
        ({f"{P}NET": "pasta", f"{P}MTU": "1500", f"{P}PORT_DRIVER": "implicit"},
         ("--net=pasta", "--mtu=1500", "--port-driver=implicit", "--disable-host-loopback")),
        ({f"{P}NET": ""}, ("--disable-host-loopback",)),
        ({f"{P}DISABLE_HOST_LOOPBACK": "false"}, ()),
        ({f"{P}DETACH_NETNS": "true", f"{P}FLAGS": " --ipv6  --cidr 10.9.0.0/24 "},
         ("--disable-host-loopback", "--detach-netns", "--ipv6", "--cidr", "10.9.0.0/24")),
    ],
)  # fmt: skip
def test_options_of_environment(variables, options):
    assert core.options_of_environment(variables) == options


@pytest.mark.parametrize(
    ("title", "driver", "pasta", "slirp4netns", "state"),
    [
        ("RootlessKit 3.2.0", "pasta", PASTA, (), "closed"),
        ("by the short names", "pasta", (*less(PASTA, "--tcp-ns=none", "--udp-ns=none"), "-T", "none", "-U", "none"), (), "closed"),
        ("RootlessKit 2.3.6", "pasta", less(PASTA, "--tcp-ns=none", "--udp-ns=none"), (), "mirrored"),
        ("TCP alone closed", "pasta", less(PASTA, "--udp-ns=none"), (), "mirrored"),
        ("opened by the operator", "pasta", less(PASTA, "--no-map-gw"), (), "open"),
        ("opened by another address", "pasta", (*PASTA, "--map-host-loopback=10.0.2.9"), (), "open"),
        ("closed by that option", "pasta", (*PASTA, "--map-host-loopback=none"), (), "closed"),
        ("pasta is dead", "pasta", (), (), "unknown"),
        ("slirp4netns", "slirp4netns", (), SLIRP, "closed"),
        ("slirp4netns, opened", "slirp4netns", (), less(SLIRP, "--disable-host-loopback"), "open"),
        ("in RootlessKit itself", "gvisor-tap-vsock", (), (), "closed"),
        ("another driver", "lxc-user-nic", (), (), "unknown"),
        ("nothing is known", None, (), (), "unknown"),
    ],
)
def test_host_loopback(title, driver, pasta, slirp4netns, state):
    assert core.host_loopback(driver, pasta, slirp4netns, KIT[1:11]) == state, title


@pytest.mark.parametrize(
    ("pasta", "slirp4netns", "cidr"),
    [
        (PASTA, (), "10.0.2.0/24"),
        (PASTA6, (), "10.0.2.0/24"),
        (tuple(argument.replace("10.0.2", "10.9.8").replace("=24", "=20") for argument in PASTA), (), "10.9.0.0/20"),
        (("pasta", "-a", "10.9.8.7", "-n", "255.255.0.0"), (), "10.9.0.0/16"),
        (("pasta", "--address=nonsense"), (), None),
        (("pasta", "-a"), (), None),
        ((), SLIRP, "10.0.2.0/24"),
        ((), (*SLIRP, "--cidr=10.9.0.0/24"), "10.9.0.0/24"),
        ((), (), None),
    ],
)
def test_cidr(pasta, slirp4netns, cidr):
    assert core.cidr_in_effect(pasta, slirp4netns) == cidr


INFO = Info("3.2.0", "pasta", None, child_ip="10.0.2.100", dns=("10.0.2.3",))


def flat(state):
    return {key: tuple(value.values()) if isinstance(value, dict) else value for key, value in state.items()}


@pytest.mark.parametrize(
    ("title", "options", "info", "pasta", "slirp4netns", "differ"),
    [
        ("sound", KIT[1:11], INFO, PASTA, (), {}),
        ("IPv6, and RootlessKit says so", (*KIT[1:11], "--ipv6"), Info("3.2.0", "pasta", None, ipv6=True), PASTA6, (),
         {"ipv6": (True, True), "child_ip": None, "dns": []}),
        ("IPv6, and RootlessKit is too old to say it", (*KIT[1:11], "--ipv6"), INFO, PASTA6, (), {"ipv6": (True, True)}),
        ("pasta is dead", KIT[1:11], INFO, (), (),
         {"mtu": (65520, None), "ipv6": (False, None), "host_loopback": ("closed", "unknown")}),
        ("no port driver at all", (*KIT[1:11], "--port-driver=none"), INFO, PASTA, (), {"port_driver": ("none", "none")}),
        ("pesto", (*KIT[1:11], "--port-driver=pesto"), Info("3.2.0", "pasta", "pesto"), PASTA, (),
         {"port_driver": ("pesto", "pesto"), "child_ip": None, "dns": []}),
        ("slirp4netns", ("--net=slirp4netns", "--port-driver=builtin", "--disable-host-loopback"), Info("3.2.0", "slirp4netns", "builtin"),
         (), SLIRP, {"driver": ("slirp4netns",) * 2, "port_driver": ("builtin",) * 2, "mtu": (None, 65520), "child_ip": None, "dns": []}),
        ("RootlessKit gives no answer", KIT[1:11], None, PASTA, (),
         {"driver": ("pasta", None), "port_driver": ("implicit", None), "ipv6": (False, None), "child_ip": None, "dns": [],
          "host_loopback": ("closed", "unknown")}),
        ("nothing runs and nothing is declared", (), None, (), (),
         {"driver": (None, None), "port_driver": (None, None), "mtu": (None, None), "ipv6": (None, None), "cidr": None, "child_ip": None,
          "dns": [], "host_loopback": (None, "unknown"), "detached_netns": (None, False)}),
    ],
)  # fmt: skip
def test_network_state(title, options, info, pasta, slirp4netns, differ):
    assert flat(core.network_state(options, info, pasta, slirp4netns, False)) == {
        "driver": ("pasta", "pasta"), "port_driver": ("implicit", "implicit"), "mtu": (65520, 65520), "ipv6": (False, False),
        "cidr": "10.0.2.0/24", "child_ip": "10.0.2.100", "dns": ["10.0.2.3"], "host_loopback": ("closed", "closed"),
        "detached_netns": (False, False), "pasta_binary": None, **differ,
    }, title  # fmt: skip
