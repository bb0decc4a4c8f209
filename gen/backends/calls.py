"""Descriptions of system calls to C tables (runtime/user/call.h says what they mean), the page of what is covered, and a
program that prints what a compiler's own headers say, for the test of the facts."""
from __future__ import annotations

from ..calls import Abi, Arg, Call, Layout, Set, Struct, System
from .jinja import c_string, render

FIRST_UNIFIED = 424                 # numbers from here on are the same everywhere: headers may be older than the kernel


def name_value(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value or name


def set_values(s: Set) -> list[tuple[str, str, str, bool]]:
    """(name, mask, value, is the value a macro?) in C."""
    rows = []
    if s.field:
        mask = name_value(s.field[0])[1]
        rows += [(n, mask, v, n == v) for n, v in map(name_value, s.field[1:])]
    rows += [(n, v, v, n == v) for n, v in map(name_value, s.bits)]
    rows += [(n, "~UINT64_C(0)", v, n == v) for n, v in map(name_value, s.one)]
    return rows


def c_arg(a: Arg, names: list[str]) -> str:
    parts = [f".name = {c_string(a.name)}", f".kind = ARG_{a.kind.upper()}"]
    if a.dir:
        parts.append(".dir = " + {"in": "ARG_IN", "out": "ARG_OUT", "inout": "ARG_IN | ARG_OUT"}[a.dir])
        parts.append(f".len = {names.index(a.len) + 1}" if a.len else f".n = {a.n}")
        if a.len_ptr:
            parts.append(".len_ptr = true")
    if a.kind == "set":
        parts.append(f".type = SET_{a.type}")
    if a.kind == "struct":
        parts.append(f".type = STRUCT_{a.type}")
    if a.width:
        parts.append(f".width = {a.width}")
    return "{" + ", ".join(parts) + "}"


def c_call(c: Call) -> str:
    flags = [f"CALL_{w.upper()}" for w in ("none", "noreturn") if getattr(c, w)]
    parts = [f".name = {c_string(c.name)}", f".nargs = {len(c.args)}", f".result = ARG_{c.result.kind.upper()}"]
    if c.result.kind == "set":
        parts.append(f".result_set = SET_{c.result.type}")
    if flags:
        parts.append(".flags = " + " | ".join(flags))
    if c.own:
        parts.append(f".fn = call_{c.name}")
    elif c.error:
        parts.append(f".error = {c.error}")
    elif c.via:
        parts.append(f".via = CALL_{c.via}")
        to = [f"{{.arg = {c.index(w) + 1}}}" if c.index(w) >= 0 else f"{{.value = {w}}}" for w in c.to]
        parts.append(".to = {" + ", ".join(to) + "}")
    elif not c.none:
        parts.append(f".host = HOST_{c.name}")
    if c.args:
        names = [a.name for a in c.args]
        parts.append(".arg = {" + ", ".join(c_arg(a, names) for a in c.args) + "}")
    return "{" + ", ".join(parts) + "}"


def members(layout: Layout, names: list[str]) -> str:
    return ", ".join("{%d, %d}" % layout.members.get(n, (0, 0)) for n in names)


def member_names(s: Struct) -> list[str]:
    assert s.guest
    return list(dict.fromkeys([*s.guest.members, *s.needs]))


def differs(s: Set) -> bool:
    return bool(s.guest)


def numbers_of(system: System, c: Call) -> list[str]:
    """Its number in every ISA, for people."""
    out = []
    for abi in system.abis:
        out.append(", ".join(str(n) for n, name in sorted(abi.numbers.items()) if name == c.name))
    return out


def unified(system: System) -> dict[str, int]:
    return {name: n for abi in system.abis for n, name in abi.numbers.items() if n >= FIRST_UNIFIED}


def order(abi: Abi, c: Call) -> list[int]:
    names = abi.order[c.name]
    return [names.index(a.name) + 1 for a in c.args]


def coverage(system: System) -> dict[str, list[Call]]:
    groups: dict[str, list[Call]] = {}
    for c in system.calls.values():
        groups.setdefault(c.group, []).append(c)
    return groups


def files(system: System) -> dict[str, str]:
    shared = dict(system=system, name_value=name_value, set_values=set_values, c_arg=c_arg, c_call=c_call, members=members,
                  member_names=member_names, numbers_of=numbers_of, unified=unified(system), order=order, c_string=c_string,
                  groups=coverage(system))
    return {"user_calls.h": render("user_calls.h.j2", **shared), "user_calls.c": render("user_calls.c.j2", **shared),
            "syscalls.md": render("syscalls.md.j2", **shared), "calls_facts.c": render("calls_facts.c.j2", **shared)}


NAMES = ["user_calls.h", "user_calls.c", "syscalls.md", "calls_facts.c"]
