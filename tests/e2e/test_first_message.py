# SPDX-License-Identifier: Apache-2.0
"""The main job: a message goes in over HTTP or WebSocket, is acknowledged, is found, is shown live; also after a restart."""
import gzip
import json

import msgpack
import pytest
import zstandard
from agent_client import JSON, MSGPACK, AgentClient
from server import Server, wait_until
from websockets.sync.client import connect

BODY = {"cpu": {"used_percent": 12.5}, "text": "ä\u0000\"", "big": 2**63 - 1, "list": [1, None, True, {"x": -0.5}]}


def message(n: int = 0, **keys) -> dict:
    return {"type": "system_metrics", "source": "node-1", "body": {"n": n, **BODY}, **keys}


def test_one_message_over_http_is_found_at_once(server: Server):
    reply = server.post(message(id="first", time="2026-01-02T03:04:05.123456789Z"))
    assert reply.status in (200, 202), reply.body
    answer = reply.json()
    assert answer["accepted"] == 1
    assert answer["durability"] == "disk"
    assert answer["token"]
    assert reply.headers["headrace-durability"] == "disk"
    found = server.search(type="system_metrics")
    assert [m["id"] for m in found] == ["first"]
    assert found[0]["source"] == "node-1"
    assert found[0]["time"] == "2026-01-02T03:04:05.123456789Z"
    assert found[0]["body"] == {"n": 0, **BODY}


def encodings():
    many = [message(n, id=f"m{n}") for n in range(3)]
    as_json, as_msgpack = json.dumps(many).encode(), msgpack.packb(many)
    return {
        "json": (as_json, {"content-type": "application/json"}),
        "msgpack": (as_msgpack, {"content-type": "application/msgpack"}),
        "json gzip": (gzip.compress(as_json), {"content-type": "application/json", "content-encoding": "gzip"}),
        "json zstd": (zstandard.compress(as_json), {"content-type": "application/json", "content-encoding": "zstd"}),
        "msgpack gzip": (gzip.compress(as_msgpack), {"content-type": "application/msgpack", "content-encoding": "gzip"}),
    }


def test_every_encoding_stores_the_same(server: Server):
    for number, (name, (body, headers)) in enumerate(encodings().items()):
        source = {"x-test": name}
        reply = server.request("POST", "/api/v1/messages", body, {**headers, **source})
        assert reply.status in (200, 202), (name, reply.body)
        assert reply.json()["accepted"] == 3, name
        found = server.search(type="system_metrics")
        # The ids repeat: after the first encoding nothing new is stored.
        assert sorted(m["body"]["n"] for m in found) == [0, 1, 2], (name, number)
        assert all(m["body"] == {"n": m["body"]["n"], **BODY} for m in found), name


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
def test_agent_websocket_acks_and_stores(server: Server, protocol: str):
    agent = AgentClient("node-ws", protocol).open(server.ws_url)
    agent.report("system_metrics", {"n": 0, **BODY})
    agent.report_batch("system_metrics", [{"n": n} for n in range(1, 50)])
    agent.settle()
    agent.close()
    found = server.search(type="system_metrics", source="node-ws")
    assert sorted(m["body"]["n"] for m in found) == list(range(50))
    assert next(m for m in found if m["body"]["n"] == 0)["body"] == {"n": 0, **BODY}


def test_live_feed_shows_what_arrives(server: Server):
    with connect(server.ws_url + "/live?type=system_metrics&source=node-1", proxy=None) as feed:
        json.loads(feed.recv(timeout=30))  # status or sources: the feed is open
        server.post(message(7, source="other"))
        server.post(message(8, id="seen"))
        seen = wait_until(lambda: json.loads(feed.recv(timeout=30)).get("messages"), "the message on the feed")
        assert [(m["id"], m["body"]["n"]) for m in seen] == [("seen", 8)]


def test_search_filters_and_pages(server: Server):
    server.post([message(n, id=f"m{n}", time=f"2026-01-01T00:00:{n:02}Z", source=f"node-{n % 2}") for n in range(20)])
    assert len(server.search(type="system_metrics", source="node-1")) == 10
    window = {"from": "2026-01-01T00:00:05Z", "to": "2026-01-01T00:00:10Z"}
    assert sorted(m["body"]["n"] for m in server.search(type="system_metrics", **window)) == [5, 6, 7, 8, 9]
    assert sorted(m["body"]["n"] for m in server.search(type="system_metrics", limit="3")) == list(range(20))
    assert server.get("/api/v1/messages?type=system_metrics&limit=3").json()["next"]


def test_what_was_acknowledged_is_there_after_a_restart(server: Server):
    server.post([message(n, id=f"m{n}") for n in range(100)])
    assert server.stop() == 0
    server.start()
    assert len(server.search(type="system_metrics")) == 100
    # The same again changes nothing.
    assert server.post([message(n, id=f"m{n}") for n in range(100)]).status in (200, 202)
    assert len(server.search(type="system_metrics")) == 100


def test_idempotency_key_makes_a_repeat_harmless(server: Server):
    for _ in range(3):
        reply = server.post([message(n) for n in range(10)], headers={"idempotency-key": "batch-1"})
        assert reply.status in (200, 202), reply.body
    assert len(server.search(type="system_metrics")) == 10


def test_everything_received_is_accounted_for(server: Server):
    server.post([message(n, id=f"m{n % 7}") for n in range(20)])
    assert len(server.search(type="system_metrics")) == 7

    def archive() -> dict:
        receivers = server.get("/api/v1/receivers").json()["receivers"]
        return next(r for r in receivers if r["name"] == "archive")

    entry = next(e for e in archive()["ledger"] if e["data_type"] == "system_metrics")
    assert entry["accepted"] == 20
    parts = ("stored", "filtered", "duplicate", "dead", "expired", "in_flight")
    assert entry["accepted"] == sum(entry[p] for p in parts)
    assert (entry["stored"], entry["duplicate"]) == (7, 13)
    server.stop()
    server.start()
    wait_until(lambda: archive()["state"] == "running", "the archive")
    assert next(e for e in archive()["ledger"] if e["data_type"] == "system_metrics") == entry
