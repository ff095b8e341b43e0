#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts test cases from JUnit files. Usage: count_tests.py FOLDER [LABEL]   Prints `LABEL: N passed, N failed`.

ctest's own file (ctest.junit) knows of programs that ended badly without writing theirs: each such program is one failure.
"""
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count(folder: Path) -> tuple[int, int, int]:
    passed = failed = skipped = 0
    for path in sorted(folder.rglob("*.xml")):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif case.find("skipped") is not None or case.get("status") == "notrun":
                skipped += 1
            else:
                passed += 1
    ended_badly = 0
    for path in sorted(folder.rglob("ctest.junit")):
        cases = ElementTree.parse(path).getroot().iter("testcase")
        ended_badly += sum(case.find("failure") is not None for case in cases)
    return passed, max(failed, ended_badly), skipped


def main() -> None:
    passed, failed, skipped = count(Path(sys.argv[1]))
    label = f"{sys.argv[2]}: " if len(sys.argv) > 2 else ""
    print(f"{label}{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))


if __name__ == "__main__":
    main()
