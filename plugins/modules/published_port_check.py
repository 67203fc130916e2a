#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: published_port_check
short_description: Prove that published ports of a rootless Docker daemon answer where they must, and nowhere else
version_added: 0.1.0
author:
  - portside.rootless_docker contributors (@portside)
description:
  - Proves with data, never with a bare connect, which published ports of one user's rootless Docker daemon answer from where.
  - It puts up throw-away containers of its own, for which no image is pulled, published on C(127.0.0.1), on all addresses, on
    C(0.0.0.0) and on a port that the Engine chooses, and asks them from the host's loopback and from the host's own addresses.
    A fresh nonce and a challenge for each connection show that it is the canary who answers.
  - It tries the published TCP ports of every running container, too, and sends nothing to them, so their protocol need not be known.
  - It puts a canary on the host's C(127.0.0.1) and tries to read it from RootlessKit's network namespace, from a container in it
    (C(--net=host)) and from a container on the default bridge. None of them must be able to.
  - What must not answer counts only where something that must answer did, from the same place in the same run. Otherwise the cell is
    V(inconclusive), which never passes.
  - TCP over IPv4. Published UDP and IPv6 ports are counted in RV(untested).
extends_documentation_fragment:
  - portside.rootless_docker.attributes
options:
  user:
    description:
      - Whose daemon is checked. Its socket is C(/run/user/UID/docker.sock).
      - Another user than the one who runs the module needs root.
      - The default is the user who runs the module.
    type: str
  timeout:
    description:
      - Seconds for the whole run, between 1 and 600. The removal of the canaries may take up to 1.5 seconds more.
      - A sound host takes about two seconds.
    type: float
    default: 20
  containers:
    description:
      - Whether to try the published ports of running containers, too.
    type: bool
    default: true
  host_addresses:
    description:
      - The host's own IPv4 addresses that are tried besides C(127.0.0.1). Each must be an address of this host, and no loopback address.
      - The default is every address of global scope of the host's interfaces. An empty list tries the loopback only.
    type: list
    elements: str
  host_loopback:
    description:
      - V(closed) demands that a service on the host's C(127.0.0.1) cannot be reached from inside.
      - V(any) leaves that half out, for a daemon whose operator opened it on purpose.
    type: str
    choices: [closed, any]
    default: closed
  fail:
    description:
      - Whether the module fails when a cell does not pass. With V(false) it reports only, and RV(ok) tells.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    details:
      - It runs in check mode as it does otherwise. It changes nothing that is there, but it makes two containers and an image of its own
        in the user's daemon and removes them, also in check mode.
  diff_mode:
    support: N/A
    details: It changes nothing that it finds.
  idempotent:
    support: full
requirements:
  - Python 3.9 or later below C(/usr) on the host, which the canary containers run, too.
  - C(nsenter) from util-linux, to enter RootlessKit's namespace.
notes:
  - Canaries are removed when the module ends, also on a signal. What a SIGKILL leaves ends by itself a few seconds after the deadline, and
    the next run sweeps it.
  - While it runs, the canaries' ports can be connected to from outside. They answer a challenge with a digest, and nothing else.
  - With the port driver C(implicit), a port that is published on C(127.0.0.1) only can be seen by a scan from outside, though no byte
    of the service arrives there. The cell passes, and RV(cells[].visible) is V(true).
seealso:
  - module: portside.rootless_docker.rootless_docker_info
"""

EXAMPLES = r"""
- name: Prove the published ports of one user's daemon
  portside.rootless_docker.published_port_check:
    user: alice

- name: Report and do not fail
  portside.rootless_docker.published_port_check:
    user: alice
    fail: false
  register: proof

- name: Show the truth table
  ansible.builtin.debug:
    var: proof.table
"""

RETURN = r"""
msg:
  description: In plain words, how many cells pass, then each cause with its remedy.
  type: str
  returned: always
  sample: "alice: all 18 cells pass."
ok:
  description: Whether every cell passed and nothing stands against the daemon.
  type: bool
  returned: always
  sample: true
user:
  description: Whose daemon was checked.
  type: str
  returned: always
  sample: alice
table:
  description:
    - The truth table as lines for a person. Vantage points go down, published things across.
    - Each entry is an outcome and C(ok), C(FAIL) or C(?) (inconclusive).
    - Where a container's C(silent ok) is among them, a last line says what that means.
  type: list
  elements: str
  returned: always
  sample:
    - "Published ports, canary"
    - "from                127.0.0.1:23456:24001  23457:24002"
    - "host 127.0.0.1      answered ok            answered ok"
    - "host 198.51.100.10  reset ok               answered ok"
table_text:
  description: The same as one text.
  type: str
  returned: always
  sample: "Published ports, canary\nfrom ..."
cells:
  description: One entry for each published thing and vantage point.
  type: list
  elements: dict
  returned: always
  contains:
    group:
      description: V(canary), V(container) or V(host_loopback).
      type: str
      sample: canary
    thing:
      description: What was published, as for C(docker run -p); for a container, its name, address and ports.
      type: str
      sample: "127.0.0.1:23456:24001"
    vantage:
      description: From where it was tried.
      type: str
      sample: host 127.0.0.1
    protocol:
      description: V(tcp).
      type: str
      sample: tcp
    address:
      description: Address that was tried. V(gateway) is the default gateway of the vantage point, V(outer) the one that pasta was told.
      type: str
      sample: 127.0.0.1
    port:
      description: Port that was tried, 0 when there was none because the canary could not be put up.
      type: int
      sample: 23456
    host_ip:
      description: Host address that it is published on. Empty for all addresses, null when it is not published.
      type: str
      sample: 127.0.0.1
    container:
      description: Name of the container, empty for canaries.
      type: str
      sample: web
    container_port:
      description: Port in the container.
      type: int
      sample: 24001
    expected:
      description: V(answers) or V(must_not).
      type: str
      sample: answers
    outcome:
      description:
        - V(answered), V(wrong_answer), V(silent) (connected, nothing came), V(reset), V(closed) (connected, closed empty), V(refused),
          V(timed_out), V(unreachable), or null when it could not be tried.
      type: str
      sample: answered
    proof:
      description:
        - What the outcome rests on. V(nonce) means that the canary's own answer came back.
        - V(data) means that bytes came, and nothing tells whose they are but the process that listens on the host.
        - V(open) means that a foreign service took the connection and kept it open without a word, as one does that speaks only when
          spoken to.
        - V(none) means that no byte came.
      type: str
      sample: nonce
    control:
      description: Whether something that must answer did, from this vantage point in this run.
      type: bool
      sample: true
    visible:
      description: Whether the handshake succeeded, so that a scan from there sees an open port.
      type: bool
      sample: true
    verdict:
      description: V(pass), V(fail) or V(inconclusive).
      type: str
      sample: pass
    note:
      description: A doubt or an explanation, often empty.
      type: str
      sample: ""
    seconds:
      description: Time to the outcome in seconds.
      type: float
      sample: 0.002
findings:
  description: Causes of what did not pass, the most basic one first. Each cell is in one finding only. Empty when all is well.
  type: list
  elements: dict
  returned: always
  contains:
    cause:
      description:
        - One of V(daemon_down), V(engine_unusable), V(pasta_dead), V(engine_cannot_publish), V(canary_refused), V(out_of_time),
          V(port_held_by_other_process), V(loopback_flag_missing), V(ephemeral_range_skipped), V(privileged_port),
          V(host_loopback_leak), V(container_not_listening), V(pesto_blocked), V(no_listener), V(open_where_it_must_not),
          V(namespace_not_entered), V(no_control), V(unknown).
      type: str
      sample: loopback_flag_missing
    message:
      description: What is wrong, and the evidence.
      type: str
      sample: >-
        127.0.0.1:8080 of container web: reset after accept. pasta (pid 318) runs without --host-lo-to-ns-lo; rootlesskit 2.0.2 is older
        than 2.3.2, which is the first to give it.
    remedy:
      description: What to do.
      type: str
      sample: Install rootlesskit 3.1.0 or later (role rootlesskit), then systemctl --user --machine=alice@ restart docker.service.
    cells:
      description: The places it explains, each with C(thing), C(vantage), C(address) and C(port).
      type: list
      elements: dict
evidence:
  description:
    - What the findings rest on. V(null) is not known.
    - C(pasta_has_flag) and C(pasta_skips_ephemeral) (capabilities of the running pasta's binary) and C(unit_state) are looked at only when
      something did not pass.
  type: dict
  returned: always
  sample:
    engine_version: 26.1.5+dfsg1
    rootlesskit_version: 3.2.0
    network_driver: pasta
    port_driver: implicit
    pasta_pid: 318
untested:
  description: Number of published ports of running containers that were not tried, because they are not TCP over IPv4.
  type: int
  returned: always
  sample: 0
duration:
  description: Seconds that the run took.
  type: float
  returned: always
  sample: 1.9
"""

import signal
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils._arguments import (
    BadArgument,
    checked_timeout,
    find_account,
    own_addresses,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._check import Check
from ansible_collections.portside.rootless_docker.plugins.module_utils._contract import table
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import diagnose


class Interrupted(BaseException):
    """A signal asked the module to end. No Exception, so that nothing takes it for an error of its own."""


def interrupt(number: int, _frame: Any) -> None:
    """Turn the first signal into an exception; further ones must not cut the removal of the canaries short."""
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(signal.Signals(number).name)


def check_ports(module: AnsibleModule) -> None:
    """Check, and end the module."""
    params = module.params
    try:
        account = find_account(params["user"])
        timeout = checked_timeout(params["timeout"])
        addresses = own_addresses(params["host_addresses"])
    except BadArgument as error:
        module.fail_json(msg=str(error))
    clock = Deadline(timeout)
    check = Check(account, addresses, timeout, params["containers"], params["host_loopback"] == "closed")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, interrupt)
    # The last resort, should a read below /run/user or /proc hang: everything else keeps the deadline by itself.
    signal.setitimer(signal.ITIMER_REAL, timeout + 1.8)
    try:
        cells, evidence = check.run()
    except Interrupted as reason:
        module.fail_json(msg=f"the check of {account.pw_name} was cut off by {reason}: nothing is proved, and its canaries were removed")
    signal.setitimer(signal.ITIMER_REAL, 0)
    findings = diagnose(evidence, cells)
    lines = table(cells)
    result: dict[str, Any] = {
        "changed": False,
        "ok": bool(cells) and not findings and all(cell.verdict == "pass" for cell in cells),
        "user": account.pw_name,
        "table": lines,
        "table_text": "\n".join(lines),
        "cells": [cell.as_result() for cell in cells],
        "findings": [finding.as_result() for finding in findings],
        "evidence": evidence.as_result(),
        "untested": check.untested,
        "duration": round(clock.elapsed(), 3),
    }
    bad = sum(cell.verdict != "pass" for cell in cells)
    if bad:
        what = f"{bad} of {len(cells)} cells do not pass"
    elif cells:
        what = f"{len(cells)} cells pass, the rest could not be tried" if findings else f"all {len(cells)} cells pass"
    else:
        what = "nothing could be tried"
    causes = [f"{finding.message}\n  Remedy: {finding.remedy}" for finding in findings]
    result["msg"] = "\n".join([f"{account.pw_name}: {what}.", *causes])
    if result["ok"] or not params["fail"]:
        module.exit_json(**result)
    module.fail_json(**result)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str"},
            "timeout": {"type": "float", "default": 20},
            "containers": {"type": "bool", "default": True},
            "host_addresses": {"type": "list", "elements": "str"},
            "host_loopback": {"type": "str", "choices": ["closed", "any"], "default": "closed"},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    check_ports(module)


if __name__ == "__main__":
    main()
