# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.portside.rootless_docker.plugins.modules import user_data as module

NOBODY = ["no-such-user-1", "no-such-user-2", "no-such-user-3"]


@pytest.mark.parametrize("there", [[], NOBODY[:1], NOBODY[1:], NOBODY])
def test_one_users_failure_keeps_nobody_elses_removal(tmp_path, there):
    for user in there:
        (tmp_path / user).mkdir()
    entries = [{"user": user, "data_root": str(tmp_path / user), "account": True} for user in NOBODY]
    done, undone = module.removals(entries, check_mode=False, timeout=5)
    assert done == []
    assert list(undone) == there
    for user, text in undone.items():
        assert text.startswith(f"{user}: {tmp_path / user} was left alone: the account is gone")
        assert "Remedy: " in text
        assert (tmp_path / user).is_dir()
