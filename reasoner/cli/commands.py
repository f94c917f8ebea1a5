"""The table of commands. A command is imported when it is named, so that `--help` is instant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from reasoner.cli.parser import Parser
from reasoner.extras import require

GPT_EXAMPLE = """reasoner train gpt --out runs/train                 every stage, going on where it was stopped
  reasoner train gpt --out runs/train --stage policy  pre-training alone
  reasoner train gpt --out runs/check --stage evaluate --model reasoner/gpt
                                                      measure what ships
  reasoner train gpt --out runs/on --stage policy --model reasoner/gpt --steps 200
                                                      imitate further, when a task has changed
  reasoner train gpt --out runs/on --stage rollouts --model runs/on/policy
  reasoner train gpt --out runs/on --stage verdict --model runs/on/policy
                                                      learn from more of its own solutions
  reasoner train gpt --out runs/on --stage verdict --model reasoner/gpt --verdict-layers 8 \\
      --fresh --problems 50000 200000 --rollouts 1 --times 4 --verdict-steps 3600
                                                      the same on a GPU, from 750,000 problems"""

COMPLETION_EXAMPLE = """reasoner completion bash > ~/.local/share/bash-completion/completions/reasoner
  reasoner completion zsh > ~/.zfunc/_reasoner        in a folder of $fpath
  reasoner completion fish > ~/.config/fish/completions/reasoner.fish"""

BENCH = ("numpy", "scipy", "sklearn", "matplotlib", "math_verify")
TORCH = ("torch", "transformers", "tokenizers", "safetensors")
POLICY_EXAMPLE = """reasoner train policy --task countdown --out runs/sft      imitate the task's own solutions
  reasoner train policy --data FILE.jsonl --lora 16 --out runs/lora
                                                      imitate those of a file, with adapters
  reasoner train policy --method expert-iteration --task countdown --out runs/expert
                                                      learn from its own right solutions
  reasoner train policy --method reinforce --task countdown --rounds 100 --problems 16 \\
      --samples 16 --out runs/reinforce               learn from all of its own solutions"""


@dataclass(frozen=True, slots=True)
class Invocation:
    """The call of a command: its words, and whether it prints JSON."""

    argv: Sequence[str]
    json: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command and the texts of its `--help`.

    `function`, the model of its `options` and the function that builds these from flags are named
    as module:name in `reasoner`. `needs` are modules that an extra brings, without
    which no work begins. With `progress` it reports how far it is, and has flags for that.
    """

    name: str
    function: str
    options: str
    help: str
    example: str
    build: str = "cli.flags:build"
    needs: tuple[str, ...] = ()
    progress: bool = False

    def run(self, args: argparse.Namespace, argv: Sequence[str]) -> int:
        """Build the options and run the command with them; return the exit code."""
        from reasoner.cli.flags import typed
        from reasoner.cli.secrets import without_secrets

        require(*self.needs, user="this command")
        model = imported(self.options)
        options = imported(self.build)(model, without_secrets(typed(args, model)))
        with self._log(args):
            code: int = imported(self.function)(options, Invocation(argv, args.json))
        return code

    def _log(self, args: argparse.Namespace) -> AbstractContextManager[None]:
        """Return where the log goes while the command runs."""
        if not self.progress:
            return nullcontext()
        from reasoner.cli.logs import logged

        return logged(args.quiet, args.log_file)


class CommandParser(Parser):
    """The parser of a command, which has no flags until the command is named."""

    command: Command | None = None
    _complete = False

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Any = None, namespace: Any = None
    ) -> Any:
        """Parse after the flags are there."""
        self.add_flags()
        values, rest = super().parse_known_args(args, namespace)
        if self.command and rest:
            from reasoner.files import clipped

            self.error(f"unrecognized arguments: {clipped(' '.join(rest))}{self._nearest(rest[0])}")
        return values, rest

    def add_flags(self) -> None:
        """Add the flags of the command, once."""
        if self.command and not self._complete:
            from reasoner.cli.flags import add_flags

            add_flags(self, imported(self.command.options))
            if self.command.progress:
                from reasoner.cli.logs import add_log_flags

                add_log_flags(self)
            self._complete = True

    def _nearest(self, word: str) -> str:
        """Return the flags most like a wrong one, if any are."""
        flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
        alike = get_close_matches(word.partition("=")[0][:100], flags, n=2)
        return f"; did you mean {' or '.join(alike)}?" if alike else ""


class PrintVersion(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print and exit."""
        from importlib.metadata import version

        from reasoner.extras import DISTRIBUTION

        print(f"reasoner {version(DISTRIBUTION)}")
        parser.exit()


def parser() -> Parser:
    """Return the parser of all commands."""
    whole = Parser(prog="reasoner", description="Spend more inference compute on a GPT.")
    whole.add_argument("--version", action=PrintVersion, nargs=0, help="print the version and exit")
    commands = whole.add_subparsers(metavar="COMMAND", required=True, parser_class=CommandParser)
    for command in COMMANDS:
        _add(commands, command)
    about = "Train policies, the embedded GPT or reward models; label solutions to train those on."
    train = commands.add_parser("train", help=about, description=about, allow_abbrev=False)
    kinds = train.add_subparsers(metavar="KIND", required=True, parser_class=CommandParser)
    for command in TRAINING:
        _add(kinds, command)
    return whole


def imported(reference: str) -> Any:
    """Import what is named as module:name in `reasoner`."""
    module, _, name = reference.partition(":")
    return getattr(import_module(f"reasoner.{module}"), name)


def _add(parsers: Any, command: Command) -> None:
    added: CommandParser = parsers.add_parser(
        command.name, help=command.help, description=command.help,
        epilog=f"example:\n  {command.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    added.command = command
    added.set_defaults(command=command)


COMMANDS = (
    Command(
        "demo", "cli.demo:demo", "cli.demo:DemoOptions",
        "Search with a scripted model, in seconds, and print the tree.",
        "reasoner demo",
    ),
    Command(
        "solve", "cli.solve:solve", "cli.solve:SolveOptions",
        "Solve one problem and print the steps of the search.",
        "reasoner solve 'cd:12,3,25,7,4=306' --strategy beam --n 16",
    ),
    Command(
        "bench", "cli.experiments:bench", "cli.bench_options:BenchOptions",
        "Run a grid of experiments and draw its curves.",
        "reasoner bench --task dagmath --n 1,4,16 --out runs/mine",
        build="cli.spec_file:bench_options",
        needs=BENCH,
        progress=True,
    ),
    Command(
        "merge", "cli.results:merge", "cli.results_options:MergeOptions",
        "Bring the shards of a benchmark together as one run, and draw its curves.",
        "reasoner merge runs/1 runs/2 --out runs/whole",
        needs=BENCH,
    ),
    Command(
        "compare", "cli.curves:compare", "cli.curves:CompareOptions",
        "Compare strategies with best-of-N at equal cost, problem by problem, and runs with one another.",
        "reasoner compare runs/mine --n 4,16",
        needs=BENCH,
    ),
    Command(
        "eval-verifier", "cli.experiments:eval_verifier", "cli.experiments:EvalOptions",
        "Measure a verifier: on steps, on solutions, and in choosing among them.",
        "reasoner eval-verifier --out runs/eval",
        needs=BENCH,
        progress=True,
    ),
    Command(
        "fit-auto", "cli.experiments:fit_auto", "cli.experiments:FitOptions",
        "Learn which search each difficulty gets, for strategy `auto`.",
        "reasoner fit-auto --problems 200 --out runs/fit-auto",
        needs=BENCH,
        progress=True,
    ),
    Command(
        "list", "cli.listing:list_components", "cli.listing:ListOptions",
        "Print the names of the components.",
        "reasoner list strategies",
    ),
    Command(
        "plot", "cli.curves:plot", "cli.curves:PlotOptions",
        "Draw the curves of an earlier benchmark again, or of several against training compute.",
        "reasoner plot runs/mine --against seconds --format pdf",
        needs=BENCH,
    ),
    Command(
        "import-pool", "cli.results:import_pool", "cli.results_options:ImportOptions",
        "Grade recorded solutions, and report accuracy at every number of samples.",
        "reasoner import-pool solutions.jsonl --task gsm8k",
        needs=BENCH,
    ),
    Command(
        "export-pool", "cli.results:export_pool", "cli.results_options:ExportOptions",
        "Write the solutions of a run as JSON lines.",
        "reasoner export-pool runs/mine --task dagmath --out pool.jsonl",
    ),
    Command(
        "export", "cli.results:export", "cli.results_options:TrainingSetOptions",
        "Write a training set from the solutions of a run, in the format of TRL or verl.",
        "reasoner export runs/mine --format sft --out sft.jsonl",
    ),
    Command(
        "rerank", "cli.results:rerank", "cli.results_options:RerankOptions",
        "Have another verifier choose among the solutions of a run; nothing is sampled.",
        "reasoner rerank runs/mine --verifier arithmetic",
        needs=BENCH,
        progress=True,
    ),
    Command(
        "replay", "cli.results:replay", "cli.results_options:ReplayOptions",
        "Have strategies that stop early search among the solutions of a run; nothing is sampled.",
        "reasoner replay runs/mine --strategy 'adaptive-majority(threshold=0.9),esc' --n 8,16",
        needs=BENCH,
    ),
    Command(
        "allocate", "cli.results:allocate", "cli.results_options:AllocateOptions",
        "Share out total budgets among the problems of a run, from its samples: uniformly, and by pool.",
        "reasoner allocate runs/mine --totals 1e5,1e6",
        needs=BENCH,
    ),
    Command(
        "inspect", "cli.results:inspect", "cli.results_options:InspectOptions",
        "Show the attempts at one problem, or the search tree of one attempt.",
        "reasoner inspect runs/mine 7 --strategy beam",
    ),
    Command(
        "report", "cli.results:report", "cli.results_options:ReportOptions",
        "Write one HTML file with curves, comparisons, problems and their trees.",
        "reasoner report runs/mine",
        needs=BENCH,
    ),
    Command(
        "scaling", "cli.results:scaling", "cli.results_options:ScalingOptions",
        "Estimate what a doubling of compute buys, what an accuracy costs, and who leads.",
        "reasoner scaling runs/mine --accuracy 0.9",
        needs=BENCH,
    ),
    Command(
        "serve", "cli.serve:serve", "cli.serve:ServeOptions",
        "Serve every strategy behind an OpenAI-compatible API.",
        "reasoner serve --port 8000",
        needs=("fastapi", "uvicorn", "prometheus_client"),
    ),
    Command(
        "environment", "cli.environment:environment", "cli.environment:EnvironmentOptions",
        "Print versions, commit and hardware, for bug reports.",
        "reasoner environment --json",
    ),
    Command(
        "completion", "cli.completion:completion", "cli.completion:CompletionOptions",
        "Print a script for tab completion.",
        COMPLETION_EXAMPLE,
    ),
)  # fmt: skip

TRAINING = (
    Command(
        "policy", "cli.train:train_policy", "cli.policy_options:PolicyOptions",
        "Train a model further: on solutions, by expert iteration, or by reinforcement.",
        POLICY_EXAMPLE,
        progress=True,
    ),
    Command(
        "gpt", "cli.train:train_gpt", "train.gpt.options:GptOptions",
        "Train the embedded GPT from scratch.",
        GPT_EXAMPLE,
        needs=(*TORCH, *BENCH),
        progress=True,
    ),
    Command(
        "labels", "cli.train:train_labels", "cli.train:LabelsOptions",
        "Solve problems, and label which steps of the solutions are right.",
        "reasoner train labels --task dagmath --out runs/labels.jsonl",
        progress=True,
    ),
    Command(
        "prm", "cli.train:train_prm", "cli.train:PrmOptions",
        "Train a process reward model, for verifier `token-classifier`.",
        "reasoner train prm --data runs/labels.jsonl --out runs/prm",
        needs=(*TORCH, "accelerate", *BENCH),
        progress=True,
    ),
    Command(
        "orm", "cli.train:train_orm", "cli.train:OrmOptions",
        "Train an outcome reward model, for verifier `orm`.",
        "reasoner train orm --data runs/labels.jsonl --out runs/orm",
        needs=(*TORCH, "accelerate", *BENCH),
        progress=True,
    ),
    Command(
        "value-head", "cli.train:train_value_head", "cli.train:ValueHeadOptions",
        "Train a value head on the policy's own states.",
        "reasoner train value-head --data runs/labels.jsonl --out runs/value-head",
        needs=(*TORCH, *BENCH),
        progress=True,
    ),
)  # fmt: skip
