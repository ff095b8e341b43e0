# SPDX-License-Identifier: Apache-2.0
"""A real `headrace serve` under test: started on free ports, waited for, asked, killed, started again on the same data."""
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BINARY = os.environ.get("HEADRACE_BINARY", str(Path(__file__).parents[2] / "build" / "headrace"))
# Sanitized builds are slower; deadlines are for hangs, not for speed.
DEADLINE_S = float(os.environ.get("HEADRACE_TEST_DEADLINE", "30"))


@dataclass
class Reply:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self):
        return json.loads(self.body)


def wait_until(condition, what: str, deadline_s: float = DEADLINE_S):
    """Polls until `condition()` is truthy and returns it; the only place where tests wait for time."""
    end = time.monotonic() + deadline_s
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s:.0f} s for {what}")
        time.sleep(0.01)


class Server:
    """One data directory and the process that serves it, over any number of starts."""

    def __init__(self, folder: Path, config: str | None = None, settings: dict[str, str] | None = None):
        self.folder = folder
        self.data = folder / "data"
        self.ports_file = folder / "ports.json"
        self.log_file = folder / "server.log"
        self.config = None
        if config is not None:
            self.config = folder / "headrace.yaml"
            self.config.write_text(config)
        self.settings = {"http.listen": "127.0.0.1:0", **(settings or {})}
        self.process: subprocess.Popen | None = None
        self.ports: dict = {}
        self.tls = False

    # Life

    def command(self, *extra: str) -> list[str]:
        command = [BINARY, "serve", "--data", str(self.data), "--print-ports", str(self.ports_file)]
        if self.config:
            command += ["--config", str(self.config)]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        return command + list(extra)

    def launch(self, *extra: str) -> "Server":
        """Starts the process without waiting for it to be ready."""
        assert self.process is None, "already running"
        self.ports_file.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(self.command(*extra), stdout=log, stderr=log, cwd=self.folder)
        return self

    def start(self, *extra: str) -> "Server":
        self.launch(*extra)
        wait_until(self._has_ports, "the ports file")
        wait_until(lambda: self._alive() and self._ready(), "/readyz")
        return self

    def _alive(self) -> bool:
        if self.process and self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()[-4000:]}")
        return True

    def _has_ports(self) -> bool:
        self._alive()
        try:
            self.ports = json.loads(self.ports_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return True

    def _ready(self) -> bool:
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL: what a crash looks like."""
        return self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(how)
        try:
            return process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"did not end {DEADLINE_S:.0f} s after {how.name}:\n{self.log()[-4000:]}") from None

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    # Addresses

    @property
    def port(self) -> int:
        return self.ports["http"]

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        """A plain TCP connection, for what no client library would send."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)
        return connection

    # Requests

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None, context=None) -> Reply:
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S, context=context) as answer:
                return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())

    def get(self, path: str, headers: dict | None = None) -> Reply:
        return self.request("GET", path, headers=headers)

    def post(self, messages, headers: dict | None = None, query: str = "") -> Reply:
        """POST /api/v1/messages as JSON."""
        body = json.dumps(messages).encode()
        return self.request("POST", "/api/v1/messages" + query, body, {"content-type": "application/json", **(headers or {})})

    def search(self, **query) -> list[dict]:
        """All messages that match, over as many pages as there are."""
        found, cursor = [], None
        while True:
            page = {"wait": "30s", **query, **({"cursor": cursor} if cursor else {})}
            reply = self.get("/api/v1/messages?" + urllib.parse.urlencode({k.rstrip("_"): v for k, v in page.items()}))
            assert reply.status == 200, (reply.status, reply.body)
            answer = reply.json()
            found += answer["messages"]
            cursor = answer["next"]
            if not cursor:
                return found

    def metric(self, name: str, **labels) -> float:
        """The sum of a metric's series whose labels include these; 0 when there is none."""
        total = 0.0
        for line in self.get("/metrics").body.decode().splitlines():
            series, _, value = line.rpartition(" ")
            if line.startswith("#") or series.split("{")[0] != name:
                continue
            if all(f'{k}="{v}"' in series for k, v in labels.items()):
                total += float(value)
        return total

    def rss_bytes(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")


@contextmanager
def in_background(work):
    """Runs `work(stop: Event)` on a thread; joined at the end, its exception raised here."""
    stop, failure = threading.Event(), []

    def body():
        try:
            work(stop)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failure.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(DEADLINE_S)
        if failure:
            raise failure[0]
