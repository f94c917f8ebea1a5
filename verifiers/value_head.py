"""Value head: a score of each step, served as two tokens that are never sampled."""

from pydantic.dataclasses import dataclass

from reasoner.models.value_tokens import VALUE
from reasoner.verifiers.label_token import LabelToken, Text


@dataclass(frozen=True, kw_only=True)
class ValueHead(LabelToken):
    """The sigmoid of a linear head on the last hidden state at the end of each step.

    The head is two rows of the policy's own output layer (`reasoner train value-head` writes them),
    so the log-odds of their tokens are its output. Value heads on a policy: Cobbe et al., 2021,
    arXiv 2110.14168.
    """

    good: Text = VALUE[0]
    bad: Text = VALUE[1]
    suffix: str = ""
    separator: Text = "\n"
