"""The search tree, kept as a networkx graph from the first node on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import networkx as nx

from reasoner.types import Candidate, Completion, Finish, NodeId, Problem, Prompt

ROOT = NodeId(0)


OPEN = (Finish.STOP, Finish.WRITTEN)


@dataclass(slots=True, eq=False)
class Node:
    """A sampled piece of a solution; the root is the bare problem.

    Scores and statistics are mutable, everything else is written once. `rank` numbers the
    children of one parent. `length` counts the tokens
    from the root to here, `spent` the run's decoded tokens when the node was added.
    """

    id: NodeId
    completion: Completion | None = None
    rank: int = 0
    depth: int = 0
    length: int = 0
    spent: int = 0
    terminal: bool = False
    score: float | None = None
    step_scores: tuple[float, ...] = ()
    visits: int = 0
    value: float = 0.0

    @property
    def finished(self) -> bool:
        """Whether the model itself ended the solution here."""
        return self.completion is not None and self.completion.finish is Finish.EOS


class Trace:
    """Every piece a run sampled, and how the pieces continue one another."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.graph: nx.DiGraph[NodeId] = nx.DiGraph()
        self.finished: list[Node] = []
        """Every node at which the model ended a solution, in order of arrival."""
        self.malformed = 0
        """Verdicts that a model was asked for and did not give in a form that can be read."""
        self._nodes: list[Node] = []
        self._parents: list[Node | None] = []
        self._insert(Node(ROOT), None)

    @property
    def root(self) -> Node:
        return self._nodes[ROOT]

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def __getitem__(self, id: NodeId) -> Node:
        return self._nodes[id]

    def add(
        self, parent: Node, completion: Completion, *, spent: int = 0, terminal: bool | None = None
    ) -> Node:
        """Append what follows `parent`; unless told, only a step or a written piece goes on."""
        node = Node(
            NodeId(len(self._nodes)),
            completion,
            self.graph.out_degree(parent.id),
            parent.depth + 1,
            parent.length + len(completion.token_ids),
            spent,
            completion.finish not in OPEN if terminal is None else terminal,
        )
        self._insert(node, parent)
        return node

    def parent(self, node: Node) -> Node | None:
        return self._parents[node.id]

    def children(self, node: Node) -> list[Node]:
        return [self._nodes[i] for i in self.graph.successors(node.id)]

    def path(self, node: Node) -> list[Node]:
        """Root first, `node` last."""
        nodes = [node]
        while parent := self.parent(nodes[-1]):
            nodes.append(parent)
        return nodes[::-1]

    def completions(self, node: Node) -> tuple[Completion, ...]:
        """The pieces from the root to `node`."""
        return tuple(n.completion for n in self.path(node) if n.completion)

    def prompt(self, node: Node) -> Prompt:
        """What the model continues at `node`."""
        pieces = self.completions(node)
        ids = tuple(chain.from_iterable(c.token_ids for c in pieces))
        return Prompt(self.problem, "".join(c.text for c in pieces), ids)

    def candidate(self, node: Node) -> Candidate:
        """The solution that ends at `node`."""
        return Candidate(self.completions(node), node.finished)

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
        parents = [self.parent(n) for n in self._nodes]
        return {
            "problem": asdict(self.problem),
            "nodes": [
                {"parent": p and p.id, **asdict(n)}
                for n, p in zip(self._nodes, parents, strict=True)
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Trace:
        """The inverse of `to_json`."""
        trace = cls(Problem(**data["problem"]))
        for row in data["nodes"]:
            fields = {k: v for k, v in row.items() if k != "parent"}
            trace._restore(row["parent"], fields)
        return trace

    def _restore(self, parent: NodeId | None, fields: dict[str, Any]) -> None:
        if parent is None:
            self._nodes.clear()
            self._parents.clear()
        else:
            fields["completion"] = _completion(fields["completion"])
        fields["step_scores"] = tuple(fields["step_scores"])
        self._insert(Node(**fields), None if parent is None else self._nodes[parent])

    def _insert(self, node: Node, parent: Node | None) -> None:
        self._nodes.append(node)
        self._parents.append(parent)
        if node.finished:
            self.finished.append(node)
        self.graph.add_node(node.id)
        if parent:
            self.graph.add_edge(parent.id, node.id)


def _completion(fields: dict[str, Any]) -> Completion:
    return Completion(
        fields["text"],
        tuple(fields["token_ids"]),
        Finish(fields["finish"]),
        fields["logprob"],
        tuple(fields["verdicts"]),
        tuple(fields["confidences"]),
        tuple(fields.get("entropies", ())),
        tuple(fields.get("logprobs", ())),
        tuple(fields.get("labels", ())),
    )
