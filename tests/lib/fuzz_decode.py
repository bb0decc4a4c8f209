"""Writes the C source of an ISA's decoder fuzz target: its leaves, how LLVM is asked, the accepted differences.

  python3 -m tests.lib.fuzz_decode --isa NAME --out FILE.c

What is done with them is fuzz/decode_words.h's and fuzz/decode_forms.h's business.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path


from gen.load import load
from tests.lib import forms, words
from tests.lib.oracles import LLVM, LLVM_FORMS, ZYDIS_NAMES

ROOT = Path(__file__).resolve().parents[2]
HEAD = "/* Decoder and disassembler of {isa} against LLVM{more}. Written by tests/lib/fuzz_decode.py.\n * link: {link} */\n"


def text(s: str) -> str:
    return json.dumps(s)


def table(kind: str, name: str, rows: list[str]) -> str:
    return f"static const {kind} = {{\n".replace("NAME", name) + "".join(f"  {{{r}}},\n" for r in rows) + "};\n"


def of_words(isa: str) -> str:
    o = LLVM[isa]
    leaves = load(str(ROOT / f"isa/{isa}.yaml")).leaves
    rows = [(*words.mask_value(r["bits"]), r["ours"], r["theirs"]) for r in words.accepted(isa, "llvm")]
    return "".join([
        HEAD.format(isa=isa, more="", link="-lLLVM-19 -lstdc++"),
        '#include "tests/oracle/words.h"\n#include "tests/oracle/llvm_shim.h"\n\n',
        f"#define FUZZ_ISA {text(isa)}\n#define FUZZ_TRIPLE {text(o.triple)}\n#define FUZZ_FEATURES {text(o.features)}\n",
        f"#define FUZZ_VARIANT {o.variant}\n#define FUZZ_CLAIMED {int(o.mode == 'claimed')}\n\n",
        table("struct picture NAME[]", "fuzz_pictures",
              [f"{x.mask:#x}, {x.value:#x}, {x.length}, 1, {text(x.name)}" for x in leaves]),
        table("struct row NAME[]", "fuzz_rows",
              [f"{m:#x}, {v:#x}, {text(a)}, {text(b)}, 0" for m, v, a, b in rows] + ['0, 0, "", "", 0']),
        '\n#include "fuzz/decode_words.h"\n'])


def of_forms(isa: str) -> str:
    description = load(str(ROOT / f"isa/{isa}.yaml"))
    lines = [forms.line(description, leaf).split() for leaf in description.leaves]

    def accepted(oracle: str) -> list[str]:
        return [", ".join(map(text, (r["bytes"], r["ours"], r["theirs"]))) for r in words.accepted(isa, oracle, "bytes")]
    return "".join([
        HEAD.format(isa=isa, more=" and Zydis", link="-lLLVM-19 -lstdc++ -lZydis"),
        '#include "tests/oracle/form_bytes.h"\n#include "tests/oracle/form_texts.h"\n#include "tests/oracle/llvm_shim.h"\n\n',
        f"#define FUZZ_ISA {text(isa)}\n#define FUZZ_TRIPLE {text(LLVM_FORMS[isa])}\n\n",
        table("struct form NAME[]", "fuzz_forms", [", ".join([*map(text, x[:3]), *x[3:]]) for x in lines]),
        table("char *const NAME[][3]", "fuzz_rows", accepted("llvm")),
        table("char *const NAME[][3]", "fuzz_zydis_rows", accepted("zydis")),
        table("char *const NAME[][2]", "fuzz_names", [f"{text(a)}, {text(b)}" for a, b in ZYDIS_NAMES.items()]),
        '\n#include "fuzz/decode_forms.h"\n'])


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--isa", required=True, choices=sorted({*LLVM, *LLVM_FORMS}))
    p.add_argument("--out", required=True, type=Path)
    a = p.parse_args()
    source = of_words(a.isa) if a.isa in LLVM else of_forms(a.isa)
    if not a.out.exists() or a.out.read_text() != source:
        a.out.parent.mkdir(parents=True, exist_ok=True)
        a.out.write_text(source)


if __name__ == "__main__":
    main()
