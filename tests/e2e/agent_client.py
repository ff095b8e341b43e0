# SPDX-License-Identifier: Apache-2.0
"""A small agent that keeps the rules of docs/protocols/agent-websocket.md: numbers, keeps until acked, resumes."""
import json
import uuid

import msgpack
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

JSON, MSGPACK = "headrace.v1.json", "headrace.v1.msgpack"


class AgentClient:
    def __init__(self, source: str, protocol: str = JSON, token: str | None = None):
        self.source = source
        self.protocol = protocol
        self.token = token
        self.session = str(uuid.uuid4())
        self.next_sequence = 1
        self.acked = 0
        self.kept: dict[int, dict] = {}  # sequence -> message, until acked
        self.nacks: list[dict] = []
        self.errors: list[dict] = []
        self.welcome: dict = {}
        self.socket = None

    # One connection

    def open(self, ws_url: str, ssl=None, headers=None, **hello) -> "AgentClient":
        self.socket = connect(
            ws_url + "/agent", subprotocols=[self.protocol], ssl=ssl, additional_headers=headers, compression=None,
            open_timeout=30, close_timeout=5, max_size=None, proxy=None, legacy=True,
        )
        self.send({"type": "hello", "version": 1, "source": self.source, "session": self.session,
                   **({"token": self.token} if self.token else {}), **hello})
        self.welcome = self.receive()
        if self.welcome.get("type") == "welcome":
            self._forget(self.welcome["last_sequence"])
            for sequence in sorted(self.kept):
                self.send({"seq": sequence, **self.kept[sequence]})
        return self

    def close(self) -> None:
        if self.socket:
            self.socket.close()
            self.socket = None

    def send(self, value: dict) -> None:
        self.socket.send(msgpack.packb(value) if self.protocol == MSGPACK else json.dumps(value))

    def receive(self, timeout: float = 30) -> dict:
        frame = self.socket.recv(timeout=timeout)
        value = msgpack.unpackb(frame) if self.protocol == MSGPACK else json.loads(frame)
        kind = value.get("type")
        if kind == "ack":
            assert value["sequence"] >= self.acked, f"ack went back from {self.acked} to {value['sequence']}"
            self._forget(value["sequence"])
        elif kind == "nack":
            self.nacks.append(value)
        elif kind == "error":
            self.errors.append(value)
        return value

    def _forget(self, sequence: int) -> None:
        for old in [s for s in self.kept if s <= sequence]:
            del self.kept[old]
        self.acked = max(self.acked, sequence)

    # Messages

    def report(self, data_type: str, body, **keys) -> int:
        """Numbers, keeps and sends one message."""
        sequence, self.next_sequence = self.next_sequence, self.next_sequence + 1
        self.kept[sequence] = {"type": data_type, "body": body, **keys}
        self.send({"seq": sequence, **self.kept[sequence]})
        return sequence

    def report_batch(self, data_type: str, bodies: list) -> int:
        first = self.next_sequence
        self.next_sequence += len(bodies)
        for offset, body in enumerate(bodies):
            self.kept[first + offset] = {"type": data_type, "body": body}
        self.send({"seq": first, "type": data_type, "messages": [{"body": b} for b in bodies]})
        return self.next_sequence - 1

    def settle(self, timeout: float = 30) -> None:
        """Until everything reported is acked."""
        while self.kept:
            self.receive(timeout)


def closed_with(client: AgentClient, timeout: float = 30) -> int:
    """Reads until the server closes; the close code."""
    try:
        while True:
            client.receive(timeout)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006
