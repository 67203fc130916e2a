# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say what is expected of a port, as C(module_utils/_expectations.py) specifies them."""

from __future__ import annotations


class ModuleDocFragment:
    """What C(EXPECTATION_SPEC) and C(PROBE_SPEC) mean. Literal text twice, because the sanity tests read it without running it."""

    DOCUMENTATION = r"""
options:
  expectations:
    description:
      - Ports that must, or must not, answer at a given address, beside those that are found on the host.
    type: list
    elements: dict
    default: []
    suboptions:
      from:
        description:
          - From where it is tried. V(host) is the host itself, V(namespace) is RootlessKit's network namespace on it.
        type: str
        choices: [host, namespace]
        default: host
      name:
        description:
          - What it is called in the table and in messages; control characters are shown escaped, and what exceeds 100 characters is cut.
          - The default is made of address, port and protocol, for example V(192.0.2.7:8080/tcp).
        type: str
      address:
        description:
          - Numeric IPv4 or IPv6 address that is tried. Names are not looked up.
        type: str
        required: true
      port:
        description:
          - Port that is tried, between 1 and 65535.
        type: int
        required: true
      protocol:
        description:
          - What is spoken below the service.
        type: str
        choices: [tcp, udp]
        default: tcp
      expected:
        description:
          - Whether the service must answer there, or must not.
        type: str
        choices: [answers, must_not]
        default: answers
      send:
        description:
          - Text that is sent as soon as the connection is there, as UTF-8. At most 16384 bytes over TCP and 1400 over UDP.
          - Without it nothing is sent over TCP, and an empty datagram over UDP. Then a TCP connection that stays open counts as
            an open way, and whether the service answers is not known; over UDP only a refusal (ICMP) or data says something.
        type: str
      send_base64:
        description:
          - The same for bytes that are no text. Exclusive with O(expectations[].send).
        type: str
      pattern:
        description:
          - Regular expression of Python that the answer must contain. It is compiled for bytes, at most 1000 characters long, and searched
            in the first 4096 bytes of the answer. An answer without it is V(wrong_answer).
          - With a pattern, the answer is read until the service closes the connection, 4096 bytes have come or O(expectations[].wait)
            is over.
        type: str
      wait:
        description:
          - Seconds for the handshake, and again for the answer, between 0.05 and 30.
        type: float
        default: 1.0
"""

    PROBES = r"""
options:
  probes:
    description:
      - Ports that must, or must not, answer from here.
    type: list
    elements: dict
    required: true
    suboptions:
      from:
        description:
          - From where it is tried, which is always the machine that the module runs on. The option is there so that
            what is written for V(peer) in the role C(rootless_verify) can be passed on.
        type: str
        choices: [peer]
        default: peer
      canary:
        description:
          - The canary of M(portside.rootless_docker.published_port_check) that is behind the port. Only its own answer counts, and
            O(probes[].send), O(probes[].send_base64) and O(probes[].pattern) have no effect.
        type: dict
        suboptions:
          nonce:
            description:
              - The nonce of the run that put it up.
            type: str
            required: true
          port:
            description:
              - The port that it listens on in its own place.
            type: int
            required: true
      group:
        description:
          - Part of the table that it is shown in.
        type: str
        choices: [outside, canary, namespace, container, expectation]
        default: outside
      visible:
        description:
          - Whether a port that must not answer may be seen as open all the same. Under the port driver C(implicit), a port that is
            published on C(127.0.0.1) can be seen from outside, though no byte of its service comes.
          - With V(false), a connection that is taken and then broken off is a failure.
        type: bool
        default: true
      name:
        description:
          - What it is called in the table and in messages; control characters are shown escaped, and what exceeds 100 characters is cut.
          - The default is made of address, port and protocol, for example V(192.0.2.7:8080/tcp).
        type: str
      address:
        description:
          - Numeric IPv4 or IPv6 address that is tried. Names are not looked up.
        type: str
        required: true
      port:
        description:
          - Port that is tried, between 1 and 65535.
        type: int
        required: true
      protocol:
        description:
          - What is spoken below the service.
        type: str
        choices: [tcp, udp]
        default: tcp
      expected:
        description:
          - Whether the service must answer there, or must not.
        type: str
        choices: [answers, must_not]
        default: answers
      send:
        description:
          - Text that is sent as soon as the connection is there, as UTF-8. At most 16384 bytes over TCP and 1400 over UDP.
          - Without it nothing is sent over TCP, and an empty datagram over UDP. Then a TCP connection that stays open counts as
            an open way, and whether the service answers is not known; over UDP only a refusal (ICMP) or data says something.
        type: str
      send_base64:
        description:
          - The same for bytes that are no text. Exclusive with O(probes[].send).
        type: str
      pattern:
        description:
          - Regular expression of Python that the answer must contain. It is compiled for bytes, at most 1000 characters long, and searched
            in the first 4096 bytes of the answer. An answer without it is V(wrong_answer).
          - With a pattern, the answer is read until the service closes the connection, 4096 bytes have come or O(probes[].wait)
            is over.
        type: str
      wait:
        description:
          - Seconds for the handshake, and again for the answer, between 0.05 and 30.
        type: float
        default: 1.0
"""
