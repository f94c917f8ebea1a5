"""The names of vLLM that the sources use, looked up in the text of a vLLM, which is not imported.

    python -m tests.vllm_names FOLDER

looks them up in another vLLM, such as an unpacked wheel for GPUs: FOLDER holds `vllm/`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from reasoner.syntax import parse_module
from tests import ROOT
from tests.test_english import PACKAGE, files

CALLED = {
    ("vllm.engine.arg_utils", "EngineArgs"): (
        "model max_num_seqs enable_prefix_caching max_model_len logits_processors"
        " logprobs_mode block_size enforce_eager dtype enable_chunked_prefill max_num_batched_tokens"
        " distributed_executor_backend enable_lora max_lora_rank max_loras tensor_parallel_size"
        " data_parallel_size pipeline_parallel_size quantization disable_log_stats served_model_name"
    ),
    ("vllm.sampling_params", "SamplingParams"): (
        "temperature top_p max_tokens seed stop_token_ids stop include_stop_str_in_output detokenize logprobs"
        " logprob_token_ids flat_logprobs logit_bias skip_special_tokens output_kind"
    ),
    ("vllm.lora.request", "LoRARequest"): "lora_name lora_int_id lora_path",
}
"""The fields of vLLM's classes that are set."""
BY_NAME = (
    ("vllm.config.model", "ModelDType"),
    ("vllm.config.cache", "CacheDType"),
    ("vllm.model_executor.layers.quantization", "QuantizationMethods"),
    ("vllm.entrypoints.launchers.api_server.entry", "main"),
    ("vllm.v1.worker.gpu.sample.logits_processor", "LogitsProcessor"),
    ("vllm.v1.sample.logits_processor", "LogitsProcessor"),
)
"""Names that are read or run without an import."""


def imported() -> set[tuple[str, str]]:
    """Return the modules of vLLM and the names that the sources import from them."""
    names = set(BY_NAME)
    for folder in PACKAGE:
        for path in files(ROOT / folder):
            for node in ast.walk(parse_module(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vllm":
                    names |= {(str(node.module), alias.name) for alias in node.names}
    return names


def missing(root: Path) -> list[str]:
    """Return the used names that the vLLM in `root` lacks."""
    absent = [f"{m}.{name}" for m, name in sorted(imported()) if not _has(root, m, name)]
    for (module, kind), fields in CALLED.items():
        known = set(_fields(root, module, kind))
        absent += [f"{module}.{kind}.{name}" for name in fields.split() if name not in known]
    return absent


def _file(root: Path, module: str) -> Path | None:
    base = root.joinpath(*module.split("."))
    places = (base / "__init__.py", base.with_suffix(".py"))
    return next((place for place in places if place.is_file()), None)


def _has(root: Path, module: str, name: str) -> bool:
    file = _file(root, module)
    if file is None:
        return False
    return name in set(_defined(parse_module(file.read_text()))) or bool(
        _file(root, f"{module}.{name}")
    )


def _defined(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module defines, also under conditions and by `__getattr__`'s tables."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.ImportFrom(names=names) | ast.Import(names=names):
                yield from (alias.asname or alias.name for alias in names)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def _fields(root: Path, module: str, kind: str) -> Iterator[str]:
    """Yield the annotated fields of a class."""
    file = _file(root, module)
    tree = parse_module(file.read_text() if file else "")
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == kind:
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield field.target.id


if __name__ == "__main__":
    absent = missing(Path(sys.argv[1]))
    print("\n".join(absent) or "all names are there")
    sys.exit(bool(absent))
