#!/usr/bin/env python
# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw-away hosts for molecule, the demo and the benchmarks.

Hosts belong to a pool (a scenario, the demo, the hosts of `make lab-up`); each pool has an inventory file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import engines
import hosts
import mirror
import network
from settings import GATEWAY, GATEWAY6, MIRROR_URL, RUN, SSH_KEY, SSH_OPTIONS, LabError, locked, say

# Program: the Debian package that has it.
TOOLS = {
    "mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "nft": "nftables", "ip": "iproute2", "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}  # fmt: skip

INVENTORY = """\
# Written by the lab; it is gone with its hosts.
all:
  hosts:
{hosts}
  vars:
    ansible_user: root
    ansible_ssh_private_key_file: {key}
    ansible_ssh_common_args: "{options}"
    ansible_pipelining: true
    ansible_python_interpreter: /usr/bin/python3
    lab_gateway: {gateway}
    lab_gateway6: {gateway6}
    rootless_verify_timeout: 60  # the machine is busy with other scenarios
    rootlesskit_base_url: {mirror}
    rootlesskit_checksums:
{checksums}
"""


def main() -> int:
    """Read the command line and do as it says."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="boot hosts; prints the path of their inventory file")
    up.add_argument("--pool", default="lab")
    up.add_argument("--distribution", default="trixie", help="suite of the hosts (default: %(default)s)")
    up.add_argument("--rootlesskit", action="append", default=[], metavar="VERSION", help="have this version in the mirror")
    up.add_argument("--no-ipv6", action="store_true", help="boot these hosts with IPv6 switched off")
    up.add_argument("hosts", nargs="+")
    down = commands.add_parser("down", help="end the hosts of a pool")
    down.add_argument("--pool", default="lab")
    down.add_argument("--everything", action="store_true", help="all pools")
    shell = commands.add_parser("shell", help="a root shell on a host, or one command there")
    shell.add_argument("host")
    shell.add_argument("remote", nargs=argparse.REMAINDER)
    engine = commands.add_parser("engine", help="give a host another Engine, from the next start of a daemon on")
    engine.add_argument("host")
    engine.add_argument("name", choices=["distribution", *engines.ENGINES])
    commands.add_parser("list", help="the hosts that are up")
    arguments = parser.parse_args()
    try:
        check_machine()
        return globals()[f"do_{arguments.command}"](arguments)
    except LabError as error:
        say(str(error))
        return 1


def check_machine() -> None:
    """Fail with what is missing and how to get it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise LabError("the lab boots systemd-nspawn hosts: it needs root on Linux (for example: sudo make lab-up)")
    missing = sorted({package for program, package in TOOLS.items() if not shutil.which(program)})
    if missing:
        raise LabError(f"missing on this machine: {', '.join(missing)}. On Debian: apt-get install {' '.join(missing)}")
    if not Path("/dev/net/tun").exists():
        raise LabError("/dev/net/tun is missing: the kernel needs TUN (modprobe tun)")


def do_up(arguments: argparse.Namespace) -> int:
    """Boot the pool's hosts that are not up yet."""
    if not arguments.no_ipv6 and not network.has_ipv6():
        raise LabError("this machine's kernel has no IPv6: boot the hosts with --no-ipv6")
    with locked():
        sweep()
        sums = {version: mirror.provide(version) for version in arguments.rootlesskit or ["3.2.0"]}
        network.up()
        mirror.serve()
        for name in arguments.hosts:
            hosts.start(name, arguments.pool, arguments.distribution, not arguments.no_ipv6)
        checksums = "".join(f'      "{version}":\n        {mirror.ARCHITECTURE}: {checksum}\n' for version, checksum in sums.items())
        inventory(arguments.pool).write_text(
            INVENTORY.format(
                hosts="\n".join(entry(host) for host in hosts.known() if host.pool == arguments.pool),
                key=SSH_KEY,
                options=" ".join(SSH_OPTIONS),
                gateway=GATEWAY,
                gateway6=GATEWAY6,
                mirror=MIRROR_URL,
                checksums=checksums.rstrip(),
            )  # fmt: skip
        )
    print(inventory(arguments.pool))
    return 0


def entry(host: hosts.Host) -> str:
    """A host's lines in the inventory."""
    lines = [f"    {host.name}:", f"      ansible_host: {host.address}"]
    return "\n".join(lines + ([f"      lab_address6: {host.address6}"] if host.address6 else []))


def do_down(arguments: argparse.Namespace) -> int:
    """End hosts; with the last one, the bridge and all that belongs to it goes too."""
    with locked():
        sweep()
        for host in hosts.known():
            if arguments.everything or host.pool == arguments.pool:
                hosts.stop(host)
        for path in RUN.glob("*.yml"):
            if arguments.everything or path == inventory(arguments.pool):
                path.unlink()
        if not hosts.known():
            mirror.stop()
            network.down()
    return 0


def do_shell(arguments: argparse.Namespace) -> int:
    """Become ssh."""
    argv = hosts.find(arguments.host).ssh(*arguments.remote)
    os.execvp(argv[0], argv)


def do_engine(arguments: argparse.Namespace) -> int:
    """Link the Engine's programs in front of the host's own."""
    if arguments.name != "distribution":
        engines.provide("engine", arguments.name)
    with locked():
        engines.select(hosts.find(arguments.host).root, arguments.name)
    return 0


def do_list(_arguments: argparse.Namespace) -> int:
    """One line a host."""
    for host in hosts.known():
        print(f"{host.name} {host.address} {host.distribution} pool={host.pool} {'up' if host.alive else 'gone'}")
    return 0


def inventory(pool: str) -> Path:
    """The inventory file of a pool."""
    return RUN / f"{pool}.yml"


def sweep() -> None:
    """Remove what a run that died has left: hosts without a process."""
    for host in hosts.known():
        if not host.alive:
            hosts.stop(host)


if __name__ == "__main__":
    sys.exit(main())
