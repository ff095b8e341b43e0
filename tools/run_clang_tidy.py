#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy over .cc files. Usage: run_clang_tidy.py BUILD_FOLDER [--base COMMIT] [--seconds N]

With a base: the files that changed since it, and those that include a header that changed. Without: all, the most recently
committed first, until the time is up. A file that was clean with the same contents (its own, those of the project's headers it
reaches, the configuration) is not checked again: stamps lie in the user's cache folder.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOL = "clang-tidy-19"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


class Includes:
    """The project's files that a file reaches by #include."""

    def __init__(self):
        self.direct: dict[Path, list[Path]] = {}

    def of(self, path: Path) -> list[Path]:
        if path not in self.direct:
            places = (ROOT / "src", path.parent, ROOT / "cmake", ROOT)
            names = INCLUDE.findall(path.read_text(errors="replace"))
            self.direct[path] = [next((p / n for p in places if (p / n).is_file()), None) for n in names]
            self.direct[path] = [p.resolve() for p in self.direct[path] if p]
        return self.direct[path]

    def reached(self, path: Path) -> set[Path]:
        seen, queue = {path}, [path]
        while queue:
            for other in self.of(queue.pop()):
                if other not in seen:
                    seen.add(other)
                    queue.append(other)
        return seen


def stamp_of(path: Path, includes: Includes, version: bytes) -> str:
    digest = hashlib.sha256(version + (ROOT / ".clang-tidy").read_bytes())
    for part in sorted(includes.reached(path)):
        digest.update(str(part.relative_to(ROOT)).encode() + b"\0" + part.read_bytes())
    return digest.hexdigest()


def recent_first(paths: set[Path]) -> list[Path]:
    order = {}
    for line in git("log", "--format=", "--name-only", "-n", "400"):
        order.setdefault((ROOT / line).resolve(), len(order))
    return sorted(paths, key=lambda p: (order.get(p, len(order)), p))


def check(path: Path, build: str) -> str | None:
    done = subprocess.run([TOOL, "-p", build, "--quiet", str(path)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    return "\n".join([done.stdout.strip(), *(l for l in done.stderr.splitlines() if "error" in l)]).strip() or f"{path}: clang-tidy failed"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--base")
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()

    commands = json.loads((Path(options.build) / "compile_commands.json").read_text())
    known = {Path(c["file"]).resolve() for c in commands}
    known = {p for p in known if p.is_relative_to(ROOT) and not p.is_relative_to(ROOT / "build")}
    includes = Includes()
    if options.base:
        changed = {(ROOT / line).resolve() for line in git("diff", "--name-only", options.base, "--")}
        known = {p for p in known if changed & includes.reached(p)}
    version = subprocess.run([TOOL, "--version"], capture_output=True, check=True).stdout
    stamps = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "headrace" / "tidy"
    stamps.mkdir(parents=True, exist_ok=True)

    todo = [(p, s) for p in recent_first(known) if not (stamps / (s := stamp_of(p, includes, version))).exists()]
    began = time.monotonic()
    checked, failures = 0, 0

    def work(item):
        if time.monotonic() - began > options.seconds:
            return item, False, None
        return item, True, check(item[0], options.build)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for (path, stamp), ran, problem in pool.map(work, todo):
            checked += ran
            if problem:
                failures += 1
                print(problem, flush=True)
            elif ran:
                (stamps / stamp).touch()
    late = len(todo) - checked
    print(f"clang-tidy: {len(known)} files, {len(known) - len(todo)} clean before, {checked} checked, {failures} with errors"
          + (f", {late} left for lack of time" if late else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
