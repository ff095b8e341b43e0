#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the shape of the source tree: layers, sizes, names. Usage: check_layers.py [ROOT]

src/layers.txt lists the folders of src/ in order. A file may include only from its own folder and from folders on lines above
its own; folders on one line are siblings and must not include each other. Prints every breach as path:line: what, exits 1.
"""
import re
import sys
from dataclasses import dataclass
from pathlib import Path

FUNCTION_LINES_MAX = 70
SOURCE_LINES_MAX = 800
HEADER_LINES_MAX = 450
COLUMNS_MAX = 100
FORBIDDEN_FOLDERS = {"utils", "util", "common", "misc", "helpers", "helper"}
SPDX = "SPDX-License-Identifier: Apache-2.0"
SPDX_SUFFIXES = {".cc", ".h", ".py", ".sh", ".ts", ".cmake"}
SKIPPED = {"build", "node_modules", "dist", ".git", "data", "fuzz_corpus"}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
# A line that opens a function body: a parameter list and qualifiers, then a brace; not a type, namespace or control statement.
NOT_FUNCTION = re.compile(
    r"^\s*(?:\}?\s*(?:if|else|for|while|switch|do|try|catch)\b|namespace\b|(?:template\s*<.*>\s*)?"
    r"(?:class|struct|union|enum)\b|extern\s+\"C\"\s*\{|return\b)"
)


@dataclass
class Breach:
    path: Path
    line: int
    what: str


def read_layers(path: Path) -> dict[str, int]:
    """Folder -> the number of its line."""
    layers: dict[str, int] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        for folder in line.split("#")[0].split():
            layers[folder] = number
    return layers


def folder_of(path: str, layers: dict[str, int]) -> str | None:
    """The listed folder that a path below src/ belongs to: the longest that fits."""
    parts = path.split("/")[:-1]
    for size in range(len(parts), 0, -1):
        if (folder := "/".join(parts[:size])) in layers:
            return folder
    return None


def check_includes(src: Path, path: Path, lines: list[str], layers: dict[str, int]) -> list[Breach]:
    inside = str(path.relative_to(src))
    own = folder_of(inside, layers)
    if own is None:
        return [Breach(path, 1, f"its folder is not listed in {src.name}/layers.txt")]
    found = []
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        other = folder_of(target, layers)
        if other is None:
            if (src / target).exists():
                found.append(Breach(path, number, f"includes {target}, whose folder is not listed"))
            elif (path.parent / target).exists():
                found.append(Breach(path, number, f"includes {target} by a relative path; write it from src/"))
            continue
        if other == own:
            continue
        if "/impl/" in target:
            found.append(Breach(path, number, f"includes {target}, which is private to {other}"))
        if layers[other] == layers[own]:
            found.append(Breach(path, number, f"{own} includes its sibling {other} ({target})"))
        elif layers[other] > layers[own]:
            found.append(Breach(path, number, f"{own} includes {other} ({target}), which is below it"))
    return found


def strip_code(lines: list[str]) -> list[str]:
    """The lines without comments and with empty string and character literals, so that braces can be counted."""
    text = "\n".join(lines)
    pattern = re.compile(
        r'R"([^()\s\\]{0,16})\(.*?\)\1"'  # raw string
        r'|//[^\n]*|/\*.*?\*/'
        r'|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Za-z_])(?:u8|[uUL])?'(?:\\.|[^'\\\n])+'",
        re.DOTALL,
    )
    return pattern.sub(lambda m: "\n" * m.group(0).count("\n"), text).split("\n")


def check_functions(path: Path, lines: list[str]) -> list[Breach]:
    found = []
    stack: list[tuple[int, bool]] = []  # (line of the opening, is the outermost function)
    head = ""
    head_line = 0
    in_function = False
    for number, line in enumerate(strip_code(lines), 1):
        if line.lstrip().startswith("#"):
            continue
        for character in line:
            if character == "{":
                opens = not in_function and "(" in head and not NOT_FUNCTION.match(head) and "=" not in head.split("(")[0].replace("operator=", "")
                stack.append((head_line or number, opens))
                in_function = in_function or opens
                head = ""
                head_line = 0
            elif character == "}":
                if stack:
                    start, opened = stack.pop()
                    if opened:
                        in_function = False
                        size = number - start + 1
                        if size > FUNCTION_LINES_MAX:
                            found.append(Breach(path, start, f"function of {size} lines; at most {FUNCTION_LINES_MAX}"))
                head = ""
                head_line = 0
            elif character == ";":
                head = ""
                head_line = 0
            else:
                if not head.strip() and not character.isspace():
                    head = ""
                    head_line = number
                head += character
        head += " "
    return found


def check_text(path: Path, lines: list[str]) -> list[Breach]:
    found = []
    if path.suffix in SPDX_SUFFIXES and not any(SPDX in line for line in lines[:3]):
        found.append(Breach(path, 1, f"lacks the line '{SPDX}'"))
    if path.suffix in {".cc", ".h"}:
        most = HEADER_LINES_MAX if path.suffix == ".h" else SOURCE_LINES_MAX
        if len(lines) > most:
            found.append(Breach(path, most, f"{len(lines)} lines; at most {most}"))
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX and " " in line.strip().lstrip("/ ") and "http" not in line and '"' not in line:
                found.append(Breach(path, number, f"{len(line)} columns; at most {COLUMNS_MAX}"))
        if path.suffix == ".h" and not any(line == "#pragma once" for line in lines[:40]):
            found.append(Breach(path, 1, "lacks #pragma once"))
        if not re.fullmatch(r"[a-z0-9_]+", path.stem):
            found.append(Breach(path, 1, "file names are snake_case"))
    return found


def check_folders(root: Path, src: Path, layers: dict[str, int]) -> list[Breach]:
    found = []
    for folder in layers:
        if not (src / folder).is_dir():
            found.append(Breach(src / "layers.txt", layers[folder], f"{folder} is listed but not there"))
    for folder in source_folders(root):
        if "tests/lint" not in folder.relative_to(root).as_posix() and folder.name in FORBIDDEN_FOLDERS:
            found.append(Breach(folder, 1, f"a folder named {folder.name} says nothing; name what it is for"))
    return found


def source_folders(root: Path) -> list[Path]:
    """All folders that may hold sources, without what is built or fetched."""
    folders, queue = [], [root]
    while queue:
        for entry in sorted(queue.pop().iterdir()):
            if entry.is_dir() and entry.name not in SKIPPED and not entry.name.startswith(("build", ".")):
                folders.append(entry)
                queue.append(entry)
    return folders


def check_tree(root: Path) -> list[Breach]:
    src = root / "src"
    layers = read_layers(src / "layers.txt")
    found = check_folders(root, src, layers)
    # The checker's own bad tree is bad on purpose.
    folders = [f for f in source_folders(root) if "tests/lint" not in f.relative_to(root).as_posix()]
    for folder in [root, *folders]:
        for path in sorted(p for p in folder.iterdir() if p.is_file() and p.suffix in SPDX_SUFFIXES):
            lines = path.read_text(errors="replace").splitlines()
            found += check_text(path, lines)
            if path.suffix in {".cc", ".h"}:
                found += check_functions(path, lines)
                if src in path.parents:
                    found += check_includes(src, path, lines, layers)
    return found


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    breaches = check_tree(root)
    for breach in breaches:
        print(f"{breach.path.relative_to(root)}:{breach.line}: {breach.what}")
    print(f"layers: {len(breaches)} breaches" if breaches else "layers: clean")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
