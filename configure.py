#!/usr/bin/python3
"""Writes ninja graphs. Without options: ./build.ninja, the committed default graph, byte for byte the
same on every machine (nothing is probed). With any option: only under --builddir (default
out/<hash of the options>), to be built with `ninja -f DIR/build.ninja`.

  ./configure.py [--check] [--sanitize] [--debug] [--fuzz TOOL] [--host ARCH] [--isa-overlay FILE]... [--builddir DIR]

Sources are what the directories hold: run this again after adding or removing a file.
Not responsible for what is generated from the ISA descriptions: gen/ says which files (gen.outputs).
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib
import os
import re
import sys
import types
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
HOSTS = {"x86_64": ("gcc", "ar"), "arm64": ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-ar")}
CFLAGS = "-std=gnu17 -g -Wall -Wextra -Werror -fPIE -pthread"
LIBS = "-Wl,--as-needed -lfdt -llua5.4 -ljansson -l:libseccomp.a -lm -lpthread -ldl"
# The program itself has no shared libraries: they would add a quarter to the start of every command. (The linker warns of dlopen, which
# Lua has for modules in C: scripts cannot load any.) Sanitizers need them.
STATIC = "-static-pie -Wl,--no-warnings"
TEST_LIBS = "-lcmocka -lmpfr -lgmp"
# Compilers of `ninja fuzz` and what their links add: libFuzzer brings main, for AFL++ fuzz/replay.c is it.
FUZZERS = {"libfuzzer": ("clang-19", "clang++-19", "llvm-ar-19"), "afl": ("afl-clang-fast", "afl-clang-fast++", "llvm-ar-14")}
FUZZ_FLAGS = "-w -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -mcx16"
COVERAGE = {"libfuzzer": (" -fsanitize=fuzzer-no-link", "-fsanitize=fuzzer "), "afl": ("", "")}
REPLAY = "fuzz/replay.c"
MAIN = "runtime/cli/main.c"
SOURCE_DIRS = ("runtime", "devices", "accel")
# What translates guest code: built where hostcg/ has lowering rules for the machine that runs the result.
JIT_DIRS = ("hostcg", "runtime/jit")


@dataclasses.dataclass(frozen=True)
class Options:
    sanitize: bool = False
    debug: bool = False
    fuzz: str = ""
    host: str = "x86_64"
    overlays: tuple[str, ...] = ()
    builddir: str = ""

    def default(self) -> bool:
        return self == Options()

    def directory(self) -> str:
        if self.builddir or self.default():
            return self.builddir or "out"
        if self == Options(fuzz=self.fuzz):
            return f"out/{self.fuzz}"
        text = repr((self.sanitize, self.debug, self.host, self.overlays) + ((self.fuzz,) if self.fuzz else ()))
        return "out/" + hashlib.sha256(text.encode()).hexdigest()[:12]

    def cflags(self) -> str:
        flags = [CFLAGS, "-Og -DISO_DEBUG=1" if self.debug else "-O1" if self.sanitize or self.fuzz else "-O2"]
        if self.fuzz:
            flags.append(FUZZ_FLAGS)
        if self.sanitize:
            # These warnings have false positives in instrumented code.
            flags.append(
                "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
                " -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds"
            )
        return " ".join(flags)


class Graph:
    """Text of a ninja file."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def comment(self, text: str) -> None:
        self.lines += ["", f"# {text}"]

    def var(self, name: str, value: str) -> None:
        self.lines.append(f"{name} = {value}")

    def rule(self, name: str, command: str, **more: str) -> None:
        self.lines += ["", f"rule {name}", f"  command = {command}"]
        self.lines += [f"  {k} = {v}" for k, v in more.items()]

    def build(
        self,
        outputs: Iterable[str],
        rule: str,
        inputs: Iterable[str] = (),
        implicit: Iterable[str] = (),
        order: Iterable[str] = (),
        **more: str,
    ) -> None:
        def esc(paths: Iterable[str]) -> list[str]:
            return [re.sub(r"([ :])", r"$\1", p) for p in paths]

        words = [" ".join(esc(outputs)) + ":", rule, *esc(inputs)]
        if extra := esc(implicit):
            words += ["|", *extra]
        if extra := esc(order):
            words += ["||", *extra]
        line, indent = "build", ""
        for w in words:
            if len(line) + len(w) > 118:
                self.lines.append(indent + line + " $")
                line, indent = w, "    "
            else:
                line += " " + w
        self.lines.append(indent + line)
        self.lines += [f"  {k} = {v}" for k, v in more.items()]

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


# ---- what there is ------------------------------------------------------------------------------


def listing(folder: str, pattern: str) -> list[str]:
    """Files below a folder, sorted by path, relative to the root; hidden ones left out."""
    paths = (p.relative_to(ROOT).as_posix() for p in (ROOT / folder).rglob(pattern) if p.is_file())
    return sorted(p for p in paths if not any(part.startswith((".", "__")) and part != "__init__.py"
                                              and part != "__main__.py" for part in p.split("/")))


def isa_inputs(isa: str) -> list[str]:
    """Files of one description: the entry and its families."""
    return [f"isa/{isa}.yaml", *(f for f in listing(f"isa/{isa}", "*.yaml") if not f.endswith("/linux.yaml"))]


def call_inputs() -> list[str]:
    """The description of system calls: generic calls, shared numbers, what each ISA has otherwise."""
    return ["isa/common/linux.yaml", "isa/common/linux_numbers.yaml",
            *(f"isa/{isa}/linux.yaml" for isa in isas() if (ROOT / f"isa/{isa}/linux.yaml").exists())]


def gen_inputs() -> list[str]:
    return listing("gen", "*.py") + listing("gen", "*.j2")


def isas() -> list[str]:
    """Processors that can be built: without a compiler for descriptions there is none."""
    return sorted(p.stem for p in (ROOT / "isa").glob("*.yaml")) if (ROOT / "gen/__init__.py").exists() else []


def generator() -> types.ModuleType:
    sys.dont_write_bytecode = True
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module("gen")


def overlays_of(isa: str, overlays: tuple[str, ...]) -> tuple[str, ...]:
    """Those that change this ISA."""
    return tuple(o for o in overlays if generator().overlay_isa(ROOT / o) == isa)


def gen_outputs(isa: str, overlays: tuple[str, ...]) -> list[str]:
    """Names, relative to the ISA's output directory, of what the generator will write."""
    gen = generator()
    if not hasattr(gen, "outputs"):
        raise SystemExit(f"configure.py: gen/ has no outputs(): cannot know what isa/{isa}.yaml is compiled to")
    return list(gen.outputs(ROOT / f"isa/{isa}.yaml", [ROOT / o for o in overlays]))


def directives(source: str) -> dict[str, str]:
    """What a test says of its own build, in its first lines: `link: -lLLVM-19`, `cflags: -I...`."""
    head = (ROOT / source).read_text(errors="replace").splitlines()[:20]
    found: dict[str, str] = {}
    for line in head:
        if m := re.match(r"[\s/*]*(link|cflags):\s*(-.*?)\s*(\*/)?$", line):
            found[m[1]] = m[2]
    return found


# ---- the graph ----------------------------------------------------------------------------------


def rules(g: Graph) -> None:
    g.rule("cc", "$cc $cflags $incs $extra -MMD -MF $out.d -c $in -o $out",
           depfile="$out.d", deps="gcc", description="CC $out")
    # Only for oracles whose libraries have no complete C interface.
    g.rule("cxx", "$cxx $cxxflags $incs $extra -MMD -MF $out.d -c $in -o $out",
           depfile="$out.d", deps="gcc", description="CXX $out")
    g.rule("ar", "rm -f $out && $ar qcsD $out $in", description="AR $out")
    g.var("kind", "-pie")
    g.rule("link", "$cc $cflags $kind -o $out $in $libs", description="LINK $out")
    g.rule("gen", f"{PYTHON} -B -m gen --isa $in --out $outdir --depfile $depfile $overlays",
           depfile="$outdir.d", restat="1", description="GEN $in")
    g.rule("hostgen", f"{PYTHON} -B -m gen.hostc --rules $in --out $outdir --depfile $outdir.d",
           depfile="$outdir.d", restat="1", description="GEN $in")
    g.rule("gencalls", f"{PYTHON} -B -m gen --calls $in --out $outdir --depfile $outdir/user_calls.d",
           depfile="$outdir/user_calls.d", restat="1", description="GEN $in")
    g.rule("re2c", "re2c -i --no-generation-date -o $out $in", restat="1", description="RE2C $out")
    g.rule("embed", f"{PYTHON} -B scripts/embed.py $kind --out $out $args", restat="1", description="EMBED $out")
    g.rule("vdso", f"{PYTHON} -B scripts/vdso.py --out $out $args", restat="1", description="VDSO $out")
    g.rule("bootstrap", "ninja out/bootstrap", pool="console", description="BOOTSTRAP")
    g.rule("fuzztables", f"{PYTHON} -B -m tests.lib.fuzz_decode --isa $isa --out $out", restat="1",
           description="FUZZTABLES $out")
    g.rule("fuzz", f"{PYTHON} -B configure.py --fuzz libfuzzer && ninja -f out/libfuzzer/build.ninja fuzz", pool="console",
           description="FUZZ")
    g.rule("install", 'install -D -m 755 $in "$${DESTDIR}$${prefix:-/usr/local}/bin/isomer"',
           pool="console", description="INSTALL $in")


class Builder:
    def __init__(self, o: Options) -> None:
        self.o, self.dir, self.g = o, o.directory(), Graph()
        self.generated: list[str] = []  # everything the generator writes
        self.objects: list[str] = []  # of the binary, main excepted
        self.test_objects: list[str] = []  # for tests only
        self.jit = False  # there are lowering rules for the host

    def compile(self, source: str, **more: str) -> str:
        inside = source.removeprefix(self.dir + "/") if source.startswith(self.dir + "/gen/") else source
        stem, dot, kind = inside.rpartition(".")
        obj = f"$builddir/obj/{stem}.o"
        self.g.build([obj], "cxx" if kind == "cpp" else "cc", [self.short(source)], order=["generated"], **more)
        return obj

    def short(self, path: str) -> str:
        return "$builddir" + path[len(self.dir):] if path.startswith(self.dir + "/gen/") else path

    def isa(self, name: str) -> None:
        g, out = self.g, f"$builddir/gen/{name}"
        mine = overlays_of(name, self.o.overlays)
        outputs = gen_outputs(name, mine)
        g.comment(f"{name}: description to C")
        implicit = [*isa_inputs(name)[1:], *gen_inputs(), *mine]
        overlays = {"overlays": " ".join(f"--overlay {p}" for p in mine)} if mine else {}
        g.build([f"{out}/{f}" for f in outputs], "gen", [f"isa/{name}.yaml"], implicit, outdir=out, **overlays)
        self.generated += [f"{out}/{f}" for f in outputs]
        sources = [f for f in outputs if f.endswith(".c")]
        for f in outputs:
            if f.endswith(".re"):
                g.build([f"{out}/{f}.c"], "re2c", [f"{out}/{f}"])
                sources.append(f"{f}.c")
        for f in sources:
            extra = self.speed(f)
            fast = {"extra": extra} if extra else {}
            obj = self.compile(f"{self.dir}/gen/{name}/{f}", **fast)
            (self.test_objects if f.startswith("test") else self.objects).append(obj)

    def speed(self, generated: str) -> str:
        """Megabytes of straight code that runs once per translation or text, or not at all: flags that build it fast."""
        text = re.match(r"(lift|asm|doc|disasm)", generated)
        if self.o.fuzz:         # no target runs guest instructions
            return "-O0 -fno-sanitize=all" if re.match(r"(interp_|exec|run|lift)", generated) else ""
        if self.o.sanitize:
            return "-O0 -fno-sanitize=all" if text else "-O0" if generated.startswith("interp_") else ""
        return "-O1" if text and not self.o.debug else ""

    def calls(self) -> None:
        g = self.g
        if not listing("isa/common", "linux.yaml"):
            return
        g.comment("system calls: description to C")
        outputs = [f"$builddir/gen/{f}" for f in generator().call_outputs()]
        g.build(outputs, "gencalls", call_inputs(), gen_inputs(), outdir="$builddir/gen")
        self.generated += outputs
        self.objects.append(self.compile(f"{self.dir}/gen/user_calls.c"))

    def host(self) -> bool:
        """The lowering rules of the host as C; whether there are any."""
        rules = f"hostcg/{self.o.host}.yaml"
        if not (ROOT / rules).exists():
            return False
        outputs = importlib.import_module("gen.hostc").OUTPUTS
        files = [f"$builddir/gen/host/{f}" for f in outputs]
        self.g.comment("lowering rules of the host")
        self.g.build(files, "hostgen", [rules], [*isa_inputs(self.o.host), *gen_inputs(), "runtime/ir/ir.h"],
                     outdir="$builddir/gen/host")
        self.generated += files
        self.objects += [self.compile(f"{self.dir}/gen/host/{f}") for f in outputs if f.endswith(".c")]
        return True

    def tables(self, names: list[str], jit: bool) -> None:
        g = self.g
        g.comment("what is embedded: board scripts, the list of ISAs")
        boards = sorted(f for f in listing("scripts/boards", "*.lua"))
        engines = [n for n, there in (("jit", jit), ("interp", True)) if there and (ROOT / "runtime" / n).exists()]
        for out, kind, inputs, args in (
            ("boards.h", "header", [], ""),
            ("boards.c", "files", boards, " ".join(boards)),
            ("isa_list.c", "isas", [], " ".join(names)),
            ("engine_list.c", "engines", [], " ".join(engines)),
        ):
            if kind == "engines" and not engines:
                continue
            g.build([f"$builddir/gen/{out}"], "embed", [], ["scripts/embed.py", *inputs], kind=kind, args=args)
            self.generated.append(f"$builddir/gen/{out}")
            if out.endswith(".c"):
                self.objects.append(self.compile(f"{self.dir}/gen/{out}"))

    def vdso(self, main: list[str]) -> None:
        """Images of the vDSO need the assembler: an isomer without them makes them. Where it could not run here, that of the
        default graph does."""
        g, o = self.g, self.o
        texts = [f"runtime/arch/{isa}/vdso.txt" for isa in isas()]
        if not main or not all((ROOT / t).exists() for t in texts):
            return
        g.comment("vDSO images")
        bootstrap = "$builddir/bootstrap"
        if o.host == "x86_64":
            none = "$builddir/gen/vdso_none.c"
            g.build([none], "vdso", [], ["scripts/vdso.py"])
            g.build([bootstrap], "link", [*main, self.compile(f"{self.dir}/gen/vdso_none.c"), *self.objects])
        else:
            bootstrap = "out/bootstrap"
            g.build([bootstrap], "bootstrap")
        g.build(["$builddir/gen/vdso.c"], "vdso", [], ["scripts/vdso.py", bootstrap, *texts],
                args=" ".join(["--asm", bootstrap, "--elf $builddir/gen/vdso", *texts]))
        self.objects.append(self.compile(f"{self.dir}/gen/vdso.c"))

    def tests(self, library: str) -> None:
        """One program per tests/unit/test_*.c, tests/oracle/*.c and tests/tools/*.c; other files of tests/unit go into each, a C++ one of
        tests/oracle into those that include its header."""
        g = self.g
        units = listing("tests/unit", "*.c")
        shared = [s for s in units if not Path(s).name.startswith("test_")]
        units = [s for s in units if self.jit or '"hostcg/' not in (ROOT / s).read_text(errors="replace")]
        mains = [s for s in units if s not in shared] + listing("tests/oracle", "*.c") + listing("tests/tools", "*.c")
        if not mains:
            return
        g.comment("tests")
        support = f"{self.dir}/tests/support.a"
        g.build([self.bd(support)], "ar", [self.compile(s) for s in shared] + self.test_objects)
        bins = []

        def compiled(s: str) -> str:
            d = directives(s)
            return self.compile(s, **({"extra": d["cflags"]} if "cflags" in d else {}))

        shims = {Path(s).with_suffix(".h").as_posix(): compiled(s) for s in listing("tests/oracle", "*.cpp")}
        for s in mains:
            d = directives(s)
            text = (ROOT / s).read_text(errors="replace")
            objs = [compiled(s), *(shim for header, shim in shims.items() if f'"{header}"' in text)]
            binary = f"$builddir/{s.removesuffix('.c')}"
            libs = " ".join(filter(None, [d.get("link", ""), TEST_LIBS, "$libs"]))
            g.build([binary], "link", [*objs, self.bd(support), library], libs=libs)
            bins.append(binary)
        replay = ["fuzz-replay"] if any(s != REPLAY for s in listing("fuzz", "*.c")) else []
        g.build(["test-bins"], "phony", bins + replay)

    def fuzz(self, library: str) -> None:
        """A program per fuzz/*.c and ISA. Plain graphs build those that replay inputs, for the tests; `ninja fuzz` builds the
        fuzzers in a graph of its own."""
        g, o = self.g, self.o
        sources = [s for s in listing("fuzz", "*.c") if s != REPLAY]
        if not sources:
            return
        g.comment("fuzz targets")
        needs = [f"tests/lib/{f}.py" for f in ("forms", "fuzz_decode", "oracles", "words")]
        needs += listing("gen", "*.py")
        for isa in isas():
            out = f"{self.dir}/gen/fuzz/decode_{isa}.c"
            g.build([self.bd(out)], "fuzztables", [],
                    [*needs, *isa_inputs(isa), *listing("tests/oracle", f"accepted_{isa}.yaml")], isa=isa)
            sources.append(out)
        shim = "tests/oracle/llvm_shim.cpp"
        shim_object = f"$builddir/obj/{shim.removesuffix('.cpp')}.o"
        if o.fuzz:
            d = directives(shim)
            self.compile(shim, **({"extra": d["cflags"]} if "cflags" in d else {}))
        main = [] if o.fuzz == "libfuzzer" else [self.compile(REPLAY)]
        bins = []
        for s in sorted(sources, key=lambda s: Path(s).name):
            name = Path(s).stem
            decode = s.startswith(self.dir)
            libs = "-lLLVM-19 -lstdc++ -lZydis " if decode else directives(s).get("link", "") + " " * ("link" in directives(s))
            binary = f"$builddir/fuzz/{name}" + ("" if o.fuzz else "_replay")
            g.build([binary], "link", [self.compile(s), *main, *([shim_object] if decode else []), library],
                    libs=(COVERAGE[o.fuzz][1] if o.fuzz else "") + libs + "$libs")
            bins.append(binary)
        g.build(["fuzz-replay" if not o.fuzz else "fuzz"], "phony", bins)
        if o.default():
            g.build(["out/libfuzzer/always"], "fuzz")  # never made: ninja there knows what is old
            g.build(["fuzz"], "phony", ["out/libfuzzer/always"])

    def bd(self, path: str) -> str:
        return "$builddir" + path[len(self.dir):]

    def text(self) -> str:
        g, o = self.g, self.o
        cc, ar = HOSTS[o.host]
        cxx = cc.replace("gcc", "g++")
        cflags = cxxflags = o.cflags()
        if o.fuzz:
            cc, cxx, ar = FUZZERS[o.fuzz]
            cflags += COVERAGE[o.fuzz][0]
            cxxflags = cxxflags.replace(FUZZ_FLAGS, "")  # an oracle is not searched for faults
        g.lines.append("# Written by configure.py; run it again instead of editing this file.")
        for name, value in (("ninja_required_version", "1.11"), ("builddir", self.dir), ("cc", cc), ("ar", ar),
                            ("cflags", cflags), ("cxx", cxx),
                            ("cxxflags", cxxflags.replace("-std=gnu17", "-std=gnu++17")),
                            ("incs", "-I. -Iruntime -I$builddir/gen -I/usr/include/lua5.4"),
                            ("libs", LIBS)):
            g.var(name, value)
        rules(g)
        names = isas()
        for name in names:
            self.isa(name)
        if names:
            self.calls()
        jit = self.jit = self.host()
        self.tables(names, jit)
        g.build(["generated"], "phony", self.generated)
        g.comment("hand-written sources")
        sources = [s for d in SOURCE_DIRS for s in listing(d, "*.c") if not s.startswith(JIT_DIRS)]
        sources += [s for d in JIT_DIRS for s in listing(d, "*.c") if jit]
        for s in sources:
            if s != MAIN:
                self.objects.append(self.compile(s))
        main = [self.compile(MAIN)] if MAIN in sources else []
        self.vdso(main)
        library = "$builddir/libisomer.a"
        g.build([library], "ar", self.objects)
        if main:
            g.build(["$builddir/isomer"], "link", [*main, *self.objects], **({} if o.sanitize or o.fuzz else {"kind": STATIC}))
            g.build(["install"], "install", ["$builddir/isomer"])
        if not o.fuzz:
            self.tests(library)
        self.fuzz(library)
        g.lines += ["", "default $builddir/isomer" if MAIN in sources else f"default {library}"]
        return g.text()


# ---- command line -------------------------------------------------------------------------------


def overlay_path(text: str) -> str:
    """Relative to the root if it is inside, where the graph runs; else absolute."""
    path = Path(text).resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def parse(argv: list[str]) -> tuple[Options, bool]:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", action="store_true", help="write nothing; fail if the graph on disk is another")
    p.add_argument("--sanitize", action="store_true", help="AddressSanitizer and UndefinedBehaviorSanitizer")
    p.add_argument("--debug", action="store_true", help="for a debugger, with internal checks")
    p.add_argument("--fuzz", choices=sorted(FUZZERS), default="", help="fuzz targets (ninja -f out/TOOL/build.ninja fuzz)")
    p.add_argument("--host", choices=sorted(HOSTS), default="x86_64", help="machine that runs the result")
    p.add_argument("--isa-overlay", action="append", default=[], metavar="FILE",
                   help="families added to or replaced in the descriptions")
    p.add_argument("--builddir", default="", metavar="DIR", help="where everything goes")
    a = p.parse_args(argv)
    for f in a.isa_overlay:
        if not os.path.isfile(f):
            p.error(f"--isa-overlay {f}: no such file")
        try:
            isa = generator().overlay_isa(f)
        except Exception as e:  # the generator's own message has file, line and remedy
            p.error(f"--isa-overlay: {e}")
        if isa not in isas():
            p.error(f"--isa-overlay {f}: no ISA '{isa}'; there are: {', '.join(isas())}")
    builddir = overlay_path(a.builddir) if a.builddir else ""
    if re.search(r"[\s$:]", builddir + "".join(a.isa_overlay)):
        p.error("paths with white space, ':' or '$' are not supported")
    if builddir == ".":
        p.error("--builddir: the source directory holds the default graph; name another")
    if a.fuzz and (a.sanitize or a.debug or a.host != "x86_64"):
        p.error("--fuzz has sanitizers of its own and builds for this machine")
    return Options(a.sanitize, a.debug, a.fuzz, a.host, tuple(overlay_path(f) for f in a.isa_overlay), builddir), a.check


def main(argv: list[str]) -> int:
    o, check = parse(argv)
    target = ROOT / "build.ninja" if o.default() else ROOT / o.directory() / "build.ninja"
    text = Builder(o).text()
    old = target.read_text() if target.exists() else None
    shown = os.path.relpath(target)
    if check:
        if old != text:
            print(f"configure.py: {shown} is not what configure.py writes: run it and commit the result", file=sys.stderr)
        return int(old != text)
    if old != text:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
