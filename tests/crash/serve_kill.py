# SPDX-License-Identifier: Apache-2.0
"""Whole-server kills: `headrace serve` is killed (SIGKILL) at seeded random moments, under load and while it starts; after every
round what was acknowledged is stored once and in order. Usage: serve_kill.py [--rounds N] [--seed N] [--data FOLDER]

The schedule (what is sent, when the kill comes, which settings) follows from the seed; the threads' interleaving does not.
"""
import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
from agent_client import JSON, MSGPACK, AgentClient  # noqa: E402
from server import Server, wait_until  # noqa: E402
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage  # noqa: E402

GONE = (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, EOFError, TimeoutError, http.client.HTTPException,
        json.JSONDecodeError)
TYPES = ("system_metrics", "ethereum_metrics")


class Reporter:
    """An agent that keeps reporting over all kills with one session, in its own thread."""

    def __init__(self, source: str, protocol: str, chance: random.Random):
        self.agent = AgentClient(source, protocol)
        self.chance = chance
        self.sent = 0

    def work(self, server: Server, stop: threading.Event, finish: bool) -> None:
        """Until `stop`; with `finish` until everything is acked too."""
        while not stop.is_set() or (finish and self.agent.kept):
            try:
                self.agent.open(server.ws_url)
                self._report(stop, finish)
            except GONE:
                stop.wait(0.005)
        self.agent.close()

    def _report(self, stop: threading.Event, finish: bool) -> None:
        while not stop.is_set() or (finish and self.agent.kept):
            if not stop.is_set() and len(self.agent.kept) < 300:
                count = self.chance.choice((1, 1, 5, 40))
                bodies = [{"n": self.sent + i, "text": "x" * self.chance.choice((0, 20, 2000))} for i in range(count)]
                self.sent += count
                self.agent.report_batch(TYPES[0], bodies)
            else:
                self.agent.receive(1)


class Poster:
    """Posts batches to one source and remembers which were accepted, sent and unanswered included."""

    def __init__(self, source: str, chance: random.Random):
        self.source = source
        self.chance = chance
        self.accepted: list[int] = []
        self.sent = 0

    def work(self, server: Server, stop: threading.Event) -> None:
        while not stop.is_set():
            count = self.chance.choice((1, 3, 30))
            numbers = list(range(self.sent, self.sent + count))
            self.sent += count
            batch = [{"type": TYPES[n % 2], "source": self.source, "id": f"{self.source}.{n}", "body": {"n": n}} for n in numbers]
            try:
                reply = server.post(batch)
            except GONE:
                return  # killed: this batch may or may not be there
            if reply.status in (200, 202):
                self.accepted += numbers


class Rounds:
    def __init__(self, folder: Path, seed: int):
        self.seed = seed
        self.chance = random.Random(seed)
        settings = {
            # Every message is searched afterwards, so both types are led to the archive; small segments are rolled often.
            "broker.segment_bytes": "1MiB",
            "subscriptions.ethereum_metrics": "[archive]",
            "subscriptions.system_metrics": "[archive]",
        }
        self.server = Server(folder, settings=settings)
        self.reporters = [Reporter(f"agent-{i}", (JSON, MSGPACK)[i % 2], random.Random(self.chance.random())) for i in range(2)]
        self.kills_in_start = 0
        self.last_posters: list[Poster] = []

    def run(self, rounds: int) -> dict:
        for number in range(rounds):
            self._maybe_kill_in_start()
            self.server.start()
            self._check_posters(f"seed {self.seed}, round {number}")
            self._load_and_kill(number)
        self.server.start()
        self._check_posters(f"seed {self.seed}, end")
        self._finish_reporters()
        self._check_reporters()
        self.server.stop()
        return {"rounds": rounds, "kills_in_start": self.kills_in_start, "messages": sum(r.sent for r in self.reporters)}

    def _maybe_kill_in_start(self) -> None:
        if self.chance.random() < 0.3:
            self.server.launch()
            time.sleep(self.chance.uniform(0.001, 0.06))
            self.server.kill()
            self.kills_in_start += 1

    def _load_and_kill(self, number: int) -> None:
        posters = [Poster(f"post-{number}-{i}", random.Random(self.chance.random())) for i in range(2)]
        stop = threading.Event()
        threads = [threading.Thread(target=r.work, args=(self.server, stop, False)) for r in self.reporters]
        threads += [threading.Thread(target=p.work, args=(self.server, stop)) for p in posters]
        for thread in threads:
            thread.start()
        time.sleep(self.chance.uniform(0.02, 0.4))
        self.server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        self.last_posters = posters

    def _check_posters(self, where: str) -> None:
        for poster in self.last_posters:
            for parity, data_type in enumerate(TYPES):
                stored = self._stored(data_type, poster.source)
                accepted = {n for n in poster.accepted if n % 2 == parity}
                assert len(stored) == len(set(stored)), f"{where}: {poster.source} has messages twice"
                assert accepted <= set(stored), f"{where}: {poster.source} lost {sorted(accepted - set(stored))[:10]}"
                assert all(n < poster.sent for n in stored), f"{where}: {poster.source} has what was never sent"

    def _finish_reporters(self) -> None:
        stop = threading.Event()
        stop.set()
        for reporter in self.reporters:
            thread = threading.Thread(target=reporter.work, args=(self.server, stop, True))
            thread.start()
            wait_until(lambda t=thread: not t.is_alive(), f"{reporter.agent.source} to be acked")

    def _check_reporters(self) -> None:
        for reporter in self.reporters:
            assert not reporter.agent.nacks and not reporter.agent.errors, (reporter.agent.nacks[:2], reporter.agent.errors[:2])
            stored = self._stored(TYPES[0], reporter.agent.source)
            wanted = list(range(reporter.sent))
            counts = Counter(stored)
            assert counts == Counter(wanted), (
                f"seed {self.seed}: {reporter.agent.source} lost {sorted(set(wanted) - set(stored))[:10]}, "
                f"has twice {[n for n, c in counts.items() if c > 1][:10]}")

    def _stored(self, data_type: str, source: str) -> list[int]:
        return [m["body"]["n"] for m in self.server.search(type=data_type, source=source, limit="1000")]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-kill-") as temporary:
        began = time.monotonic()
        rounds = Rounds(options.data or Path(temporary), options.seed)
        try:
            result = rounds.run(options.rounds)
        finally:
            if rounds.server.process:
                rounds.server.kill()
    print(json.dumps({"seed": options.seed, **result, "seconds": round(time.monotonic() - began, 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
