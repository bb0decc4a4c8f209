"""Assembly texts and decode-time expressions that the back ends must refuse, with place and message."""
from __future__ import annotations

from pathlib import Path

import pytest
from toy import HEAD, USES, write

from gen.backends import asm, decoder
from gen.load import load
from gen.meaning import check
from gen.model import DescError

ENC = '  enc: "000000000001 rs1 000 rd 1111111"\n'
DO = "  do: X[rd] = X[rs1]\n"
BITS = '  enc: "imm[9:0] k[6:0] m[7:0] 1110111"\n  do: X[0] = zext(imm) + zext(k) + zext(m)\n'

CASES = {
    "no operand": (f'f:\n{ENC}{DO}  asm: "f {{§rs2}}, {{rd}}, {{rs1}}"\n',
                   'f has no operand "rs2"; there are: rs1, rd'),
    "no format": (f'f:\n{ENC}{DO}  asm: "f {{§rd:zz}}, {{rs1}}"\n', 'no format "zz"'),
    "no view": (f'f:\n{ENC}{DO}  asm: "f {{§Y[rd]}}, {{rs1}}"\n', 'no view "Y"'),
    "unbalanced": (f'f:\n{ENC}{DO}  asm: "§f {{rd, {{rs1}}"\n', 'f: unbalanced brace in assembly text "f {rd, {rs1}"'),
    "no word first": (f'f:\n{ENC}{DO}  asm: "§{{rd}} = {{rs1}}"\n',
                      "f: assembly text starts with a word, not an operand"),
    "no text": (f"§f:\n{ENC}{DO}", "f has no assembly text"),
    "ambiguous": (f'f:\n{ENC}{DO}  asm: "§user {{rd}}, {{rs1}}"\n',
                  'f: the text "user {rd}, {rs1}" also assembles user ({file}:14:1)'),
    "set of nothing": (f'f:\n{ENC}{DO}  asm: [{{text: "f {{rd}}, {{rs1}}", set: "k = §1"}}]\n',
                       'f has no operand "k"; there are: rs1, rd'),
    "columns that contain each other": (f'f:\n{ENC}{DO}  asm: "f {{a}} {{rd}}, {{rs1}}"\n  axes: {{k: {{x: {{a: "{{b}}", b: "§{{a}}"}}}}}}\n',
                                        "f.x: the texts of columns contain each other"),
    "cannot be searched": ('f:\n  asm: "f {v}"\n  operands: {v: "§zext.32(imm) * zext.32(m) + zext.32(k)"}\n' + BITS,
                           'f: "v" cannot be assembled: 25 bits of fields decide it and the search ends at 16'),
}


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, tmp_path: Path) -> None:
    text, message = CASES[name]
    path, place = write(tmp_path, HEAD + USES + text)
    isa = load(path)
    checked = check(isa)
    with pytest.raises(DescError) as e:
        decoder.files(isa, checked)
        asm.files(isa, checked)
    assert str(e.value) == f"{path}:{place}: {message}".replace("{file}", path)


def test_machine_state_at_decode_time(tmp_path: Path) -> None:
    """Conditions see the encoding, not the machine."""
    path, place = write(tmp_path, HEAD + USES + f'f:\n{ENC}{DO}  asm: "f {{rd}}, {{rs1}}"\n  reserved_when: "MODE §== 1"\n')
    with pytest.raises(DescError) as e:
        check(load(path))
    assert str(e.value) == (f"{path}:{place}: the decoder knows only the fields of the encoding; this depends on machine"
                            " state")
