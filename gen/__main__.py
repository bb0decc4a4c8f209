"""Command line of the description compiler. Writes only what changed, and a depfile for ninja."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .model import DescError


def main() -> int:
    p = argparse.ArgumentParser(prog="python3 -m gen", description="Compile a processor description.")
    p.add_argument("--isa", required=True, help="entry file, isa/<name>.yaml")
    p.add_argument("--out", required=True, help="directory of the generated files")
    p.add_argument("--overlay", action="append", default=[], help="description that adds or overrides families")
    p.add_argument("--depfile", help="dependencies for ninja")
    a = p.parse_args()
    from . import backends, meaning
    from .load import load
    try:
        isa = load(a.isa, a.overlay)
        files = backends.everything(isa, meaning.check(isa))
        assert set(files) == set(backends.names(isa)), "names() is not what everything() writes"
    except DescError as e:
        print(e, file=sys.stderr)
        return 1
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = out / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    if a.depfile:
        first = backends.names(isa)[0]          # ninja wants the edge's first output
        Path(a.depfile).write_text(f"{out / first}: " + " ".join(isa.sources) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
