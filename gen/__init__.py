"""The description compiler: `isa/*.yaml` to C, Python and Markdown. `python3 -m gen --help`."""
from __future__ import annotations


def outputs(isa_path: str, overlays: list[str] | tuple[str, ...] = ()) -> list[str]:
    """Names, relative to the ISA's output directory, of the files that a run writes. Cheap: nothing is checked."""
    from .backends import names
    from .load import load
    return names(load(str(isa_path), [str(o) for o in overlays]))


def overlay_isa(path: str) -> str:
    """Name of the ISA that an overlay file changes: its `isa: {name: ...}`. DescError when it does not say."""
    from .load import overlay_isa
    return overlay_isa(str(path))


def call_outputs() -> list[str]:
    """Names of the files that are made from the description of system calls."""
    from .backends.calls import NAMES
    return list(NAMES)
