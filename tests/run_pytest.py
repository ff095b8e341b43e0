# SPDX-License-Identifier: Apache-2.0
"""Runs pytest and leaves a JUnit file in $HEADRACE_RESULTS when that is set. Usage: run_pytest.py NAME ARGUMENTS..."""
import os
import sys

import pytest

name, arguments = sys.argv[1], sys.argv[2:]
if results := os.environ.get("HEADRACE_RESULTS"):
    arguments.append(f"--junitxml={results}/{name}.xml")
if os.environ.get("HEADRACE_SANITIZER"):
    os.environ.setdefault("HEADRACE_TEST_DEADLINE", "90")
sys.exit(pytest.main(["-c", "pytest.ini", *arguments]))
