# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments that need a look at the host, judged before anything is done."""

from __future__ import annotations

import ipaddress
import os
import pwd

from ansible_collections.portside.rootless_docker.plugins.module_utils._addresses import global_addresses, host_addresses


class BadArgument(Exception):
    """An argument that cannot be used; the text names it, the cause and the remedy."""


def find_account(name: str | None) -> pwd.struct_passwd:
    """The account of a user, of this process's user when C(name) is None.

    :raises BadArgument: when there is none, or when this process may not look at that user's daemon.
    """
    me = os.geteuid()
    try:
        account = pwd.getpwuid(me) if name is None else pwd.getpwnam(name)
    except (KeyError, ValueError) as error:
        raise BadArgument(f"user {name or me} does not exist on this host: name one whose daemon is to be checked") from error
    if me not in (0, account.pw_uid):
        raise BadArgument(f"user is {account.pw_name}, and this runs as uid {me}: only root can check another user's daemon (become)")
    return account


def checked_timeout(seconds: float) -> float:
    """The same number.

    :raises BadArgument: when it is not between 1 and 600.
    """
    if not 1 <= seconds <= 600:
        raise BadArgument(f"timeout is {seconds}: it must be between 1 and 600 seconds")
    return seconds


def own_addresses(given: list[str] | None) -> list[str]:
    """The host's addresses to try besides its loopback: those given, or all of global scope.

    :raises BadArgument: when one is no address, or not this host's.
    """
    try:
        known = host_addresses()
    except OSError as error:
        raise BadArgument(f"the kernel does not name this host's addresses ({error}), so none can be tried") from error
    if given is None:
        return global_addresses(known)
    own = {entry.address for entry in known}
    chosen = []
    for address in given:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError as error:
            raise BadArgument(f"host_addresses has {address!r}, which is no IP address") from error
        if parsed.is_loopback or parsed.is_unspecified or str(parsed) not in own:
            raise BadArgument(
                f"host_addresses has {address}, which is no address of this host, or a loopback one: probes must not leave the host"
            )
        chosen.append(str(parsed))
    return list(dict.fromkeys(chosen))
