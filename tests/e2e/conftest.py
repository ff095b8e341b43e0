# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `server` is a running server with the default config; `make_server` makes others. Both are stopped at the end."""
import subprocess
from pathlib import Path

import pytest
from server import BINARY, Server


@pytest.fixture
def make_server(tmp_path):
    servers: list[Server] = []

    def make(config: str | None = None, settings: dict[str, str] | None = None) -> Server:
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        servers.append(Server(folder, config, settings))
        return servers[-1]

    yield make
    for server in servers:
        if server.process:
            server.stop()
        # A sanitizer's report must not go unseen in a log that nobody reads.
        log = server.log()
        for mark in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:", "HEADRACE_ASSERT"):
            assert mark not in log, log[-8000:]


@pytest.fixture
def server(make_server) -> Server:
    return make_server().start()


@pytest.fixture
def headrace(tmp_path):
    """Runs the command line: headrace("check", path) -> CompletedProcess with text."""

    def run(*arguments, stdin: str | None = None, timeout: float = 60, cwd: Path | None = None):
        return subprocess.run(
            [BINARY, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=timeout, cwd=cwd or tmp_path
        )

    return run
