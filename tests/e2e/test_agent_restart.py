# SPDX-License-Identifier: Apache-2.0
"""An agent under a backend that is killed again and again: the archive has every message of it, once, without a hole."""
import signal
import subprocess

from server import BINARY, DEADLINE_S, Server, wait_until

KILLS = 5


def numbers(server: Server) -> list[int]:
    """The numbers that the agent gave its messages: the last part of an id that the server made (producer.epoch.number)."""
    messages = server.search(type="system_metrics", source="restarted", limit="1000")
    ids = [m["id"] for m in messages]
    assert len(set(ids)) == len(ids), "an id is stored twice"
    assert len({i.rsplit(".", 1)[0] for i in ids}) <= 1, "one numbering"
    return sorted(int(i.rsplit(".", 1)[1]) for i in ids)


def start_agent(server: Server, folder) -> subprocess.Popen:
    settings = {
        "agent.server": server.ws_url + "/agent", "agent.source": "restarted", "agent.collectors.system.period": "100ms",
        "agent.retry_min": "20ms", "agent.retry_max": "200ms", "data_dir": str(folder),
    }
    command = [BINARY, "agent", *(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_every_message_is_archived_once_over_kills_of_the_backend(make_server, tmp_path):
    server = make_server().start()
    server.settings["http.listen"] = f"127.0.0.1:{server.port}"  # where the agent finds it again
    agent = start_agent(server, tmp_path / "agent")
    try:
        for _ in range(KILLS):
            before = len(numbers(server))
            wait_until(lambda: len(numbers(server)) >= before + 5, "messages to come in")
            server.kill()
            server.start()
        before = len(numbers(server))
        wait_until(lambda: len(numbers(server)) >= before + 5, "messages after the last kill")
        agent.send_signal(signal.SIGTERM)  # sends what is left, then ends
        assert agent.wait(DEADLINE_S) == 0
    finally:
        if agent.poll() is None:
            agent.kill()
            agent.wait()
    stored = numbers(server)
    assert stored == list(range(1, len(stored) + 1)), "a hole in the numbers"
    assert len(stored) >= 5 * (KILLS + 1)
