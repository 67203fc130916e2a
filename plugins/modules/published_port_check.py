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
  - Proves which published ports of one user's rootless Docker daemon answer from where, by canaries with data and never with a bare
    connect. TCP and UDP, IPv4 and IPv6, whatever made the daemon and whichever port driver it has.
  - It puts up canaries of its own (O(canary)), published on C(127.0.0.1), on all addresses, on C(0.0.0.0), on a port that the Engine
    chooses and, where the daemon has IPv6, on C([::1]) and C([::]). They are asked from the host's loopback and from the host's own
    addresses. A fresh nonce and a challenge for each connection show that it is the canary who answers.
  - It tries the published ports of every running container, too, and says nothing to them, so their protocol need not be known; and
    whatever O(expectations) names, with what is to be said.
  - It puts canaries on the host's C(127.0.0.1) and C(::1) and tries to read them from RootlessKit's network namespace, from a container
    in it (C(--net=host)) and from a container on the default bridge, at their own loopback and through their gateways. None of them must
    be able to. Where one is, the host's services that can be reached are listed in RV(host_services).
  - It looks for listeners of the daemon on the host that no container published.
  - What must not answer counts only where something that must answer did, from the same place in the same run. Otherwise the cell is
    V(inconclusive), which never passes.
  - What does not pass is explained in RV(findings), with cause and remedy.
extends_documentation_fragment:
  - portside.rootless_docker.attributes
  - portside.rootless_docker.expectations
options:
  user:
    description:
      - Whose daemon is checked. Its socket is C(/run/user/UID/docker.sock).
      - Another user than the one who runs the module needs root.
      - The default is the user who runs the module.
    type: str
  timeout:
    description:
      - Seconds for the whole run, between 1 and 600. The removal of the canaries has half of what is left of it, but at least
        1.5 seconds for containers, and as much for the canary in the namespace. So a run may take 3 seconds more.
      - A sound host takes from half a second to about three seconds, see O(canary).
    type: float
    default: 20
  canary:
    description:
      - What is published to prove the way.
      - V(container) puts up throw-away containers, for which no image is pulled. It proves the whole way, and takes two to three seconds.
      - V(namespace) puts a listener into RootlessKit's network namespace and has it published as the port driver does it; the
        Engine has no part in it. It leaves the daemon alone, and takes from half a second to two seconds.
      - V(both) does both. They must agree. Where only the container fails, the fault is in how the Engine publishes.
    type: str
    choices: [namespace, container, both]
    default: container
  containers:
    description:
      - Whether to try the published ports of running containers, too.
    type: bool
    default: true
  host_addresses:
    description:
      - The host's own addresses that are tried besides C(127.0.0.1) and C(::1). Each must be an address of this host, and no loopback
        address.
      - The default is every address of global scope of the host's interfaces, except those over IPv6 that nobody can bind because they are
        tentative or were found with another host. An empty list tries the loopback only.
    type: list
    elements: str
  host_loopback:
    description:
      - V(closed) demands that a service on the host's loopback cannot be reached from inside.
      - V(any) leaves that half out, for a daemon whose operator opened it on purpose.
    type: str
    choices: [closed, any]
    default: closed
  unpublished_listeners:
    description:
      - V(closed) demands that the daemon listens on no port of the host that no container published. Under the port driver V(implicit),
        whatever listens in RootlessKit's namespace is published, and so is the service of a container with C(--net=host).
      - V(any) allows it.
    type: str
    choices: [closed, any]
    default: closed
  hold:
    description:
      - Seconds, at most 600, that the canary containers stay up when the module has ended, so that another machine can try them;
        RV(held.probes) is what M(portside.rootless_docker.port_probe_info) takes there. They end by themselves, and O(release) ends them
        before that. Their image of some kilobytes goes with O(release), or with the next run that has a canary container.
      - Needs O(canary=container) or O(canary=both).
    type: int
    default: 0
  release:
    description:
      - The RV(held.id) of an earlier run with O(hold). Its canaries are removed, and nothing else is done.
    type: str
  fail:
    description:
      - Whether the module fails when a cell does not pass. With V(false) it reports only, and RV(ok) tells.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    details:
      - It runs in check mode as it does otherwise. It changes nothing that is there, but it makes canaries of its own in the user's
        daemon and removes them, also in check mode.
  diff_mode:
    support: N/A
    details: It changes nothing that it finds.
  idempotent:
    support: full
requirements:
  - Python 3.9 or later below C(/usr) on the host, which the canaries run, too.
  - C(nsenter) from util-linux, to enter RootlessKit's namespace.
notes:
  - Canaries are removed when the module ends, also on a signal. After a SIGKILL the one in the namespace takes itself and its ports away
    at once; a container ends by itself a few seconds after the deadline, and the next run sweeps what is left of it.
  - While it runs, the canaries' ports can be connected to from outside. They answer a challenge with a digest, and nothing else.
  - With the port driver C(implicit), a port that is published on C(127.0.0.1) only can be seen by a scan from outside, though no byte
    of the service arrives there. The cell passes, RV(cells[].visible) is V(true), and RV(advice) says so.
  - A guide to reading the result and to every cause is in C(docs/guide-check.md) of the collection.
seealso:
  - module: portside.rootless_docker.rootless_docker_info
  - module: portside.rootless_docker.port_probe_info
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

- name: Watch often, and leave the daemon alone
  portside.rootless_docker.published_port_check:
    user: alice
    canary: namespace

- name: Ask a service in its own protocol, and see that another one is not there
  portside.rootless_docker.published_port_check:
    user: alice
    expectations:
      - name: web
        address: 127.0.0.1
        port: 8080
        send: "GET / HTTP/1.0\r\n\r\n"
        pattern: "^HTTP/1\\.[01] 200 "
      - name: database on the host's own address
        address: 198.51.100.10
        port: 5432
        expected: must_not

- name: Keep the canaries up for half a minute
  portside.rootless_docker.published_port_check:
    user: alice
    hold: 30
  register: proof

- name: Try them from the controller
  portside.rootless_docker.port_probe_info:
    probes: "{{ proof.held.probes }}"
  delegate_to: localhost
  become: false

- name: Take them away
  portside.rootless_docker.published_port_check:
    user: alice
    release: "{{ proof.held.id }}"
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
    - Of more than 24 columns, those are shown in which something differs from what is expected.
    - Where a container's C(silent ok) is among them, a last line says what that means.
  type: list
  elements: str
  returned: when O(release) is not given
  sample:
    - "Published ports, canary container, TCP"
    - "from                127.0.0.1:23456:24001  23457:24002"
    - "host 127.0.0.1      answered ok            answered ok"
    - "host 198.51.100.10  reset ok               answered ok"
table_text:
  description: The same as one text.
  type: str
  returned: when O(release) is not given
  sample: "Published ports, canary\nfrom ..."
cells:
  description: One entry for each published thing and vantage point.
  type: list
  elements: dict
  returned: when O(release) is not given
  contains:
    group:
      description:
        - V(canary) (canary containers), V(namespace) (the canary in RootlessKit's namespace), V(container) (running containers),
          V(expectation), V(listener) (what no container published) or V(host_loopback).
      type: str
      sample: canary
    thing:
      description:
        - What was published, as for C(docker run -p), less the protocol; for a container, its name, address and ports; for an
          expectation, its name.
      type: str
      sample: "127.0.0.1:23456:24001"
    vantage:
      description: From where it was tried.
      type: str
      sample: host 127.0.0.1
    protocol:
      description: V(tcp) or V(udp).
      type: str
      sample: tcp
    address:
      description:
        - Address that was tried. V(gateway) and V(gateway6) are the default gateways of the vantage point, V(outer) the one of
          RootlessKit's namespace.
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
        - V(answered), V(wrong_answer), V(silent) (connected, or sent over UDP, and nothing came), V(reset), V(closed) (connected, closed
          empty), V(refused), V(timed_out), V(unreachable), or null when it could not be tried.
      type: str
      sample: answered
    proof:
      description:
        - What the outcome rests on. V(nonce) means that the canary's own answer came back.
        - V(pattern) means that the answer matches the pattern of an expectation.
        - V(data) means that bytes came, and nothing tells whose they are but the process that listens on the host.
        - V(open) means that a foreign service took the connection and kept it open without a word, as one does that speaks only when
          spoken to.
        - V(listener) is the same over UDP, where the kernel shows that the daemon has the port, and nothing can be told by silence.
        - V(canary) means that nothing came over UDP, and that a canary which is published in the same way did not answer there either.
        - V(doubt) means that nothing came over UDP, which proves nothing.
        - V(none) means that no byte came.
      type: str
      sample: nonce
    control:
      description: Whether something that must answer did, from this vantage point in this run.
      type: bool
      sample: true
    visible:
      description: Whether a scan from there sees an open port. Over TCP the handshake succeeded, over UDP something came back.
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
  returned: when O(release) is not given
  contains:
    cause:
      description:
        - One of V(daemon_down), V(engine_unusable), V(pasta_dead), V(engine_cannot_publish), V(pesto_with_ipv6), V(canary_refused),
          V(port_not_added), V(address_not_on_host), V(out_of_time), V(container_not_started), V(port_held_by_other_daemon),
          V(port_held_by_other_process), V(loopback_flag_missing), V(other_loopback_address), V(ipv6_off), V(ephemeral_range_skipped),
          V(privileged_port), V(detached_host_network), V(host_loopback_leak), V(udp_of_slirp4netns),
          V(container_not_listening), V(port_used_by_connection), V(pesto_blocked), V(loopback_tcp_hangs), V(no_listener),
          V(filtered_on_host), V(unexpected_answer), V(expectation_not_met), V(answers_where_it_must_not), V(listener_without_container),
          V(open_where_it_must_not), V(namespace_not_entered), V(no_control), V(unknown).
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
      description: The places it explains, each with C(thing), C(vantage), C(address), C(port) and C(protocol).
      type: list
      elements: dict
evidence:
  description:
    - What the findings rest on. V(null) is not known.
    - C(pasta_has_flag) and C(pasta_skips_ephemeral) (capabilities of the running pasta's binary) and C(unit_state) are looked at only when
      something did not pass.
  type: dict
  returned: when O(release) is not given
  sample:
    engine_version: 26.1.5+dfsg1
    rootlesskit_version: 3.2.0
    network_driver: pasta
    port_driver: implicit
    pasta_pid: 318
advice:
  description:
    - What does not break the contract and is worth knowing, in the form of RV(findings); RV(ok) does not depend on it. Causes are
      V(visible_from_outside), V(network_collision), V(stale_programs), V(listeners_not_told), V(canaries_left).
  type: list
  elements: dict
  returned: when O(release) is not given
host_services:
  description:
    - Services on the host's loopback that could be reached over TCP from RootlessKit's namespace, or, where that is detached, from a
      container with C(--net=host). They are looked for only where a canary there could be read. Services over UDP are not listed.
  type: list
  elements: dict
  returned: when O(release) is not given
  contains:
    address:
      description: Address that it listens on.
      type: str
      sample: 127.0.0.1
    port:
      description: Port that it listens on.
      type: int
      sample: 5432
    process:
      description: Name of the process; empty where it cannot be seen.
      type: str
      sample: postgres
    pid:
      description: Its number, or null.
      type: int
      sample: 4711
    uid:
      description: User of the socket.
      type: int
      sample: 114
    through:
      description: Address that it was reached at, from inside.
      type: str
      sample: 127.0.0.1
held:
  description: The canaries that are still up.
  type: dict
  returned: when O(hold) is given
  contains:
    id:
      description: What O(release) takes.
      type: str
      sample: 0a1b2c3d4e5f
    seconds:
      description: How long they stay, from the end of the module.
      type: int
      sample: 30
    probes:
      description:
        - What another machine is to try, as M(portside.rootless_docker.port_probe_info) takes it; the running containers' ports, too.
      type: list
      elements: dict
untested:
  description: Number of published ports of running containers that were not tried, because they are neither TCP nor UDP.
  type: int
  returned: when O(release) is not given
  sample: 0
duration:
  description: Seconds that the run took.
  type: float
  returned: when O(release) is not given
  sample: 1.9
"""

import pwd
import re
import signal
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.rootless_docker.plugins.module_utils._arguments import (
    BadArgument,
    checked_timeout,
    find_account,
    own_addresses,
)
from ansible_collections.portside.rootless_docker.plugins.module_utils._canary import RUN_ID, Canaries, NoFreePort
from ansible_collections.portside.rootless_docker.plugins.module_utils._check import CLEANUP_SECONDS, Check, Wanted
from ansible_collections.portside.rootless_docker.plugins.module_utils._deadline import Deadline
from ansible_collections.portside.rootless_docker.plugins.module_utils._diagnosis import advise, diagnose
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import Engine, EngineError
from ansible_collections.portside.rootless_docker.plugins.module_utils._expectations import EXPECTATION_SPEC, parse_expectations
from ansible_collections.portside.rootless_docker.plugins.module_utils._result import assemble
from ansible_collections.portside.rootless_docker.plugins.module_utils._signals import Interrupted, Interrupts
from ansible_collections.portside.rootless_docker.plugins.module_utils._unixhttp import HttpError

MAX_HOLD = 600


def checked_hold(seconds: int, canary: str) -> int:
    """The same number.

    :raises BadArgument: when it is not between 0 and 600, or there is no canary container to hold.
    """
    if not 0 <= seconds <= MAX_HOLD:
        raise BadArgument(f"hold is {seconds}: it must be between 0 and {MAX_HOLD} seconds")
    if seconds and canary == "namespace":
        raise BadArgument("hold keeps canary containers up, and with canary=namespace there are none: set canary to container or both")
    return seconds


def checked_run_id(text: str | None) -> str | None:
    """The same text.

    :raises BadArgument: when it names no run.
    """
    if text is not None and not re.fullmatch(RUN_ID, text):
        raise BadArgument(f"release is {text!r}: it must be the held.id of an earlier run, 12 hexadecimal digits")
    return text


def release_canaries(module: AnsibleModule, account: pwd.struct_passwd, run_id: str, deadline: Deadline) -> None:
    """Remove the canaries that an earlier run held, and end the module."""
    engine = Engine(account.pw_uid, deadline)
    try:
        engine.negotiate()
        Canaries(engine, run_id, "", deadline, "").remove(deadline)
    except (HttpError, EngineError) as error:
        module.fail_json(msg=f"the canaries {run_id} of {account.pw_name} could not be removed: {error}. They end by themselves.")
    module.exit_json(changed=False, ok=True, user=account.pw_name, msg=f"{account.pw_name}: the canaries {run_id} are gone.")


def check_ports(module: AnsibleModule) -> None:
    """Check, and end the module."""
    params = module.params
    try:
        account = find_account(params["user"])
        timeout = checked_timeout(params["timeout"])
        addresses = own_addresses(params["host_addresses"])
        expectations = tuple(parse_expectations(params["expectations"]))
        hold = checked_hold(params["hold"], params["canary"])
        release = checked_run_id(params["release"])
    except BadArgument as error:
        module.fail_json(msg=str(error))
    clock = Deadline(timeout)
    if release is not None:
        release_canaries(module, account, release, clock)
    wanted = Wanted(
        addresses=addresses,
        namespace=params["canary"] in ("namespace", "both"),
        container=params["canary"] in ("container", "both"),
        containers=params["containers"],
        host_loopback=params["host_loopback"] == "closed",
        unpublished=params["unpublished_listeners"] == "closed",
        hold=hold,
        expectations=expectations,
    )
    interrupts = Interrupts()
    check = Check(account, wanted, timeout, interrupts)
    interrupts.install()
    # The last resort, should a read below /run/user or /proc hang: everything else keeps the deadline by itself, the removals theirs.
    signal.setitimer(signal.ITIMER_REAL, timeout + 2 * CLEANUP_SECONDS + 0.3)
    try:
        cells, evidence = check.run()
    except Interrupted as reason:
        canaries = f"its canaries may still be there: {check.found.left_behind}" if check.found.left_behind else "its canaries were removed"
        module.fail_json(msg=f"the check of {account.pw_name} was cut off by {reason}: nothing is proved, and {canaries}")
    except NoFreePort as error:
        module.fail_json(msg=f"the daemon of {account.pw_name} was not checked: {error}")
    signal.setitimer(signal.ITIMER_REAL, 0)
    result: dict[str, Any] = {
        **assemble(account.pw_name, cells, diagnose(evidence, cells), clock.elapsed()),
        "user": account.pw_name,
        "advice": [finding.as_result() for finding in advise(evidence, cells)],
        "host_services": [asdict(service) for service in evidence.services],
        "evidence": evidence.as_result(),
        "untested": check.found.untested,
    }
    if hold:
        result["held"] = {"id": check.found.run_id, "seconds": hold, "probes": check.outside()}
    if result["ok"] or not params["fail"]:
        module.exit_json(**result)
    module.fail_json(**result)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str"},
            "timeout": {"type": "float", "default": 20},
            "canary": {"type": "str", "choices": ["namespace", "container", "both"], "default": "container"},
            "containers": {"type": "bool", "default": True},
            "host_addresses": {"type": "list", "elements": "str"},
            "host_loopback": {"type": "str", "choices": ["closed", "any"], "default": "closed"},
            "unpublished_listeners": {"type": "str", "choices": ["closed", "any"], "default": "closed"},
            "expectations": EXPECTATION_SPEC,
            "hold": {"type": "int", "default": 0},
            "release": {"type": "str"},
            "fail": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("hold", "release")],
        supports_check_mode=True,
    )
    check_ports(module)


if __name__ == "__main__":
    main()
