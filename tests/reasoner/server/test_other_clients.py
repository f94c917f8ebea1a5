"""LangChain, LiteLLM and lm-evaluation-harness, unmodified, against the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.needs import need
from tests.reasoner.server.conftest import Running

pytestmark = pytest.mark.filterwarnings("ignore")
ASKED = "12+30+7"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep clients from asking the network for prices and tokenizers."""
    for name in ("LITELLM_LOCAL_MODEL_COST_MAP", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "True" if name.startswith("LITE") else "1")


@pytest.mark.parametrize("responses", [False, True])
def test_langchain(running: Running, responses: bool) -> None:
    langchain = pytest.importorskip("langchain_openai")
    chat = langchain.ChatOpenAI(
        model="toy:best-of-n", base_url=f"{running.url}/v1", api_key="none", seed=None if responses else 1,
        max_tokens=200, use_responses_api=responses,
    )  # fmt: skip
    reply = chat.invoke([("system", "Add."), ("user", ASKED)])
    assert reply.text.endswith("#49")
    assert reply.usage_metadata["output_tokens"] > 20
    assert "".join(part.text for part in chat.stream(ASKED)).endswith("#49")


def test_litellm(running: Running) -> None:
    litellm = pytest.importorskip("litellm")
    asked: dict[str, Any] = {
        "model": "openai/toy:beam", "api_base": f"{running.url}/v1", "api_key": "none",
        "messages": [{"role": "user", "content": ASKED}], "seed": 1,
    }  # fmt: skip
    reply = litellm.completion(**asked)
    assert reply.choices[0].message.content.endswith("#49")
    assert reply.usage.completion_tokens > 20
    parts = list(litellm.completion(**asked, stream=True))
    assert "".join(p.choices[0].delta.content or "" for p in parts).endswith("#49")


TASK = """
task: sums
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  until: ["@"]
  max_gen_toks: 200
  do_sample: false
filter_list:
  - name: last
    filter:
      - function: regex
        regex_pattern: "#(-?[0-9]+)"
      - function: take_first
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["local-completions", "local-chat-completions"])
def test_lm_evaluation_harness(running: Running, kind: str, tmp_path: Path) -> None:
    need("lm_eval")
    problems = [[12, 30, 7], [4, 5, 6], [50, 11, 9], [31, 8, 2]]
    rows = [{"question": "+".join(map(str, p)), "answer": str(sum(p))} for p in problems]
    data = tmp_path / "test.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "sums.yaml").write_text(TASK.format(data=data))
    place = "chat/completions" if "chat" in kind else "completions"
    arguments = (
        f"model=toy:best-of-n,base_url={running.url}/v1/{place},num_concurrent=4,max_retries=1,"
        "tokenizer_backend=None"
    )
    chat = ["--apply_chat_template"] if "chat" in kind else []
    command = [
        sys.executable, "-m", "lm_eval", "--model", kind, "--model_args", arguments, "--tasks", "sums",
        "--include_path", str(tmp_path), "--output_path", str(tmp_path / "out"), *chat,
    ]  # fmt: skip
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "OPENAI_API_KEY": "none"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    [file] = (tmp_path / "out").rglob("results*.json")
    [score] = [
        v
        for k, v in json.loads(file.read_text())["results"]["sums"].items()
        if k.startswith("exact_match,")
    ]
    assert score >= 0.75
