"""Rules of the source tree that no compiler checks. The layers are those that docs/architecture.md lists."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 1000
MAX_COLUMNS, MAX_DESCRIPTION = 110, 4500        # of descriptions: the width, the lines of one processor
# Folders that know processors only through descriptions, not even in comments.
NEUTRAL = ("gen", "runtime/ir", "runtime/mem", "runtime/interp", "hostcg")
NAMES = ["riscv", "riscv32", "rv32", "rv64", "aarch64", "armv8", "arm32", "arm", "Arm", "ARM", "x86", "x64", "i386", "amd64", "RISC-V"]
HOST = r"__linux__|__APPLE__|_WIN32|__FreeBSD__|__x86_64__|__i386__|__aarch64__|__arm__|__riscv\w*|__GLIBC__"
# Life cycle: what creates a machine and a vCPU creates their memory side, through headers that mem/ keeps free of policy.
UPWARD = {("runtime/core/machine.c", "mem/phys.h"), ("runtime/core/vcpu.c", "mem/phys.h"), ("runtime/core/vcpu.c", "mem/tlb.h")}


def tracked(*folders: str, kinds: tuple[str, ...] = ()) -> list[str]:
    out = subprocess.run(["git", "ls-files", "-z", "--", *folders], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [f for f in out.split("\0") if f and (ROOT / f).is_file() and (not kinds or f.endswith(kinds))]


def lines(path: str) -> list[str]:
    return (ROOT / path).read_text(errors="replace").splitlines()


def found(pattern: str, files: list[str]) -> list[str]:
    return [f"{f}:{n}: {line.strip()}" for f in files for n, line in enumerate(lines(f), 1) if re.search(pattern, line)]


def test_no_processor_is_named_where_descriptions_rule() -> None:
    described = [p.stem for p in (ROOT / "isa").glob("*.yaml")]

    def named(names: list[str], folders: tuple[str, ...]) -> list[str]:
        pattern = r"(?<![A-Za-z0-9])(" + "|".join(map(re.escape, names)) + r")(?![A-Za-z0-9])"
        return found(pattern, tracked(*folders, kinds=(".py", ".j2", ".c", ".h")))
    assert not named(described + NAMES, NEUTRAL)
    assert not named(described, ("devices",))           # interrupt controllers cite their manuals


def test_no_file_is_too_long() -> None:
    files = tracked(kinds=(".c", ".h", ".S", ".py", ".j2", ".yaml", ".lua", ".md")) + ["configure.py"]
    assert not [f"{f}: {n} lines" for f in files if (n := len(lines(f))) > MAX_LINES]


def test_descriptions_fit_the_page() -> None:
    files = tracked("isa", kinds=(".yaml",))
    assert not [f"{f}:{n}" for f in files for n, line in enumerate(lines(f), 1)
                if len(line) > MAX_COLUMNS and f.startswith("isa/arm64")]
    for isa in (p.stem for p in (ROOT / "isa").glob("*.yaml")):
        own = [f for f in files if f.startswith((f"isa/{isa}/", f"isa/{isa}.yaml"))]
        assert sum(len(lines(f)) for f in own) <= MAX_DESCRIPTION, isa


def test_c_files_open_with_what_they_are_for() -> None:
    files = tracked("runtime", "devices", "accel", "hostcg", "tests", kinds=(".c", ".h"))
    assert not [f for f in files if not (lines(f) or [""])[0].startswith(("/*", "//"))]


def test_only_the_os_layer_asks_for_the_host() -> None:
    files = [f for f in tracked("runtime", "devices", "accel", kinds=(".c", ".h")) if not f.startswith("runtime/os/")]
    assert not found(rf"^\s*#\s*(if|ifdef|ifndef|elif)\b.*\b({HOST})\b", files)


def layers() -> dict[str, int]:
    """Folder -> layer, from the list in docs/architecture.md: lowest first, one layer per line."""
    text = (ROOT / "docs/architecture.md").read_text()
    block = re.search(r"^## Layers\n.*?^```\n(.*?)^```", text, re.M | re.S)
    assert block, "docs/architecture.md lists the layers in a code block under '## Layers'"
    return {name: i for i, line in enumerate(block[1].splitlines()) for name in line.split()}


def folder(path: str) -> str:
    parts = path.split("/")
    return parts[1] if parts[0] == "runtime" else parts[0]


def test_includes_go_down() -> None:
    rank = layers()
    isas = {p.stem for p in (ROOT / "isa").glob("*.yaml")}
    bad = []
    for f in tracked("runtime", "devices", "accel", "hostcg", kinds=(".c", ".h", ".S")):
        here = folder(f)
        assert here in rank, f"{f}: docs/architecture.md names no layer for {here}"
        for m in re.findall(r'^\s*#\s*include "([^"]+)"', (ROOT / f).read_text(), re.M):
            there = m.split("/")[0] if "/" in m else here
            if there in isas or there == "host" or m == "boards.h":        # generated: layer core
                there = "core"
            assert there in rank, f"{f} includes {m}: docs/architecture.md names no layer for {there}"
            up = rank[there] > rank[here] or rank[there] == rank[here] and there != here
            if up and (f, m) not in UPWARD:
                bad.append(f"{f} includes {m}")
    assert not bad


def test_documents_stand_alone() -> None:
    """Links between documents lead somewhere."""
    bad = []
    for f in tracked("docs", "README.md", kinds=(".md",)):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / f).read_text()):
            if "://" not in target and not ((ROOT / f).parent / target).exists():
                bad.append(f"{f}: {target}")
    assert not bad


def test_capabilities_name_tests_that_exist() -> None:
    text = (ROOT / "docs/capabilities.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.(?:py|c))(?:::(\w+))?`", text)
    assert len(named) > 40
    for path, name in named:
        assert (ROOT / path).is_file(), path
        assert not name or f"def {name}(" in (ROOT / path).read_text(), f"{path} has no {name}"
    for row in re.findall(r"^\| .* \|$", text, re.M)[1:]:
        assert re.search(r"\| (state|proven by .+|partial: .+|open: .+) \|$", row), row
