# SPDX-License-Identifier: Apache-2.0
"""Users, roles, tokens, bans and claims, through the command line and both handlers."""
import re

import pytest
from agent_client import AgentClient, closed_with
from server import Server

MESSAGE = {"type": "system_metrics", "source": "node-1", "body": {"x": 1}}


def bearer(token: str) -> dict:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def user(server: Server, headrace):
    """user("name", "--role", "viewer") adds one and returns its token."""

    def add(name: str, *options: str) -> str:
        done = headrace("user", "add", name, *options, "--data", server.data)
        assert done.returncode == 0, done.stderr
        return re.search(r"hr_[0-9a-z]+_[0-9a-zA-Z_-]+", done.stdout).group(0)

    return add


def test_the_first_user_closes_the_door(server: Server, user):
    assert server.post(MESSAGE).status in (200, 202)
    token = user("fleet")
    assert server.post(MESSAGE).status == 401
    assert server.post(MESSAGE, bearer("hr_0000000000_wrong")).status == 401
    assert server.post(MESSAGE, bearer(token)).status in (200, 202)
    assert server.get("/healthz").status == 200
    assert "www-authenticate" in server.post(MESSAGE).headers


def test_what_is_stored_is_for_nobody_else_on_the_machine(server: Server, user):
    token = user("fleet")
    assert server.post(MESSAGE, bearer(token)).status in (200, 202)
    server.stop()
    stored = [server.data, *server.data.rglob("*")]
    assert any(path.name == "identity.db" for path in stored)
    open_to_others = [f"{path} {path.stat().st_mode:o}" for path in stored if path.stat().st_mode & 0o077]
    assert not open_to_others


def test_roles(server: Server, user):
    agent, viewer, admin = user("a"), user("v", "--role", "viewer"), user("root", "--role", "admin")
    rows = {
        # token: (may post, may read, may change)
        agent: (True, False, False),
        viewer: (False, True, False),
        admin: (True, True, True),
    }
    for token, (post, read, change) in rows.items():
        source = {**MESSAGE, "source": f"of-{token[:8]}"}
        assert (server.post(source, bearer(token)).status in (200, 202)) is post
        assert (server.get("/api/v1/messages?type=system_metrics", bearer(token)).status == 200) is read
        retry = server.request("POST", "/api/v1/deadletters/archive/retry", b"", bearer(token))
        assert (retry.status == 200) is change, retry.body


def test_the_first_principal_that_reports_a_source_owns_it(server: Server, user):
    first, second = user("first"), user("second")
    assert server.post(MESSAGE, bearer(first)).status in (200, 202)
    assert server.post(MESSAGE, bearer(second)).status == 403
    assert server.post({**MESSAGE, "source": "node-2"}, bearer(second)).status in (200, 202)
    server.stop()
    server.start()
    assert server.post(MESSAGE, bearer(second)).status == 403
    assert server.post(MESSAGE, bearer(first)).status in (200, 202)


def test_agents_by_header_and_by_hello(server: Server, user):
    token = user("fleet")
    by_hello = AgentClient("ws-1", token=token).open(server.ws_url)
    by_header = AgentClient("ws-2").open(server.ws_url, headers={"Authorization": f"Bearer {token}"})
    for agent in (by_hello, by_header):
        assert agent.welcome["principal"] == "fleet"
        agent.report("system_metrics", 1)
        agent.settle()
    nobody = AgentClient("ws-3").open(server.ws_url)
    assert closed_with(nobody) == 4401


def test_a_ban_ends_open_connections_and_tokens(server: Server, user, headrace):
    token, _ = user("fleet"), user("other")
    agent = AgentClient("ws-1", token=token).open(server.ws_url)
    agent.report("system_metrics", 1)
    agent.settle()
    assert headrace("user", "ban", "fleet", "--data", server.data).returncode == 0
    agent.report("system_metrics", 2)
    assert closed_with(agent) == 4401
    assert server.post(MESSAGE, bearer(token)).status == 401
    assert headrace("user", "unban", "fleet", "--data", server.data).returncode == 0
    assert server.post(MESSAGE, bearer(token)).status in (200, 202)


def test_lists_show_no_secrets(server: Server, user, headrace):
    token = user("fleet")
    listed = headrace("user", "list", "--data", server.data)
    assert "fleet" in listed.stdout and token.split("_")[2] not in listed.stdout
    server.post(MESSAGE, bearer(token))
    server.stop()
    assert token.split("_")[2] not in server.log()
    for path in server.data.rglob("*"):
        if path.is_file():
            assert token.split("_")[2].encode() not in path.read_bytes(), path


def test_users_survive_a_kill(server: Server, user):
    token = user("fleet")
    server.kill()
    server.start()
    assert server.post(MESSAGE).status == 401
    assert server.post(MESSAGE, bearer(token)).status in (200, 202)
