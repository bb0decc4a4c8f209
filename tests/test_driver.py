"""scripts/test itself: what it counts, what it refuses, how it ends. Runs it on a tiny tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lib.tree import Tree

PASS_SKIP = '''
import os, pytest
def test_env():
    assert os.environ["CI"] == "true" and "ISOMER_SWEEP" not in os.environ
@pytest.mark.skip(reason="the moon is wrong")
def test_skip():
    pass
@pytest.mark.skipif(not os.environ.get("ISOMER_FULL"), reason="sample only")
def test_full():
    pass
'''


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    t = Tree(tmp_path)
    t.write("tests/test_a.py", PASS_SKIP)
    t.write("tests/overlays/other.yaml", "value: 5\n")
    t.commit()
    return t


def last(out: str) -> str:
    return out.splitlines()[-1]


def test_all_green(tree: Tree) -> None:
    r = tree.run("scripts/test")
    assert r.returncode == 0, r.stdout
    # 3 builds, overlay, 2 checks, git; 3 unit tests twice; 1 of test_a.py
    assert last(r.stdout) == "14 passed, 0 failed, 2 skipped"
    assert "the moon is wrong: tests/test_a.py" in r.stdout
    assert "slowest tests" in r.stdout
    assert r.stdout.count(" passed, ") - r.stdout.count("ok   ") <= 1


def test_full_and_names(tree: Tree) -> None:
    r = tree.run("scripts/test", "--full=test_a")
    assert r.returncode == 0, r.stdout
    assert last(r.stdout) == "5 passed, 0 failed, 1 skipped"
    r = tree.run("scripts/test", "nowhere")
    assert r.returncode == 1 and "no test file's path holds nowhere" in r.stdout


def test_failures_are_counted(tree: Tree) -> None:
    tree.write("tests/test_b.py", "def test_bad():\n    assert 1 == 2\n")
    tree.write("tests/test_c.py", "import os\ndef test_dies():\n    os._exit(3)\n")
    tree.write("tests/test_d.py", "")
    tree.write("tests/test_e.py", "import nothing_of_that_name\n")
    tree.write("runtime/ugly.h", "int   x ;\n")
    tree.git("add", ".")
    r = tree.run("scripts/test", env={**os.environ, "TOY_CRASH": "1"})
    assert r.returncode == 1
    for name in ("test_b.py", "test_c.py", "test_d.py", "test_e.py", "test_value", "C sources are formatted"):
        assert f"FAIL {name}" in r.stdout or f"FAIL tests/{name}" in r.stdout or f"/{name} (" in r.stdout, name
    assert "clang-format -i runtime/ugly.h" in r.stdout
    assert " 7 failed, " in last(r.stdout)


def test_stale_graph_and_dirt_fail(tree: Tree) -> None:
    tree.write("runtime/new.c", "static int unused __attribute__((unused));\n")
    tree.write("tests/test_dirt.py", "def test_writes():\n    open('left-behind', 'w').close()\n")
    tree.git("add", ".")
    r = tree.run("scripts/test")
    assert r.returncode == 1 and " 2 failed, " in last(r.stdout)
    assert "FAIL build.ninja is what configure.py writes" in r.stdout
    assert "?? left-behind" in r.stdout


def test_broken_build_tests_nothing(tree: Tree) -> None:
    tree.write("runtime/cli/main.c", "int main(void) { return nothing; }\n")
    r = tree.run("scripts/test")
    assert r.returncode == 1
    assert last(r.stdout) == "0 passed, 1 failed, 0 skipped"
    assert "undeclared" in r.stdout
