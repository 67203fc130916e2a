# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One throw-away host: a real systemd under systemd-nspawn, reached over ssh."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import engines
import images
import network
from settings import (
    BRIDGE,
    FIRST_HOST,
    GATEWAY,
    GATEWAY6,
    JOURNALS,
    LAST_HOST,
    LIBRARY,
    PREFIX,
    PREFIX6,
    RUN,
    SSH_KEY,
    SSH_OPTIONS,
    LabError,
    process_start,
    run,
    step,
)

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
HOST0 = "[Match]\nName=host0\n[Network]\nAddress={address}/24\nGateway={gateway}\nIPv6AcceptRA=no\nLinkLocalAddressing={link_local}\n"
# Nobody else has the address: a host need not wait a second or two to find that out.
HOST0_IPV6 = "Gateway={gateway}\n[Address]\nAddress={address}/64\nDuplicateAddressDetection=none\n"
NO_IPV6 = "net.ipv6.conf.all.disable_ipv6 = 1\nnet.ipv6.conf.default.disable_ipv6 = 1\n"
# nspawn ends with 133 when its host reboots, and leaves starting it again to whoever started it.
SUPERVISE = """
echo $$ > "$0/cgroup.procs"
trap 'kill -TERM "$child"' TERM
while :; do
  "$@" & child=$!
  wait $child; status=$?
  while kill -0 $child 2>/dev/null; do wait $child; status=$?; done
  [ $status = 133 ] || exit $status
done
"""
BOOT_TIMEOUT = 180
STOP_TIMEOUT = 15


@dataclasses.dataclass
class Host:
    """A host that was booted; its record is a file, so that another run can find and end it."""

    name: str
    pool: str
    address: str
    distribution: str
    pid: int
    start: str

    @property
    def record(self) -> Path:
        """The file that remembers this host."""
        return RUN / "hosts" / f"{self.name}.json"

    @property
    def root(self) -> Path:
        """The folder of its root file system."""
        return LIBRARY / "hosts" / self.name

    @property
    def no_ipv6(self) -> Path:
        """The file by which a host without IPv6 is one."""
        return self.root / "etc/sysctl.d/10-lab-no-ipv6.conf"

    @property
    def address6(self) -> str | None:
        """Its IPv6 address, with the number of its IPv4 address; None for a host without IPv6."""
        return None if self.no_ipv6.exists() else PREFIX6 + self.address.removeprefix(PREFIX)

    @property
    def alive(self) -> bool:
        """Whether its nspawn process is the one that was started."""
        return process_start(self.pid) == self.start

    def ssh(self, *command: str) -> list[str]:
        """The argv that runs *command* there as root."""
        return ["ssh", "-i", str(SSH_KEY), *SSH_OPTIONS, f"root@{self.address}", *command]


def known() -> list[Host]:
    """Every host that has a record, alive or not."""
    return [Host(**json.loads(path.read_text())) for path in sorted((RUN / "hosts").glob("*.json"))]


def find(name: str) -> Host:
    """The host of this name, which must be up."""
    up = {host.name: host for host in known() if host.alive}
    if name not in up:
        raise LabError(f"no host named {name!r} is up; up are: {', '.join(up) or 'none'}")
    return up[name]


def start(name: str, pool: str, distribution: str, ipv6: bool) -> Host:
    """Boot a host and wait until ssh answers; one that is up already stays as it is."""
    if not NAME.fullmatch(name):
        raise LabError(f"{name!r} is no host name: a small letter, then up to 30 small letters, digits and dashes")
    for host in known():
        if host.name == name and host.alive:
            if (host.pool, host.distribution) != (pool, distribution):
                raise LabError(f"host {name} is up already, in pool {host.pool} on {host.distribution}; end it first, or take another name")
            if ipv6 != bool(host.address6):
                raise LabError(f"host {name} is up already, {'without' if ipv6 else 'with'} IPv6; end it first, or take another name")
            return host
    images.base(distribution)
    with step(f"booting {name} ({distribution})"):
        taken = {host.address for host in known()}
        address = next(f"{PREFIX}{number}" for number in range(FIRST_HOST, LAST_HOST) if f"{PREFIX}{number}" not in taken)
        host = Host(name, pool, address, distribution, 0, "")
        images.copy(distribution, host.root)
        configure(host, ipv6)
        boot(host)
        wait_for_ssh(host)
    return host


def configure(host: Host, ipv6: bool) -> None:
    """Give a copied root file system its own name, address and key."""
    etc = host.root / "etc"
    (etc / "hostname").write_text(f"{host.name}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{host.address} {host.name}\n")
    (etc / "machine-id").write_text("")
    (etc / "resolv.conf").unlink(missing_ok=True)
    (etc / "resolv.conf").write_text(network.resolv_conf())
    if not ipv6:
        host.no_ipv6.write_text(NO_IPV6)
    # With LinkLocalAddressing=ipv6, networkd would switch IPv6 on again.
    interface = HOST0.format(address=host.address, gateway=GATEWAY, link_local="ipv6" if ipv6 else "no")
    interface += HOST0_IPV6.format(address=host.address6, gateway=GATEWAY6) if ipv6 else ""
    (etc / "systemd/network/10-host0.network").write_text(interface)
    proxies = network.apt_proxies()
    (etc / "apt/apt.conf.d/90lab").write_text("".join(f'{name} "{url}";\n' for name, url in proxies.items()))
    if not SSH_KEY.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "portside-lab", "-f", str(SSH_KEY)])
    folder = host.root / "root/.ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "authorized_keys").write_text(SSH_KEY.with_suffix(".pub").read_text())


def cgroup(name: str) -> Path:
    """The host's own cgroup: sharing one, docker.service of two hosts would be the same cgroup, and a stop would wait for ever."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _device, mount, kind = line.split()[:3]
        if kind == "cgroup2":
            return Path(mount) / f"lab-{name}"
    raise LabError("no cgroup2 file system is mounted on this machine; the lab's hosts need one")


def remember(host: Host) -> None:
    """Write the record by which another run finds this host."""
    host.record.parent.mkdir(parents=True, exist_ok=True)
    host.record.write_text(json.dumps(dataclasses.asdict(host)))


def boot(host: Host) -> None:
    """Start nspawn in a session and a cgroup of its own."""
    group = cgroup(host.name)
    group.mkdir(exist_ok=True)
    engines.FOLDER.mkdir(parents=True, exist_ok=True)
    # Before the start: a run that dies in between is swept by what the cgroup holds.
    remember(host)
    argv = [
        "sh", "-c", SUPERVISE, str(group),
        "systemd-nspawn", "--quiet", "-D", str(host.root), "-M", host.name, "--register=no", "--keep-unit", "--boot",
        "--capability=all", "--private-users=no", "--bind=/dev/net/tun", "--bind=/dev/fuse", f"--network-bridge={BRIDGE}",
        f"--bind-ro={engines.FOLDER}:{engines.MOUNT}",
    ]  # fmt: skip
    # The kernel keyring is filtered otherwise, and runc cannot join its session keyring.
    environment = {**os.environ, "SYSTEMD_SECCOMP": "0", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
    with (RUN / f"{host.name}.console").open("w") as console:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True, env=environment
        )
    host.pid = process.pid
    host.start = process_start(process.pid) or ""
    remember(host)


def wait_for_ssh(host: Host) -> None:
    """Return when ssh answers and the system has come up."""
    end = time.monotonic() + BOOT_TIMEOUT
    command = host.ssh("systemctl is-system-running --wait || true")
    while time.monotonic() < end and host.alive:
        with contextlib.suppress(subprocess.TimeoutExpired):
            if subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0:
                return
        time.sleep(0.3)
    console = (RUN / f"{host.name}.console").read_text(errors="replace").splitlines()[-20:]
    raise LabError(f"{host.name}: no ssh {BOOT_TIMEOUT} s after the boot. Last lines of its console:\n" + "\n".join(console))


def keep_journal(host: Host) -> None:
    """Save what the host's units wrote: a scenario that failed is gone by the time somebody wants to know why."""
    JOURNALS.mkdir(parents=True, exist_ok=True)
    with (JOURNALS / f"{host.name}.log").open("w") as target, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(host.ssh("journalctl --boot --no-pager"), stdin=subprocess.DEVNULL, stdout=target, timeout=10, check=False)


def descendants(pid: int) -> list[int]:
    """A process's children and theirs."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return children + [grandchild for child in children for grandchild in descendants(child)]


def stop(host: Host) -> None:
    """End a host and remove what it left: process, cgroup, root file system, record."""
    with step(f"ending {host.name}"):
        if host.alive:
            keep_journal(host)
            # The shell, nspawn and the host's init. After a SIGKILL of nspawn alone, init would be orphaned and keep the interface;
            # and first of all a clean poweroff is asked for.
            processes = {pid: process_start(pid) for pid in [host.pid, *descendants(host.pid)[:2]]}
            os.kill(host.pid, signal.SIGTERM)
            if not gone(processes, STOP_TIMEOUT):
                for pid, began in processes.items():
                    if process_start(pid) == began:
                        os.kill(pid, signal.SIGKILL)
                gone(processes, STOP_TIMEOUT)
        remove_cgroup(cgroup(host.name))
        shutil.rmtree(host.root, ignore_errors=True)
        shutil.rmtree(f"/run/systemd/nspawn/propagate/{host.name}", ignore_errors=True)
        (RUN / f"{host.name}.console").unlink(missing_ok=True)
        host.record.unlink(missing_ok=True)


def gone(processes: dict[int, str | None], timeout: float) -> bool:
    """Wait until all of these have ended."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        if all(process_start(pid) != began for pid, began in processes.items()):
            return True
        time.sleep(0.1)
    return False


def remove_cgroup(group: Path) -> None:
    """Remove a cgroup with what is below it, killing what still runs in it."""
    if not group.exists():
        return
    with contextlib.suppress(OSError):
        (group / "cgroup.kill").write_text("1")
    for _attempt in range(50):
        for folder, _names, _files in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        if not group.exists():
            return
        time.sleep(0.1)
    raise LabError(f"{group} is still in use; see {group}/cgroup.procs for by what")
