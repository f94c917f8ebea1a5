"""The search tree: every sampled piece, and the piece that it continues."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from reasoner.messages import parse_messages
from reasoner.types import (
    Candidate,
    Completion,
    Finish,
    NodeId,
    Problem,
    Prompt,
    ToolOutput,
)

if TYPE_CHECKING:
    import networkx as nx

ROOT = NodeId(0)
OPEN = (Finish.STOP, Finish.WRITTEN)
"""Ends of a piece that another piece can follow."""


@dataclass(slots=True, eq=False)
class Node:
    """A sampled piece of a solution; the root is the bare problem.

    Scores and statistics are mutable; everything else is written once. `rank` numbers the children
    of one parent. `length` is the number of tokens from the root to here, `spent` the number that the
    run had decoded when the node was added.
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
        """True if the model itself ended the solution here."""
        return self.completion is not None and self.completion.finish is Finish.EOS


class Trace:
    """The tree of the pieces that a run sampled; a child continues its parent."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.finished: list[Node] = []
        """The nodes at which the model ended a solution, in order of arrival."""
        self.malformed = 0
        """The number of verdicts that a model was asked for and gave in no form that can be read."""
        self._nodes: list[Node] = []
        self._parents: list[Node | None] = []
        self._children: list[list[Node]] = []
        self._graph: nx.DiGraph[NodeId] | None = None
        self._insert(Node(ROOT), None)

    @property
    def root(self) -> Node:
        """The bare problem."""
        return self._nodes[ROOT]

    @property
    def graph(self) -> nx.DiGraph[NodeId]:
        """The tree as a networkx graph of node ids, brought up to date; a view, not to be changed."""
        import networkx as nx  # Nearly all the time that importing the package would take.

        graph = nx.DiGraph() if self._graph is None else self._graph
        for node in self._nodes[len(graph) :]:
            graph.add_node(node.id)
            if parent := self.parent(node):
                graph.add_edge(parent.id, node.id)
        self._graph = graph
        return graph

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def __getitem__(self, id: NodeId) -> Node:
        return self._nodes[id]

    def add(
        self, parent: Node, completion: Completion, *, spent: int = 0, terminal: bool | None = None
    ) -> Node:
        """Append a child of `parent`; by default only a step or a written piece can be continued."""
        node = Node(
            NodeId(len(self._nodes)),
            completion,
            len(self._children[parent.id]),
            parent.depth + 1,
            parent.length + len(completion.token_ids),
            spent,
            completion.finish not in OPEN if terminal is None else terminal,
        )
        self._insert(node, parent)
        return node

    def parent(self, node: Node) -> Node | None:
        """Return the node that `node` continues; None for the root."""
        return self._parents[node.id]

    def children(self, node: Node) -> list[Node]:
        """Return the nodes that continue `node`, in order of arrival."""
        return list(self._children[node.id])

    def path(self, node: Node) -> list[Node]:
        """Return the nodes from the root to `node`."""
        nodes = [node]
        while parent := self.parent(nodes[-1]):
            nodes.append(parent)
        return nodes[::-1]

    def completions(self, node: Node) -> tuple[Completion, ...]:
        """Return the pieces from the root to `node`."""
        return tuple(n.completion for n in self.path(node) if n.completion)

    def prompt(self, node: Node) -> Prompt:
        """Return the prompt that the model continues at `node`."""
        pieces = self.completions(node)
        ids = tuple(chain.from_iterable(c.token_ids for c in pieces))
        return Prompt(self.problem, "".join(c.text for c in pieces), ids)

    def candidate(self, node: Node) -> Candidate:
        """Return the solution that ends at `node`."""
        return Candidate(self.completions(node), node.finished)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        parents = [self.parent(n) for n in self._nodes]
        return {
            "problem": _problem_json(self.problem),
            "nodes": [
                {"parent": p and p.id, **asdict(n)}
                for n, p in zip(self._nodes, parents, strict=True)
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Trace:
        """Return the trace that `to_json` wrote."""
        trace = cls(_problem(data["problem"]))
        for row in data["nodes"]:
            fields = {k: v for k, v in row.items() if k != "parent"}
            trace._restore(row["parent"], fields)
        return trace

    def _restore(self, parent: NodeId | None, fields: dict[str, Any]) -> None:
        if parent is None:
            self._nodes.clear()
            self._parents.clear()
            self._children.clear()
        else:
            fields["completion"] = _completion(fields["completion"])
        fields["step_scores"] = tuple(fields["step_scores"])
        self._insert(Node(**fields), None if parent is None else self._nodes[parent])

    def _insert(self, node: Node, parent: Node | None) -> None:
        self._nodes.append(node)
        self._parents.append(parent)
        if node.finished:
            self.finished.append(node)
        self._children.append([])
        if parent:
            self._children[parent.id].append(node)


def _problem_json(problem: Problem) -> dict[str, Any]:
    plain = {"id": problem.id, "prompt": problem.prompt, "meta": dict(problem.meta)}
    messages = [message.to_json() for message in problem.messages]
    return plain | ({"messages": messages} if messages else {})


def _problem(fields: dict[str, Any]) -> Problem:
    fields = dict(fields)
    messages = fields.pop("messages", None)
    return Problem(**fields, messages=parse_messages(messages) if messages else ())


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
        tuple(ToolOutput(**output) for output in fields.get("outputs", ())),
    )
