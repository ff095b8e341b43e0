# SPDX-License-Identifier: Apache-2.0
"""Runs the README's tour as it stands there: each `$ command` of its console blocks, its output compared, `...` matching anything."""
import re
import subprocess
from pathlib import Path

from server import BINARY, DEADLINE_S, Server, wait_until

ROOT = Path(__file__).parents[2]


def steps() -> list[tuple[str, str]]:
    """(command, expected output) in order."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            found.append((command, output.strip()))
    return found


def pattern(expected: str) -> re.Pattern:
    return re.compile(".*?".join(re.escape(part) for part in expected.split("...")), re.DOTALL)


def test_the_tour_says_what_happens(make_server, tmp_path):
    server: Server = make_server()
    server.data = tmp_path / "data"  # where the commands look by default
    server.start("--demo")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "headrace").symlink_to(BINARY)
    wait_until(lambda: server.search(type="system_metrics"), "the demo's agent")
    assert len(steps()) >= 7
    for command, expected in steps():
        actual = command.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
        done = subprocess.run(["bash", "-c", actual], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S)
        output = (done.stdout + done.stderr).strip()
        assert pattern(expected).fullmatch(output), f"$ {command}\nexpected:\n{expected}\ncame:\n{output}"


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "src/README.md", *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
