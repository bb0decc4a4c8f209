"""Scenarios: those that are shipped, the tutorial's, and what `isomer test` and `run --script` promise around them.
lane: exclusive"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import engine  # noqa: E402

ISOMER = ROOT / os.environ.get("ISOMER", "out/isomer")
SHIPPED = sorted((ROOT / "scripts/scenarios").glob("*.lua"))
ELSEWHERE = {"htif_programs.lua": "test_htif.py runs it"}


def isomer(*args: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ISOMER), *map(str, args)], capture_output=True, text=True, timeout=timeout, cwd=ROOT,
                          stdin=subprocess.DEVNULL, errors="replace")


def script(tmp_path: Path, text: str, name: str = "s.lua") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def guest(product: str, arch: str = "riscv64") -> str:
    r = subprocess.run([ROOT / "scripts/guest", product, arch], capture_output=True, text=True, timeout=600, check=True)
    return r.stdout.split()[0]


@pytest.fixture(scope="module")
def linux() -> list[str]:
    return ["--set", f"kernel={guest('kernel')}", "--set", f"initrd={guest('initrd')}"]


LOOP = 'local m = isomer.machine { isa = "riscv64", ram = "16M", code = "stop:\\n jal zero, @stop" }\n'


# ---- what is shipped ------------------------------------------------------------------------------


def test_shipped(linux: list[str]) -> None:
    assert len(SHIPPED) >= 20
    r = isomer("test", *engine.options(), *(p for p in SHIPPED if p.name not in ELSEWHERE), *linux, "--set", f"bios={guest('opensbi')}", "--jobs", 2,
               timeout=3600)
    assert r.returncode == 0, r.stdout[-6000:]
    assert " 0 skipped " in r.stdout, r.stdout


def test_shipped_on_arm64() -> None:
    """The scenarios of a Linux boot, unchanged but for the names of console and machine."""
    linux = [p for p in SHIPPED if p.name.startswith("linux_") and p.name not in (*ELSEWHERE, "linux_opensbi.lua")]
    assert len(linux) >= 7
    files = (f"{product}={guest(product, 'arm64')}" for product in ("kernel", "initrd"))
    names = ("tty=ttyAMA0", "machine=aarch64", "virtio=0xa000000")
    r = isomer("test", *engine.options(), *linux, *(x for f in (*files, *names) for x in ("--set", f)), "--jobs", 2, timeout=3600)
    assert r.returncode == 0, r.stdout[-6000:]
    assert " 0 skipped " in r.stdout, r.stdout


def blocks() -> list[str]:
    return re.findall(r"^```lua\n(.*?)^```", (ROOT / "docs/scenarios.md").read_text(), re.M | re.S)


@pytest.mark.parametrize("number", range(6))
def test_tutorial(number: int, linux: list[str], tmp_path: Path) -> None:
    assert len(blocks()) == 6
    r = isomer("test", *engine.options(), script(tmp_path, blocks()[number]), *linux, timeout=1200)
    assert r.returncode == 0, r.stdout


# ---- the binding table's documents ---------------------------------------------------------------


@pytest.mark.parametrize("option, page", [("--scenarios", "scenarios-reference.md"), ("--lua", "isomer.meta.lua")])
def test_pages_are_the_table(option: str, page: str) -> None:
    assert isomer("help", option).stdout == (ROOT / "docs" / page).read_text()


def test_table_is_what_scripts_see(tmp_path: Path) -> None:
    """Every name of the reference page is there, and objects have no others."""
    page = (ROOT / "docs/scenarios-reference.md").read_text()
    names = re.findall(r"^### (\w+)([.:])(\w+)$", page, re.M)
    assert len(names) > 40
    text = LOOP + 'local objects = { isomer = isomer, machine = m, console = m.console, cpu = m.cpu[1],\n'
    text += 'task = isomer.task("t", function() end) }\nobjects.task:stop()\n'
    for cls, dot, name in names:
        if dot == ":" or cls == "isomer":
            text += f'isomer.check(type(objects.{cls}.{name}) == "function", "{cls}.{name}")\n'
        elif name != "code" and name != "ended":
            text += f'isomer.check(objects.{cls}.{name} ~= nil, "{cls}.{name}")\n'
    text += 'for _, o in pairs { m, m.console, m.cpu[1], objects.task } do isomer.check(not pcall(function() return o.nonsense end)) end\n'
    r = isomer("test", script(tmp_path, text))
    assert r.returncode == 0, r.stdout
    meta = script(tmp_path, (ROOT / "docs/isomer.meta.lua").read_text(), "meta.lua")
    assert isomer("test", meta).returncode == 0


# ---- failures -------------------------------------------------------------------------------------


def test_failure_report(tmp_path: Path) -> None:
    text = """local m = isomer.machine { isa = "riscv64", ram = "16M", code = [[
  lui t0, 0x10000
  li a0, 65
  li a1, 10
  li a2, 91
print:
  sb a0, 0(t0)
  sb a1, 0(t0)
  addi a0, a0, 1
  bne a0, a2, @print
stop:
  jal zero, @stop
]] }
m.console:expect("never", { within = "1ms" })
"""
    path = script(tmp_path, text)
    r = isomer("test", path, "--seed", 99, "--set", "a=b c")
    assert r.returncode == 1
    out = r.stdout
    assert f'{path}:14: "never" did not come within' in out
    console = re.findall(r"^  \| (.*)$", out, re.M)
    assert console == [chr(c) for c in range(ord("Z") - 19, ord("Z") + 1)]
    assert "  time: 0.001000000 s, 100000 instructions" in out
    assert re.search(r"^  pc: 0x80000020 \(stop\+0x0\)$", out, re.M), out
    replay = re.search(r"^  replay: isomer (.*)$", out, re.M)
    assert replay
    again = subprocess.run(f"{ISOMER} {replay[1]}", shell=True, capture_output=True, text=True, timeout=60)
    assert again.returncode == 1
    assert re.sub(r"\([\d.]+ s\)", "", again.stdout) == re.sub(r"\([\d.]+ s\)", "", out)


@pytest.mark.parametrize("body, why", [
    ('isomer.check(false, "no good")', "no good"),
    ('isomer.check(nil)', "check failed"),
    ('isomer.fail("so be it")', "so be it"),
    ('error("plain")', "plain"),
    ("m:run_until(0x80000100, { within = '1ms' })", "0x80000100"),
    ('m:run("5 parsecs")', "is no time"),
    ("m:read(0x4, 8, 'phys')", "no memory at physical address"),
    ("m:u32(0x40000000, 1, 'phys')", "nothing answers"),
    ("m:symbol('nope')", "no symbol 'nope'"),
    ("m:field('uart0', 'nope')", "no field 'nope'"),
    ("m:field('uart9', 'ier')", "no device 'uart9'"),
    ("m:tap { exec = 0x80000000, call = function() m:run(1) end } m:run(1)", "callbacks cannot run a machine"),
    ("m:tap { exec = 0x80000000, call = function() error('from inside') end } m:run(1)", "from inside"),
    ("m:tap { exec = 0x80000000, call = function() m.console:expect('x') end } m:run(1)", "callbacks cannot run a machine or wait"),
    ("m:tap { exec = 0x80000000, call = function() coroutine.yield() end } m:run(1)", "attempt to yield"),
    ("isomer.task('x', function() m:run('1ms') m.console:expect('y', { within = '1ms' }) end) m:run('9ms')",
     r"task 'x': \S*s\.lua:2: \"y\" did not come within 0\.001 s(.|\n)*time: 0\.002000000 s"),
    ("isomer.task('x', function() m:run('1ms') end)", r"task 'x' was neither joined nor stopped: it waits at \S*s\.lua:2"),
    ("isomer.task('x', function() m:run('1ms') end) m:run(5) isomer.fail('n')", r"  task: x waits at \S*s\.lua:2"),
    ("local a, b a = isomer.task('a', function() b:join() end) b = isomer.task('b', function() a:join() end) a:join()",
     "the script waits for 'a', 'a' waits for 'b', 'b' waits for 'a'"),
    ("isomer.task('x', function() while true do m:run(0) end end) m:run(5)", "task 'x' waits and waits, but its machine does not move"),
    ("isomer.task('x', function() coroutine.yield(1) end) m:run(5)", "task 'x': yielded to nobody"),
    ("isomer.task('x', function() coroutine.wrap(function() m:run(1) end)() end) m:run(5)", "'x' can wait in its own coroutine"),
    ("isomer.task('x', function() table.sort({ 1, 2 }, function() m:run(1) end) end) m:run(5)", "'x' can wait in its own coroutine"),
    ("local x x = isomer.task('x', function() x:stop() end) m:run(5)", "task 'x' cannot stop itself"),
    ("local x = isomer.task('x', print) x:stop() x:join()", "task 'x' was stopped"),
    ("isomer.machine { isa = 'riscv64', code = 'nop', devices = { isomer.device { name = 'd', base = 0x10100000, size = 4096, "
     "state = { f = print } } } }", "device 'd': state.f is function"),
    ("m:restore(1)", "snapshot expected"),
    ("m.cpu[1].x.mip2 = 3", "no register 'mip2'"),
    ("m.cpu[1].x.zero = 3", "register zero is always zero"),
    ("m.cpu[1].x.fflags = 32", "register fflags has 5 bits"),
    ("m.cpu[1].x.PRIV = 2", "no riscv64 has such a value in register PRIV"),
    ("m.cpu = 3", "cannot be assigned"),
    ("x ==", "syntax error|unexpected symbol|near"),
])
def test_failures(body: str, why: str, tmp_path: Path) -> None:
    r = isomer("test", script(tmp_path, LOOP + body + "\n"))
    assert r.returncode == 1, r.stdout
    assert re.search(why, r.stdout), r.stdout
    assert "s.lua:2" in r.stdout or body == "x ==", r.stdout


# ---- the command ----------------------------------------------------------------------------------


def test_exit_codes_and_counts(tmp_path: Path) -> None:
    good = script(tmp_path, "isomer.check(true)", "good.lua")
    bad = script(tmp_path, "isomer.fail('<&\"')", "bad.lua")
    skip = script(tmp_path, "isomer.skip('not here')", "skip.lua")
    assert isomer("test", good).returncode == 0
    assert isomer("test", good, skip).returncode == 0
    assert isomer("test", skip).returncode == 77
    assert isomer("test", good, bad, "--filter", "good").returncode == 0
    assert isomer("test", good, "--filter", "nothing").returncode == 120
    assert isomer("test", tmp_path / "none.lua").returncode == 120
    assert isomer("test", good, "--jobs", 0).returncode == 120
    junit = tmp_path / "j.xml"
    r = isomer("test", good, bad, skip, "--jobs", 3, "--junit", junit)
    assert r.returncode == 1
    assert r.stdout.rstrip().endswith("1 passed, 1 failed, 1 skipped (seed 1)")
    suite = ET.parse(junit).getroot()
    assert [suite.get(k) for k in ("tests", "failures", "skipped")] == ["3", "1", "1"]
    assert {c.get("name"): [x.tag for x in c] for c in suite} == {str(good): [], str(bad): ["failure"], str(skip): ["skipped"]}
    assert '<&"' in suite.find(".//failure").get("message")  # type: ignore[union-attr, operator]


def test_allow(tmp_path: Path) -> None:
    s = script(tmp_path, "isomer.check(os and io and require and load)")
    assert isomer("test", s).returncode == 1
    assert isomer("test", s, "--allow").returncode == 0


def test_seed_and_params(tmp_path: Path) -> None:
    s = script(tmp_path, 'print(isomer.seed, isomer.params.a, isomer.rand(1, 1 << 50), math.random(1 << 50)) isomer.fail("end")')
    one, two, other = (isomer("test", s, "--seed", n, "--set", "a=x=y").stdout.splitlines()[1] for n in (5, 5, 6))
    assert one == two != other
    assert one.startswith("5\tx=y\t")


def test_run_script(tmp_path: Path) -> None:
    text = """local m = isomer.machine { isa = "riscv64", ram = "16M", code = [[
  lui t0, 0x10000
  li a0, 33
  sb a0, 0(t0)
stop:
  jal zero, @stop
]] }
m:run("1ms")
isomer.check(isomer.params.want == "good", "unwanted")
"""
    s = script(tmp_path, text)
    r = isomer("run", "--script", s, "--set", "want=good")
    assert (r.returncode, r.stdout) == (0, "!")
    r = isomer("run", "--script", s)
    assert (r.returncode, r.stdout) == (123, "!")
    assert "unwanted" in r.stderr


def test_run_script_takes_the_machine_from_the_command_line(linux: list[str], tmp_path: Path) -> None:
    s = script(tmp_path, 'local m = isomer.machine()\nm.console:expect("Linux version", { within = "10s" })\n')
    kernel, initrd = (x.split("=")[1] for x in linux[1::2])
    r = isomer("run", "--script", s, "--kernel", kernel, "--initrd", initrd, "--append", "console=ttyS0", "-m", "256M")
    assert r.returncode == 0, r.stderr
    assert "Linux version" in r.stdout


# ---- determinism and snapshots --------------------------------------------------------------------


def test_run_deterministic(linux: list[str]) -> None:
    """The console of an early boot, and its time stamps, are the same bytes every time; another seed gives others."""
    kernel, initrd = (x.split("=")[1] for x in linux[1::2])

    def boot(seed: int) -> tuple[str, str]:
        r = isomer("run", "--deterministic", "--seed", seed, "--kernel", kernel, "--initrd", initrd, "-m", "256M", "--stats",
                   "--json", "--append", "console=ttyS0 isomer.script=marker")
        assert r.returncode == 0, r.stderr
        found = re.search(r'"instructions": ?(\d+)', r.stderr)
        assert found
        return r.stdout, found[1]

    first = boot(3)
    assert boot(3) == first
    assert boot(4) != first
    assert "power down" in first[0].lower()


def test_deterministic_takes_no_input(tmp_path: Path) -> None:
    r = isomer("run", "--deterministic", "--serial", "stdio", "--kernel", "/dev/null")
    assert r.returncode == 120
    assert "standard input" in r.stderr


FILL = """
local m = isomer.machine { isa = "riscv64", ram = "256M", code = [[
  auipc s0, 1
  lui t0, 0x10
  addi t0, t0, -32
  lui t1, 1
fill:
  sd t0, 0(s0)
  add s0, s0, t1
  addi t0, t0, -1
  bnez t0, @fill
done:
  jal zero, @done
]] }
m:run_until("done")
local function resident() -- pages of this process in memory
  local f = assert(io.open("/proc/self/statm"))
  local n = f:read("n", "n") and f:seek("set") and select(2, f:read("n", "n"))
  f:close()
  return n
end
local before, best = resident(), 1
for _ = 1, 5 do
  local t = os.clock()
  local s = m:snapshot()
  best = math.min(best, os.clock() - t)
  m:write(0x80100000, "x")
end
isomer.log(("a snapshot takes %.2f ms"):format(best * 1000))
isomer.check(before > 60000, "the guest's 256 MB are in memory")
isomer.check(resident() - before < 2560, "five snapshots took " .. resident() - before .. " pages")
"""


def test_snapshot_of_256_megabytes_copies_no_memory(tmp_path: Path) -> None:
    r = isomer("test", script(tmp_path, FILL), "--allow")
    assert r.returncode == 0, r.stdout
