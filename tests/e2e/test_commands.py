# SPDX-License-Identifier: Apache-2.0
"""The verbs beside serve: what they print and how they exit, with a running server and without."""
import json
import signal
import subprocess
import time

from server import BINARY, Server

MESSAGE = {"type": "system_metrics", "source": "node-1", "body": {"x": 1}}


def test_tail_follows_and_ends_after_a_count(server: Server):
    command = [BINARY, "tail", "--data", str(server.data), "--source", "node-1", "-n", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tail:
        deadline = time.monotonic() + 30
        while tail.poll() is None and time.monotonic() < deadline:
            server.post({**MESSAGE, "source": "other"})
            server.post(MESSAGE)
        shown = [json.loads(line) for line in tail.stdout]
        assert tail.wait(30) == 0
    assert [m["source"] for m in shown] == ["node-1", "node-1"]
    assert shown[0]["body"] == {"x": 1}


def test_tail_without_a_server_says_so(headrace, tmp_path):
    done = headrace("tail", "--data", tmp_path / "nothing")
    assert done.returncode == 5
    assert "no server runs" in done.stderr


def test_dead_letters_with_and_without_a_server(server: Server, headrace):
    for _ in range(2):
        done = headrace("deadletters", "list", "--data", server.data)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert headrace("deadletters", "show", "archive", "1", "--data", server.data).returncode == 3
        assert headrace("deadletters", "retry", "archive", "--data", server.data).returncode == 2
        assert json.loads(headrace("deadletters", "retry", "archive", "--all", "--data", server.data).stdout) == {"retried": 0}
        server.stop()


def test_the_first_user_can_be_added_before_the_first_start(headrace, make_server):
    server = make_server()
    done = headrace("user", "add", "root", "--role", "admin", "--data", server.data)
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip()
    assert headrace("user", "add", "root", "--data", server.data).returncode == 1
    server.start()
    assert server.get("/api/v1/users").status == 401
    listed = server.get("/api/v1/users", {"authorization": f"Bearer {token}"})
    assert [u["name"] for u in listed.json()["users"]] == ["root"]


def test_log_verify(server: Server, headrace):
    server.post(MESSAGE)
    assert headrace("log", "verify", "--data", server.data).returncode == 1  # a server runs on it
    server.stop()
    done = headrace("log", "verify", "--data", server.data)
    assert done.returncode == 0, done.stdout + done.stderr
    segment = next(p for p in sorted((server.data / "log").glob("*.seg")))
    damaged = bytearray(segment.read_bytes())
    at = damaged.find(b'"x"')
    assert at > 0
    damaged[at] ^= 0xFF
    segment.write_bytes(damaged)
    assert headrace("log", "verify", "--data", server.data).returncode == 4
    assert headrace("log", "repair", "--data", server.data).returncode == 0
    assert headrace("log", "verify", "--data", server.data).returncode == 0
    server.start()


def test_data_of_a_newer_program_is_refused(server: Server, headrace):
    server.stop()
    (server.data / "FORMAT").write_text("headrace data 99\n")
    done = headrace("serve", "--data", server.data, "--set", "http.listen=127.0.0.1:0")
    assert done.returncode == 2
    assert "has format 99" in done.stderr


def test_a_second_signal_ends_at_once(server: Server):
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) in (0, 1)
    server.process = None
