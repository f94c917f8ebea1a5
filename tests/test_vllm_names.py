"""The installed vLLM has every name that the sources use; `tests.vllm_names` checks others."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from tests import engines
from tests.vllm_names import imported, missing


@engines.VLLM
def test_the_installed_vllm_has_all_names() -> None:
    spec = find_spec("vllm")
    assert spec and spec.origin
    assert missing(Path(spec.origin).parents[1]) == []


def test_a_vllm_without_them_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "vllm").mkdir()
    (tmp_path / "vllm" / "__init__.py").write_text("")
    names = missing(tmp_path)
    assert len(names) > len(imported()) > 10
    assert "vllm.sampling_params.SamplingParams.logprob_token_ids" in names
