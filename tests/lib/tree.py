"""A tiny source tree with the real configure.py and scripts, for tests of the build itself.

Its generator writes one function per ISA that returns a number from the description; not a test of gen/.
"""

from __future__ import annotations

import shutil
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"

GEN_INIT = '''
from pathlib import Path
def outputs(isa, overlays):
    return ["value.c", "value.h", "scan.re", "test_lift.c"]
def overlay_isa(path):
    return "toy"
'''
GEN_MAIN = '''
import argparse
from pathlib import Path
p = argparse.ArgumentParser()
p.add_argument("--isa", type=Path)
p.add_argument("--out", type=Path)
p.add_argument("--depfile", type=Path)
p.add_argument("--overlay", action="append", default=[], type=Path)
a = p.parse_args()
value = [f.read_text().split()[1] for f in [a.isa, *a.overlay]][-1]
n = a.isa.stem
files = {
    "value.h": f"int value_{n}(void);\\n",
    "value.c": f'#include "{n}/value.h"\\n#include "core/isa.h"\\nconst struct isa isa_{n} = {{"{n}"}};\\n'
               f"int value_{n}(void) {{ return {value}; }}\\n",
    "test_lift.c": f"int lift_{n}(void);\\nint lift_{n}(void) {{ return 7; }}\\n",
    "scan.re": f"int scan_{n}(const char *s);\\nint scan_{n}(const char *s) {{\\n  const char *YYMARKER;\\n  (void)YYMARKER;\\n"
               "  /*!re2c\\n  re2c:define:YYCTYPE = \\"unsigned char\\";\\n  re2c:define:YYCURSOR = s;\\n  re2c:yyfill:enable = 0;\\n"
               "  \\"ab\\" { return 2; }\\n  * { return 1; }\\n  */\\n}\\n",
}
a.out.mkdir(parents=True, exist_ok=True)
for name, text in files.items():
    f = a.out / name
    if not f.exists() or f.read_text() != text:
        f.write_text(text)
ins = " ".join(str(f) for f in [a.isa, *a.overlay])
a.depfile.write_text(f"{a.out}/value.c: {ins}\\n")
'''
ISA_H = "#include <stddef.h>\nstruct isa {\n  const char *name;\n};\nextern const struct isa *const isa_list[];\n"
MAIN = '''#include <stdio.h>
#include "boards.h"
#include "core/isa.h"
#include "toy/value.h"
int scan_toy(const char *s);
int main(void) {
  printf("%s %d %d %s %s", isa_list[0]->name, value_toy(), scan_toy("ab"), board_scripts[0].name, board_scripts[0].text);
  return board_scripts[1].name != NULL || isa_list[1] != NULL;
}
'''
UNIT = '''#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "toy/value.h"
/* cflags: -DFROM_DIRECTIVE=3 */
int lift_toy(void);
static void test_value(void **state) { (void)state; assert_int_equal(value_toy(), 41); }
static void test_lift(void **state) { (void)state; assert_int_equal(lift_toy() + FROM_DIRECTIVE, 10); }
static void test_crash(void **state) { (void)state; if (getenv("TOY_CRASH")) abort(); }
int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_value), cmocka_unit_test(test_lift),
                                     cmocka_unit_test(test_crash)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
'''


class Tree:
    def __init__(self, root: Path) -> None:
        self.root = root
        for path in ("configure.py", "scripts/embed.py", "scripts/test", "scripts/setup", ".clang-format", ".gitignore"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, root / path)
        for path, text in {
            "gen/__init__.py": GEN_INIT,
            "gen/__main__.py": GEN_MAIN,
            "isa/toy.yaml": "value: 41\n",
            "runtime/core/isa.h": ISA_H,
            "runtime/cli/main.c": MAIN,
            "scripts/boards/toy.lua": 'return "?\\\t\u00e9"\n',
            "tests/unit/test_value.c": UNIT,
        }.items():
            self.write(path, text)
        sources = [str(p) for p in root.rglob("*.[ch]")]
        subprocess.run(["clang-format", "-i", *sources], cwd=root, check=True)
        self.configure()
        self.git("init", "-q")
        self.commit()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def run(self, *command: str, **more: object) -> subprocess.CompletedProcess[str]:
        env = {k: v for k, v in os.environ.items() if k not in ("ISOMER_FULL", "ISOMER_SWEEP")}  # the tier of the tests themselves
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, **{"env": env, **more})  # type: ignore[call-overload]

    def ok(self, *command: str, **more: object) -> str:
        r = self.run(*command, **more)
        assert r.returncode == 0, f"{command}: {r.stdout}{r.stderr}"
        return r.stdout

    def configure(self, *options: str) -> str:
        """Path of the graph."""
        return self.ok(PYTHON, "-B", "configure.py", *options).strip()

    def git(self, *args: str) -> str:
        return self.ok("git", "-c", "user.name=t", "-c", "user.email=t@example.org", *args)

    def commit(self) -> None:
        self.git("add", ".")
        self.git("commit", "-q", "-m", "tree")
