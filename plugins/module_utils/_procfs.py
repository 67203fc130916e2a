# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes and listeners, read from /proc.

A user chooses the name and the arguments of each process of theirs. So nothing here goes by name
alone: RootlessKit's child is the one that STATE/child_pid names *and* that belongs to the user, its parent is the parent of
that, and pasta is the user's process that was told to serve that child. Processes may vanish between
two reads: what cannot be read is None, never an exception.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PROC = "/proc"
MAX_READ = 256 * 1024
MAX_PROCESSES = 100_000
DELETED = " (deleted)"


@dataclass(frozen=True)
class Process:
    """One process.

    :ivar uid: real uid, as this process sees it.
    :ivar state: one letter, as in proc(5); C(Z) is a zombie.
    :ivar start: start time in clock ticks since boot; with the pid it names a process for good.
    :ivar argv: empty for a zombie, or where it cannot be read.
    :ivar exe: path of what it runs, None where that may not be read.
    :ivar exe_deleted: the file at C(exe) was replaced or removed since.
    """

    pid: int
    ppid: int
    uid: int
    state: str
    start: int
    comm: str
    argv: tuple[str, ...] = ()
    exe: str | None = None
    exe_deleted: bool = False

    @property
    def alive(self) -> bool:
        """Not a zombie and not dead."""
        return self.state not in ("Z", "X", "x")

    @property
    def names(self) -> tuple[str, ...]:
        """Base names under which it may be known: of its binary, its first argument, its comm."""
        paths = (self.exe or "", self.argv[0] if self.argv else "", self.comm)
        return tuple(os.path.basename(path) for path in paths if path)


@dataclass(frozen=True)
class DaemonProcesses:
    """The processes of one user's rootless daemon; None or empty where there is none.

    :ivar parent: RootlessKit's parent, the main process of the unit.
    :ivar child: RootlessKit's child, which owns the namespaces.
    :ivar dockerd: below the child.
    :ivar containerd: the one that dockerd started; None where it was told to use another.
    :ivar pasta: every pasta of this child, zombies too.
    """

    parent: Process | None = None
    child: Process | None = None
    dockerd: Process | None = None
    containerd: Process | None = None
    pasta: tuple[Process, ...] = ()

    @property
    def live_pasta(self) -> Process | None:
        """The pasta that runs, if one does."""
        return next((process for process in self.pasta if process.alive), None)

    @property
    def pids(self) -> frozenset[int]:
        """All of them."""
        found = (self.parent, self.child, self.dockerd, self.containerd) + self.pasta
        return frozenset(process.pid for process in found if process is not None)


def read_bytes(path: str, limit: int = MAX_READ) -> bytes | None:
    """At most C(limit) bytes of a file below /proc; None when it cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        pieces = []
        left = limit
        while left > 0:
            piece = os.read(handle, min(left, 65536))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    except OSError:
        return None
    finally:
        os.close(handle)


def read_text(path: str, limit: int = MAX_READ) -> str | None:
    """As :func:`read_bytes`, decoded; bytes that are no UTF-8 are escaped."""
    raw = read_bytes(path, limit)
    return None if raw is None else raw.decode("utf-8", "backslashreplace")


def whole_number(text: str) -> int | None:
    """The number that a text is, of at most 15 digits; None when it is anything else.

    C(isdigit) says yes to digits that C(int) does not take, such as a superscript two.
    """
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


def parse_stat(text: str) -> tuple[str, str, int, int] | None:
    """comm, state, parent's pid and start time from /proc/PID/stat; None when it is no such line.

    comm may hold spaces and parentheses: it ends at the last one of the line.
    """
    begin, end = text.find("("), text.rfind(")")
    fields = text[end + 1 :].split()
    if begin < 0 or end < begin or len(fields) < 20:
        return None
    parent, start = whole_number(fields[1]), whole_number(fields[19])
    return None if parent is None or start is None else (text[begin + 1 : end], fields[0], parent, start)


def parse_uid(status: str) -> int | None:
    """The real uid from /proc/PID/status. Its Name line comes first and escapes line ends, so it cannot fake a Uid line."""
    match = re.search(r"^Uid:\s+([0-9]{1,10})\s", status, re.MULTILINE)
    return int(match.group(1)) if match else None


def parse_argv(raw: bytes) -> tuple[str, ...]:
    """Arguments from /proc/PID/cmdline."""
    if not raw:
        return ()
    return tuple(part.decode("utf-8", "backslashreplace") for part in raw.rstrip(b"\0").split(b"\0"))


def read_process(pid: int, proc: str = PROC) -> Process | None:
    """One process, None when it is gone."""
    base = f"{proc}/{pid}"
    stat = parse_stat(read_text(f"{base}/stat", 4096) or "")
    uid = parse_uid(read_text(f"{base}/status", 8192) or "")
    if stat is None or uid is None:
        return None
    comm, state, ppid, start = stat
    try:
        # As bytes: a name that is no UTF-8 would become text that nothing can print.
        exe: str | None = os.readlink(f"{base}/exe".encode()).decode("utf-8", "backslashreplace")
    except OSError:
        exe = None
    deleted = exe is not None and exe.endswith(DELETED)
    return Process(
        pid=pid,
        ppid=ppid,
        uid=uid,
        state=state,
        start=start,
        comm=comm,
        argv=parse_argv(read_bytes(f"{base}/cmdline") or b""),
        exe=exe[: -len(DELETED)] if exe is not None and deleted else exe,
        exe_deleted=deleted,
    )


def list_processes(uids: set[int] | frozenset[int] | None = None, proc: str = PROC) -> list[Process]:
    """Every process, or those of C(uids), by pid."""
    try:
        pids = sorted(pid for pid in map(whole_number, os.listdir(proc)) if pid)[:MAX_PROCESSES]
    except OSError:
        return []
    found = []
    for pid in pids:
        # One small read decides for most processes of a busy host.
        if uids is not None and parse_uid(read_text(f"{proc}/{pid}/status", 8192) or "") not in uids:
            continue
        process = read_process(pid, proc)
        if process is not None and (uids is None or process.uid in uids):
            found.append(process)
    return found


HIDES_ANYWAY = ("4", "ptraceable")
"""Values of hidepid with which no group is an exception."""


def hides_processes(mountinfo: str, groups: set[int]) -> bool:
    """Whether /proc hides a user's own processes from them if these may not be looked into, as pasta may not; pure.

    :param mountinfo: text of /proc/self/mountinfo.
    :param groups: of the user. The one that the mount names, or else root's, sees everything.
    """
    hidden = False
    for line in mountinfo.splitlines():
        fields, source = line.partition(" - ")[0].split(" "), line.partition(" - ")[2].split(" ")
        if len(fields) < 5 or len(source) < 3 or fields[4] != PROC:
            continue
        # A later mount lies over an earlier one.
        options = dict(option.partition("=")[::2] for option in source[2].split(",")) if source[0] == "proc" else {}
        hidepid, group = options.get("hidepid", "off"), whole_number(options.get("gid", "0"))
        hidden = hidepid not in ("0", "off") and (hidepid in HIDES_ANYWAY or group not in groups)
    return hidden


def processes_are_hidden() -> bool:
    """Whether that is so for this process, which sees everything as root."""
    if os.geteuid() == 0:
        return False
    return hides_processes(read_text(f"{PROC}/self/mountinfo", 8 * 1024 * 1024) or "", {os.getegid(), *os.getgroups()})


def is_pasta_name(name: str) -> bool:
    """Whether a program of this name can be pasta: passt takes pasta's part where the name that it was called by has C(pasta) in it."""
    return "pasta" in name or name.startswith("passt")


def is_pasta_of(process: Process, child: int, parent: int) -> bool:
    """Whether a process is the pasta of this RootlessKit: its last argument is the child's pid, or it joins the child's namespaces.

    A zombie has no arguments left; it is known by its parent (RootlessKit 2.0.2 keeps pasta as its child).
    """
    # comm is cut after 15 characters, and a script has its own there, not its interpreter's: a wrapper is none. A zombie has nothing else.
    names = (process.exe or "", process.argv[0]) if process.argv else (process.comm,)
    if not any(is_pasta_name(os.path.basename(name)) for name in names):
        return False
    if not process.argv:
        return process.ppid == parent
    return process.argv[-1] == str(child) or any(f"/proc/{child}/" in argument for argument in process.argv)


def _descends(process: Process, ancestor: int, by_pid: dict[int, Process]) -> bool:
    current: Process | None = process
    for _step in range(10):
        if current is None:
            return False
        if current.ppid == ancestor:
            return True
        current = by_pid.get(current.ppid)
    return False


def daemon_processes(uid: int, child_pid: int | None, processes: list[Process]) -> DaemonProcesses:
    """Tell which of a user's processes are their daemon's.

    :param uid: the user.
    :param child_pid: from STATE/child_pid; believed only if it is a process of the user's.
    :param processes: the user's processes, from :func:`list_processes`.
    """
    mine = {process.pid: process for process in processes if process.uid == uid}
    child = mine.get(child_pid) if child_pid else None
    if child is None:
        return DaemonProcesses()
    parent = mine.get(child.ppid)
    dockerd = next((p for p in mine.values() if "dockerd" in p.names and p.alive and _descends(p, child.pid, mine)), None)
    return DaemonProcesses(
        parent=parent,
        child=child,
        dockerd=dockerd,
        # dockerd's own child: a container may have a containerd, too, below a shim.
        containerd=next((p for p in mine.values() if dockerd and p.ppid == dockerd.pid and "containerd" in p.names and p.alive), None),
        pasta=tuple(p for p in mine.values() if is_pasta_of(p, child.pid, child.ppid)),
    )


def option_value(argv: tuple[str, ...], *names: str) -> str | None:
    """The last value of an option, written C(--name=value), C(--name value) or C(-n value); None when it is absent."""
    value = None
    for position, argument in enumerate(argv):
        for name in names:
            if argument == name:
                value = argv[position + 1] if position + 1 < len(argv) else ""
            elif name.startswith("--") and argument.startswith(name + "="):
                value = argument[len(name) + 1 :]
    return value


@dataclass(frozen=True)
class Listener:
    """A socket that takes connections, or over UDP datagrams of anybody.

    :ivar address: IPv4 in dotted form, or IPv6 without scope; C(0.0.0.0) and C(::) are all addresses.
    :ivar uid: of its owner.
    """

    address: str
    port: int
    uid: int
    inode: int
    protocol: str = "tcp"


def parse_tcp_address(text: str) -> tuple[str, int] | None:
    """Address and port from a table like /proc/net/tcp, whose words are in the byte order of the machine."""
    host, _colon, port = text.partition(":")
    try:
        address, number = _parse_host(host), int(port, 16)
    except ValueError:
        return None
    return None if address is None or number > 65535 else (address, number)


@functools.lru_cache(maxsize=4096)
def _parse_host(text: str) -> str | None:
    # A host has thousands of sockets and few addresses.
    raw = bytes.fromhex(text)
    if len(raw) not in (4, 16):
        return None
    if sys.byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    return str(ipaddress.ip_address(raw))


LISTENS = {"tcp": "0A", "udp": "07"}
"""The kernel's number of the state in which a socket of a protocol takes what comes from anybody."""


def parse_listeners(text: str, protocol: str = "tcp") -> list[Listener]:
    """Listening sockets of /proc/net/tcp, tcp6, udp or udp6; lines of another form are skipped."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != LISTENS[protocol]:
            continue
        where, uid, inode = parse_tcp_address(fields[1]), whole_number(fields[7]), whole_number(fields[9])
        if where is not None and uid is not None and inode is not None:
            found.append(Listener(where[0], where[1], uid, inode, protocol))
    return found


def parse_connected_ports(text: str, protocol: str = "tcp") -> set[int]:
    """Local ports of the sockets of /proc/net/tcp, tcp6, udp or udp6 that do not listen; those in TIME-WAIT count."""
    rows = [line.split(None, 4) for line in text.splitlines()[1:]]
    places = [parse_tcp_address(fields[1]) for fields in rows if len(fields) == 5 and fields[3] != LISTENS[protocol]]
    return {place[1] for place in places if place is not None}


def _net_table(proc: str, pid: int | str, table: str) -> str:
    return read_text(f"{proc}/{pid}/net/{table}", 16 * 1024 * 1024) or ""


def read_connected_ports(proc: str = PROC) -> set[int]:
    """Ports that connections of this process's network namespace use at its end, and over UDP conversations: pasta has one for each of a
    container's."""
    tables = ((protocol, protocol + suffix) for protocol in LISTENS for suffix in ("", "6"))
    return set().union(*(parse_connected_ports(_net_table(proc, "self", table), protocol) for protocol, table in tables))


def read_listeners(pid: int | str = "self", proc: str = PROC) -> list[Listener]:
    """Sockets that listen in a process's network namespace: TCP over IPv4 and IPv6, then UDP."""
    return [
        listener
        for protocol in LISTENS
        for table in (protocol, protocol + "6")
        for listener in parse_listeners(_net_table(proc, pid, table), protocol)
    ]


def socket_owners(inodes: set[int], first: Iterable[int] = (), proc: str = PROC) -> dict[int, int]:
    """Which process holds each of these sockets: inode to pid, the first that is found.

    Without root only one's own processes can be looked into; a socket that is missing in the answer belongs to somebody else.

    :param first: processes that are looked at before all others. When they hold all, no other one is.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, int] = {}
    for pid in _each_once(first, proc):
        if len(found) == len(wanted):
            break
        try:
            handles = os.listdir(f"{proc}/{pid}/fd")
        except OSError:
            continue
        for handle in handles:
            try:
                inode = wanted.get(os.readlink(f"{proc}/{pid}/fd/{handle}"))
            except OSError:
                continue
            if inode is not None:
                found.setdefault(inode, pid)
    return found


def _each_once(first: Iterable[int], proc: str) -> Iterator[int]:
    """These pids, then all others."""
    seen = frozenset(first)
    yield from seen
    with contextlib.suppress(OSError):
        yield from [pid for pid in map(whole_number, os.listdir(proc)) if pid and pid not in seen][:MAX_PROCESSES]
