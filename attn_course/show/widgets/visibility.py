"""Lesson 03: compose predicates, see the matrix and the blocks, with each predicate's own source beside them."""

import ast
import inspect
import textwrap

import torch
import traitlets

from attn_course import attention
from attn_course.attention import Visibility
from attn_course.show.widgets.base import Widget, module, style

MOST = 24  # tokens


def sources() -> dict[str, str]:
    """The source of each predicate, from attn_course/attention/visibility.py: {"causal": "causal = …", …}."""
    found = inspect.getmodule(Visibility)
    text = inspect.getsource(found)
    assigned = {node.targets[0].id: node for node in ast.parse(text).body if isinstance(node, ast.Assign)}
    constants = {name: ast.get_source_segment(text, assigned[name]) for name in ("everything", "causal")}
    makers = {name: inspect.getsource(getattr(found, name)) for name in ("window", "sinks", "document", "padding")}
    signs = {"&": Visibility.__and__, "|": Visibility.__or__, "~": Visibility.__invert__}
    operators = {sign: textwrap.dedent(inspect.getsource(method)) for sign, method in signs.items()}
    return {name: source.rstrip() for name, source in (constants | makers | operators).items()}


class VisibilityWidget(Widget):
    """Switch predicates on and off; `w.visibility` is the composed rule, ready for `attention(q, k, v, …)`.

    causal, window, sinks, document, padding   which predicates take part (True or False)
    w, n_sinks                                 the window's reach, and how many sinks
    join                                       how window and sinks meet: "|" or "&"
    invert                                     ~ the whole
    ids, keep                                  for document and padding: up to 24 entries, a shorter list is extended
    n_tokens, n_query                          keys, and queries (the last ones; None: as many as keys)
    block                                      side of the blocks
    """

    _esm = module("visibility_rules", "visibility_pictures", "visibility")
    _css = style("visibility")

    causal = traitlets.Bool(True).tag(sync=True)
    window = traitlets.Bool(False).tag(sync=True)
    w = traitlets.Int(4, min=1, max=MOST).tag(sync=True)
    sinks = traitlets.Bool(False).tag(sync=True)
    n_sinks = traitlets.Int(1, min=0, max=MOST).tag(sync=True)
    join = traitlets.Enum(["|", "&"], default_value="|").tag(sync=True)
    document = traitlets.Bool(False).tag(sync=True)
    ids = traitlets.List(traitlets.Int()).tag(sync=True)
    padding = traitlets.Bool(False).tag(sync=True)
    keep = traitlets.List(traitlets.Bool()).tag(sync=True)
    invert = traitlets.Bool(False).tag(sync=True)
    n_tokens = traitlets.Int(12, min=4, max=MOST).tag(sync=True)
    n_query = traitlets.Int(None, allow_none=True, min=1, max=MOST).tag(sync=True)
    block = traitlets.Int(4, min=1, max=8).tag(sync=True)
    sources = traitlets.Dict().tag(sync=True)

    def __init__(self, **state):
        state.setdefault("ids", [0] * 5 + [1] * 4 + [2] * 15)
        state.setdefault("keep", [True] * 10 + [False] * 14)
        super().__init__(sources=sources(), **state)

    @traitlets.validate("ids", "keep")
    def _as_long_as_the_most(self, proposal):
        given = list(proposal.value)[:MOST]
        if not given:
            raise traitlets.TraitError(f"{proposal.trait.name} needs at least one entry.")
        return given + given[-1:] * (MOST - len(given))

    @property
    def visibility(self) -> Visibility:
        """The rule that the widget shows, as the course's own object."""
        n = self.n_tokens
        local = [attention.window(self.w)] * self.window + [attention.sinks(self.n_sinks)] * self.sinks
        parts = [attention.causal] * self.causal
        if len(local) == 2 and self.join == "|":
            local = [local[0] | local[1]]
        elif len(local) == 2:
            local = [local[0] & local[1]]
        parts += local
        parts += [attention.document(torch.tensor(self.ids[:n]))] * self.document
        parts += [attention.padding(torch.tensor(self.keep[:n]))] * self.padding
        whole = parts[0] if parts else attention.everything
        for part in parts[1:]:
            whole = whole & part
        return ~whole if self.invert else whole

    @property
    def shape(self) -> tuple[int, int]:
        """(queries, keys) that the widget shows."""
        return min(self.n_query or self.n_tokens, self.n_tokens), self.n_tokens

    def describe(self) -> str:
        n_query, n_key = self.shape
        return f"{self.visibility}: {n_query} queries, {n_key} keys"
