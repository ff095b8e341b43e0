# SPDX-License-Identifier: Apache-2.0
"""Floods: more connections or messages than the bounds allow get a clear answer; memory stays bounded, others are served."""
import socket

from agent_client import AgentClient
from server import Server, in_background, wait_until


def test_connections_beyond_the_bound_are_answered_503(make_server):
    server: Server = make_server(settings={"http.connections_max": "20"}).start()
    held = []
    answers = set()
    for _ in range(40):
        connection = server.connect()
        held.append(connection)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.settimeout(30)
        try:
            answers.add(connection.recv(4096).split(b" ")[1])
        except (OSError, IndexError):
            answers.add(b"closed")
    assert b"200" in answers and b"503" in answers, answers
    for connection in held:
        connection.close()
    # The server sees the ends of the held ones in its own time.
    wait_until(lambda: server.get("/readyz").status == 200, "room for a new connection")


def test_an_agent_that_never_reads_acks_is_bounded_and_blocks_nobody(server: Server):
    deaf = AgentClient("deaf").open(server.ws_url)
    raw: socket.socket = deaf.socket.socket
    sent = 0

    def flood(stop):
        nonlocal sent
        while not stop.is_set() and sent < 200_000:
            first = deaf.next_sequence
            deaf.next_sequence += 100
            body = "x" * 200
            deaf.send({"seq": first, "type": "system_metrics", "messages": [{"body": body}] * 100})
            sent += 100

    before = server.rss_bytes()
    with in_background(flood):
        other = AgentClient("other").open(server.ws_url)
        for n in range(100):
            other.report("system_metrics", {"n": n})
            other.settle()
    assert server.rss_bytes() - before < 300e6
    raw.close()
    assert len(server.search(type="system_metrics", source="other")) == 100


def test_many_idle_agents_cost_little(server: Server):
    first = [AgentClient(f"idle-{n}").open(server.ws_url) for n in range(50)]
    before = server.rss_bytes()
    more = [AgentClient(f"idle-{n}").open(server.ws_url) for n in range(50, 350)]
    assert server.rss_bytes() - before < 300 * 64_000
    assert server.post({"type": "system_metrics", "source": "s", "body": 1}).status in (200, 202)
    for agent in first + more:
        agent.close()
