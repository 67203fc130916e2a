# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
import zipfile
from io import BytesIO

from ansible_collections.portside.rootless_docker.plugins.plugin_utils import health_program as core


def test_only_what_is_needed_is_packed():
    read = {"a": f"from {core.PACKAGE} import b\n", "b": f"def f():\n    from {core.PACKAGE}._c import g\n", "_c": "import os\n", "d": ""}
    assert list(core.needed(read, "a")) == ["_c", "a", "b"]


def test_the_same_sources_give_the_same_bytes():
    program = core.build()
    core.build.cache_clear()
    assert core.build() == program
    entries = zipfile.ZipFile(BytesIO(program)).infolist()
    assert {(entry.date_time, entry.compress_type, entry.create_system) for entry in entries} == {((1980, 1, 1, 0, 0, 0), 0, 3)}
    names = [entry.filename for entry in entries]
    assert any(name.endswith("/_check.py") for name in names) and not any(name.endswith("/_rootlesskit_release.py") for name in names)


def test_it_runs_by_itself(tmp_path):
    path = tmp_path / "health.pyz"
    path.write_bytes(core.build())
    argv = [sys.executable, "-I", "-S", "-B", str(path), f"--textfile-directory={tmp_path}", "nobody-here"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "<3>nobody-here: there is no daemon\n"
    assert 'rootless_docker_up{user="nobody-here"} 0' in (tmp_path / "rootless_docker_nobody-here.prom").read_text()
