"""What can be seen of a run from outside: traces of translated code, dumps of one place, names for the host's profiler,
profiles, counters. Expected values come from the programs' own shape and from nm."""
from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import htif, programs  # noqa: E402

ISOMER = ROOT / "out" / "isomer"
MACHINE = r"""
typedef unsigned long u64;
__attribute__((noinline)) u64 turn(u64 n) { u64 x = 1; while (n--) { x = x * 6364136223846793005u + 1; __asm__ volatile("" : "+r"(x)); } return x; }
__attribute__((noinline)) u64 often(u64 n) { u64 x = turn(3 * n); __asm__ volatile("" : "+r"(x)); return x; }
__attribute__((noinline)) u64 seldom(u64 n) { u64 x = turn(n); __asm__ volatile("" : "+r"(x)); return x; }
void test_main(void) { u64 x = 0; for (int i = 0; i < 4000; i++) x += often(5000) - seldom(5000); __asm__ volatile("" :: "r"(x)); }
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("observe")


@pytest.fixture(scope="module")
def hot(out: Path) -> Path:
    if why := programs.missing("riscv64"):
        pytest.skip(why)
    return programs.build("riscv64", "hot", out)


@pytest.fixture(scope="module")
def machine(out: Path) -> Path:
    if why := htif.missing():
        pytest.skip(why)
    source = out / "hot_machine.c"
    source.write_text(MACHINE)
    return htif.build("hot_machine", out, source)


@pytest.fixture(scope="module")
def process(out: Path) -> Path:
    if why := programs.missing("riscv64"):
        pytest.skip(why)
    elf = out / "hot_process"
    subprocess.run([programs.TARGETS["riscv64"].gcc, "-O2", "-static", "-pthread", str(programs.SRC / "hot_process.c"), "-o", str(elf)], check=True)
    return elf


def run(*args: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    r = subprocess.run([str(ISOMER), *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert r.returncode == code, r.stderr[-2000:]
    return r


def symbols(elf: Path) -> dict[str, int]:
    text = subprocess.run(["riscv64-linux-gnu-nm", str(elf)], capture_output=True, text=True, check=True).stdout
    return {name: int(at, 16) for at, _, name in (line.split() for line in text.splitlines() if len(line.split()) == 3)}


def counters(r: subprocess.CompletedProcess[str]) -> dict[str, int]:
    return json.loads(r.stderr.splitlines()[-1])["jit"]


# ---- traces and dumps ---------------------------------------------------------------------------


def test_trace_of_blocks(hot: Path) -> None:
    r = run("user", "--accel", "jit", "--trace", "blocks", "--stats", "--json", hot)
    lines = [line for line in r.stderr.splitlines() if line.startswith("block")]
    made = [re.fullmatch(r"block  0:([0-9a-f]{16})  (\d+) instructions, (\d+) bytes, (\d+) ns  (\S+)", line) for line in lines]
    assert all(made), lines
    n = counters(r)
    assert n["blocks"] == len(made) > 5
    assert n["block_insns"] == sum(int(m[2]) for m in made) and n["code_bytes"] == sum(int(m[3]) for m in made)
    where = symbols(hot)
    for m in made:
        name, _, distance = m[5].partition("+")
        assert where[name] + int(distance or "0", 16) == int(m[1], 16)
    assert {"turn", "often"} <= {m[5].partition("+")[0] for m in made}


def test_trace_of_exits(machine: Path) -> None:
    r = run("run", "--accel", "jit", "--trace", "exits", "--stats", "--json", machine)
    lines = [line for line in r.stderr.splitlines() if line.startswith("exit ")]
    left = [re.fullmatch(r"exit  0:([0-9a-f]{16})  (\w+) +from (-|0x[0-9a-f]+)  \S+", line) for line in lines]
    assert all(left), lines
    n = counters(r)
    kinds = Counter(m[2] for m in left)
    assert {k[5:]: n[k] for k in n if k.startswith("left_") and n[k]} == dict(kinds)
    assert sum(kinds.values()) == n["entries"] and kinds["jump"] and kinds["count"]
    assert all((m[3] == "-") == (m[2] == "goes") for m in left)


def test_traces_have_a_range(hot: Path) -> None:
    at = symbols(hot)["turn"]
    text = run("user", "--accel", "jit", "--trace", f"blocks={at:#x}-{at + 1:#x}", hot).stderr
    assert re.fullmatch(rf"block  0:{at:016x}  .*  turn\n", text)


def test_dump_of_one_place(hot: Path) -> None:
    at = symbols(hot)["often"]
    for place in ("often", f"{at:#x}"):
        text = run("user", "--accel", "jit", "--dump", f"ir,asm={place}", hot).stderr
        assert len(re.findall(r"^block ", text, re.M)) == 1 and re.match(rf"block {at:#x} \(\d+ instructions\)\n  often:\n", text)
    text = run("user", "--accel", "jit", "--jit", "threshold=1", "--dump", f"ir={at + 2:#x}", hot).stderr
    assert f"block {at:#x} " in text, "the place may be inside a block"
    assert re.match(r"isomer: --dump: 'often2' is no address, and no name", run("user", "--accel", "jit", "--dump", "ir=often2", hot, code=120).stderr)


# ---- tiers --------------------------------------------------------------------------------------


def test_tiers(hot: Path) -> None:
    n = counters(run("user", "--accel", "jit", "--tier", "interp", "--stats", "--json", hot))
    assert n["blocks"] == n["entries"] == 0
    assert counters(run("user", "--accel", "jit", "--tier", "block", "--stats", "--json", hot))["blocks"]
    assert "--tier takes interp or block, not 'trace'" in run("user", "--tier", "trace", hot, code=120).stderr


# ---- counters -----------------------------------------------------------------------------------


def test_latency_of_translations(hot: Path) -> None:
    r = run("user", "--accel", "jit", "--trace", "blocks", "--stats", "--json", hot)
    ns = sorted(int(n) for n in re.findall(r" (\d+) ns  ", r.stderr))
    n = counters(r)
    for key, part in (("compile_p50_ns", 50), ("compile_p99_ns", 99)):
        exact = ns[-(-len(ns) * part // 100) - 1]
        assert exact <= n[key] <= exact * 9 / 8 + 1, key


def test_counters_are_of_all_threads(process: Path) -> None:
    """The thread translates its function once more in code memory of its own."""
    trace = run("user", "--accel", "jit", "--jit", "threshold=4", "--trace", "blocks", "--stats", "--json", process, "once").stderr
    last = json.loads(trace.splitlines()[-1])["jit"]
    child = os.fsdecode(b"work_child")
    mine = [line for line in trace.splitlines() if line.startswith("block") and child not in line]
    threads = {line.split(":")[0].split()[-1] for line in mine if "work_thread" in line}
    assert threads == {"1"} and last["blocks"] >= sum(line.startswith("block  1:") for line in mine) + 100


SCENARIO = """local m = isomer.machine { isa = "riscv64", ram = "16M", code = "stop:\\n addi a0, a0, 1\\n jal zero, @stop" }
m:run(1000000)
local jit = m.cpu[1].counters.jit
isomer.check((jit and jit.blocks or 0) == tonumber(isomer.params.blocks), "blocks " .. tostring(jit and jit.blocks))
"""


@pytest.mark.parametrize("command", [["test"], ["run", "--script"]])
def test_scenarios_choose_their_engine(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "engine.lua"
    file.write_text(SCENARIO)
    failed = 1 if command == ["test"] else 123
    run(*command, file, "--accel", "jit", "--set", "blocks=1")
    run(*command, file, "--accel", "interp", "--set", "blocks=0")
    run(*command, file, "--accel", "jit", "--tier", "interp", "--set", "blocks=0")
    r = run(*command, file, "--accel", "jit", "--jit", "threshold=1", "--set", "blocks=9", code=failed)
    assert command != ["test"] or "--accel jit --jit threshold=1 --set blocks=9" in r.stdout, "the command that repeats it"
    assert "no engine 'warp'" in (r := run(*command, file, "--accel", "warp", code=failed)).stdout + r.stderr


# ---- names for the host's profiler --------------------------------------------------------------


def perf_map(pid: int) -> list[tuple[int, int, str]]:
    path = Path(f"/tmp/perf-{pid}.map")
    rows = [line.split(" ", 2) for line in path.read_text().splitlines()]
    path.unlink()
    return [(int(at, 16), int(size, 16), name) for at, size, name in rows]


def test_perf_map(process: Path) -> None:
    """Names of the code of a process and of its child; what they name is executable in that process."""
    p = subprocess.Popen([str(ISOMER), "user", "--accel", "jit", "--perf-map", str(process)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert p.stdin and p.stdout
    child = int(p.stdout.readline().split()[0])
    assert int(p.stdout.readline().split()[0]) == p.pid
    maps = [line.split() for line in Path(f"/proc/{p.pid}/maps").read_text().splitlines()]
    code = [tuple(int(x, 16) for x in m[0].split("-")) for m in maps if m[1] == "r-xs"]
    rows = perf_map(p.pid)
    p.stdin.close()
    assert p.wait(60) == 0
    assert code and all(any(lo <= at and at + size <= hi for lo, hi in code) for at, size, _ in rows)
    names = {name.partition("+")[0] for _, _, name in rows}
    assert {"work_again", "[isomer: entry and exit]"} <= names
    ends = sorted((at, at + size) for at, size, _ in rows)
    assert all(a[1] <= b[0] for a, b in zip(ends, ends[1:], strict=False)), "ranges overlap"
    assert "work_child" in {name.partition("+")[0] for _, _, name in perf_map(child)}


def test_perf_map_of_a_machine(machine: Path) -> None:
    """Written from inside the sandbox."""
    p = subprocess.Popen([str(ISOMER), "run", "--accel", "jit", "--perf-map", str(machine)], stdin=subprocess.DEVNULL)
    assert p.wait(60) == 0
    assert {"turn", "often", "seldom"} <= {name.partition("+")[0] for _, _, name in perf_map(p.pid)}


def test_perf_finds_the_names(hot: Path, tmp_path: Path) -> None:
    data = tmp_path / "perf.data"
    record = ["perf", "record", "-o", str(data), "-e", "cpu-clock"]
    if not shutil.which("perf") or subprocess.run([*record, "true"], capture_output=True).returncode:
        pytest.skip("perf cannot record here")
    script = f'echo $$ >{tmp_path}/pid; exec "$@"'
    subprocess.run([*record, "sh", "-c", script, "sh", str(ISOMER), "user", "--accel", "jit", "--perf-map", str(hot)], capture_output=True, check=True)
    r = subprocess.run(["perf", "report", "-i", str(data), "--stdio", "--sort", "symbol"], capture_output=True, text=True, check=True)
    assert perf_map(int((tmp_path / "pid").read_text()))
    share = sum(float(m[1]) for m in re.finditer(r"^ +([\d.]+)% +\[\.\] turn(?:\+0x\w+)?\s", r.stdout, re.M))
    assert share > 80, r.stdout


def test_perf_dump(machine: Path) -> None:
    """Read as jitdump-specification.txt of Linux says; the code is what the map names, in the order of time."""
    p = subprocess.Popen([str(ISOMER), "run", "--accel", "jit", "--perf-dump", "--perf-map", str(machine)], stdin=subprocess.DEVNULL)
    assert p.wait(60) == 0
    path = Path(f"/tmp/jit-{p.pid}.dump")
    data = path.read_bytes()
    path.unlink()
    magic, version, size, host, _, pid, start, _ = struct.unpack_from("<IIIIIIQQ", data)
    assert (magic, version, size, pid) == (0x4A695444, 1, 40, p.pid) and host == {"x86_64": 62, "aarch64": 183}[os.uname().machine]
    rows, at = [], size
    while at < len(data):
        kind, total, when, owner, _, vma, code, n, index = struct.unpack_from("<IIQIIQQQQ", data, at)
        name = data[at + 56 : at + total - n]
        assert kind == 0 and owner == p.pid and vma == code and when >= start and index == len(rows) and name.index(0) == len(name) - 1
        rows.append((code, n, name[:-1].decode()))
        start, at = when, at + total
    assert at == len(data) and rows == perf_map(p.pid)


def test_perf_map_is_no_link(machine: Path, tmp_path: Path) -> None:
    """Whoever puts a link where the file goes is not obeyed. The shell's number is that of the program it becomes."""
    target = tmp_path / "target"
    target.write_text("keep")
    script = f'ln -s {target} /tmp/perf-$$.map; echo $$; exec "$@"'
    r = subprocess.run(["sh", "-c", script, "sh", str(ISOMER), "run", "--perf-map", str(machine)], capture_output=True, text=True, timeout=60)
    Path(f"/tmp/perf-{int(r.stdout)}.map").unlink()
    assert r.returncode == 120 and re.search(r"/tmp/perf-\d+\.map: Too many levels", r.stderr) and target.read_text() == "keep"


# ---- profiles -----------------------------------------------------------------------------------


def folded(path: Path) -> Counter[str]:
    """As flamegraph.pl reads it: frames by semicolons, a blank, a number."""
    rows: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        m = re.fullmatch(r"([^;]+(?:;[^;]+)*) (\d+)", line)
        assert m, line
        rows[m[1]] += int(m[2])
    return rows


def check_thirds(rows: Counter[str], often: str, seldom: str) -> None:
    """Three to one; of N samples the share's deviation is sqrt(3/16 N), and four of them are allowed."""
    n = rows[often] + rows[seldom]
    assert n > 300 and n > 0.98 * rows.total(), rows
    assert abs(rows[often] - 0.75 * n) < 4 * (n * 3 / 16) ** 0.5, rows


@pytest.mark.parametrize("engine", ["interp", "jit"])
@pytest.mark.parametrize("isa", programs.TARGETS)
def test_profile_of_a_program(isa: str, engine: str, out: Path) -> None:
    """Also the callers' callers: these functions have frame pointers."""
    if why := programs.missing(isa):
        pytest.skip(why)
    elf, file = programs.build(isa, "hot", out), out / f"{isa}-{engine}.folded"
    run("user", "--accel", engine, "--profile", file, elf)
    check_thirds(folded(file), f"{elf.name};_start;prog_main;often;turn", f"{elf.name};_start;prog_main;seldom;turn")


def test_profile_is_the_same_on_both_engines(hot: Path, out: Path) -> None:
    texts = []
    for engine in ("interp", "jit"):
        run("user", "--accel", engine, "--profile", out / "same.folded", hot)
        texts.append(folded(out / "same.folded"))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("options", [["--accel", "interp"], ["--accel", "jit"], ["--accel", "jit", "--deterministic"]])
def test_profile_of_a_machine(options: list[str], machine: Path, out: Path) -> None:
    """Without frame pointers the link register tells who called a leaf."""
    file = out / "machine.folded"
    run("run", *options, "--profile", file, machine)
    check_thirds(folded(file), "hot_machine.elf;often;turn", "hot_machine.elf;seldom;turn")


def test_a_profile_counts_what_it_does_not_change(machine: Path, out: Path) -> None:
    plain, profiled = (json.loads(run("run", "--deterministic", "--stats", "--json", *more, machine).stderr.splitlines()[-1])
                       for more in ([], ["--profile", str(out / "counts.folded")]))  # fmt: skip
    assert plain["instructions"] == profiled["instructions"]
    assert abs(folded(out / "counts.folded").total() - plain["instructions"] / 500000) < 0.05 * plain["instructions"] / 500000


def test_profile_of_processes(process: Path, tmp_path: Path) -> None:
    """Children, threads and the program that is executed write to one file."""
    file = tmp_path / "all.folded"
    file.write_text("old;line 5\n")
    run("user", "--accel", "jit", "--profile", file, process)
    rows = folded(file)
    leaves = Counter({leaf: sum(n for stack, n in rows.items() if stack.split(";")[-1] == leaf) for leaf in ("work_child", "work_thread", "work_again")})
    assert min(leaves.values()) > 150 and max(leaves.values()) < 1.3 * min(leaves.values()) and "old;line" not in rows
    before = sum(rows.values())
    run("user", "--accel", "jit", "--profile", f"+{file}", process)
    assert folded(file).total() == 2 * before


def test_profile_with_a_table_of_symbols(machine: Path, tmp_path: Path) -> None:
    """Names of a file beside the kernel's own, which go first: as System.map has them."""
    where = symbols(machine)
    table = tmp_path / "System.map"
    table.write_text("".join(f"{at:016x} T my_{name}\n" for name, at in where.items()) + f"{where['turn']:016x} d data\n")
    run("run", "--symbols", table, "--profile", tmp_path / "x.folded", machine)
    check_thirds(folded(tmp_path / "x.folded"), "hot_machine.elf;my_often;my_turn", "hot_machine.elf;my_seldom;my_turn")
    table.write_text("no table\n")
    r = run("run", "--symbols", table, machine, code=120)
    assert "System.map: line 1 is not ADDRESS TYPE NAME" in r.stderr


def test_flamegraph_reads_it(hot: Path, out: Path) -> None:
    tool = shutil.which("flamegraph.pl") or shutil.which("flamegraph")
    if not tool:
        pytest.skip("flamegraph.pl is not installed")
    run("user", "--profile", out / "flame.folded", hot)
    r = subprocess.run([tool, str(out / "flame.folded")], capture_output=True, text=True)
    assert r.returncode == 0 and "prog_main" in r.stdout and not r.stderr


def test_profile_cannot_be_written(hot: Path) -> None:
    assert "--profile: /nowhere/x: No such file" in run("user", "--profile", "/nowhere/x", hot, code=120).stderr
