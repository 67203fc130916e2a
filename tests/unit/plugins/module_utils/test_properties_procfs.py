# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can write into /proc, by the names and arguments of their processes, never breaks or fools a parser."""

from __future__ import annotations

import ipaddress
import os
import sys

from ansible_collections.portside.rootless_docker.plugins.module_utils import _procfs as procfs
from hypothesis import given
from hypothesis import strategies as st

UID = 1000
ANY_BYTES = st.binary(max_size=200)
# What a process may be called, and what would fool a reader that is not careful.
COMM = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=15),
    st.sampled_from(["Uid:\t0\t0", "x\nUid:\t0\t0\t", "a) R 1 2 (b", ") S 0 0 0", "a (deleted)", "\\nUid:\t0 "]),
)
PIDS = st.integers(1, 12)
ADDRESS = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
STATES = st.sampled_from(["01", "06", "0A", "07"])
SOCKET = st.tuples(ADDRESS, st.integers(0, 65535), STATES, st.integers(0, 2**32 - 1), st.integers(0, 10**12))
# comm is what prctl(2) was given: any bytes but a NUL.
STAT = st.binary(max_size=15).map(lambda comm: b"7 (" + comm.replace(b"\0", b"") + b") S " + b"1 " * 40)
THERE = st.sampled_from([{"stat", "status", "cmdline", "exe"}, {"stat", "status", "exe"}, {"stat", "status"}, {"status"}, {"stat"}])
PROCESSES = st.lists(
    st.builds(
        procfs.Process,
        pid=PIDS,
        ppid=PIDS,
        uid=st.sampled_from([0, UID, 1001]),
        state=st.sampled_from("SRZX"),
        start=st.integers(0, 9),
        comm=st.sampled_from(["dockerd", "pasta", "pasta.avx2", "exe", ""]),
        argv=st.lists(st.one_of(PIDS.map(str), st.sampled_from(["pasta", "dockerd", "/proc/3/ns/net"])), max_size=4).map(tuple),
        exe=st.sampled_from([None, "/usr/bin/pasta", "/usr/bin/dockerd"]),
    ),
    max_size=12,
)


def table_address(address, port):
    """As the kernel prints it: each word of four bytes in the machine's own order."""
    raw = address.packed
    if sys.byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    return f"{raw.hex().upper()}:{port:04X}"


def row(entry):
    address, port, state, uid, inode = entry
    return f"  0: {table_address(address, port)} 00000000:0000 {state} 0:0 00:0 0 {uid:5d} 0 {inode} 1 0 100 0 0 10 0"


@given(st.text())
def test_parse_stat_of_any_text(text):
    found = procfs.parse_stat(text)
    assert found is None or (found[2] >= 0 and found[3] >= 0 and found[0] in text)


@given(COMM, st.sampled_from("RSDZTtXI"), st.integers(0, 2**22), st.integers(0, 10**14))
def test_no_name_of_a_process_fools_parse_stat(comm, state, ppid, start):
    assert procfs.parse_stat(f"7 ({comm}) {state} {ppid} {'1 ' * 17}{start} {'2 ' * 30}\n") == (comm, state, ppid, start)


@given(COMM, st.integers(0, 2**32 - 1))
def test_no_name_of_a_process_fools_parse_uid(comm, uid):
    # The kernel escapes the line end and the backslash in that line, and nothing else.
    name = comm.replace("\\", "\\\\").replace("\n", "\\n")
    assert procfs.parse_uid(f"Name:\t{name}\nUmask:\t0022\nState:\tS\nUid:\t{uid}\t0\t0\t0\n") == uid


@given(st.text())
def test_parse_uid_of_any_text(text):
    found = procfs.parse_uid(text)
    assert found is None or 0 <= found < 10**10


@given(st.lists(st.binary(max_size=20).map(lambda part: part.replace(b"\0", b"")), max_size=8))
def test_parse_argv_keeps_every_argument(arguments):
    found = procfs.parse_argv(b"".join(part + b"\0" for part in arguments))
    while arguments and not arguments[-1]:
        arguments.pop()
    # Empty ones at the end cannot be told from padding.
    assert [part for part in found if part] == [part.decode("utf-8", "backslashreplace") for part in arguments if part]


@given(ANY_BYTES)
def test_parse_argv_of_any_bytes(raw):
    found = procfs.parse_argv(raw)
    assert len(found) <= len(raw)
    # No half of a surrogate pair, which no file and no terminal takes.
    "".join(found).encode()


@st.composite
def rubbish(draw):
    """No row of the kernel's, but often like one in all but one field."""
    fields = row(draw(SOCKET)).split()
    strange = st.sampled_from(["", "0A", "²", "-1", "9" * 30, "0100007F:1FFFF", "0100007F:", ":0050", "ZZ:0050", "0\x85", "0100007F:-1"])
    fields[draw(st.integers(0, len(fields) - 1))] = draw(strange)
    return draw(st.one_of(st.text(max_size=60), st.just(" ".join(fields))))


@given(st.lists(st.one_of(SOCKET, rubbish()), max_size=10))
def test_listeners_are_the_rows_that_listen_and_nothing_else(entries):
    def parsed(lines):
        return [(entry.address, entry.port, entry.uid, entry.inode) for entry in procfs.parse_listeners("\n".join(["heading", *lines]))]

    expected = []
    for entry in entries:
        if isinstance(entry, tuple):
            address, port, state, uid, inode = entry
            expected += [(str(address), port, uid, inode)] if state == "0A" else []
        else:
            # By chance it may be a row; then it is one wherever it stands.
            expected += parsed([entry])
    text = [row(entry) if isinstance(entry, tuple) else entry for entry in entries]
    assert parsed(text) == expected
    for address, port, uid, inode in expected:
        assert ipaddress.ip_address(address) and 0 <= port <= 65535 and uid >= 0 and inode >= 0
    connected = procfs.parse_connected_ports("\n".join(["heading", *text]))
    assert {entry[1] for entry in entries if isinstance(entry, tuple) and entry[2] != "0A"} <= connected


@given(st.text(max_size=300))
def test_tables_of_any_text(text):
    procfs.parse_listeners(text)
    assert all(0 <= port <= 65535 for port in procfs.parse_connected_ports(text))


@given(ADDRESS, st.integers(0, 65535))
def test_table_addresses_survive(address, port):
    assert procfs.parse_tcp_address(table_address(address, port)) == (str(address), port)


@given(st.one_of(st.text(max_size=60), st.from_regex(r"\A([0-9A-F]{2}){0,20}:[0-9A-F]{0,6}\Z")))
def test_table_address_of_any_text(text):
    found = procfs.parse_tcp_address(text)
    assert found is None or (ipaddress.ip_address(found[0]) and 0 <= found[1] <= 65535)


@given(PROCESSES, st.one_of(st.none(), PIDS, st.just(0)))
def test_only_the_users_own_processes_are_their_daemons(processes, child_pid):
    found = procfs.daemon_processes(UID, child_pid, processes)
    named = [process for process in (found.parent, found.child, found.dockerd, *found.pasta) if process]
    assert all(process.uid == UID and process in processes for process in named)
    assert found.child is None or found.child.pid == child_pid
    assert found.live_pasta is None or found.live_pasta.alive


@given(st.lists(st.sampled_from(["-t", "--tcp-ports", "--tcp-ports=1", "--tcp-ports=", "-t1", "", "x"]), max_size=6))
def test_the_last_value_of_an_option_counts(argv):
    expected = None
    for position, argument in enumerate(argv):
        if argument in ("-t", "--tcp-ports"):
            expected = "".join(argv[position + 1 : position + 2])
        elif argument.startswith("--tcp-ports="):
            expected = argument.partition("=")[2]
    assert procfs.option_value(tuple(argv), "--tcp-ports", "-t") == expected


@given(stat=st.one_of(ANY_BYTES, STAT), status=ANY_BYTES, cmdline=ANY_BYTES, there=THERE)
def test_a_process_of_any_bytes(tmp_path_factory, stat, status, cmdline, there):
    proc = tmp_path_factory.mktemp("proc")
    (proc / "7").mkdir()
    for name, data in (("stat", stat), ("status", b"Uid:\t5\t5\t5\t5\n" + status), ("cmdline", cmdline)):
        if name in there:
            (proc / "7" / name).write_bytes(data)
    if "exe" in there:
        os.symlink(b"/x" + stat.replace(b"\0", b"") + b" (deleted)", os.fsencode(proc / "7" / "exe"))
    found = procfs.read_process(7, str(proc))
    assert procfs.list_processes({5}, str(proc)) == ([found] if found else [])
    assert found is None or found.uid == 5
    if found:
        "".join([found.comm, found.exe or "", *found.argv]).encode()


def test_processes_that_vanish_while_they_are_read():
    """A storm of processes that live for a moment: each is read whole, or is not there."""
    children = []
    try:
        for _round in range(25):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            children.append(pid)
            for process in procfs.list_processes({os.getuid()}):
                assert process.pid > 0 and process.uid == os.getuid()
            procfs.socket_owners({1})
            if len(children) > 5:
                os.waitpid(children.pop(0), 0)
    finally:
        for pid in children:
            os.waitpid(pid, 0)
