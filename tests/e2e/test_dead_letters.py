# SPDX-License-Identifier: Apache-2.0
"""What the archive refuses for good: seen, kept over a crash, sent again, stored once a larger bound takes it, dropped."""
import json

import pytest
from server import Server, wait_until

PATH = "/api/v1/deadletters"
KEY = "receivers.archive.body_bytes_max"
FATES = ("stored", "filtered", "duplicate", "dead", "expired", "in_flight")


def message(name: str, size: int) -> dict:
    return {"type": "system_metrics", "source": "node-1", "id": name, "body": {"text": "x" * (size - len('{"text": ""}'))}}


def ledger(server: Server, receiver: str = "archive") -> dict:
    status = server.get(f"/api/v1/receivers/{receiver}").json()
    entry = next(e for e in status["ledger"] if e["data_type"] == "system_metrics")
    assert entry["accepted"] == sum(entry[fate] for fate in FATES), entry
    return entry


def letters(server: Server, query: str = "") -> list[dict]:
    def answered():
        reply = server.get(PATH + query)
        return reply if reply.status != 503 else None  # just started: the receiver reads its state

    reply = wait_until(answered, "the list of dead letters")
    assert reply.status == 200, reply.body
    return reply.json()["dead_letters"]


@pytest.fixture
def refusing(make_server) -> Server:
    """a and c are small enough and stored; b, d and e are dead letters."""
    server = make_server(settings={KEY: "1KiB"}).start()
    batch = [message("a", 100), message("b", 1025), message("c", 1024), message("d", 2000), message("e", 3000)]
    assert server.post(batch).status in (200, 202)
    wait_until(lambda: len(letters(server)) == 3, "the dead letters")
    return server


def found(server: Server) -> list[str]:
    return sorted(m["id"] for m in server.search(type="system_metrics"))


def restart(server: Server, bound: str) -> None:
    server.kill()
    server.settings[KEY] = bound
    server.start()


def test_what_is_refused_is_listed_with_its_reason_and_the_rest_is_stored(refusing: Server, headrace):
    first = letters(refusing)[0]
    assert first["reason"] == {
        "code": "too_large",
        "message": "the body has 1025 bytes; this archive takes at most 1024 (receivers.archive.body_bytes_max)",
    }
    assert (first["receiver"], first["attempts"], first["retry_pending"]) == ("archive", 1, False)
    assert first["first_refused"] == first["last_refused"]
    shown = headrace("deadletters", "show", "archive", first["id"], "--data", refusing.data)
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["message"]["body"] == message("b", 1025)["body"]
    listed = headrace("deadletters", "list", "--data", refusing.data)
    assert len(listed.stdout.splitlines()) == 3
    assert "too_large: the body has 1025 bytes" in listed.stdout
    assert found(refusing) == ["a", "c"]
    entry = ledger(refusing)
    assert (entry["accepted"], entry["stored"], entry["dead"]) == (5, 2, 3)
    live = wait_until(lambda: (e := ledger(refusing, "live"))["accepted"] == 5 and e, "the live feed")
    assert (live["in_flight"], live["dead"]) == (0, 0)
    assert refusing.metric("headrace_dispatch_dead_letters", receiver="archive") == 3
    assert refusing.metric("headrace_dispatch_messages_total", receiver="archive", fate="dead") == 3


def test_pages_of_one_show_every_dead_letter_once(refusing: Server):
    seen, cursor = [], None
    while True:
        page = refusing.get(PATH + "?limit=1" + (f"&cursor={cursor}" if cursor else "")).json()
        seen += [letter["id"] for letter in page["dead_letters"]]
        cursor = page["next"]
        if not cursor:
            break
    assert seen == [letter["id"] for letter in letters(refusing)]


def test_dead_letters_outlive_a_crash_and_are_refused_again_by_the_same_bound(refusing: Server, headrace):
    before = letters(refusing)
    restart(refusing, "1KiB")
    assert letters(refusing) == before
    assert ledger(refusing)["dead"] == 3
    one = str(before[0]["id"])
    assert json.loads(headrace("deadletters", "retry", "archive", one, "--data", refusing.data).stdout) == {"retried": 1}
    again = wait_until(lambda: next((x for x in letters(refusing) if x["attempts"] == 2), None), "the second refusal")
    assert (again["id"], again["reason"]) == (before[0]["id"], before[0]["reason"])
    assert len(letters(refusing)) == 3
    assert ledger(refusing)["dead"] == 3


def test_a_larger_bound_and_a_retry_store_each_exactly_once(refusing: Server, headrace):
    restart(refusing, "1MiB")
    one = letters(refusing)[0]["id"]
    assert refusing.request("POST", f"{PATH}/archive/{one}/retry").json() == {"retried": 1}
    wait_until(lambda: len(letters(refusing)) == 2, "the first to be stored")
    assert found(refusing) == list("abc")
    done = headrace("deadletters", "retry", "archive", "--all", "--data", refusing.data)
    assert json.loads(done.stdout) == {"retried": 2}
    wait_until(lambda: not letters(refusing), "all to be stored")
    restart(refusing, "1MiB")
    assert letters(refusing) == []
    assert found(refusing) == list("abcde")
    entry = ledger(refusing)
    assert (entry["accepted"], entry["stored"], entry["dead"]) == (5, 5, 0)


def test_drop_removes_one_and_unknown_ones_are_not_found(refusing: Server, headrace):
    one = letters(refusing)[0]["id"]
    assert json.loads(headrace("deadletters", "drop", "archive", one, "--data", refusing.data).stdout) == {"dropped": 1}
    assert one not in [letter["id"] for letter in letters(refusing)]
    assert len(letters(refusing)) == 2
    for unknown in (one, 999):
        assert refusing.get(f"{PATH}/archive/{unknown}").status == 404
        assert refusing.request("POST", f"{PATH}/archive/{unknown}/retry").status == 404
        assert refusing.request("DELETE", f"{PATH}/archive/{unknown}").status == 404
        for verb in ("show", "retry", "drop"):
            assert headrace("deadletters", verb, "archive", unknown, "--data", refusing.data).returncode == 3
    assert refusing.get(PATH + "?receiver=nobody").status == 404
    ledger(refusing)
