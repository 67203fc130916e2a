# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the property tests search: the same examples in every run, so that a failure is the change's and not chance's."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("steady", derandomize=True, deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
# By hand, to search further: pytest --hypothesis-profile=wide.
settings.register_profile("wide", derandomize=False, database=None, deadline=None, max_examples=3000)
settings.load_profile("steady")
