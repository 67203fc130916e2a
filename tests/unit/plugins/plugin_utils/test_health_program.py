# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

from ansible_collections.portside.rootless_docker.plugins.module_utils import _health_program as program
from ansible_collections.portside.rootless_docker.plugins.plugin_utils import health_program as core


def test_only_what_is_needed_is_packed():
    read = {"a": f"from {core.PACKAGE} import b\n", "b": f"def f():\n    from {core.PACKAGE}._c import g\n", "_c": "import os\n", "d": ""}
    assert list(core.needed(read, "a")) == ["_c", "a", "b"]


def test_the_same_sources_give_the_same_bytes():
    packed = core.build()
    core.build.cache_clear()
    assert core.build() == packed
    entries = zipfile.ZipFile(BytesIO(packed)).infolist()
    assert {(entry.date_time, entry.compress_type, entry.create_system) for entry in entries} == {((1980, 1, 1, 0, 0, 0), 0, 3)}
    names = [entry.filename for entry in entries]
    assert {"_check.py", "_comeback.py"} <= {name.rpartition("/")[2] for name in names}
    assert not any(name.endswith("/_rootlesskit_release.py") for name in names)


def test_a_restart_ends_before_systemd_ends_it():
    service = Path(core.__file__).parents[2] / "roles/rootless_daemon/templates/rootless-docker-health@.service.j2"
    limit = int(re.search("^TimeoutStartSec=([0-9]+)$", service.read_text(), re.MULTILINE)[1])
    looks = 2 * program.LOOK_SECONDS + program.CONFIRM_SECONDS
    assert looks + program.ENGINE_SECONDS + program.RESTART_SECONDS + program.START_SECONDS < limit - 10


def test_it_runs_by_itself(tmp_path):
    path = tmp_path / "health.pyz"
    path.write_bytes(core.build())
    argv = [sys.executable, "-I", "-S", "-B", str(path), f"--textfile-directory={tmp_path}", "nobody-here"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "<3>nobody-here: there is no daemon\n"
    assert 'rootless_docker_up{user="nobody-here"} 0' in (tmp_path / "rootless_docker_nobody-here.prom").read_text()
