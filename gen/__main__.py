"""Command line of the description compiler. Writes only what changed, and a depfile for ninja."""
from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

from .model import DescError


def main() -> int:
    p = argparse.ArgumentParser(prog="python3 -m gen", description="Compile a processor description, or that of system calls.")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--isa", help="entry file, isa/<name>.yaml")
    what.add_argument("--calls", nargs="+", metavar="FILE", help="system calls: description, shared numbers, a file per ISA")
    p.add_argument("--out", required=True, help="directory of the generated files")
    p.add_argument("--overlay", action="append", default=[], help="description that adds or overrides families")
    p.add_argument("--depfile", help="dependencies for ninja")
    a = p.parse_args()
    gc.disable()                # much is made, little of it garbage: a fifth of the time otherwise
    from . import backends, meaning
    from .load import load
    try:
        if a.calls:
            from . import calls
            from .backends import calls as writer
            system = calls.load(a.calls[0], a.calls[1], a.calls[2:])
            files, first, sources = writer.files(system), writer.NAMES[0], system.sources
        else:
            isa = load(a.isa, a.overlay)
            files = backends.everything(isa, meaning.check(isa))
            first, sources = backends.names(isa)[0], isa.sources
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
        Path(a.depfile).write_text(f"{out / first}: " + " ".join(sources) + "\n")    # ninja wants the edge's first output
    return 0


if __name__ == "__main__":
    sys.exit(main())
