# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs the health timer's program, with all it imports, into one file that Python runs. The same sources give the same bytes."""

from __future__ import annotations

import ast
import functools
import io
import zipfile
from pathlib import Path

PACKAGE = "ansible_collections.portside.rootless_docker.plugins.module_utils"
ENTRY = "_health_program"
FOLDER = Path(__file__).resolve().parents[1] / "module_utils"
MAIN = f"import sys\nfrom {PACKAGE}.{ENTRY} import main\nsys.exit(main(sys.argv[1:]))\n"


def imported(source: str) -> set[str]:
    """Names of the collection's own modules that a source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            found.add((node.module or "")[len(PACKAGE) + 1 :])
    return found


def needed(read: dict[str, str], name: str = ENTRY) -> dict[str, str]:
    """Those of C(read), sources by name, that C(name) needs, itself included."""
    found: dict[str, str] = {}
    left = [name]
    while left:
        current = left.pop()
        if current not in found:
            found[current] = read[current]
            left += sorted(imported(read[current]))
    return dict(sorted(found.items()))


def archive(files: dict[str, str]) -> bytes:
    """A zip archive of these texts by path. It is not packed: what zlib makes of a text differs between its versions."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as packed:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            packed.writestr(entry, text)
    return data.getvalue()


@functools.lru_cache(maxsize=1)
def build() -> bytes:
    """The program."""
    sources = needed({path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("_*.py"))})
    parts = PACKAGE.split(".")
    packages = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    files = {"__main__.py": MAIN, **{f"{package}/__init__.py": "" for package in packages}}
    return archive({**files, **{f"{packages[-1]}/{name}.py": text for name, text in sources.items()}})
