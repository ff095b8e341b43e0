# SPDX-License-Identifier: Apache-2.0
"""kill -9 under load from WebSocket and HTTP clients: after the restarts everything acknowledged is stored exactly once."""
import http.client
import json
import threading
from collections import Counter

from agent_client import JSON, MSGPACK, AgentClient
from server import DEADLINE_S, Server, in_background, wait_until
from websockets.exceptions import ConnectionClosed, InvalidHandshake

KILLS = 3
GONE = (OSError, ConnectionClosed, InvalidHandshake, EOFError, TimeoutError, http.client.HTTPException, json.JSONDecodeError)


class Progress:
    """Counts acknowledged messages, so that a kill comes under load and not before it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = 0

    def add(self, count: int) -> None:
        with self.lock:
            self.acknowledged += count


def websocket_load(server: Server, agent: AgentClient, progress: Progress, stop: threading.Event) -> None:
    """Reports numbered bodies over as many connections as it takes; at the end everything is acked."""
    number = 0
    while not stop.is_set() or agent.kept:
        try:
            before = agent.acked
            agent.open(server.ws_url)
            progress.add(agent.acked - before)
            while not stop.is_set() or agent.kept:
                if not stop.is_set() and len(agent.kept) < 400:
                    number += 20  # first: a batch whose sending fails is kept and sent again
                    agent.report_batch("system_metrics", [{"n": number - 20 + i} for i in range(20)])
                    continue
                before = agent.acked
                agent.receive(5)
                progress.add(agent.acked - before)
        except GONE:
            agent.close()
            stop.wait(0.02)
    agent.close()
    agent.sent = number


def http_load(server: Server, source: str, acknowledged: set, progress: Progress, stop: threading.Event) -> None:
    """Posts batches with ids, each again until it is accepted."""
    number = 0
    while not stop.is_set():
        batch = [{"type": "system_metrics", "source": source, "id": f"{source}-{number + i}", "body": {"n": number + i}}
                 for i in range(10)]
        while True:
            try:
                reply = server.post(batch)
                if reply.status in (200, 202):
                    break
                assert reply.status in (429, 503), (reply.status, reply.body)
            except GONE:
                pass
            if stop.wait(0.02):
                return
        acknowledged.update(range(number, number + 10))
        number += 10
        progress.add(10)


def test_everything_acknowledged_is_stored_once_over_kills(make_server):
    server: Server = make_server().start()
    server.settings["http.listen"] = f"127.0.0.1:{server.port}"  # clients find it again
    agents = [AgentClient(f"ws-{i}", (JSON, MSGPACK)[i % 2]) for i in range(4)]
    posted = {f"http-{i}": set() for i in range(3)}
    progress = Progress()
    loads = [lambda stop, a=a: websocket_load(server, a, progress, stop) for a in agents]
    loads += [lambda stop, s=s, k=k: http_load(server, s, k, progress, stop) for s, k in posted.items()]

    contexts = [in_background(load) for load in loads]
    for context in contexts:
        context.__enter__()
    for kill in range(KILLS):
        target = progress.acknowledged + 8000
        wait_until(lambda: progress.acknowledged >= target, f"load before kill {kill}", 2 * DEADLINE_S)
        server.kill()
        server.start()
    target = progress.acknowledged + 2000
    wait_until(lambda: progress.acknowledged >= target, "load after the last kill", 2 * DEADLINE_S)
    for context in contexts:
        context.__exit__(None, None, None)

    for agent in agents:
        stored = Counter(m["body"]["n"] for m in server.search(type="system_metrics", source=agent.source, limit="1000"))
        assert not agent.nacks and not agent.errors, (agent.nacks[:3], agent.errors[:3])
        assert stored == Counter(range(agent.sent)), difference(stored, range(agent.sent))
    for source, numbers in posted.items():
        stored = Counter(m["body"]["n"] for m in server.search(type="system_metrics", source=source, limit="1000"))
        assert max(stored.values()) == 1, f"{source}: stored twice"
        assert numbers <= set(stored), difference(stored, numbers)


def difference(stored: Counter, wanted) -> str:
    wanted = set(wanted)
    twice = [n for n, count in stored.items() if count > 1]
    return f"lost {sorted(wanted - set(stored))[:10]}, twice {sorted(twice)[:10]}, never sent {sorted(set(stored) - wanted)[:10]}"
