# SPDX-License-Identifier: Apache-2.0
"""The smoke of serve_kill.py that belongs to `make test`; `make crash` runs hundreds of rounds."""
from serve_kill import Rounds


def test_twenty_kills_lose_and_repeat_nothing(tmp_path):
    rounds = Rounds(tmp_path, seed=1)
    try:
        rounds.run(20)
    finally:
        if rounds.server.process:
            rounds.server.kill()
