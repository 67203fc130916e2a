#!/usr/bin/python
# Copyright (c) 2026, the portside.rootless_docker contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: port_probe_info
short_description: Try ports from wherever it runs, with data, and say what must answer and does not, and the other way round
version_added: 0.1.0
author:
  - portside.rootless_docker contributors (@portside)
description:
  - Tries a list of ports from the machine that it runs on, so that another host of the inventory, or the controller, is the vantage point.
    Delegate it there.
  - What must answer is tried again for O(patience) seconds. Then what must not answer is tried; twice over UDP where nothing comes,
    and again over TCP where a connection stays open.
  - What must not answer counts only where something that must answer did, with data, from here, in the same run, at the same address over
    the same protocol. Otherwise the cell is V(inconclusive), which never passes.
  - It opens connections and sends what it is told to send, and nothing else. It needs no root, and reads and writes nothing on
    the machine.
  - It does not fail when a cell does not pass, unless O(fail) is V(true); RV(ok) tells.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
  - portside.rootless_docker.expectations.probes
options:
  vantage:
    description:
      - What this place is called in the table and in messages.
      - The default is the machine's host name.
    type: str
  user:
    description:
      - Whose ports these are, on the host that has them. It is only told, in RV(user) and RV(msg).
    type: str
  timeout:
    description:
      - Seconds for the whole run, between 1 and 600.
    type: float
    default: 10
  patience:
    description:
      - Seconds that what must answer is tried again until it does, between 0 and 600, for a service that is just starting. It is never less
        than one try takes, which is twice the longest O(probes[].wait), and never more than O(timeout).
    type: float
    default: 4
  fail:
    description:
      - Whether the module fails when a cell does not pass.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details:
      - It runs in check mode as it does otherwise.
  diff_mode:
    support: N/A
    details: It changes nothing.
  idempotent:
    support: full
notes:
  - Up to 512 connections are open at the same time.
seealso:
  - module: portside.rootless_docker.published_port_check
"""

EXAMPLES = r"""
- name: See from the controller that the web server answers and the database does not
  portside.rootless_docker.port_probe_info:
    vantage: controller
    probes:
      - name: web
        address: 198.51.100.10
        port: 8080
        send: "GET / HTTP/1.0\r\n\r\n"
        pattern: "^HTTP/1\\.[01] 200 "
      - name: database
        address: 198.51.100.10
        port: 5432
        expected: must_not
  delegate_to: localhost
  become: false
  register: seen

- name: Show the truth table
  ansible.builtin.debug:
    var: seen.table
"""

RETURN = r"""
msg:
  description: In plain words, how many cells pass, then each cause with its remedy.
  type: str
  returned: always
  sample: "alice, from controller: all 2 cells pass."
ok:
  description: Whether every cell passed.
  type: bool
  returned: always
  sample: true
vantage:
  description: What this place is called.
  type: str
  returned: always
  sample: controller
user:
  description: What O(user) said.
  type: str
  returned: when O(user) is given
  sample: alice
table:
  description:
    - The truth table as lines for a person. Vantage points go down, ports across.
    - Each entry is an outcome and C(ok), C(FAIL) or C(?) (inconclusive).
  type: list
  elements: str
  returned: always
  sample:
    - "Seen from another machine, TCP"
    - "from                         web          database"
    - "controller to 198.51.100.10  answered ok  refused ok"
table_text:
  description: The same as one text.
  type: str
  returned: always
  sample: "Seen from another machine, TCP\nfrom ..."
cells:
  description:
    - One entry for each probe, in the order of O(probes).
    - The form is that of RV(portside.rootless_docker.published_port_check#module:cells).
  type: list
  elements: dict
  returned: always
  contains:
    group:
      description: Part of the table, see O(probes[].group).
      type: str
      sample: outside
    thing:
      description: Name of the port.
      type: str
      sample: web
    vantage:
      description: From where it was tried, and at which address.
      type: str
      sample: controller to 198.51.100.10
    protocol:
      description: V(tcp) or V(udp).
      type: str
      sample: tcp
    address:
      description: Address that was tried.
      type: str
      sample: 198.51.100.10
    port:
      description: Port that was tried.
      type: int
      sample: 8080
    host_ip:
      description: Always null, because it is not known here what the port was published on.
      type: str
      sample:
    container:
      description: Always empty; the name tells.
      type: str
      sample: ""
    container_port:
      description: Port that the canary listens on in its own place, 0 for a service that is no canary.
      type: int
      sample: 0
    expected:
      description: V(answers) or V(must_not).
      type: str
      sample: answers
    outcome:
      description:
        - V(answered), V(wrong_answer), V(silent) (connected, or sent over UDP, and nothing came), V(reset), V(closed) (connected, closed
          empty), V(refused), V(timed_out), V(unreachable), or null when it could not be tried to the end.
      type: str
      sample: answered
    proof:
      description:
        - What the outcome rests on. V(nonce) means that the canary's own answer came back.
        - V(pattern) means that the answer has the pattern in it.
        - V(data) means that bytes came, and nothing tells whose they are.
        - V(open) means that nothing was sent and the TCP connection stays open, as a service does that speaks only when spoken to.
        - V(doubt) means that an empty datagram was sent and nothing came, neither an answer nor a refusal.
        - V(canary) means the same, where a canary of which the same is expected, at the same address over UDP, did as it must.
        - V(none) means that no byte came.
      type: str
      sample: pattern
    control:
      description: Whether something that must answer did, at this address over this protocol, from here, in this run.
      type: bool
      sample: true
    visible:
      description: Whether a scan from here sees an open port.
      type: bool
      sample: true
    may_be_visible:
      description: What O(probes[].visible) said.
      type: bool
      sample: true
    verdict:
      description: V(pass), V(fail) or V(inconclusive).
      type: str
      sample: pass
    note:
      description: A doubt or an explanation, often empty. For a wrong answer the start of what came, escaped.
      type: str
      sample: ""
    seconds:
      description: Time to the outcome in seconds.
      type: float
      sample: 0.002
findings:
  description: Causes of what did not pass, the most severe one first. Each cell is in one finding only. Empty when all is well.
  type: list
  elements: dict
  returned: always
  contains:
    cause:
      description:
        - One of V(answered_where_it_must_not), V(visible_where_it_must_not), V(wrong_answer), V(out_of_time), V(not_tried),
          V(not_reached), V(no_answer), V(cannot_tell), V(no_control), V(unknown).
      type: str
      sample: not_reached
    message:
      description: What is wrong, and what was seen.
      type: str
      sample: "controller does not reach what must answer: 198.51.100.10:8080/tcp (web): no handshake."
    remedy:
      description: What to do.
      type: str
      sample: >-
        If published_port_check passes on the host, a firewall or a route is in the way: see nft list ruleset on the host, ip route get
        ADDRESS here, and whatever filters in between. If it does not pass, mend that first.
    cells:
      description: The places it explains, each with C(thing), C(vantage), C(address), C(port) and C(protocol).
      type: list
      elements: dict
duration:
  description: Seconds that the run took.
  type: float
  returned: always
  sample: 0.02
"""

import signal
import socket
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils._arguments import BadArgument, checked_timeout
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import clean
from ansible_collections.portside.rootless_docker.plugins.module_utils._expectations import PROBE_SPEC, parse_expectations
from ansible_collections.portside.rootless_docker.plugins.module_utils._outside import explain, try_all
from ansible_collections.portside.rootless_docker.plugins.module_utils._result import assemble

MARGIN = 3.0
"""Seconds after the deadline at which the run is cut off. Sockets keep the deadline by themselves, and judging ten thousand answers takes a
second of it at most; a pattern that backtracks may not end at all."""


class CutOff(Exception):
    """The time is over."""


def cut_off(_number: int, _frame: Any) -> None:
    """End whatever is going on."""
    raise CutOff


def checked_patience(seconds: float) -> float:
    """The same number.

    :raises BadArgument: when it is not between 0 and 600.
    """
    if not 0 <= seconds <= 600:
        raise BadArgument(f"patience is {seconds}: it must be between 0 and 600 seconds")
    return seconds


def try_ports(module: AnsibleModule) -> None:
    """Try them, and end the module."""
    params = module.params
    try:
        timeout = checked_timeout(params["timeout"])
        patience = checked_patience(params["patience"])
        probes = parse_expectations(params["probes"], "probes")
        if not probes:
            raise BadArgument("probes is empty, so nothing would be proved: name at least one port")
    except BadArgument as error:
        module.fail_json(msg=str(error))
    vantage = clean(params["vantage"] or socket.gethostname(), 60)
    subject = f"{clean(params['user'], 60)}, from {vantage}" if params["user"] else vantage
    clock = Deadline(timeout)
    signal.signal(signal.SIGALRM, cut_off)
    signal.setitimer(signal.ITIMER_REAL, timeout + MARGIN)
    try:
        cells = try_all(probes, vantage, timeout, patience)
    except CutOff:
        module.fail_json(
            msg=f"{subject}: cut off {MARGIN:.0f} s after its deadline of {timeout:g} s, so nothing is proved. Most likely a pattern is "
            "searched without end: write it without repetitions inside repetitions"
        )
    signal.setitimer(signal.ITIMER_REAL, 0)
    result = assemble(subject, cells, explain(cells, vantage), clock.elapsed())
    result.update({"vantage": vantage}, **({"user": params["user"]} if params["user"] else {}))
    if result["ok"] or not params["fail"]:
        module.exit_json(**result)
    module.fail_json(**result)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "probes": PROBE_SPEC,
            "vantage": {"type": "str"},
            "user": {"type": "str"},
            "timeout": {"type": "float", "default": 10},
            "patience": {"type": "float", "default": 4},
            "fail": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try_ports(module)


if __name__ == "__main__":
    main()
