# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import random
import tarfile

import pytest
from ansible_collections.portside.rootless_docker.plugins.module_utils import _canary as canary

MAKER = canary.Maker(pid=100, start=5000, uid=1000, boot_id="b007", expires=900)
ROOT = canary.Maker(pid=1, start=1, uid=0, boot_id="b007", expires=0)
SAME = canary.Maker(pid=1, start=1, uid=1000, boot_id="b007", expires=0)
OTHER = canary.Maker(pid=1, start=1, uid=1001, boot_id="b007", expires=0)
REBOOTED = canary.Maker(pid=1, start=1, uid=1001, boot_id="1a7e", expires=0)


@pytest.mark.parametrize(
    ("now", "seconds", "start_of_pid", "stale"),
    [
        (ROOT, 100, 5000, False),
        (ROOT, 100, None, True),
        (ROOT, 100, 6000, True),
        (SAME, 100, None, True),
        (SAME, 100, 5000, False),
        (OTHER, 100, None, False),
        (OTHER, 901, None, True),
        (ROOT, 901, 5000, True),
        (REBOOTED, 10, 5000, True),
    ],
)
def test_only_what_nobody_needs_is_swept(now, seconds, start_of_pid, stale):
    assert canary.is_stale(MAKER, now, seconds, start_of_pid) is stale


def test_maker_label():
    assert canary.Maker.parse(MAKER.text()) == MAKER


@pytest.mark.parametrize(
    "text", [None, 3, "", "1:2:3:4", "a:2:3:b007:5", "1:2:3:b007:-5", "1:2:3:b007:5:6", "1" * 300, "\u00b2:1:1:b:1", "1:1:1:boot\n:1"]
)
def test_labels_of_another_form(text):
    assert canary.Maker.parse(text) is None


RUN = "0123456789ab"
LABELS = {canary.LABEL: RUN, canary.MAKER_LABEL: MAKER.text()}


def container(**changes):
    return {"Names": [f"/portside-canary-{RUN}-bridge0"], "Image": f"portside-canary:{RUN}", "Labels": LABELS, **changes}


def image(**changes):
    return {"RepoTags": [f"portside-canary:{RUN}"], "Labels": LABELS, **changes}


def test_a_canary_is_known():
    assert canary.made_container(container()) == canary.Made(RUN, MAKER, f"/containers/portside-canary-{RUN}-bridge0")
    assert canary.made_image(image()) == canary.Made(RUN, MAKER, f"/images/portside-canary:{RUN}")
    assert canary.made_image(image(RepoTags=["mine:latest", f"portside-canary:{RUN}"])) == canary.made_image(image())


NO_LABELS = [None, ["x"], {canary.LABEL: RUN}, {**LABELS, canary.LABEL: "0" * 12}, {**LABELS, canary.LABEL: [RUN]}]


# A container inherits the labels of its image, so labels alone must neither hide it from the check nor have it removed.
@pytest.mark.parametrize(
    "changes",
    [{"Names": value} for value in (None, [], "/x", [3], ["/web"], [f"/web/portside-canary-{RUN}-host"], ["/portside-canary-0-host"])]
    + [{"Image": value} for value in (None, ["x"], "web", "portside-canary:" + "0" * 12)]
    + [{"Labels": value} for value in NO_LABELS],
)
def test_a_container_of_somebody_else(changes):
    assert canary.made_container(container(**changes)) is None


@pytest.mark.parametrize(
    "changes",
    [{"RepoTags": value} for value in (None, [], [None], ["web:latest"], [f"evil/portside-canary:{RUN}"], ["portside-canary:latest"])]
    + [{"Labels": value} for value in NO_LABELS],
)
def test_an_image_of_somebody_else(changes):
    assert canary.made_image(image(**changes)) is None


def test_ports_avoid_busy_ones_and_the_ephemeral_range():
    free = canary.FreePorts(set(range(20000, 25000)), (28000, 60999), random.Random(1))
    ports = free.take(50) + free.take(50)
    assert len(set(ports)) == 100 and all(25000 <= port < 28000 for port in ports)
    assert 28000 <= free.take_ephemeral() <= 60999


def test_an_ephemeral_port_is_none_that_outgoing_connections_get_first():
    free = canary.FreePorts(set(), (32768, 60999), random.Random(1))
    assert {free.take_ephemeral() % 2 for _each in range(50)} == {1}


def test_an_ephemeral_range_of_one_port():
    assert canary.FreePorts(set(), (40000, 40000), random.Random(1)).take_ephemeral() == 40000


def test_no_port_is_left():
    free = canary.FreePorts(set(range(1024, 65536)) - {20000}, (32768, 60999), random.Random(1))
    assert free.take(1) == [20000]
    with pytest.raises(canary.NoFreePort, match="from 1024 to 65535"):
        free.take(1)
    with pytest.raises(canary.NoFreePort, match="ip_local_port_range"):
        free.take_ephemeral()


def test_ports_where_everything_is_ephemeral():
    assert len(canary.FreePorts(set(), (1024, 65535), random.Random(1)).take(5)) == 5


def test_what_is_held_stays_until_its_time_is_over():
    held = canary.Maker(pid=canary.NOBODY, start=5000, uid=0, boot_id="b007", expires=900)
    assert not canary.is_stale(held, ROOT, 100, None)
    assert canary.is_stale(held, ROOT, 901, None)


def test_parse_log_takes_standard_output_only():
    def frame(stream, data):
        return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data

    log = frame(1, b"one ") + frame(2, b"error") + frame(1, b"two\n")
    assert canary.parse_log(log) == b"one two\n"
    assert canary.parse_log(log[:-2]) == b"one tw"
    assert canary.parse_log(b"\1\0\0") == b""


def test_image_holds_links_and_the_program():
    with tarfile.open(fileobj=io.BytesIO(canary.image_archive())) as archive:
        members = {member.name: member for member in archive}
        program = archive.extractfile("canary/main.py").read().decode()
    assert members["bin"].linkname == "usr/bin" and members["usr"].isdir()
    compile(program, "main.py", "exec")
    assert {"canary/probe.py", "canary/server.py"} <= set(members)
