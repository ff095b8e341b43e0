# SPDX-License-Identifier: Apache-2.0
"""The layer checker itself: silent on a good tree, and one finding for every seeded breach of a bad one."""
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).parent
CHECKER = HERE.parent.parent / "tools" / "check_layers.py"

WANTED = [
    "src/layers.txt:7: gone is listed but not there",
    "src/app/utils:1: a folder named utils says nothing",
    "src/base/no_once.h:1: lacks #pragma once",
    "src/base/upward.h:3: base includes codec/json (codec/json/json.h), which is below it",
    "src/codec/json/json.h:1: lacks the line 'SPDX",
    "src/codec/json/CamelCase.h:1: file names are snake_case",
    "src/broker/memory/sibling.cc:2: broker/memory includes its sibling broker/log",
    "src/broker/log/relative.cc:2: includes log.h by a relative path",
    "src/app/private.cc:2: includes broker/log/impl/segment.h, which is private to broker/log",
    "src/app/wide.cc:2: 128 columns; at most 100",
    "src/app/long_function.cc:2: function of 73 lines; at most 70",
    "src/app/long_file.cc:800: 801 lines; at most 800",
    "src/app/long_header.h:450: 452 lines; at most 450",
    "src/stray/stray.cc:1: its folder is not listed in src/layers.txt",
]


def check(tree: str) -> tuple[int, list[str]]:
    done = subprocess.run([sys.executable, CHECKER, HERE / tree], capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


class CheckLayers(unittest.TestCase):
    def test_good_tree_is_clean(self):
        self.assertEqual(check("good"), (0, ["layers: clean"]))

    def test_bad_tree_names_every_breach_and_nothing_else(self):
        status, lines = check("bad")
        self.assertEqual(status, 1)
        for wanted in WANTED:
            with self.subTest(wanted):
                self.assertTrue(any(line.startswith(wanted) for line in lines), "\n".join(lines))
        self.assertEqual(len(lines) - 1, len(WANTED), "\n".join(lines))


if __name__ == "__main__":
    unittest.main()
