# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from lab.bench_ports import METHODS, Cost, page

# As measured: seconds for the task, and in the module in each run, on 500 ports.
MEASURED = [(1.1, (0.73, 0.7, 1.4)), (3.16, (2.77,)), (99.16, ()), (164.41, ())]
COSTS = [Cost(method, ports, task, runs, ports) for ports in (1, 500) for method, (task, runs) in zip(METHODS, MEASURED)]


def test_the_page_says_of_what_each_ratio_is_one():
    words = " ".join(page(COSTS, "A machine.").split())
    assert "With `canary: namespace`, 500 ports take 0.73 s in the module (0.70 to 1.40) and 1.10 s for the task." in words
    assert "With `canary: container`, the default, they take 2.77 s in the module" in words
    assert "loop over wait_for 90.1 (task by task) and 135.8 (by module time); loop over uri 149.5 (task by task)" in words
