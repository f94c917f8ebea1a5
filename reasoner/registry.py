"""Components by name: built in, or from the entry points of any installed package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter, signature
from typing import Any

from pydantic import ValidationError

from reasoner.errors import ConfigError, PluginError
from reasoner.extras import missing
from reasoner.naming import LARGEST, near, parse_spec, quoted
from reasoner.options import MOST
from reasoner.redaction import revealed
from reasoner.settings import check
from reasoner.traits import BackendTraits, StrategyTraits, Traits, VerifierTraits, check_traits


class Registry:
    """Components by name, imported when they are first asked for.

    Settings may follow a name: `beam(branch=2)`. A component's traits are checked as it is loaded.

    A plugin joins by declaring an entry point in the registry's group:

        [project.entry-points."reasoner.search"]
        my-search = "my_package:MySearch"
    """

    def __init__(
        self,
        kind: str,
        group: str,
        builtin: Mapping[str, str],
        most: int = MOST,
        traits: type[Traits] | None = None,
    ) -> None:
        self.kind, self.group, self.most = kind, group, most
        self._traits = traits
        self._names = dict[type, str | None]()
        self._builtin = builtin

    @property
    def builtin(self) -> Mapping[str, str]:
        """Return the components of this package: `module:Class` by name."""
        return self._builtin

    def names(self) -> list[str]:
        """Return the names of all components, sorted: the built-in ones and those of plugins."""
        return sorted({*self._builtin, *(e.name for e in self._plugins())})

    def load(self, name: str) -> Any:
        """Return the class or function named `name`.

        Raises:
            ConfigError: there is no such name, two packages claim it, or its traits are not declared
                as they should be.
            MissingPackage: it needs a package that an extra brings.
            PluginError: it would not import.
        """
        entry = self._find(parse_spec(name)[0])
        try:
            component = entry.load()
        except (ImportError, AttributeError, TypeError) as e:
            raise missing(e, f"{self.kind} {name!r}") or PluginError(
                f"{self.kind} {name!r} ({entry.value}) failed to import: {e};"
                " install what it needs, or choose another"
            ) from e
        if self._traits:
            check_traits(component, self._traits)
        return component

    def name_of(self, component: type) -> str | None:
        """Return the name that a class has here, if it has one."""
        if component not in self._names:  # Looking plugins up takes milliseconds.
            place = f"{component.__module__}:{component.__qualname__}"
            known = [*self._builtin.items(), *((e.name, e.value) for e in self._plugins())]
            self._names[component] = next((n for n, value in known if value == place), None)
        return self._names[component]

    def _plugins(self) -> Iterable[EntryPoint]:
        return entry_points(group=self.group)

    def make(self, name: str, /, *args: Any, **settings: Any) -> Any:
        """Build the component `name` with settings.

        A secret may be named by its environment variable: `api_key='env:MY_KEY'`.

        Raises:
            ConfigError: a setting does not exist or its value is not allowed; the message names it.
        """
        name, own = parse_spec(name)
        factory = self.load(name)
        # A setting in brackets must be right even where another one replaces it.
        for part in (own, settings):
            self._refuse_unknown(name, factory, part)
            self._refuse_enormous(name, part)
            check(f"{self.kind} {name!r}", factory, part)
        settings = own | settings
        try:
            return factory(*args, **self._revealed(name, settings))
        except ValidationError as e:
            raise ConfigError(f"{self.kind} {name!r}: {explain(e)}") from e
        except TypeError as e:
            raise ConfigError(f"{self.kind} {name!r} could not be built: {e}") from e

    def _revealed(self, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {key: revealed(key, value) for key, value in settings.items()}
        except LookupError as e:
            raise ConfigError(f"{self.kind} {name!r}: {e}") from e

    def _refuse_unknown(self, name: str, factory: Any, settings: Mapping[str, Any]) -> None:
        if unknown := sorted(key for key in settings if not accepts(factory, key)):
            raise ConfigError(
                f"{self.kind} {name!r} has no setting {', '.join(map(quoted, unknown))};"
                f" {near(unknown[0], signature(factory).parameters)}"
            )

    def _refuse_enormous(self, name: str, settings: Mapping[str, Any]) -> None:
        for setting, value in settings.items():
            if isinstance(value, int) and value > self.most:
                raise ConfigError(
                    f"{self.kind} {name!r}: {setting}={value} is more than {self.most}"
                )

    def _find(self, name: str) -> EntryPoint:
        if name in self._builtin:
            return EntryPoint(name, self._builtin[name], self.group)
        entries = {e.value: e for e in self._plugins() if e.name == name}
        if len(entries) == 1:
            return entries.popitem()[1]
        if entries:
            raise ConfigError(
                f"{self.kind} {name!r} is claimed by {', '.join(entries)}; uninstall all but one"
            )
        raise ConfigError(f"no {self.kind} named {quoted(name)}; {near(name, self.names())}")


def accepts(factory: Callable[..., Any], setting: str) -> bool:
    """Return whether a factory has a keyword argument `setting`, or accepts any."""
    parameters = signature(factory).parameters
    anything = any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values())
    return anything or setting in parameters


def explain(error: ValidationError) -> str:
    """Return one clause per wrong field, or one about all fields together."""
    clauses = [
        (".".join(map(str, e["loc"])), quoted(e["input"]), e["msg"].removeprefix("Value error, "))
        for e in error.errors()
    ]
    return "; ".join(f"{at}={value}: {why}" if at else why for at, value, why in clauses)


strategies = Registry(
    "strategy",
    "reasoner.search",
    {
        "greedy": "reasoner.search.greedy:Greedy",
        "majority": "reasoner.search.majority:Majority",
        "best-of-n": "reasoner.search.best_of_n:BestOfN",
        "weighted": "reasoner.search.weighted:Weighted",
        "majority-of-the-bests": "reasoner.search.majority_of_the_bests:MajorityOfTheBests",
        "adaptive-best-of-n": "reasoner.search.adaptive_best_of_n:AdaptiveBestOfN",
        "adaptive-majority": "reasoner.search.adaptive_majority:AdaptiveMajority",
        "pool": "reasoner.search.pool:BudgetPool",
        "esc": "reasoner.search.esc:ESC",
        "deepconf": "reasoner.search.deepconf:DeepConf",
        "self-certainty": "reasoner.search.self_certainty:SelfCertainty",
        "speculative-rejection": "reasoner.search.speculative_rejection:SpeculativeRejection",
        "beam": "reasoner.search.beam:Beam",
        "dvts": "reasoner.search.dvts:DVTS",
        "rebase": "reasoner.search.rebase:Rebase",
        "particle": "reasoner.search.particle:Particle",
        "particle-gibbs": "reasoner.search.particle_gibbs:ParticleGibbs",
        "step-rejection": "reasoner.search.step_rejection:StepRejection",
        "draft": "reasoner.search.draft:Draft",
        "best-first": "reasoner.search.best_first:BestFirst",
        "tot-bfs": "reasoner.search.tot_bfs:TotBFS",
        "tot-dfs": "reasoner.search.tot_dfs:TotDFS",
        "mcts": "reasoner.search.mcts:MCTS",
        "ab-mcts": "reasoner.search.ab_mcts:ABMCTS",
        "rstar": "reasoner.search.rstar:RStar",
        "revise": "reasoner.search.revise:Revise",
        "rsa": "reasoner.search.rsa:RSA",
        "s-star": "reasoner.search.s_star:SStar",
        "budget-forcing": "reasoner.search.budget_forcing:BudgetForcing",
        "short-m": "reasoner.search.short_m:ShortM",
        "parallel-probe": "reasoner.search.parallel_probe:ParallelProbe",
        "power": "reasoner.search.power:Power",
        "fallback": "reasoner.search.fallback:Fallback",
        "iterative-broadening": "reasoner.search.iterative_broadening:IterativeBroadening",
        "ensemble": "reasoner.search.ensemble:Ensemble",
        "auto": "reasoner.search.auto:Auto",
    },
    traits=StrategyTraits,
)

verifiers = Registry(
    "verifier",
    "reasoner.verifiers",
    {
        "verdict": "reasoner.verifiers.verdict:Verdict",
        "confidence": "reasoner.verifiers.confidence:Confidence",
        "tail-confidence": "reasoner.verifiers.tail_confidence:TailConfidence",
        "self-certainty": "reasoner.verifiers.self_certainty:SelfCertainty",
        "entropy": "reasoner.verifiers.entropy:Entropy",
        "regex": "reasoner.verifiers.regex:Regex",
        "schema": "reasoner.verifiers.schema:Schema",
        "arithmetic": "reasoner.verifiers.arithmetic:Arithmetic",
        "equations": "reasoner.verifiers.equations:Equations",
        "code": "reasoner.verifiers.code:Code",
        "agreement": "reasoner.verifiers.agreement:Agreement",
        "ensemble": "reasoner.verifiers.ensemble:Ensemble",
        "calibrated": "reasoner.verifiers.calibrated:Calibrated",
        "part": "reasoner.verifiers.part:PartOf",
        "judge": "reasoner.verifiers.judge:Judge",
        "genselect": "reasoner.verifiers.genselect:GenSelect",
        "tournament": "reasoner.verifiers.tournament:Tournament",
        "genrm": "reasoner.verifiers.genrm:GenRM",
        "critic": "reasoner.verifiers.critic:Critic",
        "label-token": "reasoner.verifiers.label_token:LabelToken",
        "value-head": "reasoner.verifiers.value_head:ValueHead",
        "math-shepherd": "reasoner.verifiers.reward.math_shepherd:MathShepherd",
        "rlhflow-deepseek": "reasoner.verifiers.reward.rlhflow_deepseek:RLHFlowDeepseek",
        "rlhflow-mistral": "reasoner.verifiers.reward.rlhflow_mistral:RLHFlowMistral",
        "skywork-o1-prm": "reasoner.verifiers.reward.skywork_o1_prm:SkyworkO1PRM",
        "qwen2.5-math-prm": "reasoner.verifiers.reward.qwen2_5_math_prm:Qwen25MathPRM",
        "token-classifier": "reasoner.verifiers.reward.token_classifier:TokenClassifier",
        "orm": "reasoner.verifiers.reward.orm:ORM",
        "oracle": "reasoner.verifiers.oracle:Oracle",
    },
    traits=VerifierTraits,
)

backends = Registry(
    "backend",
    "reasoner.backends",
    {
        "vllm": "reasoner.backends.vllm:VLLM",
        "transformers": "reasoner.backends.transformers:Transformers",
        "openai": "reasoner.backends.openai:OpenAI",
        "fleet": "reasoner.backends.fleet:Fleet",
        "scripted": "reasoner.backends.scripted:Scripted",
    },
    most=LARGEST,  # An engine's arguments may be bytes of memory.
    traits=BackendTraits,
)

tools = Registry("tool", "reasoner.tools", {"python": "reasoner.tools.python:PythonTool"})

tasks = Registry(
    "task",
    "reasoner.tasks",
    {
        "countdown": "reasoner.benchmarks.tasks.countdown:Countdown",
        "dagmath": "reasoner.benchmarks.tasks.dagmath:DagMath",
        "gsm8k": "reasoner.benchmarks.tasks.gsm8k:GSM8K",
        "math": "reasoner.benchmarks.tasks.hendrycks_math:HendrycksMath",
        "math500": "reasoner.benchmarks.tasks.math500:Math500",
        "aime24": "reasoner.benchmarks.tasks.aime24:AIME24",
        "aime25": "reasoner.benchmarks.tasks.aime25:AIME25",
        "amc23": "reasoner.benchmarks.tasks.amc23:AMC23",
        "gpqa": "reasoner.benchmarks.tasks.gpqa:GPQA",
        "game24": "reasoner.benchmarks.tasks.game24:Game24",
        "humaneval": "reasoner.benchmarks.tasks.humaneval:HumanEval",
        "jsonl": "reasoner.benchmarks.tasks.jsonl:JSONL",
        "reasoning-gym": "reasoner.benchmarks.tasks.reasoning_gym:ReasoningGym",
    },
)
