# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _procfs as procfs

STAT = "318 (%s) S 300 318 318 0 -1 4194624 1 0 0 0 1 2 0 0 20 0 1 0 163046 5 6 7 8"
CHILD = 532


def process(pid, ppid=1, uid=1000, state="S", comm="x", argv=(), exe=None):
    return procfs.Process(pid, ppid, uid, state, 1, comm, tuple(argv), exe)


@pytest.mark.parametrize("comm", ["pasta.avx2", "a b", "a) S 1 (b", ")"])
def test_parse_stat_takes_any_comm(comm):
    assert procfs.parse_stat(STAT % comm) == (comm, "S", 300, 163046)


@pytest.mark.parametrize("text", ["", "318", "318 (x) S", "318 x S 1", ") ( S 1"])
def test_parse_stat_of_something_else(text):
    assert procfs.parse_stat(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("532", 532), ("", None), ("\u00b2", None), ("\u0662", None), ("-1", None), ("9" * 16, None)]
)
def test_whole_number(text, number):
    assert procfs.whole_number(text) == number


def test_parse_uid():
    assert procfs.parse_uid("Name:\tUid:\t0\nUid:\t1000\t0\t0\t0\n") == 1000
    assert procfs.parse_uid("Name:\tx\n") is None


def test_parse_argv():
    assert procfs.parse_argv(b"pasta\0--mtu=1\0\xff\0") == ("pasta", "--mtu=1", "\\xff")
    assert procfs.parse_argv(b"") == ()


@pytest.mark.parametrize(
    ("candidate", "is_pasta"),
    [
        (process(1, comm="pasta.avx2", argv=["pasta", "--mtu=1", str(CHILD)]), True),
        (process(1, comm="x", argv=["/usr/bin/pasta", "--netns=/proc/532/root/run/x"]), True),
        (process(1, comm="x", argv=["y", str(CHILD)], exe="/usr/bin/pasta.avx2"), True),
        (process(1, comm="pasta-20260728", argv=["/opt/passt/pasta-20260728", str(CHILD)]), True),
        (process(1, comm="my-own-build-of", argv=["my-own-build-of-pasta", str(CHILD)], exe="/opt/my-own-build-of-pasta.avx2"), True),
        (process(1, comm="passt.avx2", argv=["/usr/bin/pasta", str(CHILD)], exe="/usr/bin/passt.avx2"), True),
        # A folder is no name, and a script has its interpreter's.
        (process(1, comm="y", argv=["/opt/pasta/y", str(CHILD)], exe="/opt/pasta/y"), False),
        (process(1, comm="pasta-wrapper", argv=["/bin/sh", "/opt/pasta-wrapper", str(CHILD)], exe="/usr/bin/dash"), False),
        (process(1, comm="pasta-20260728", argv=["/opt/passt/pasta-20260728", "5320"]), False),
        (process(1, ppid=522, comm="pasta-20260728", state="Z"), True),
        (process(1, ppid=522, comm="passt.avx2", state="Z"), True),
        (process(1, ppid=522, comm="pasta.avx2", state="Z"), True),
        (process(1, ppid=9, comm="pasta.avx2", state="Z"), False),
        (process(1, comm="pasta", argv=["pasta", "5320"]), False),
        (process(1, comm="pasta", argv=["pasta", "--netns=/proc/5321/ns/net"]), False),
        (process(1, comm="bash", argv=["bash", str(CHILD)]), False),
    ],
)
def test_is_pasta_of(candidate, is_pasta):
    assert procfs.is_pasta_of(candidate, CHILD, 522) is is_pasta


def test_daemon_processes():
    parent, child = process(522, 511), process(CHILD, 522)
    dockerd = process(562, CHILD, comm="dockerd")
    faked = process(700, 1, comm="dockerd")
    zombie = process(558, 522, comm="pasta.avx2", state="Z")
    pasta = process(559, 511, comm="pasta.avx2", argv=["pasta", str(CHILD)])
    containerd = process(570, 562, comm="containerd", exe="/usr/bin/containerd")
    found = procfs.daemon_processes(1000, CHILD, [parent, child, faked, dockerd, zombie, pasta, containerd])
    assert (found.parent, found.child, found.dockerd, found.containerd) == (parent, child, dockerd, containerd)
    assert found.pasta == (zombie, pasta) and found.live_pasta == pasta
    assert found.pids == {522, CHILD, 562, 558, 559, 570}


def test_a_process_of_another_user_is_never_taken_for_pasta():
    parent, child = process(522, 511), process(CHILD, 522)
    of_bob = process(559, 511, uid=1001, comm="pasta-own", argv=["/opt/pasta-own", str(CHILD)])
    own = process(560, 511, comm="pasta-own", argv=["/opt/pasta-own", str(CHILD)])
    assert procfs.daemon_processes(1000, CHILD, [parent, child, of_bob]).pasta == ()
    assert procfs.daemon_processes(1000, CHILD, [parent, child, of_bob, own]).pasta == (own,)


SHIM = process(571, 570, comm="containerd-shim", argv=["/usr/bin/containerd-shim-runc-v2"], exe="/usr/bin/containerd-shim-runc-v2")


@pytest.mark.parametrize(
    ("title", "others"),
    [
        ("none yet, or one that --containerd names", [process(570, 1, comm="containerd")]),
        ("one that ended", [process(570, 562, comm="containerd", state="Z")]),
        ("another child of dockerd", [process(570, 562, comm="docker-proxy")]),
        ("a shim", [SHIM, process(572, 562, comm="containerd-shim")]),
        ("a container's", [process(573, 571, comm="dockerd"), process(574, 573, comm="containerd"), process(575, 571, comm="containerd")]),
        ("somebody else's", [process(570, 562, uid=0, comm="containerd")]),
    ],
)
def test_what_is_not_the_daemons_containerd(title, others):
    daemon = [process(522, 511), process(CHILD, 522), process(562, CHILD, comm="dockerd")]
    found = procfs.daemon_processes(1000, CHILD, [*daemon, *others])
    assert found.dockerd == daemon[2] and found.containerd is None, title


@pytest.mark.parametrize("child_pid", [None, 0, 1, 999])
def test_a_child_pid_that_is_not_the_users_is_not_believed(child_pid):
    assert procfs.daemon_processes(1000, child_pid, [process(1, 0, uid=0), process(CHILD)]) == procfs.DaemonProcesses()


@pytest.mark.parametrize(
    ("argv", "value"),
    [
        (["--tcp-ports=auto"], "auto"),
        (["-t", "1-2,auto", "--tcp-ports=auto"], "auto"),
        (["--tcp-ports", "none"], "none"),
        (["-t"], ""),
        (["--tcp-portsx=1"], None),
    ],
)
def test_option_value(argv, value):
    assert procfs.option_value(tuple(argv), "--tcp-ports", "-t") == value


TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0 100 0 0 10 0
   3: 00000000000000000000000001000000:0050 00:0000 0A 00000000:00000000 00:00000000 00000000     7        0 4714 1 0
   4: nonsense
   5: 0100007F:FFFFF 00000000:0000 0A 0:0 0:0 0 0 0 1 1
"""


def test_parse_listeners():
    found = procfs.parse_listeners(TABLE)
    assert [(x.address, x.port, x.uid, x.inode) for x in found] == [
        ("127.0.0.1", 8080, 1000, 4711),
        ("0.0.0.0", 22, 0, 4712),
        ("::1", 80, 7, 4714),
    ]


def test_parse_udp_listeners():
    table = TABLE.replace(" 0A ", " 07 ", 1)
    assert [(x.address, x.port, x.protocol) for x in procfs.parse_listeners(table, "udp")] == [("127.0.0.1", 8080, "udp")]


def test_parse_connected_ports():
    assert procfs.parse_connected_ports(TABLE) == {8080}
    assert procfs.parse_connected_ports(TABLE.replace(" 01 ", " 07 "), "udp") == {8080, 22, 80}


def test_own_process_and_listener_are_found():
    me = procfs.read_process(os.getpid())
    assert me is not None and me.uid == os.getuid() and me.alive and me.argv
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        listener = next(x for x in procfs.read_listeners() if x.port == port and x.address == "127.0.0.1")
        assert procfs.socket_owners({listener.inode}) == {listener.inode: os.getpid()}
        assert procfs.socket_owners({listener.inode}, [os.getpid()], "/nonexistent") == {}


def test_owners_that_are_looked_at_first_spare_the_others(tmp_path):
    for pid, inode in ((7, 70), (8, 80)):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "fd" / "3").symlink_to(f"socket:[{inode}]")
        (tmp_path / str(pid) / "fd" / "4").symlink_to("socket:[90]")
    assert procfs.socket_owners({80, 90}, [8], str(tmp_path)) == {80: 8, 90: 8}
    assert procfs.socket_owners({70, 80, 91}, [8], str(tmp_path)) == {70: 7, 80: 8}


def test_a_process_that_is_gone():
    assert procfs.read_process(2**22 + 1) is None


def mount(options, point="/proc", kind="proc"):
    return f"24 30 0:22 / {point} rw,nosuid,nodev,noexec,relatime shared:13 - {kind} {kind} {options}\n"


# As Linux 6.18 writes it, and as Linux before 5.8 did; seen with each value and a process that may not be looked into.
@pytest.mark.parametrize(
    ("text", "groups", "hidden"),
    [
        (mount("rw"), {1000}, False),
        (mount("rw,hidepid=off"), {1000}, False),
        (mount("rw,hidepid=0"), {1000}, False),
        (mount("rw,hidepid=noaccess"), {1000}, True),
        (mount("rw,hidepid=invisible"), {1000}, True),
        (mount("rw,hidepid=ptraceable"), {1000}, True),
        (mount("rw,hidepid=2"), {1000}, True),
        (mount("rw,hidepid=invisible"), {1000, 0}, False),
        (mount("rw,gid=27,hidepid=invisible"), {1000, 27}, False),
        (mount("rw,gid=27,hidepid=invisible"), {1000, 0}, True),
        (mount("rw,hidepid=ptraceable"), {1000, 0}, True),
        # Only what is not about a process is hidden.
        (mount("rw,subset=pid"), {1000}, False),
        (mount("rw,hidepid=invisible", "/srv/chroot/proc"), {1000}, False),
        (mount("rw") + mount("rw,hidepid=invisible"), {1000}, True),
        (mount("rw,hidepid=invisible") + mount("rw"), {1000}, False),
        (mount("rw,hidepid=invisible", kind="tmpfs"), {1000}, False),
        ("\n - \n - proc\nx - proc proc\n", {1000}, False),
        ("", set(), False),
    ],
)
def test_hidden_processes(text, groups, hidden):
    assert procfs.hides_processes(text, groups) is hidden
