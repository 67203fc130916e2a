# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge, the way out of it, and the rule that keeps probes inside."""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
from pathlib import Path

from settings import BRIDGE, GATEWAY, GATEWAY6, RUN, SUBNET, SUBNET6, run

TABLE = "portside_lab"
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# Of the bridge itself, so gone with it. A host that plays router must not change the machine's own routes.
SETTINGS6 = {"disable_ipv6": "0", "accept_ra": "0"}
CONF6 = Path("/proc/sys/net/ipv6/conf")
# A user's pasta opens the one, fuse-overlayfs the other. On a real host udev gives both mode 0666.
DEVICES = [Path("/dev/net/tun"), Path("/dev/fuse")]
SAVED = RUN / "saved.json"

# The input chain: RootlessKit's own IPv6 gateway, fd00::2, may be an address of the machine, and a probe of it must not be answered there.
RULES = """
table inet {table} {{
  chain input {{
    type filter hook input priority filter - 10
    iifname "{bridge}" ip6 daddr != {{ {subnet6}, fe80::/10, ff00::/8 }} drop
  }}
  chain forward {{
    type filter hook forward priority filter - 10
    iifname != "{bridge}" accept
    oifname "{bridge}" accept
    ct state established,related accept
    {exceptions}
    meta nfproto ipv6 drop
    ip daddr {{ 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, 100.64.0.0/10, {subnet} }} drop
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    ip saddr {subnet} oifname != "{bridge}" masquerade
  }}
}}
"""


def resolv_conf() -> str:
    """The machine's resolver as a host on the bridge can use it: a stub on loopback is of no use there."""
    for path in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        text = path.read_text() if path.exists() else ""
        if [address for address in resolvers(text) if not address.startswith("127.")]:
            return text
    return Path("/etc/resolv.conf").read_text()


def resolvers(text: str) -> list[str]:
    """The IPv4 name servers that a resolv.conf names."""
    return re.findall(r"^nameserver\s+(\d+\.\d+\.\d+\.\d+)", text, re.MULTILINE)


def apt_proxies() -> dict[str, str]:
    """apt's proxy settings on this machine, by the name of the setting."""
    found = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=20, check=False).stdout
    pattern = r'^(Acquire::https?::Proxy) "(https?://[^"]+)";'
    return dict(re.findall(pattern, found, re.MULTILINE))


def exceptions() -> list[str]:
    """What may leave the lab although its address is private: the resolver, and apt's proxy."""
    rules = [f"ip daddr {address} meta l4proto {{ tcp, udp }} th dport 53 accept" for address in resolvers(resolv_conf())]
    for url in apt_proxies().values():
        host, port = re.match(r"https?://(?:[^@/]*@)?([^:/]+):?(\d*)", url).groups()
        rules.append(f"ip daddr {socket.gethostbyname(host)} tcp dport {port or 80} accept")
    return rules


def present() -> bool:
    """Whether the bridge is up."""
    return Path(f"/sys/class/net/{BRIDGE}").exists()


def has_ipv6() -> bool:
    """Whether the machine's kernel knows IPv6."""
    return CONF6.exists()


def up() -> None:
    """Bring up bridge, forwarding and rules, once; remember what has to be put back."""
    if not SAVED.exists():
        modes = {str(path): stat.S_IMODE(path.stat().st_mode) for path in DEVICES if path.exists()}
        SAVED.write_text(json.dumps({"ip_forward": IP_FORWARD.read_text().strip(), "modes": modes}))
    for path in DEVICES:
        if path.exists():
            path.chmod(0o666)
    IP_FORWARD.write_text("1")
    if not present():
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        run(["ip", "address", "add", f"{GATEWAY}/24", "dev", BRIDGE])
        run(["ip", "link", "set", BRIDGE, "up"])
    if has_ipv6():
        for name, value in SETTINGS6.items():
            (CONF6 / BRIDGE / name).write_text(value)
        run(["ip", "address", "replace", f"{GATEWAY6}/64", "dev", BRIDGE, "nodad"])
    rules = RULES.format(table=TABLE, bridge=BRIDGE, subnet=SUBNET, subnet6=SUBNET6, exceptions="\n    ".join(exceptions()))
    subprocess.run(["nft", "-f", "-"], input=f"table inet {TABLE}\ndelete table inet {TABLE}\n{rules}", text=True, check=True, timeout=20)


def down() -> None:
    """Put everything back as `up` found it."""
    if present():
        run(["ip", "link", "delete", BRIDGE])
    subprocess.run(["nft", "-f", "-"], input=f"table inet {TABLE}\ndelete table inet {TABLE}\n", text=True, check=True, timeout=20)
    if SAVED.exists():
        saved = json.loads(SAVED.read_text())
        IP_FORWARD.write_text(saved["ip_forward"])
        for path, mode in saved["modes"].items():
            Path(path).chmod(mode)
        SAVED.unlink()
