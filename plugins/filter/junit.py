# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: junit
short_description: Write results of the checks as JUnit XML
version_added: 0.1.0
author: The portside.rootless_docker contributors (@portside)
description:
  - Makes one document of the results of M(portside.rootless_docker.published_port_check) and M(portside.rootless_docker.port_probe_info),
    for a build server that draws test reports.
  - One test case is one cell. There is one suite for each user and each place that was tried from.
  - A cell that fails is a C(failure) of type V(fail), an inconclusive one is a C(failure) of type V(inconclusive), and one that could
    not be tried is an C(error) of type V(not_tried). Cause, message and remedy are in its text.
  - A finding that no cell stands for, as when a daemon is down, is a test case of its own; so is a check that gave no result.
  - Characters that XML cannot hold are escaped with a backslash, and each text is cut at 4000 characters, whatever a container is called.
options:
  _input:
    description: What the modules returned.
    type: list
    elements: dict
    required: true
  host:
    description: Name of the host that the results are about.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Write a report on the controller
  ansible.builtin.copy:
    content: "{{ proofs.results | portside.rootless_docker.junit(host=inventory_hostname) }}"
    dest: "reports/{{ inventory_hostname }}.xml"
    mode: "0644"
  delegate_to: localhost
  become: false
"""

RETURN = r"""
_value:
  description: The document.
  type: str
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.portside.rootless_docker.plugins.plugin_utils.junit import BadResult, junit


def junit_filter(results: list, host: str = "") -> str:
    """See C(junit); errors as Ansible wants them."""
    try:
        return junit(results, host)
    except BadResult as error:
        raise AnsibleFilterError(f"junit: {error}") from error


class FilterModule:
    """The filter."""

    def filters(self) -> dict:
        """By name."""
        return {"junit": junit_filter}
