"""What a meaning does to the machine: registers and views, slots, system registers, memory, traps, jumps, helpers.
The other half of the checker's built-in names."""
from __future__ import annotations

from . import tir, values as v
from .builtins import ROUNDING, nargs
from .kinds import NEVER, NeedWidth, Struct, fail
from .model import DescError, Text, View
from .syntax import Assign, Attr, Binary, Call, Index, Name, Node, SliceE, parse_expr
from .tir import B, B1, INT, RUN, TRANSLATE, E, Ty

RMW = {"swap", "add", "and", "or", "xor", "min_s", "max_s", "min_u", "max_u", "andnot"}
ORDERS = {"relaxed": 0, "tso": 1, "acquire": 2, "release": 3, "seqcst": 4}
WORDS = {**ORDERS, **ROUNDING}


def eval_text(body, text: Text, want: Ty | None, names: dict[str, E] | None = None) -> E:
    """An expression from a declaration (profile, view), in the scope of the ISA rather than of the leaf's locals; `names`
    mean something in it beside."""
    saved, body.scopes = body.scopes, [dict(names or {})]
    try:
        return body.scalar(parse_expr(text), want)
    finally:
        body.scopes = saved


# ---- slots and names -------------------------------------------------------------------------------------------------


def read_slot(body, name: str) -> E | None:
    slot = body.isa.slots.get(name)
    if slot is None:
        return None
    return E("slot", B(slot.width), (), name, TRANSLATE if name in body.isa.context else RUN)


def read_name(body, n: Node, name: str, want: Ty | None):
    isa = body.isa
    if name in ("pc", "next"):
        return E(name, B(64), (), None, RUN)
    e = read_slot(body, name)
    if e is not None:
        return e
    if name in isa.flags:
        return Struct(name, {f: read_slot(body, f) for f in isa.flags[name]})
    if name in isa.sysregs:
        reg = isa.sysregs[name]
        if reg.read is None:
            raise fail(n, f"{name} has no storage and no `read`")
        return eval_text(body, reg.read, B(reg.width))
    d = isa.defs.get(name)
    if d is not None and d.params is None:
        return body.call_def(Call(n.pos, name, None, [], {}), name, None, want)
    if name in WORDS:
        return v.const(WORDS[name])
    if body.decode_time and body.leaf and name in body.leaf.operands:
        raise fail(n, f"operand '{name}' is defined by itself")
    raise fail(n, f"unknown name '{name}'")


def _sysreg_field(body, n: Attr):
    isa = body.isa
    reg = isa.sysregs.get(n.e.name) if isinstance(n.e, Name) else None
    if reg is None:
        raise fail(n, f"unknown name '{getattr(n.e, 'name', '?')}'")
    f = reg.fields.get(n.name) if isinstance(n.name, str) else None
    if f is None:
        raise fail(n, f"system register {reg.name} has no field '{n.name}'")
    return reg, f


def read_field(body, n: Attr) -> E:
    reg, f = _sysreg_field(body, n)
    base = body.scalar(n.e)
    e = v.bits(base, f.lo, f.hi - f.lo + 1)
    if f"{reg.name}.{f.name}" in body.isa.context:
        e.bt = TRANSLATE
    return e


# ---- views -----------------------------------------------------------------------------------------------------------


def view_type(body, view: View, width: int | None) -> Ty:
    """Type of what the view reads, with its parameters taken from the scope (N = width when given)."""
    if view.type is not None:
        body.scopes.append({"N": v.const(width)} if width else {})
        try:
            from .syntax import Parser
            return body.type(Parser(view.type).type())
        finally:
            body.scopes.pop()
    if view.read is not None and view.read.s.startswith("["):
        hi, lo = _slice(body, view, width)
        return B(hi - lo + 1)
    if view.of:
        return view_type(body, body.isa.views[view.of], width)
    return B(body.isa.files[view.file].width)


def _slice(body, view: View, width: int | None) -> tuple[int, int]:
    t = view.read
    node = parse_expr(Text("x" + t.s, t.file, t.line, max(1, t.col - 1)))
    body.scopes.append({"N": v.const(width)} if width else {})
    try:
        ends = (node.hi, node.lo) if isinstance(node, SliceE) else (node.i, node.i)
        hi, lo = (body.build_int(e, "a view's bounds") for e in ends)
    finally:
        body.scopes.pop()
    base = view_type(body, body.isa.views[view.of], width) if view.of else B(body.isa.files[view.file].width)
    if not 0 <= lo <= hi < base.bits:
        raise DescError(t, f'view "{view.name}": bits {hi}:{lo} are not inside {base.bits} bits')
    return hi, lo


def _index(body, n: Index, view: View) -> E:
    i = body.scalar(n.i, INT)
    if i.bt > TRANSLATE:
        raise fail(n.i, "the index of a register must be known at translation time")
    return view_index(body, view, i)


def view_index(body, view: View, i: E) -> E:
    if view.index is not None:
        body.scopes.append({"n": i})
        try:
            i = body.scalar(parse_expr(view.index), INT)
        finally:
            body.scopes.pop()
    return i


def need(body, text: Text) -> None:
    """`cond else trap(kind, args)`: a guard at the start of the instruction, once."""
    if text.s in body.guards:
        return
    body.guards.add(text.s)
    cond, _, otherwise = text.s.partition(" else ")
    outer, body.out = body.out, []
    saved, body.scopes = body.scopes, [{}]
    try:
        c = body.truth(parse_expr(Text(cond, text.file, text.line, text.col)))
        pre, body.out = body.out, []
        body.ev(parse_expr(Text(otherwise, text.file, text.line, text.col + len(cond) + 6)))
        body.prologue += pre + [tir.If(v.not_(c), body.out, [], "unlikely")]
    finally:
        body.out, body.scopes = outer, saved


def view_read_at(body, n: Node, name: str, i: E, width: int | None) -> E:
    """View `name` read at index i."""
    view = body.isa.views[name]
    body.use("view", "", name)
    if view.needs is not None:
        need(body, view.needs)
    if view.of:
        base = view_read_at(body, n, view.of, i, width)
    else:
        base = _file_read(body, n, view, i)
    ty = view_type(body, view, width)
    how = view.read.s if view.read is not None else ""
    if how == "unbox" or how.startswith("unbox"):
        raw = v.cast(base, B(base.ty.bits))
        canonical = {16: 0x7e00, 32: 0x7fc00000}[ty.bits]
        boxed = v.compare("eq", v.bits(raw, ty.bits, raw.ty.n - ty.bits), v.const(-1, B(raw.ty.n - ty.bits)))
        return v.cast(v.sel(boxed, v.bits(raw, 0, ty.bits), v.const(canonical, B(ty.bits))), ty)
    if how.startswith("["):
        hi, lo = _slice(body, view, width)
        return v.cast(v.bits(base, lo, hi - lo + 1), ty)
    if ty.bits < base.ty.bits:
        base = v.bits(base, 0, ty.bits)
    return v.cast(base, ty)


def _file_read(body, n: Node, view: View, i: E) -> E:
    f = body.isa.files[view.file]
    if i.op == "const" and not 0 <= i.k < f.n:
        raise fail(n, f"register file {f.name} has no index {i.k}")
    e = v.const(0, B(f.width)) if i.op == "const" and i.k == f.zero else E("reg", B(f.width), (i,), f.name, RUN)
    for key, text in view.at.items():
        c = v.compare("eq", _as_int(i), v.const(int(key)))
        e = v.sel(c, v.const(0, B(f.width)) if text.s == "zero" else eval_text(body, text, B(f.width)), e)
    return e


def _as_int(i: E) -> E:
    return v.btoi(i)


def view_read(body, n: Index, name: str, width: int | None) -> E:
    return view_read_at(body, n, name, _index(body, n, body.isa.views[name]), width)


def view_write_at(body, n: Node, name: str, i: E, width: int | None, e: E, lo: int = 0, keep: bool = False) -> None:
    """View `name` at index i becomes e (of the view's own type); `lo`, `keep`: a part of it, from a narrower view."""
    view = body.isa.views[name]
    if view.needs is not None:
        need(body, view.needs)
    if view.dirties is not None:
        dirty(body, Text(view.dirties, view.where.file, view.where.line, view.where.col))
    e = v.cast(e, B(e.ty.bits))
    if view.of is None:
        if view.write is not None and view.write.s == "keep":
            keep = True
        _file_write(body, n, view, i, e, lo, keep)
        return
    base = view_type(body, body.isa.views[view.of], width)
    how = view.write.s if view.write is not None else "zext"
    if keep:
        if view.read is not None and view.read.s.startswith("["):
            lo += _slice(body, view, width)[1]
        view_write_at(body, n, view.of, i, width, e, lo, True)
        return
    if how in ("zext", "zero_above"):
        out = v.ext("zext", e, base.bits) if base.bits <= 64 else e
    elif how == "sext":
        out = v.ext("sext", e, base.bits)
    elif how == "keep":
        part = _slice(body, view, width)[1] if view.read is not None and view.read.s.startswith("[") else 0
        if e.ty.bits == base.bits and part == 0:
            out = e
        else:
            view_write_at(body, n, view.of, i, width, e, part, True)
            return
    elif how == "box":
        out = v.concat([v.const(-1, B(base.bits - e.ty.bits)), e])
    else:
        body.scopes.append({"v": e})
        try:
            out = body.typed(parse_expr(view.write), B(base.bits))
        finally:
            body.scopes.pop()
    view_write_at(body, n, view.of, i, width, out)


def _file_write(body, n: Node, view: View, i: E, e: E, lo: int, keep: bool) -> None:
    f = body.isa.files[view.file]
    if keep and e.ty.n == f.width:
        keep = False
    plain = tir.SetReg(f.name, i, e, lo, keep)
    if i.op == "const" and i.k == f.zero:
        return
    if not view.at:
        body.emit(plain)
        return
    out: list = [plain]
    for key, text in view.at.items():
        c = v.compare("eq", _as_int(i), v.const(int(key)))
        alt: list = []
        if text.s != "zero":
            slot = read_slot(body, text.s)
            if slot is None:
                raise fail(n, f"view {view.name}: '{text.s}' is no slot")
            full = insert(slot, lo, e) if keep else v.ext("zext", e, slot.ty.n)
            alt = [tir.SetSlot(text.s, full)]
        if c.op == "const":
            out = alt if c.k else out
        else:
            out = [tir.If(c, alt, out)]
    body.out += out


def insert(whole: E, lo: int, part: E) -> E:
    """whole with part placed at bit lo."""
    n, w = whole.ty.n, part.ty.n
    parts = []
    if lo + w < n:
        parts.append(v.bits(whole, lo + w, n - lo - w))
    parts.append(part)
    if lo:
        parts.append(v.bits(whole, 0, lo))
    return v.concat(parts)


def dirty(body, text: Text) -> None:
    """Sets the slot or field to all ones, once per straight line is enough but harmless more often."""
    lv = lvalue_of(body, text)
    n = parse_expr(text)
    ty = _lvalue_type(body, lv)
    store(body, n, lv, v.const(-1, ty))


# ---- assignment ------------------------------------------------------------------------------------------------------


def lvalue_of(body, text: Text) -> Node:
    return parse_expr(text)


def _resolve(body, t: Node) -> Node:
    """Follows named definitions and columns that stand for a place."""
    for _ in range(8):
        if not isinstance(t, Name):
            return t
        val = body.find(t.name)
        if val is not None and hasattr(val, "node"):
            if isinstance(val.node, Name) and val.node.name == t.name:
                return t
            t = val.node
            continue
        d = body.isa.defs.get(t.name)
        if val is None and d is not None and d.params is None and t.name not in body.isa.slots:
            t = parse_expr(d.body)
            continue
        return t
    return t


def _lvalue_type(body, t: Node) -> Ty:
    t = _resolve(body, t)
    if isinstance(t, Name):
        if t.name in body.isa.slots:
            return B(body.isa.slots[t.name].width)
    if isinstance(t, Attr):
        _, f = _sysreg_field(body, t)
        return B(f.hi - f.lo + 1)
    return body.scalar(t).ty


def or_into(body, n: Node, t: Node, e: E) -> None:
    ty = _lvalue_type(body, t)
    old = body.scalar(t)
    e = v.ext("zext", e, ty.n) if e.ty.n < ty.n else v.bits(e, 0, ty.n)
    store(body, n, t, v.arith("or", old, e))


def assign(body, s: Assign):
    t = _resolve(body, s.target)
    e = Binary(s.pos, s.op, s.target, s.e) if s.op else s.e
    try:
        val = _assign(body, s, t, e)
    except NeedWidth as w:
        raise fail(w.node, "the width of this extension is not known here: state it, as in sext.64(x)") from None
    body.one_effect(s)
    return NEVER if val is NEVER else None


def _value(body, e: Node, ty: Ty):
    val = body.ev(e, ty)
    if val is NEVER:
        return NEVER
    if not isinstance(val, E):
        raise fail(e, f"a value of type {ty} is needed here, not {body.show(val)}")
    return body.coerce(val, ty, e)


def _assign(body, s: Assign, t: Node, e: Node):
    isa = body.isa
    if isinstance(t, Name):
        val = body.find(t.name)
        if val is not None and not hasattr(val, "node"):
            if hasattr(val, "write"):
                x = _value(body, e, val.ty)
                return NEVER if x is NEVER else val.write(body, x)
            raise fail(t, f"'{t.name}' is a value and cannot be assigned")
        if t.name in isa.flags:
            b = body.ev(e)
            if b is NEVER:
                return NEVER
            if not isinstance(b, Struct):
                raise fail(e, f"{t.name} needs a {t.name}(…) bundle, not {body.show(b)}")
            names = isa.flags[t.name]
            missing = [f for f in names if f not in b.parts]
            if missing:
                raise fail(e, f"the bundle lacks {' '.join(missing)}")
            b = body.bind_value(Struct(b.name, {f: b.parts[f] for f in names}), "f")
            for f in names:
                body.emit(tir.SetSlot(f, b.parts[f]))
            return None
        if t.name not in isa.slots:
            raise fail(t, f"'{t.name}' is no register or slot")
    if isinstance(t, Index) and isinstance(t.e, Name):
        name = body.alias(t.e.name)
        if name == "sys":
            return _sys_write(body, t, e)
        if name in isa.views:
            view, width = isa.views[name], body._width(t)
            i = _index(body, t, view)
            x = _value(body, e, view_type(body, view, width))
            if x is NEVER:
                return NEVER
            view_write_at(body, t, name, i, width, x)
            return None
    x = _value(body, e, _lvalue_type(body, t))
    return NEVER if x is NEVER else store(body, s, t, x)


def store(body, n: Node, t: Node, x: E) -> None:
    """Place t (slot, field, slice, lane) becomes x, which has its type."""
    isa = body.isa
    t = _resolve(body, t)
    if isinstance(t, Name) and t.name in isa.slots:
        body.emit(tir.SetSlot(t.name, x))
    elif isinstance(t, Attr):
        reg, f = _sysreg_field(body, t)
        if not reg.storage:
            raise fail(t, f"{reg.name} has no storage: assign the register it shows")
        body.emit(tir.SetSlot(reg.name, insert(read_slot(body, reg.name), f.lo, x)))
    elif isinstance(t, (SliceE, Index)):
        base = _resolve(body, t.e)
        if isinstance(t, SliceE):
            lo, w = body.build_int(t.lo, "the bounds of a slice"), x.ty.n
        else:
            whole = body.scalar(t.e)
            i = body.scalar(t.i, INT)
            if whole.ty.kind == "vec":
                if i.bt > TRANSLATE:
                    raise fail(t.i, "a lane must be known at translation time")
                lanes = tuple(v.sel(v.compare("eq", _as_int(i), v.const(k)), x, v.lane(whole, k)) for k in range(whole.ty.n))
                new = E("vec", whole.ty, lanes, None, RUN)
                name = body.alias(base.e.name)
                view_write_at(body, t, name, _index(body, base, isa.views[name]), body._width(base), body.bind(new, "v"))
                return
            if i.op != "const":
                raise fail(t.i, "a bit that is assigned must be known when the description is compiled")
            lo, w = i.k, 1
        new = insert(body.scalar(t.e), lo, v.cast(x, B(w)))
        if isinstance(base, Index) and isinstance(base.e, Name) and body.alias(base.e.name) in isa.views:
            name = body.alias(base.e.name)
            view_write_at(body, t, name, _index(body, base, isa.views[name]), body._width(base), new)
        else:
            store(body, n, base, new)
    else:
        raise fail(t, "this is no place that can be assigned")


# ---- system registers ------------------------------------------------------------------------------------------------


def sys_read(body, n: Index) -> E:
    num = body.scalar(n.i, INT)
    if num.bt > TRANSLATE:
        raise fail(n.i, "the number of a system register must be known at translation time")
    r = body.local(B(64), "sys")
    body.effect()
    body.emit(tir.Eff("sysread", [(r.k, r.ty)], [v.btoi(num)]))
    return r


def _sys_write(body, t: Index, e: Node):
    num = body.scalar(t.i, INT)
    x = _value(body, e, B(64))
    if x is NEVER:
        return NEVER
    body.emit(tir.Eff("syswrite", [], [v.btoi(num), body.bind(x, "v")]))
    return None


# ---- memory ----------------------------------------------------------------------------------------------------------


def _mem(body, call: Call, width: int | None, nargs_: int, *more: str) -> tuple[E, dict[str, object], int]:
    nargs(call, nargs_, "order", "align", *more)
    if width is None:
        raise fail(call, f"{call.fn} needs its width, as in {call.fn}.32(a)")
    if width not in (8, 16, 32, 64, 128, 256):
        raise fail(call, f"no memory access of {width} bits")
    addr = body.bind(body.typed(call.args[0], B(64)), "ea")
    if body.undefined(addr):
        raise fail(call.args[0], "an undefined value reaches an address")
    attrs: dict[str, object] = {"width": width}
    order = body.scalar(call.kwargs["order"], INT) if "order" in call.kwargs else v.const(ORDERS[body.isa.order])
    if order.ty.kind != "int":
        raise fail(call.kwargs["order"], "order= is relaxed, tso, acquire, release, seqcst or a choice among them")
    attrs["order"] = order
    if "align" in call.kwargs and width > 8:
        body.scopes.append({"a": addr} if body.find("a") is None else {})
        outer = body.sub()
        try:
            body.ev(call.kwargs["align"])
        finally:
            trap, body.out = body.out, outer
            body.scopes.pop()
        c = v.compare("ne", v.bits(addr, 0, (width // 8 - 1).bit_length()), v.const(0, B((width // 8 - 1).bit_length())))
        body.emit(tir.If(c, trap, [], "unlikely"))
    body.effect()
    return addr, attrs, width


def _load(body, call: Call, width: int | None, want: Ty | None) -> E:
    addr, attrs, w = _mem(body, call, width, 1)
    if w == 256:
        parts = []
        body.emit(tir.Eff("probe", [], [addr, v.const(32, B(64))], {"access": "r"}))
        for k in range(4):
            r = body.local(B(64), "m")
            body.emit(tir.Eff("load", [(r.k, r.ty)], [v.arith("add", addr, v.const(8 * k, B(64)))], {**attrs, "width": 64}))
            parts.append(r)
        return v.concat(parts[::-1])
    r = body.local(B(w), "m")
    body.emit(tir.Eff(call.fn, [(r.k, r.ty)], [addr], attrs))
    return r


def _operand(body, n: Node, w: int) -> E:
    e = body.scalar(n, B(w))
    if e.ty.kind in ("f", "vec"):
        e = v.cast(e, B(e.ty.bits))
    return body.coerce(e, B(w), n)


def _store(body, call: Call, width: int | None, want: Ty | None):
    addr, attrs, w = _mem(body, call, width, 2)
    val = body.bind(_operand(body, call.args[1], w), "v")
    if call.fn == "store_ex":
        r = body.local(B1, "ok")
        body.emit(tir.Eff("store_ex", [(r.k, r.ty)], [addr, val], attrs))
        return r
    if w == 256:
        body.emit(tir.Eff("probe", [], [addr, v.const(32, B(64))], {"access": "w"}))
        for k in range(4):
            body.emit(tir.Eff("store", [], [v.arith("add", addr, v.const(8 * k, B(64))), v.bits(val, 64 * k, 64)], {**attrs, "width": 64}))
        return None
    body.emit(tir.Eff("store", [], [addr, val], attrs))
    return None


def _rmw(body, call: Call, width: int | None, want: Ty | None) -> E:
    op = body.alias(call.args[0].name) if call.args and isinstance(call.args[0], Name) else ""
    if op not in RMW:
        raise fail(call, f"rmw knows {' '.join(sorted(RMW))}, not '{op}'")
    addr, attrs, w = _mem(body, Call(call.pos, call.fn, call.width, call.args[1:], call.kwargs), width, 2)
    val = body.bind(_operand(body, call.args[2], w), "v")
    r = body.local(B(w), "old")
    body.emit(tir.Eff("rmw", [(r.k, r.ty)], [addr, val], {**attrs, "op": op}))
    return r


def _cas(body, call: Call, width: int | None, want: Ty | None) -> E:
    addr, attrs, w = _mem(body, call, width, 3)
    expect, new = body.bind(_operand(body, call.args[1], w), "e"), body.bind(_operand(body, call.args[2], w), "v")
    r = body.local(B(w), "old")
    body.emit(tir.Eff("cas", [(r.k, r.ty)], [addr, expect, new], attrs))
    return r


def _fill(body, call: Call, width: int | None, want: Ty | None) -> None:
    nargs(call, 3)
    args = [body.bind(body.typed(call.args[0], B(64)), "ea"), body.typed(call.args[1], B(64)), body.typed(call.args[2], B(8))]
    body.effect()
    body.emit(tir.Eff("fill", [], args))


def _probe(body, call: Call, width: int | None, want: Ty | None) -> None:
    nargs(call, 3)
    access = call.args[2].name if isinstance(call.args[2], Name) else ""
    if access not in ("r", "w"):
        raise fail(call.args[2], "probe(address, bytes, r) or w")
    body.emit(tir.Eff("probe", [], [body.bind(body.typed(call.args[0], B(64)), "ea"), body.typed(call.args[1], B(64))], {"access": access}))


def _fence(body, call: Call, width: int | None, want: Ty | None) -> None:
    args = [body.translate_int(a, "a fence's set") for a in call.args]
    body.emit(tir.Eff("fence", [], args))


# ---- control ---------------------------------------------------------------------------------------------------------


def _trap(body, call: Call, width: int | None, want: Ty | None):
    kind = body.alias(call.args[0].name) if call.args and isinstance(call.args[0], Name) else ""
    if kind not in body.isa.traps:
        raise fail(call, f"unknown trap '{kind}'")
    args = []
    for a in call.args[1:]:
        e = body.scalar(a, B(64))
        e = body.coerce(e, B(64), a) if e.ty.kind == "int" else v.ext("zext", v.cast(e, B(e.ty.bits)), 64)
        args.append(e)
    n = body.isa.traps[kind].args
    if len(args) != n:
        raise fail(call, f"trap '{kind}' takes {n} argument{'s' * (n != 1)}, {len(args)} given")
    body.emit(tir.Trap(kind, args))
    return NEVER


def _jump(body, call: Call, width: int | None, want: Ty | None) -> None:
    nargs(call, 1, "kind")
    kind = "branch"
    k = call.kwargs.get("kind")
    if isinstance(k, Name):
        kind = body.alias(k.name)
    elif isinstance(k, Call):
        kind = k.fn                      # link(rd): a hint about which register links
    target = body.typed(call.args[0], B(64))
    if body.undefined(target):
        raise fail(call.args[0], "an undefined value reaches a jump")
    body.emit(tir.Jump(target, kind))


def _end(body, call: Call, width: int | None, want: Ty | None) -> None:
    reason = call.args[0].name if call.args and isinstance(call.args[0], Name) else ""
    if reason not in ("context", "fence", "wait", "irq"):
        raise fail(call, "end(context), end(fence), end(wait) or end(irq)")
    body.emit(tir.End(reason))


def helper(body, n: Call, name: str):
    h = body.isa.helpers[name]
    body.use("helper", "", name)
    given = {p: a for (p, _), a in zip(h.args, n.args)} | n.kwargs
    missing = [p for p, _ in h.args if p not in given]
    if missing or len(given) != len(h.args) or len(n.args) > len(h.args):
        raise fail(n, f"{name} takes {', '.join(p for p, _ in h.args) or 'no arguments'}")
    args = []
    for p, t in h.args:
        args.append(body.bind(body.typed(given[p], _type(body, t, n)), p))
    outs = [(p, _type(body, t, n)) for p, t in h.returns]
    locs = [body.local(ty, p) for p, ty in outs]
    body.effect()
    body.emit(tir.Eff("helper", [(e.k, e.ty) for e in locs], args, {"name": name, "ends": h.ends}))
    if not locs:
        return None
    return locs[0] if len(locs) == 1 else Struct(name, dict(zip((p for p, _ in outs), locs)))


def _type(body, t: str, n: Node) -> Ty:
    from .syntax import Parser
    text, line, col = n.pos
    return body.type(Parser(Text(t, text.file, text.line + line, 1)).type())


TABLE = {"load": _load, "load_ex": _load, "store": _store, "store_ex": _store, "rmw": _rmw, "cas": _cas, "fill": _fill,
         "probe": _probe, "fence": _fence, "trap": _trap, "jump": _jump, "end": _end}

# Calls that are an effect themselves, beside what their arguments do.
OWN = {"load", "load_ex", "store", "store_ex", "rmw", "cas", "fill"}
