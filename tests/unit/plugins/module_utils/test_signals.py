# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _signals as core

# A process as a check is: another thread is there while the main one measures and cleans up.
RUN = """
import threading, time
from ansible_collections.portside.rootless_docker.plugins.module_utils._signals import Interrupted, Interrupts

def say(text):
    print(text, flush=True)

def sleep():
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        time.sleep(0.01)

interrupts = Interrupts()
interrupts.install()
threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
try:
    try:
        say("measure")
        sleep()
        say("measured")
    finally:
        with interrupts.held():
            say("clean up")
            sleep()
            say("clean")
    say("go on")
except Interrupted as reason:
    say(reason)
"""


def run(moments, *numbers):
    """What such a process says that gets signals at some moments."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True, env=environment) as process:
        said = []
        for line in process.stdout:
            said.append(line.strip())
            if said[-1] in moments:
                for number in numbers:
                    process.send_signal(number)
    assert process.returncode == 0
    return said


@pytest.mark.parametrize("number", core.SIGNALS)
def test_a_signal_while_measuring_ends_that(number):
    assert run(["measure"], number) == ["measure", "clean up", "clean", number.name]


@pytest.mark.parametrize("number", core.SIGNALS)
def test_a_signal_while_cleaning_up_waits(number):
    assert run(["clean up"], number) == ["measure", "measured", "clean up", "clean", number.name]


@pytest.mark.parametrize("moment", ["measure", "clean up"])
def test_signals_after_the_first_are_ignored(moment):
    assert run([moment], signal.SIGTERM, signal.SIGTERM, signal.SIGTERM)[-2:] == ["clean", "SIGTERM"]


def test_a_second_signal_while_cleaning_up_after_the_first():
    assert run(["measure", "clean up"], signal.SIGTERM) == ["measure", "clean up", "clean", "SIGTERM"]


def test_without_a_signal_it_goes_on():
    assert run([]) == ["measure", "measured", "clean up", "clean", "go on"]
