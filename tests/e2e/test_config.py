# SPDX-License-Identifier: Apache-2.0
"""The command line and the config file: every problem at once with its place, exit code 2; overrides; help."""
import json
import re
import socket

import pytest
from server import Server

BAD = """\
data_dir: ./data
htpp: { listen: 127.0.0.1:8080 }
http: { listen: 7 }
data_types: { system_metrics: { durability: dsk, retention: soon } }
receivers:
  archive: { type: documents, store: sqlite }
subscriptions:
  system_metrics: [archiv]
  networking: [archive]
"""
# line -> what must be said about it
PROBLEMS = {2: "http", 4: "disk", 8: "archive", 9: "networking"}


def test_check_names_every_problem_with_its_line(headrace, tmp_path):
    path = tmp_path / "headrace.yaml"
    path.write_text(BAD)
    done = headrace("check", path)
    assert done.returncode == 2
    said = done.stdout + done.stderr
    for line, hint in PROBLEMS.items():
        assert re.search(rf"headrace\.yaml:{line}:\d+: .*{hint}", said), (line, hint, said)
    assert len(re.findall(r"headrace\.yaml:4:\d+", said)) == 2


def test_serve_refuses_the_same_and_starts_nothing(headrace, tmp_path):
    path = tmp_path / "headrace.yaml"
    path.write_text(BAD)
    done = headrace("serve", "--config", path, "--data", tmp_path / "data")
    assert done.returncode == 2
    assert not (tmp_path / "data").exists()


def test_good_config_is_said_to_be_good(headrace, tmp_path):
    path = tmp_path / "headrace.yaml"
    path.write_text("data_types: { a: {} }\nreceivers: { r: { type: documents } }\nsubscriptions: { a: [r] }\n")
    assert headrace("check", path).returncode == 0


def test_effective_config_is_a_config(headrace, tmp_path):
    done = headrace("config", "--set", "http.listen=127.0.0.1:0")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "headrace.yaml"
    path.write_text(done.stdout)
    again = headrace("check", path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "127.0.0.1:0" in done.stdout


@pytest.mark.parametrize("override", ["http.lisen=1", "broker.durability=maybe", "nonsense", "http.connections_max=-1"])
def test_bad_overrides_are_refused(headrace, override):
    done = headrace("serve", "--set", override)
    assert done.returncode == 2
    assert override.split("=")[0] in done.stdout + done.stderr


def test_a_port_in_use_is_named(headrace, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = headrace("serve", "--data", tmp_path / "data", "--set", f"http.listen={address}")
    assert done.returncode not in (0, 2)
    assert address in done.stdout + done.stderr


def test_a_second_server_on_the_same_data_is_refused(server: Server, headrace):
    done = headrace("serve", "--data", server.data, "--set", "http.listen=127.0.0.1:0")
    assert done.returncode not in (0, 2)
    assert "lock" in (done.stdout + done.stderr).lower()
    assert server.get("/readyz").status == 200


def test_an_open_address_without_credentials_is_refused(headrace, tmp_path):
    done = headrace("serve", "--data", tmp_path / "data", "--set", "http.listen=0.0.0.0:0", timeout=30)
    assert done.returncode != 0
    assert "user" in (done.stdout + done.stderr)


@pytest.mark.parametrize("verb", ["serve", "agent", "check", "config", "tail", "deadletters", "user", "log", "version"])
def test_every_verb_has_help(headrace, verb):
    done = headrace(verb, "--help")
    assert done.returncode == 0
    assert len(done.stdout) > 60


def test_version(headrace):
    assert re.match(r"headrace \d+\.\d+\.\d+", headrace("version").stdout)


def test_logs_are_json_when_nobody_watches(server: Server):
    server.post({"type": "system_metrics", "source": "s", "body": 1})
    server.stop()
    for line in server.log().splitlines():
        json.loads(line)


def test_stop_is_clean_and_quick(server: Server):
    assert server.stop() == 0
