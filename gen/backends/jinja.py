"""Rendering of templates: strict about undefined names, no blank lines of its own."""
from __future__ import annotations

from pathlib import Path

import jinja2

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
ENV = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, lstrip_blocks=True,
                         undefined=jinja2.StrictUndefined, keep_trailing_newline=True)


def render(template: str, **names: object) -> str:
    return ENV.get_template(template).render(**names)


def c_string(s: str) -> str:
    """A C string literal."""
    out = "".join(c if 32 <= ord(c) < 127 and c not in '"\\?' else f"\\{b:03o}" if len(c.encode()) == 1 else
                  "".join(f"\\{b:03o}" for b in c.encode()) for c in s for b in c.encode()[:1])
    return f'"{out}"'
