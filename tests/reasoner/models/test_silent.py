"""An engine reports its use to nobody, unless the environment says so."""

from __future__ import annotations

import pytest

from reasoner.errors import ConfigError
from reasoner.models.vllm_engine import Engine

NAME = "VLLM_NO_USAGE_STATS"


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0")])
async def test_no_reports(before: str | None, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[str | None]()
    monkeypatch.setenv(NAME, before or "")
    if before is None:
        monkeypatch.delenv(NAME)

    def arguments() -> dict[str, object]:
        import os

        seen.append(os.environ.get(NAME))
        raise ConfigError("no engine")

    with pytest.raises(ConfigError, match="no engine"):
        await Engine(arguments).start()
    assert seen == [after]
