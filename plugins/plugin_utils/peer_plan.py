# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the peer of the role rootless_verify tries of each user, and what keeps it from proving anything. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

VARIABLE = "rootless_verify_peer_addresses"


def canonical(address: str) -> str:
    """An address as the check writes it, so that every spelling is found; other text as it is."""
    try:
        return str(ipaddress.ip_address(str(address).strip()))
    except ValueError:
        return str(address)


def peer_plan(checks: Iterable[Mapping[str, Any]], addresses: Iterable[str]) -> dict[str, Any]:
    """What is tried, and why something is not.

    :param checks: results of C(published_port_check) with C(hold), one a user; one that could not be had holds nothing.
    :param addresses: that are tried; empty for all.
    :returns: C(probes) by user; C(untried), a result without cells for each sound check that leaves the peer nothing to try; C(unknown), a
        message for each address that no check holds.
    """
    held = {check["user"]: check for check in checks if check.get("held")}
    found = {user: list(dict.fromkeys(probe["address"] for probe in check["held"]["probes"])) for user, check in held.items()}
    everywhere = list(dict.fromkeys(address for each in found.values() for address in each))
    wanted = {canonical(address): str(address) for address in addresses}
    probes = {
        user: [probe for probe in check["held"]["probes"] if not wanted or probe["address"] in wanted] for user, check in held.items()
    }
    return {
        "probes": probes,
        # What is wrong with a check that failed is said by the check.
        "untried": [
            {"user": user, "msg": f"{user} is not proved from outside: {_nothing(found[user])}."}
            for user, mine in probes.items()
            if not mine and held[user].get("ok")
        ],
        "unknown": [_unknown(text, everywhere) for address, text in wanted.items() if everywhere and address not in everywhere],
    }


def _nothing(held: list[str]) -> str:
    if held:
        return (
            f"none of {VARIABLE} is an address at which the check held canaries, which are {', '.join(held)}. "
            f"Name one of these, or leave {VARIABLE} empty for all"
        )
    return "the host has no address, besides loopback, at which something must answer. Give it one, or set rootless_verify_peer to nothing"


def _unknown(address: str, held: list[str]) -> str:
    return (
        f"{VARIABLE} has {address}, and no check held canaries there, so nothing is proved at it: they were held at {', '.join(held)}. "
        "Mend the address, or take it out."
    )
