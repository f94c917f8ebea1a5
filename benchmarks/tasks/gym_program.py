"""The program that runs reasoning-gym: it generates problems and scores answers, and is sent into a sandbox.

Some of the package's graders evaluate an answer as Python (`eval`, sympy's `parse_expr`), so a model's
text can run code. Each answer is therefore scored in a child process of its own, which dies with it; this
process, which generates the problems, never reads an answer.

Its arguments are the descriptors that requests are read from and replies written to, and the folder of
packages. A message is a line of JSON. A reply to a request that failed
has the field `error`, and nothing else.
"""

import json
import os
import random
import signal
import sys
import warnings
from dataclasses import fields
from functools import lru_cache, partial
from typing import Any

SIZE = 500
"""The size of a data set; the items of some depend on it."""
LONGEST = 1 << 20
"""The most bytes of a child's reply."""


def main(reads: int, writes: int, packages: str) -> None:
    """Answer requests until there are no more."""
    _silence()
    sys.path.append(packages)
    with os.fdopen(reads, "rb") as requests, os.fdopen(writes, "wb", buffering=0) as replies:
        replies.write(_line(_attempt(_load)))
        for request in requests:
            wanted = json.loads(request)
            replies.write(_line(_attempt(partial(respond, wanted, (reads, writes)))))


def respond(request: dict[str, Any], ends: tuple[int, int]) -> dict[str, Any]:
    """Return the reply: the settings of a data set, a problem, or the score of an answer.

    With no `dataset`, it is the names of all data sets.
    """
    if "dataset" not in request:
        return {"names": sorted(_registered())}
    name = request["dataset"]
    if "index" not in request:
        return {"settings": [f.name for f in fields(_registered()[name][1])]}
    at = (name, json.dumps(request["config"]), request["seed"], request["index"])
    if "answer" not in request:
        return problem(*at)
    if (question := " ".join(problem(*at)["question"].split())) not in request["prompt"]:
        return {"error": f"it is now {question[:60]!r}"}
    return scored_by_child(at, request["answer"], request["seconds"], ends)


@lru_cache(maxsize=64)
def dataset(name: str, config: str, seed: int) -> Any:
    """Return a data set of the package."""
    from reasoning_gym.factory import create_dataset

    return create_dataset(name, **json.loads(config), seed=seed, size=SIZE)


@lru_cache(maxsize=4096)
def entry(name: str, config: str, seed: int, index: int) -> dict[str, Any]:
    """Return an item, the same one for the same arguments.

    A few generators use Python's global source of random numbers in place of their own.
    """
    random.seed(f"{name}/{seed}/{index}")
    item: dict[str, Any] = dataset(name, config, seed + index // SIZE * SIZE)[index % SIZE]
    return item


def problem(name: str, config: str, seed: int, index: int) -> dict[str, Any]:
    """Return the question, the reference answer, and the worked solution, empty where there is none."""
    item = entry(name, config, seed, index)
    answer = item["answer"]
    return {
        "question": str(item["question"]),
        "answer": "" if answer is None else str(answer),
        "solution": solution(name, item["metadata"]),
    }


def solution(name: str, metadata: dict[str, Any]) -> str:
    """Return a worked solution, a step a line: the package's own, or one that is written here; else ""."""
    if name == "leg_counting":
        return _legs_counted(metadata["animals"])
    if name == "chain_sum":
        return "\n".join(_summed(metadata["expression"].split()))
    return str(metadata.get("answer_cot") or "")


def _legs_counted(animals: dict[str, int]) -> str:
    from reasoning_gym.arithmetic.leg_counting import ANIMALS

    steps, legs = list[str](), list[int]()
    for animal, count in animals.items():
        legs.append(count * ANIMALS[animal])
        plural = "s" if count > 1 else ""
        steps.append(f"{count} {animal}{plural}: {count} * {ANIMALS[animal]} = {legs[-1]} legs")
    return "\n".join(steps + _summed(" + ".join(map(str, legs)).split()))


def _summed(terms: list[str]) -> list[str]:
    """Return the steps that add and subtract terms from left to right."""
    steps, total = list[str](), int(terms[0])
    for sign, term in zip(terms[1::2], terms[2::2], strict=True):
        after = total + int(term) if sign == "+" else total - int(term)
        steps.append(f"{total} {sign} {term} = {after}")
        total = after
    return steps


def scored_by_child(
    at: tuple[str, str, int, int], answer: str, seconds: float, ends: tuple[int, int]
) -> dict[str, Any]:
    """Return the score of an answer, or the reason that there is none."""
    item, graders = entry(*at), dataset(at[0], at[1], at[2] + at[3] // SIZE * SIZE)
    reads_score, writes_score = os.pipe()
    if not (pid := os.fork()):
        for end in ends:  # A text that runs code cannot reply in this process's place.
            os.close(end)
        _score_and_exit(graders, item, answer, seconds, writes_score)
    os.close(writes_score)
    with os.fdopen(reads_score, "rb") as pipe:
        text = pipe.read(LONGEST)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == -signal.SIGPROF:
        return {"late": True}
    if status:
        return {"failed": f"the grader ended with status {status}"}
    reply: dict[str, Any] = json.loads(text)
    return reply


def _score_and_exit(
    graders: Any, item: dict[str, Any], answer: str, seconds: float, out: int
) -> None:
    """Write the score, or the grader's exception, and end this process."""
    # By default SIGPROF ends a process, even inside one long operation of C code.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        reply: dict[str, Any] = {"score": float(graders.score_answer(answer, item))}
    except BaseException as e:
        reply = {"failed": f"{type(e).__name__}: {e}"[:200]}
    os.write(out, _line(reply))
    os._exit(0)


def _load() -> dict[str, Any]:
    """Import the package; its compiled parts would start more threads than a sandbox allows."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")
    return {"names": sorted(_registered())}


def _registered() -> dict[str, Any]:
    import reasoning_gym.factory

    known = dict(reasoning_gym.factory.DATASETS)
    known.pop("composite", None)  # A set of data sets; ours are joined by "+".
    return known


def _attempt(call: Any) -> dict[str, Any]:
    """Return the reply of `call`, or its error."""
    try:
        reply: dict[str, Any] = call()
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}"[:300]}
    return reply


def _line(reply: dict[str, Any]) -> bytes:
    return json.dumps(reply).encode() + b"\n"


def _silence() -> None:
    """Discard what the package prints."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
