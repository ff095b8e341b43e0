#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Headrace end to end beside a Node `ws` server, and runs the microbenchmarks. Usage: run.py --build FOLDER

Prints tables and writes FOLDER/results.json. QUICK=1 measures for one second each instead of four.
"""
import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUICK = os.environ.get("QUICK") == "1"
SECONDS = 1 if QUICK else 4
IDLE_CONNECTIONS = 1000 if QUICK else 10000
CONFIG = """\
data_types:    {{ system_metrics: {{}} }}
receivers:     {{ archive: {{ type: documents, store: sqlite }} }}
subscriptions: {{ system_metrics: [{subscribed}] }}
"""


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def get(port: int, path: str):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
        return reply.read()


def ready_after(port: int, began: float) -> float:
    """Milliseconds from `began` until /readyz answers 200."""
    while time.monotonic() - began < 30:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if b" 200 " in connection.recv(200):
                    return (time.monotonic() - began) * 1e3
        except OSError:
            pass
        time.sleep(0.0005)
    raise SystemExit("the server did not become ready within 30 s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Headrace:
    def __init__(self, binary: Path, folder: Path, subscribed: str):
        self.port = free_port()
        config = folder / "headrace.yaml"
        config.write_text(CONFIG.format(subscribed=subscribed))
        self.log = (folder / "server.log").open("w")
        began = time.monotonic()
        self.process = subprocess.Popen(
            [binary, "serve", "--config", config, "--data", folder / "data", "--set", f"http.listen=127.0.0.1:{self.port}"],
            stdout=self.log, stderr=self.log,
        )
        self.startup_ms = ready_after(self.port, began)
        self.pid = self.process.pid

    def drained(self) -> None:
        """Waits until every receiver has read everything."""
        while any(r["lag_messages"] for r in json.loads(get(self.port, "/api/v1/receivers"))["receivers"]):
            time.sleep(0.02)


class Node:
    def __init__(self):
        folder = ROOT / "bench/peers/node-ws"
        if not (folder / "node_modules").exists():
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
        self.process = subprocess.Popen(["node", folder / "server.mjs"], stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.pid = self.process.pid

    def drained(self) -> None:
        pass


@contextmanager
def running(make):
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"), prefix="headrace-bench-") as folder:
        server = make(Path(folder))
        try:
            yield server
        finally:
            server.process.send_signal(signal.SIGTERM)
            try:
                server.process.wait(60)
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()


class Bench:
    def __init__(self, build: Path):
        self.load_program = build / "bench" / "headrace_load"
        self.binary = build / "src" / "app" / "headrace"
        self.results: dict = {"cpu": cpu_model(), "seconds_each": SECONDS}

    def load(self, server, *options, seconds: float = SECONDS) -> dict:
        before = cpu_seconds(server.pid)
        command = [self.load_program, "--port", server.port, "--pid", server.pid, "--seconds", seconds, *options]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        if done.returncode != 0:
            return {"error": done.stderr.strip() or f"exit {done.returncode}"}
        result = json.loads(done.stdout)
        server.drained()
        result["server_cpu_s_with_receivers"] = cpu_seconds(server.pid) - before
        return result

    def websocket(self, label: str, make, rates) -> None:
        shapes = {"flat out, one by one": [], "flat out, 100 a frame": ["--batch", 100]}
        for rate in rates:
            shapes[f"{rate:,}/s, one by one"] = ["--rate", rate]
        rows = self.results.setdefault("websocket", {})
        for shape, options in shapes.items():
            with running(make) as server:
                rows.setdefault(shape, {})[label] = self.load(server, *options)
                progress(f"websocket, {shape}, {label}", rows[shape][label])

    def http(self, label: str, make) -> None:
        rows = self.results.setdefault("http", {})
        for batch in (1, 100, 1000):
            with running(make) as server:
                rows.setdefault(f"{batch} a request", {})[label] = self.load(server, "--mode", "http", "--batch", batch)
                progress(f"http, {batch} a request, {label}", rows[f"{batch} a request"][label])

    def idle(self, label: str, make) -> None:
        with running(make) as server:
            row = {"startup_ms": getattr(server, "startup_ms", None)}
            time.sleep(1)
            row["idle_mb"] = resident_mb(server.pid)
            row |= self.load(server, "--mode", "idle", "--connections", IDLE_CONNECTIONS)
            self.results.setdefault("idle", {})[label] = row
            progress(f"idle, {label}", row)

    def microbenchmarks(self, build: Path) -> None:
        self.results["micro"] = {}
        least = "0.05" if QUICK else "0.2"
        for program in sorted(build.glob("src/**/*_bench")):
            out = build / f"{program.name}.json"
            command = [program, f"--benchmark_min_time={least}", f"--benchmark_out={out}", "--benchmark_out_format=json"]
            print(f"\n== {program.name}", flush=True)
            done = subprocess.run(["timeout", "90", *command], cwd=build)
            if done.returncode == 0:
                self.results["micro"][program.name] = json.loads(out.read_text())["benchmarks"]
            else:
                print(f"{program.name} ended with {done.returncode}", flush=True)

    def tables(self) -> None:
        print("\n## WebSocket agents: 200-byte JSON messages, 50 connections, to durable ack\n")
        columns = list(next(iter(self.results["websocket"].values())))
        for shape, row in self.results["websocket"].items():
            print(f"### {shape}\n")
            print_table(row, columns)
        print("## HTTP: POST /api/v1/messages, 50 connections\n")
        for shape, row in self.results["http"].items():
            print(f"### {shape}\n")
            print_table(row, list(row))
        print("## At rest\n\n| server | start to /readyz, ms | idle memory, MB | bytes per idle connection |\n| --- | --- | --- | --- |")
        for label, row in self.results["idle"].items():
            started = f"{row['startup_ms']:.0f}" if row["startup_ms"] else "-"
            print(f"| {label} | {started} | {row['idle_mb']:.1f} | {row.get('bytes_per_connection', row.get('error'))} |")


def print_table(row: dict, columns: list[str]) -> None:
    print("| server | messages/s | CPU s per million | p50 ms | p99 ms | p99.9 ms | messages per CPU s beside Node |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    node = row.get("Node ws", {}).get("cpu_s_per_million")
    for label in columns:
        if label not in row:
            continue
        r = row[label]
        if "error" in r:
            print(f"| {label} | failed: {r['error']} | | | | | |")
            continue
        ratio = f"{node / r['cpu_s_per_million']:.1f}x" if node and r["cpu_s_per_million"] else "-"
        print(f"| {label} | {r['messages_per_s']:,.0f} | {r['cpu_s_per_million']:.2f} | {r['p50_ms']:.2f} | {r['p99_ms']:.2f} "
              f"| {r['p999_ms']:.2f} | {ratio} |")
    print()


def progress(what: str, row: dict) -> None:
    keys = ("error", "messages_per_s", "cpu_s_per_million", "p99_ms", "bytes_per_connection", "startup_ms", "idle_mb")
    print(f"{what}: " + ", ".join(f"{k} {row[k]}" for k in keys if row.get(k) is not None), file=sys.stderr, flush=True)


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    return "unknown"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--no-micro", action="store_true")
    options = parser.parse_args()
    build = options.build.resolve()
    bench = Bench(build)
    alone = lambda folder: Headrace(bench.binary, folder, "")  # noqa: E731
    archive = lambda folder: Headrace(bench.binary, folder, "archive")  # noqa: E731
    rates = (10_000, 100_000)
    bench.websocket("Headrace, durable, no receiver", alone, rates)
    bench.websocket("Headrace, durable, archive on", archive, rates)
    bench.websocket("Node ws", lambda folder: Node(), rates)
    bench.http("Headrace, durable, no receiver", alone)
    bench.http("Headrace, durable, archive on", archive)
    bench.idle("Headrace", alone)
    bench.idle("Node ws", lambda folder: Node())
    if not options.no_micro:
        bench.microbenchmarks(build)
    bench.tables()
    (build / "results.json").write_text(json.dumps(bench.results, indent=1))
    failed = [l for group in ("websocket", "http") for row in bench.results[group].values() for l, r in row.items() if "error" in r]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
