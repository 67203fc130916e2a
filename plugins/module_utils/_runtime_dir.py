# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and sockets below a user's runtime directory, opened without trusting the user.

The user owns /run/user/UID and can put a symbolic link, a FIFO or somebody else's socket at any
name in it. So each path component is opened from its parent without following links, and what was
opened is judged by its descriptor, not by its name.
"""

from __future__ import annotations

import os
import socket
import stat
import struct

RUNTIME_ROOT = "/run/user"


class Untrusted(OSError):
    """What is at the path is not what it should be: wrong kind, wrong owner, or a link."""


def _open_parent(uid: int, parts: tuple[str, ...], root: str) -> int:
    """Open the directory that holds the last of C(parts); the caller closes the descriptor."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    current = os.open(os.path.join(root, str(uid)), flags)
    try:
        for part in parts[:-1]:
            following = os.open(part, flags, dir_fd=current)
            os.close(current)
            current = following
    except BaseException:
        os.close(current)
        raise
    return current


def _require(info: os.stat_result, kind: bool, uid: int, what: str) -> None:
    if not kind:
        raise Untrusted(f"{what} is not of the expected kind (a link, a FIFO or another file)")
    if info.st_uid != uid:
        raise Untrusted(f"{what} belongs to uid {info.st_uid}, not to uid {uid}")


def read_runtime_file(uid: int, *parts: str, limit: int = 4096, root: str = RUNTIME_ROOT) -> bytes:
    """The first C(limit) bytes of the regular file /run/user/UID/PARTS.

    :raises OSError: when it is absent or unreadable; :class:`Untrusted` when it is a link, no regular file or not the user's.
    """
    parent = _open_parent(uid, parts, root)
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        handle = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        info = os.fstat(handle)
        _require(info, stat.S_ISREG(info.st_mode), uid, os.path.join(root, str(uid), *parts))
        return os.read(handle, limit)
    finally:
        os.close(handle)


def peer_uid(connection: socket.socket) -> int:
    """The uid, as this process sees it, of whoever listens at the other end of a Unix socket."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", raw)[1]


def connect_runtime_socket(uid: int, *parts: str, timeout: float, root: str = RUNTIME_ROOT) -> socket.socket:
    """Connect to the stream socket /run/user/UID/PARTS, which the user must own and listen on.

    :param timeout: seconds for the connect.
    :raises OSError: as connect(2); :class:`Untrusted` when the socket or its listener is not the user's.
    """
    path = os.path.join(root, str(uid), *parts)
    parent = _open_parent(uid, parts, root)
    try:
        handle = os.open(parts[-1], os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        info = os.fstat(handle)
        _require(info, stat.S_ISSOCK(info.st_mode), uid, path)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connection.settimeout(max(timeout, 0.01))
            # Through the descriptor: the name may have been replaced since it was looked at.
            connection.connect(f"/proc/self/fd/{handle}")
            listener = peer_uid(connection)
            if listener != uid:
                raise Untrusted(f"{path} is listened on by uid {listener}, not by uid {uid}")
        except BaseException:
            connection.close()
            raise
        return connection
    finally:
        os.close(handle)
