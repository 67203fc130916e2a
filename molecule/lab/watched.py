#!/usr/bin/env python
# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command and asks for a page all the while, as a visitor would: watched.py ADDRESS PORT COMMAND ...

Its last line says for how long there was no page. Its exit code is the command's.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from outsider import fetch


def main() -> int:
    """Run, and ask a few times a second."""
    address, port, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        begin = last = time.monotonic()
        gap = 0.0
        while process.poll() is None:
            asked = time.monotonic()
            if fetch(address, port, timeout=1) == "answered":
                gap, last = max(gap, asked - last), asked
            time.sleep(0.1)
        output.seek(0)
        print(output.read())
    print(f"watched for {time.monotonic() - begin:.0f} s: no page for {gap:.1f} s")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
