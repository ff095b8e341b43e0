# SPDX-License-Identifier: Apache-2.0
"""`headrace agent` reports this machine's metrics, keeps them while the backend is away, and loses none over kills of both."""
import signal
import subprocess
from collections import Counter

import pytest
from server import BINARY, DEADLINE_S, Server, wait_until


class Agent:
    def __init__(self, folder, server: Server):
        self.folder = folder
        self.server = server
        self.process = None
        self.start()

    def start(self):
        settings = {
            "agent.server": self.server.ws_url + "/agent", "agent.source": "machine", "agent.collectors.system.period": "100ms",
            "agent.retry_min": "20ms", "agent.retry_max": "100ms", "data_dir": str(self.folder),
        }
        command = [BINARY, "agent"]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self, how: signal.Signals) -> int:
        process, self.process = self.process, None
        process.send_signal(how)
        return process.wait(DEADLINE_S)


@pytest.fixture
def agent(server: Server, tmp_path):
    server.settings["http.listen"] = f"127.0.0.1:{server.port}"  # where the agent finds it again
    agent = Agent(tmp_path / "agent", server)
    yield agent
    if agent.process:
        agent.end(signal.SIGTERM)


def stored(server: Server) -> list[dict]:
    return server.search(type="system_metrics", source="machine", limit="1000")


def test_reports_real_metrics(server: Server, agent: Agent):
    message = wait_until(lambda: stored(server), "the first report")[0]
    body = message["body"]
    assert {"cpu", "memory", "disk", "load", "processes", "uptime_s"} <= set(body), body.keys()
    text = open("/proc/meminfo").read()
    total = int(next(line for line in text.splitlines() if line.startswith("MemTotal")).split()[1]) * 1024
    assert any(value == total for value in body["memory"].values()), body["memory"]


def test_a_killed_backend_costs_no_report(server: Server, agent: Agent):
    for _ in range(3):
        before = len(stored(server))
        wait_until(lambda: len(stored(server)) >= before + 3, "reports")
        server.kill()
        server.start()
    before = len(stored(server))
    wait_until(lambda: len(stored(server)) >= before + 3, "reports after the last kill")
    assert agent.end(signal.SIGTERM) == 0
    times = Counter(m["time"] for m in stored(server))
    assert max(times.values()) == 1, "stored twice"


def test_a_killed_agent_goes_on_where_it_was(server: Server, agent: Agent):
    wait_until(lambda: len(stored(server)) >= 3, "reports")
    agent.end(signal.SIGKILL)
    known = {m["id"] for m in stored(server)}
    agent.start()
    wait_until(lambda: len(stored(server)) >= len(known) + 3, "reports after the kill")
    messages = stored(server)
    assert known <= {m["id"] for m in messages}
    assert max(Counter(m["time"] for m in messages).values()) == 1, "stored twice"


def test_demo_reports_this_machine(make_server):
    server = make_server().start("--demo")
    message = wait_until(lambda: server.search(type="system_metrics"), "the demo's first report")[0]
    assert "cpu" in message["body"]
    assert server.stop() == 0
