"""Every test of Debian's programs runs with guests of each ISA that has them all."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import userland  # noqa: E402


@pytest.fixture(autouse=True, params=userland.ISAS)
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(userland, "ISA", request.param)
    return request.param
