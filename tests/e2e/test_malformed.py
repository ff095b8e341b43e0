# SPDX-License-Identifier: Apache-2.0
"""What no well-behaved client sends: each gets its documented answer, nothing of it is stored, and the server stays as it was.

One row a case; a new bug is a new row.
"""
import gzip
import json
import socket
import struct
import time
import zlib

import msgpack
import pytest
import zstandard
from agent_client import JSON, MSGPACK, AgentClient, closed_with
from server import Server, wait_until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

GOOD = {"type": "system_metrics", "source": "s", "body": {"x": 1}}
JSON_TYPE = {"content-type": "application/json"}
DEEP = b'{"type":"system_metrics","source":"s","body":' + b"[" * 100 + b"]" * 100 + b"}"


def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b" " * 1_000_000) for _ in range(megabytes)) + packer.flush()


HTTP_CASES = {
    # name: (body, headers, the status)
    "empty": (b"", JSON_TYPE, 400),
    "not json": (b"nonsense", JSON_TYPE, 400),
    "truncated": (b'{"type":"system_metrics","source":"s","body":{"x":', JSON_TYPE, 400),
    "trailing junk": (json.dumps(GOOD).encode() + b"x", JSON_TYPE, 400),
    "skipped value is broken": (b'{"skip":[1,,tru],"type":"system_metrics","source":"s","body":1}', JSON_TYPE, 400),
    "body is broken inside": (b'{"type":"system_metrics","source":"s","body":{"a":[1,,2]}}', JSON_TYPE, 400),
    "not utf-8": (b'{"type":"system_metrics","source":"s","body":"\xff\xfe"}', JSON_TYPE, 400),
    "lone surrogate": (b'{"type":"system_metrics","source":"s","body":"\\ud800"}', JSON_TYPE, 400),
    "too deep": (DEEP, JSON_TYPE, 413),
    "a number": (b"42", JSON_TYPE, 400),
    "no type": (b'{"source":"s","body":1}', JSON_TYPE, 400),
    "type is a number": (b'{"type":7,"source":"s","body":1}', JSON_TYPE, 400),
    "no source": (b'{"type":"system_metrics","body":1}', JSON_TYPE, 400),
    "no body": (b'{"type":"system_metrics","source":"s"}', JSON_TYPE, 400),
    "unknown key": (b'{"type":"system_metrics","source":"s","body":1,"colour":"red"}', JSON_TYPE, 400),
    "empty source": (b'{"type":"system_metrics","source":"","body":1}', JSON_TYPE, 400),
    "source too long": (json.dumps({**GOOD, "source": "s" * 201}).encode(), JSON_TYPE, 413),
    "id too long": (json.dumps({**GOOD, "id": "i" * 129}).encode(), JSON_TYPE, 413),
    "bad time": (json.dumps({**GOOD, "time": "yesterday"}).encode(), JSON_TYPE, 400),
    "far future": (json.dumps({**GOOD, "time": "2999-01-01T00:00:00Z"}).encode(), JSON_TYPE, 400),
    "unknown data type": (json.dumps({**GOOD, "type": "sytem_metrics"}).encode(), JSON_TYPE, 400),
    "one bad in a batch": (json.dumps([GOOD, {**GOOD, "source": ""}]).encode(), JSON_TYPE, 400),
    "no content type": (json.dumps(GOOD).encode(), {}, 415),
    "form content type": (json.dumps(GOOD).encode(), {"content-type": "text/plain"}, 415),
    "unknown encoding": (json.dumps(GOOD).encode(), {**JSON_TYPE, "content-encoding": "br"}, 415),
    "not gzip": (json.dumps(GOOD).encode(), {**JSON_TYPE, "content-encoding": "gzip"}, 400),
    "gzip cut short": (gzip.compress(json.dumps(GOOD).encode())[:-9], {**JSON_TYPE, "content-encoding": "gzip"}, 400),
    "zstd cut short": (zstandard.compress(json.dumps(GOOD).encode())[:-4], {**JSON_TYPE, "content-encoding": "zstd"}, 400),
    "gzip bomb": (bomb(200), {**JSON_TYPE, "content-encoding": "gzip"}, 413),
    "msgpack cut short": (msgpack.packb(GOOD)[:-1], {"content-type": "application/msgpack"}, 400),
    "msgpack lies about its size": (b"\xdd\xff\xff\xff\xff", {"content-type": "application/msgpack"}, 400),
    "msgpack as json": (msgpack.packb(GOOD), JSON_TYPE, 400),
    "json as msgpack": (json.dumps(GOOD).encode(), {"content-type": "application/msgpack"}, 400),
    "foreign origin": (json.dumps(GOOD).encode(), {**JSON_TYPE, "origin": "http://evil.example"}, 403),
    "foreign host": (json.dumps(GOOD).encode(), {**JSON_TYPE, "host": "evil.example"}, 403),
}


def test_every_bad_request_is_refused_and_stores_nothing(server: Server):
    wrong = []
    for name, (body, headers, status) in HTTP_CASES.items():
        reply = server.request("POST", "/api/v1/messages", body, headers)
        if reply.status != status or not reply.json()["error"]["message"]:
            wrong.append((name, status, reply.status, reply.body[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    assert server.search(type="system_metrics") == []
    assert server.post(GOOD).status in (200, 202)


def test_partial_takes_the_good_and_names_the_bad(server: Server):
    reply = server.post([GOOD, {**GOOD, "source": ""}, GOOD, {**GOOD, "type": "nope"}], query="?partial=true")
    assert reply.status in (200, 202), reply.body
    answer = reply.json()
    assert answer["accepted"] == 2
    assert [r["index"] for r in answer["refused"]] == [1, 3]
    assert all(r["message"] for r in answer["refused"])
    assert len(server.search(type="system_metrics")) == 2


RAW_CASES = {
    # name: (bytes on the wire, the statuses that are right)
    "not http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n", {400}),
    "no version": (b"GET /\r\n\r\n", {400}),
    "http 3.7": (b"GET / HTTP/3.7\r\nHost: localhost\r\n\r\n", {400, 505}),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", {400}),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", {400}),
    "space before colon": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n", {400}),
    "folded header": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", {400}),
    "bare line feed smuggling": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\nContent-Length: 5\r\n\r\n", {400}),
    "two lengths": (b"POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", {400}),
    "length and chunked": (
        b"POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "negative length": (b"POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", {400}),
    "endless length": (
        b"POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 99999999999999999999\r\n\r\n", {400, 413}),
    "too long by its length": (
        b"POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999999999\r\n\r\n", {413}),
    "bad chunk size": (
        b"POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", {400}),
    "header without end": (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000, {431}),
    "target without end": (b"GET /" + b"a" * 100_000, {414, 431}),
    "method without end": (b"G" * 100_000, {400, 414, 431, 501}),
}


def status_of(connection: socket.socket) -> int:
    head = b""
    while b"\r\n" not in head:
        piece = connection.recv(4096)
        if not piece:
            raise AssertionError(f"closed without an answer after {head!r}")
        head += piece
    return int(head.split()[1])


def test_bytes_that_are_no_http(server: Server):
    for name, (sent, statuses) in RAW_CASES.items():
        with server.connect() as connection:
            try:
                connection.sendall(sent)
            except OSError:
                pass  # refused while we were still sending: the answer is there
            assert status_of(connection) in statuses, name
    assert server.get("/readyz").status == 200


def test_slow_loris_is_closed_and_blocks_nobody(make_server):
    server = make_server(settings={"http.header_timeout": "1s", "http.idle_timeout": "1s"}).start()
    slow = [server.connect() for _ in range(50)]
    for connection in slow:
        connection.sendall(b"POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Le")
    assert server.post(GOOD).status in (200, 202)
    for connection in slow:
        connection.settimeout(30)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        assert answer == b"" or b" 408 " in answer.split(b"\r\n")[0]
        connection.close()


def test_half_open_and_reset_connections_leak_nothing(server: Server):
    def descriptors() -> int:
        import os
        return len(os.listdir(f"/proc/{server.pid}/fd"))

    before = descriptors()
    for number in range(200):
        connection = server.connect()
        connection.sendall(b"POST /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        if number % 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset
        connection.close()
    wait_until(lambda: descriptors() <= before + 5, "the connections to be given back")
    assert server.search(type="system_metrics") == []


WEBSOCKET_CASES = {
    # name: (what follows the welcome, the close code)
    "not json": (["nonsense"], 4400),
    "not an object": (["[1]"], 4400),
    "data without seq": (['{"type":"system_metrics","body":1}'], 4400),
    "seq goes back": (['{"seq":5,"type":"system_metrics","body":1}', '{"seq":4,"type":"system_metrics","body":1}'], 4400),
    "seq zero": (['{"seq":0,"type":"system_metrics","body":1}'], 4400),
    "unknown control message": (['{"type":"dance"}'], 4400),
    "too deep": (['{"seq":1,"type":"system_metrics","body":' + "[" * 64 + "]" * 64 + "}"], 4400),
    "binary on the text protocol": ([b"\x80"], 1003),
}


def test_bad_websocket_frames_close_with_their_code(server: Server):
    for name, (frames, code) in WEBSOCKET_CASES.items():
        agent = AgentClient("bad").open(server.ws_url)
        for frame in frames:
            agent.socket.send(frame)
        assert closed_with(agent) == code, name
    stored = server.search(type="system_metrics")
    assert len(stored) <= 1  # "seq goes back": the first of the two was good
    assert server.get("/readyz").status == 200


NACK_CASES = {
    "unknown data type": ({"type": "sytem_metrics", "body": 1}, "not_found"),
    "no body": ({"type": "system_metrics"}, "invalid_argument"),
    "unknown key": ({"type": "system_metrics", "body": 1, "colour": 2}, "invalid_argument"),
    "bad time": ({"type": "system_metrics", "body": 1, "time": "yesterday"}, "invalid_argument"),
    "bad source": ({"type": "system_metrics", "body": 1, "source": ""}, "invalid_argument"),
    "id too long": ({"type": "system_metrics", "body": 1, "id": "i" * 129}, "too_large"),
}


@pytest.mark.parametrize("protocol", [JSON, MSGPACK])
def test_bad_messages_are_nacked_and_the_others_stored(server: Server, protocol: str):
    agent = AgentClient("nacked", protocol).open(server.ws_url)
    for name, (message, code) in NACK_CASES.items():
        sequence = agent.next_sequence
        agent.next_sequence += 2
        agent.send({"seq": sequence, **message})
        agent.send({"seq": sequence + 1, "type": "system_metrics", "body": {"after": name}})
        while agent.acked <= sequence:
            agent.receive()
        assert [(n["sequence"], n["code"], n["retry"]) for n in agent.nacks] == [(sequence, code, False)], name
        assert agent.nacks.pop()["message"], name
    agent.close()
    stored = server.search(type="system_metrics", source="nacked")
    assert sorted(m["body"]["after"] for m in stored) == sorted(NACK_CASES)


def test_hello_is_checked(server: Server):
    for name, hello in {"version 2": {"version": 2}, "no source": {"source": ""}, "bad session": {"session": "7"}}.items():
        agent = AgentClient("hello")
        agent.open(server.ws_url, **hello)
        assert agent.welcome["type"] == "error", (name, agent.welcome)
        assert closed_with(agent) == 4400, name


def test_upgrade_is_checked(server: Server):
    for subprotocols, headers, status in (
        (["other"], {}, 400), (None, {}, 400), (["headrace.v1.json"], {"Origin": "http://evil.example"}, 403),
    ):
        with pytest.raises(InvalidStatus) as refused:
            connect(server.ws_url + "/agent", subprotocols=subprotocols, additional_headers=headers, proxy=None)
        assert refused.value.response.status_code == status, (subprotocols, headers)


def test_no_hello_in_time(make_server):
    server = make_server(settings={"handlers.agent_websocket.hello_timeout": "300ms"}).start()
    began = time.monotonic()
    with connect(server.ws_url + "/agent", subprotocols=[JSON], proxy=None) as socket_:
        client = AgentClient("late")
        client.socket = socket_
        assert closed_with(client) == 4408
    assert time.monotonic() - began < 10
