"""Descriptions that the loader must refuse, each with its exact place and message."""
from __future__ import annotations

from pathlib import Path

import pytest
from toy import HEAD, USES, write

from gen.load import load
from gen.model import DescError

FAMILY = """\
f:
  enc: "000000000001 rs1 000 rd 1111111"
  asm: "f {rd}, {rs1}"
  do: X[rd] = X[rs1]
"""


def changed(old: str, new: str) -> str:
    """HEAD, USES and FAMILY with one piece replaced."""
    text = HEAD + USES + FAMILY
    assert text.count(old) == 1, old
    return text.replace(old, new)


CASES = {
    # YAML
    "duplicate key": (FAMILY.join([HEAD, "§f:\n  do: x\n"]),
                      'duplicate key "f" (first at line 14)'),
    "anchor": (changed("slots: {MODE: 2, Z: 1}", "slots: §&a {MODE: 2, Z: 1}"),
               "anchors and aliases are not used in descriptions"),
    "tag": (changed("name: toy", "name: §!!str toy"), "tag tag:yaml.org,2002:str: every scalar is text, typed by the schema"),
    "merge key": (changed("slots: {MODE: 2", "slots: {§<<: {width: 1}, MODE: 2"), "merge keys are not used in descriptions"),
    "unquoted call in a flow map": (changed("  do: X[rd] = X[rs1]\nc", "  let: {a: §zext(x, 64)}\n  do: X[rd] = a\nc"),
                                    "quote the expression: YAML cut it at a comma and left 'zext(x'"),
    "empty value in a flow map": (changed("{illegal: 2}", "{illegal§}"),
                                  '"illegal" has no value: quote expressions inside { }'),
    "empty value": (changed("  name: toy", "  name:§"), '"name" has no value: write "" for an empty text'),
    "tab": (changed("  machine: 1", "§\tmachine: 1"), "YAML: found a tab character that violates indentation"),
    "not a map": ("§- isa\n", "a description file is a map, not a list"),
    "unquoted braces": (changed('asm: "f {rd}, {rs1}"', "asm: {rd§}"), '"rd" has no value: quote expressions inside { }'),
    # schema
    "unknown key of isa": (changed("  machine: 1", "  machine: 1\n  §colour: red"),
                           'unknown key "colour" in "isa"; known: name, title, machine, insn, mem, features, registers,'
                           " context, views, fields, formats, axes, flags, fp, traps, defs, helpers, sysregs, hot, fused,"
                           " aliases, extra"),
    "unknown key of a family": (changed('  asm: "f {', '  §opcode: 1\n  asm: "f {'),
                                'unknown key "opcode" in family "f"; known: enc, forms, each, axes, let, operands, asm, do, fast,'
                                " is, requires, overrides, undefined_when, reserved_when, unpredictable_when, weak, lift,"
                                " aliases, note, ref, name, partial"),
    "no machine": (changed("  machine: 1\n", ""), '"isa" lacks "machine"', "1:1"),
    "not a number": (changed("n: 32, width: 64", "n: 32, width: §wide"), 'not a number: "wide"'),
    "number out of range": (changed("zero: 0}", "zero: §32}"), '"zero" 32 is out of range (0 to 31)'),
    "register names": (changed("zero: 0}", 'zero: 0, names: "§a b c"}'), 'register file "x" has 32 registers but 3 names'),
    "view of nothing": (changed("X: {file: x}", "X: {file: §y}"), 'no register file "y"'),
    "field without bits": (changed("traps:", "formats: {§odd: {0: a, 0x0: b}}\n  traps:").replace("§odd", "odd").replace("0x0", "§0x0"),
                           'format "odd" has value 0 twice'),
    "context": (changed("traps:", 'context: "§PRIV"\n  traps:'), 'context: no slot "PRIV"'),
    "flags": (changed("traps:", 'flags: {F: "Z §MODE"}\n  traps:'), '"MODE" is not a slot of one bit'),
    "definition": (changed("traps:", 'defs: {§"f(a, a)": "a"}\n  traps:').replace('§"f', '"§f'),
                   'the parameters of "f" are not distinct names: a, a'),
    "no such feature": (changed('  asm: "f {', '  requires: §Zy\n  asm: "f {'), 'no feature "Zy"'),
    "hot": (changed("traps:", 'hot: "user §g"\n  traps:'), 'hot: no instruction or family "g"'),
    "fused leaf": (changed("traps:", 'hot: user\n  fused: "§user+g"\n  traps:'),
                   'fused: "user+g" is not first+second or first>second@operand: no instruction "g"'),
    "fused twice": (changed("traps:", 'hot: user\n  fused: "user+user §user+user"\n  traps:'), 'fused: "user+user" twice'),
    "fused and cold": (changed("traps:", 'hot: user\n  fused: "§user+f"\n  traps:'), 'fused: "f" is not hot'),
    "fused operand": (changed("traps:", 'hot: user\n  fused: "§user>user@rs9"\n  traps:'), 'fused: "user" has no operand "rs9"'),
    "alias": (changed("traps:", 'aliases: [{name: n, of: g, asm: "§n"}]\n  traps:'), 'alias "n": no instruction or family "g"'),
    "include": (changed("isa:", "include: [§none.yaml]\nisa:"), "cannot read {dir}/none.yaml: No such file or directory"),
    "system register number": (HEAD + USES + "sysregs:\n  a: {num: 1}\n  §b: {num: 1}\n",
                               'system register "b" has the number 0x1 of "a" ({file}:23:3)'),
    "system register field": (HEAD + USES + 'sysregs:\n  a: {num: 1, width: 8, fields: {F: "§8:1"}}\n',
                              'field "F": bits 8:1 are not inside 8 bits'),
    # expansion
    "no encoding": (changed('  enc: "000000000001 rs1 000 rd 1111111"\n', "").replace("\nf:", "\n§f:"),
                    'family "f" needs either "enc" or "forms"'),
    "short picture": (changed('enc: "000000000001 rs1', 'enc: "§00000000001 rs1'), "f: the picture has 31 bits, not 16 or 32"),
    "unknown field": (changed('enc: "000000000001 rs1', 'enc: "0000000 §rs2 rs1'),
                      'no field or axis "rs2"; declare it under fields or give its bits: rs2[hi:lo]'),
    "bit placed twice": (changed('enc: "000000000001 rs1', 'enc: "0000000 imm[4:2] §imm[2:1] rs1'),
                         'bit 2 of "imm" is placed twice'),
    "bad digits": (changed('"000000000001 rs1', '"00000000000{k} rs1') + "  each: |\n    name k\n    f    §2\n",
                   'column "k" is used in the bit picture and must be binary digits, not "2"'),
    "short row": (changed('"000000000001 rs1', '"00000000000{k} rs1') + "  each: |\n    name k\n\n    # one\n    §f\n",
                  "2 columns are needed (name k), 1 given"),
    "axis lengths": (changed('"000000000001 rs1', '"00000000000 s rs1') + "  axes: {s: {a: {bits: 0}, b: {bits: §10}}}\n",
                     'axis "s": bits 10 and 0 differ in length'),
    "axis columns": (changed('"000000000001 rs1', '"00000000000 s rs1') + "  axes: {§s: {a: {bits: 0, N: 1}, b: {bits: 1}}}\n",
                     'axis "s": column "N" is not given for both "a" and "b"'),
    "axis not placed": (changed("f:\n", "f:\n") + "  axes: {§s: {a: {bits: 0}, b: {bits: 1}}}\n",
                        'axis "s" has bits, but "enc" does not place them'),
    "two names": (changed('"000000000001 rs1', '"00000000000{k} rs1') + "  each: |\n    name k\n    f 0\n    §f 1\n",
                  'two instructions are called "f" (the other: {file}:28:5); add a name column or an axis key'),
    # encodings
    "overlap": (changed('"000000000001 rs1', '"00000000000- rs1').replace("\nf:", "\n§f:"),
                'f overlaps user ({file}:14:1): 0x0000007f is both; "overrides" says which wins\n'
                "  user: 00000000 0000.... .000.... .1111111\n  f: 00000000 000..... .000.... .1111111"),
    "lengths": (changed('"00000000 rd\' 00000"', '"00000000 rd\' 11111"').replace("\ncuser:", "\n§cuser:"),
                "cuser: this 16-bit picture cannot be told from 32-bit instructions by its bits\n"
                "  cuser: 00000000 ...11111\n  all 32-bit instructions: halfword & 0x707f == 0x7f"),
    "overrides nothing": (changed('  asm: "f {', '  overrides: g\n  asm: "f {').replace("\nf:", "\n§f:"),
                          'f overrides "g", which is no instruction or family'),
    "unused field": (changed('"f {rd}, {rs1}"', '"f {rd}"').replace("X[rd] = X[rs1]\n", "X[rd] = 0\n", 2)
                     .replace("X[rd] = 0\nc", "X[rd] = X[rs1]\nc").replace("\nf:", "\n§f:"),
                     'f: nothing uses the field "rs1" (write - for ignored bits)'),
    "unused column": (changed('"000000000001 rs1', '"00000000000{k} rs1') + "  each: |\n    name k N\n    f    1 §8\n",
                      'nothing in family "f" uses the column "N"'),
    "unused let": (changed('  asm: "f {', '  let: {a: "§X[rs1]"}\n  asm: "f {'), 'nothing in family "f" uses the let "a"'),
    "unused declared field": (changed("fields: {", "fields: {§rs2: X, "), 'nothing uses the field "rs2"'),
}


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, tmp_path: Path) -> None:
    text, message, *rest = CASES[name]
    path, place = write(tmp_path, text)
    with pytest.raises(DescError) as e:
        load(path)
    expected = message.replace("{dir}", str(tmp_path)).replace("{file}", path)
    assert str(e.value) == f"{path}:{rest[0] if rest else place}: {expected}"


def test_the_base_is_accepted(tmp_path: Path) -> None:
    """What the cases change is fine as it is."""
    isa = load(write(tmp_path, HEAD + USES + FAMILY)[0])
    assert [x.name for x in isa.leaves] == ["user", "cuser", "f"]
