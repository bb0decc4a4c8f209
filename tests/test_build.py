"""The build: graphs, regeneration, overlays, installation. Runs the real configure.py on a tiny tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lib.tree import PYTHON, ROOT, Tree


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("tree"))
    tree.ok("ninja")
    return tree


def test_clean_clone_builds_and_runs(built: Tree) -> None:
    assert built.ok("out/isomer") == 'toy 41 2 toy return "?\\\t\u00e9"\n'
    assert built.git("status", "--porcelain") == ""


def test_nothing_to_do_after_a_build(built: Tree) -> None:
    assert "no work to do" in built.ok("ninja")


def test_graph_is_deterministic_and_checked(built: Tree) -> None:
    before = (built.root / "build.ninja").read_bytes()
    built.configure()
    assert (built.root / "build.ninja").read_bytes() == before
    built.ok(PYTHON, "configure.py", "--check")
    built.write("runtime/extra.c", "int extra;\n")
    try:
        r = built.run(PYTHON, "configure.py", "--check")
        assert r.returncode == 1 and "build.ninja is not what configure.py writes" in r.stderr
        assert (built.root / "build.ninja").read_bytes() == before
    finally:
        (built.root / "runtime/extra.c").unlink()


def test_graph_holds_nothing_of_the_machine(built: Tree) -> None:
    text = (built.root / "build.ninja").read_text()
    assert str(built.root) not in text and os.uname().nodename not in text


def test_description_change_rebuilds(built: Tree) -> None:
    try:
        built.write("isa/toy.yaml", "value: 43\n")
        built.ok("ninja")
        assert built.ok("out/isomer").startswith("toy 43 ")
    finally:
        built.write("isa/toy.yaml", "value: 41\n")
    built.ok("ninja")


def test_unchanged_output_recompiles_nothing(built: Tree) -> None:
    (built.root / "gen/__main__.py").touch()
    out = built.ok("ninja")
    assert "GEN" in out and "CC" not in out and "LINK" not in out


def test_overlay_has_its_own_directory_and_is_incremental(built: Tree, tmp_path: Path) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("value: 1000\n")
    graph = built.configure("--isa-overlay", str(overlay))
    assert graph.startswith("out/") and graph.count("/") == 2
    built.ok("ninja", "-f", graph)
    program = str(Path(graph).parent / "isomer")
    assert built.ok(program).startswith("toy 1000 ")
    overlay.write_text("value: 1001\n")
    assert built.configure("--isa-overlay", str(overlay)) == graph
    out = built.ok("ninja", "-f", graph)
    assert built.ok(program).startswith("toy 1001 ")
    assert out.count("CC ") == 1
    assert built.ok("out/isomer").startswith("toy 41 ")
    assert built.git("status", "--porcelain") == ""


def test_sanitizer_build(built: Tree) -> None:
    graph = built.configure("--sanitize")
    built.ok("ninja", "-f", graph, str(Path(graph).parent / "isomer"))
    symbols = built.ok("nm", "-D", str(Path(graph).parent / "isomer"))
    assert "__asan_init" in symbols and "__ubsan" in symbols
    assert built.git("status", "--porcelain") == ""


def test_directory_depends_on_options(built: Tree) -> None:
    graphs = [built.configure(*o) for o in ([], ["--sanitize"], ["--debug"], ["--sanitize", "--debug"])]
    assert graphs[0] == "build.ninja" and len(set(graphs)) == 4
    assert built.configure("--builddir", "out/mine") == "out/mine/build.ninja"


def test_host_selects_the_cross_compiler(built: Tree) -> None:
    text = (built.root / built.configure("--host", "arm64")).read_text()
    assert "\ncc = aarch64-linux-gnu-gcc\n" in text


@pytest.mark.parametrize(
    "options, message",
    [
        (["--isa-overlay", "none.yaml"], "none.yaml: no such file"),
        (["--builddir", "."], "the source directory holds the default graph"),
        (["--builddir", "a b"], "not supported"),
        (["--host", "vax"], "invalid choice"),
        (["--frobnicate"], "unrecognized"),
    ],
)
def test_bad_options(built: Tree, options: list[str], message: str) -> None:
    r = built.run(PYTHON, "configure.py", *options)
    assert r.returncode == 2 and message in r.stderr


def test_install(built: Tree, tmp_path: Path) -> None:
    built.ok("ninja", "install", env={**os.environ, "DESTDIR": str(tmp_path), "prefix": "/usr"})
    installed = tmp_path / "usr/bin/isomer"
    assert subprocess.run([installed], capture_output=True).stdout.startswith(b"toy 41 ")
    built.ok("ninja", "install", env={**os.environ, "DESTDIR": str(tmp_path / "x")})
    assert (tmp_path / "x/usr/local/bin/isomer").exists()


def test_unit_tests_link_what_only_tests_use(built: Tree) -> None:
    built.ok("ninja", "test-bins")
    built.ok("out/tests/unit/test_value")
    assert "lift_toy" not in built.ok("nm", "out/isomer")


def test_embedded_names_are_checked() -> None:
    r = subprocess.run([ROOT / "scripts/embed.py", "isas", "--out", "/dev/null", "x-y"], capture_output=True, text=True)
    assert r.returncode == 1 and "'x-y' is no name" in r.stderr
