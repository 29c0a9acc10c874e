"""From one call of an attention layer to its entry in the record: the vitals, and a few rows of weights."""

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attn_course.attention import Visibility
from attn_course.attention.formula import ScoreChange
from attn_course.diagnosis.close import draw_rows
from attn_course.diagnosis.padded import without_padding
from attn_course.diagnosis.record import AttentionCall, Record
from attn_course.diagnosis.sets import as_set
from attn_course.diagnosis.streaming import streaming_vitals_of
from attn_course.diagnosis.strips import Scores
from attn_course.training.nonfinite import is_finite


@dataclasses.dataclass(frozen=True)
class Call:
    """What a layer was given, and what it made of it. Names as in `streaming_vitals`."""

    name: str
    kind: str  # "self" or "cross"
    q: Float[Tensor, "batch head query d_k"]
    k: Float[Tensor, "batch kv_head key d_k"]
    v: Float[Tensor, "batch kv_head key d_v"]
    output: Float[Tensor, "batch head query d_v"]
    visible: Visibility | Tensor | None = None
    scale: float | None = None
    score: ScoreChange | None = None
    bias: Tensor | None = None
    sinks: Tensor | None = None
    dropout: float = 0.0
    # The token of the text that key 0 is: above 0 where a cache has forgotten the first ones, −1 for a learned key.
    first_key: int = 0
    gate: Float[Tensor, "batch head query 1"] | None = None  # what the layer multiplied its output by


class Keeper:
    """Adds calls to a record. Nothing that it does takes part in the model's computation."""

    def __init__(
        self,
        record: Record,
        sample: int | None,
        seed: int,
        keep: Bool[Tensor, "batch key"] | None,
        two_texts: bool,
        progress: Callable[[], object] | None,
    ):
        self.record, self.sample, self.seed, self.progress = record, sample, seed, progress
        self.sets = {name: as_set(name, members) for name, members in record.token_sets.items()}
        self.fitted: set[str] = set()  # the sets that fitted some call
        self.kept, self.two_texts = keep, two_texts
        self.prompts: dict[str, int] = {}  # how many keys a layer had when its text began
        self.passed_by: set[str] = set()  # the layers that have no softmax

    def note(self, sentence: str) -> None:
        if sentence not in self.record.notes:
            self.record.notes.append(sentence)

    def pass_by(self, path: str) -> None:
        """A call that has no softmax: there is nothing to enter."""
        self.passed_by.add(path)
        self.note(
            f"{path} attends without a softmax, so entropy, sink mass and the other vitals do not apply to it: it has "
            "no entry. Its weights can be had by attention.watching."
        )

    def keep(self, call: Call, said: str | None = None) -> None:
        """`said`: what there is to say of this layer, for the notes."""
        if said:
            self.note(f"{call.name} {said}")
        with torch.no_grad(), torch.autocast(call.q.device.type, enabled=False):
            self._keep(call)
        if self.progress is not None:
            self.progress()

    def _keep(self, call: Call) -> None:
        q, k, v, output = (x.detach() for x in (call.q, call.k, call.v, call.output))
        own = min(call.first_key, 0)  # a learned key is no key of the text
        if call.kind == "cross" or q.shape[2] == k.shape[2] + own:
            self.prompts[call.name] = k.shape[2] + own
        given = {"visible": self._visible(call), "scale": call.scale, "score": call.score}
        given |= {name: None if x is None else x.detach() for name, x in (("bias", call.bias), ("sinks", call.sinks))}
        sampled = {"sample": self.sample, "seed": self.seed}
        vitals = streaming_vitals_of(q, k, None, **given, **sampled, token_sets=self._sets(call))
        rows = draw_rows(q.shape[2], **sampled, device=q.device)
        weights = _rows_of(Scores(q, k, **given), rows)
        if not is_finite(output) and self.record.first_not_finite is None:
            self.record.first_not_finite = call.name
        finite = all(is_finite(x) for x in (q, k, v, output))
        largest = _largest_product(q, k)
        scale = q.shape[-1] ** -0.5 if call.scale is None else float(call.scale)
        if finite and not call.dropout:
            self._check_formula(call, weights, rows, vitals.visible_keys, largest * abs(scale))
        self.record.calls.append(
            AttentionCall(
                name=call.name,
                kind=call.kind,
                vitals=_on_cpu(vitals),
                value_norm=_for_every_head(_lengths(v), q.shape[1]).cpu(),
                largest_product=largest,
                dtype=q.dtype,
                finite=finite,
                rows=rows.cpu(),
                weights=weights.to(torch.float16).cpu(),
                first_key=call.first_key,
                scale=scale,
            )
        )

    def _sets(self, call: Call) -> dict[str, Tensor]:
        """The token sets that fit this call's keys; the others are noted."""
        n_key, first = call.k.shape[2], call.first_key
        fitting = {}
        for name, members in self.sets.items():
            if members.dtype == torch.bool:
                members = self._marks(members, call, later=False)
            elif members.numel() and int(members.max()) >= n_key + first:
                members = None
            else:
                members = members[members >= first] - first
            if members is None:
                self.note(f"The token set {name!r} does not fit the {n_key} keys of {call.name}: left out there.")
            else:
                fitting[name] = members
                self.fitted.add(name)
        return fitting

    def _marks(self, marks: Bool[Tensor, "*batch key"], call: Call, later: bool) -> Bool[Tensor, "*batch key"] | None:
        """True and False for each key of this call, if they fit; tokens written since the text began are `later`."""
        batch, n_key = call.q.shape[0], call.k.shape[2]
        n, goes_on = marks.shape[-1], call.kind == "self" and call.q.shape[2] < n_key
        written = n_key + call.first_key - n
        if marks.dim() == 2 and marks.shape[0] != batch:
            return None
        if written and not (goes_on and written > 0 and self.prompts.get(call.name) == n):
            return None
        marks = torch.cat((marks, marks.new_full((*marks.shape[:-1], written), later)), dim=-1)
        if call.first_key < 0:  # no key of the text, so in no set; and no padding either
            return F.pad(marks, (-call.first_key, 0), value=later).to(call.q.device)
        return marks[..., call.first_key :].to(call.q.device)

    def _visible(self, call: Call) -> Visibility | Tensor | None:
        """Who may look at whom, without the queries that are padding."""
        n_query, n_key = call.q.shape[2], call.k.shape[2]
        kept = None if self.kept is None or call.kind == "cross" else self._marks(self.kept, call, later=True)
        if self.kept is not None and call.kind == "self" and kept is None and not self.two_texts:
            self.note(
                f"keep has shape {tuple(self.kept.shape)}, {call.name} {call.q.shape[0]} sequences of {n_key} keys: "
                "padding is not left out there."
            )
        if kept is None or kept[:, n_key - n_query :].all():
            return call.visible
        # The padding of one text may fit another of the same length; there, the mask has to name it.
        visible = without_padding(call.visible, kept, n_query, from_all=self.two_texts)
        if visible is None:
            self.note(f"Padding may be looked at in {call.name}, so it is not left out there.")
            return call.visible
        return visible

    def _check_formula(self, call: Call, weights: Tensor, rows: Tensor, visible_keys: Tensor, score: float) -> None:
        """Do the weights, applied to the values, give what the layer gave? If not, its vitals are not its own."""
        v = _for_every_head(call.v.detach(), call.q.shape[1]).to(weights.dtype)
        gate = 1 if call.gate is None else call.gate.detach()[:, :, rows]
        some = (visible_keys[:, :, rows] > 0)[..., None]
        off = (
            ((gate * (weights @ v) - call.output.detach()[:, :, rows]) * some).abs().amax().item()
            if some.any()
            else 0.0
        )
        rounding = torch.finfo(call.q.dtype).eps * max(1.0, score)  # of the scores, and so of the weights
        if off > (1e-3 + 8 * rounding) * v.abs().amax().item():
            self.note(
                f"{call.name} does more, or other, than softmax(QKᵀ)V with the mask that it is given: its output is up "
                f"to {off:.2g} away from that. Its vitals are those of the formula."
            )

    def finish(self) -> None:
        """Raise ValueError for a token set that fitted no call at all."""
        for name in self.sets:
            if self.record.calls and name not in self.fitted:
                keys = sorted({len(call.vitals.received[0, 0]) for call in self.record.calls})
                raise ValueError(
                    f"The token set {name!r} fits no attention layer. Give the numbers of keys, or True and False for "
                    f"each key; the layers have {', '.join(map(str, keys))} keys."
                )


def in_backward() -> bool:
    """Is this a gradient's way back? What runs there runs for the second time (gradient checkpointing)."""
    return torch._C._current_graph_task_id() != -1


def as_kept(keep) -> Bool[Tensor, "batch key"] | None:
    """True for the tokens of a text; a mask of 1 and 0 will do."""
    if keep is None:
        return None
    keep = torch.as_tensor(keep)
    if keep.dim() != 2 or (keep.dtype != torch.bool and not bool(((keep == 0) | (keep == 1)).all())):
        raise ValueError(
            "keep should be True for the tokens of a text and False for padding, (batch, token); got "
            f"{keep.dtype} of shape {tuple(keep.shape)}."
        )
    return keep.bool()


def _rows_of(scores: Scores, rows: Int[Tensor, "row"]) -> Float[Tensor, "batch head row key"]:
    weights = torch.zeros(scores.batch, scores.heads, len(rows), scores.n_key, dtype=scores.dtype, device=rows.device)
    done = [0] * scores.batch
    for strip in scores.strips(at=rows, all_heads=True):
        first = done[strip.batch]
        done[strip.batch] = last = first + len(strip.rows)
        weights[strip.batch, strip.heads, first:last, strip.keys] = strip.weights()[0]
    return weights


def _largest_product(q: Tensor, k: Tensor) -> float:
    """max ‖q‖ · max ‖k‖ of each head; the largest of those."""
    longest_q, longest_k = (_lengths(x).amax(-1) for x in (q, k))  # (batch, head), (batch, kv_head)
    return (longest_q * _for_every_head(longest_k, q.shape[1])).amax().item()


def _lengths(x: Float[Tensor, "batch head token d"]) -> Float[Tensor, "batch head token"]:
    return x.to(torch.promote_types(x.dtype, torch.float32)).norm(dim=-1)


def _for_every_head(x: Float[Tensor, "batch kv_head *rest"], heads: int) -> Float[Tensor, "batch head *rest"]:
    return x if x.shape[1] == heads else x.repeat_interleave(heads // x.shape[1], dim=1)


def _on_cpu(value):
    """The same with every tensor in the processor's memory: a record outlives the GPU's run."""
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {key: _on_cpu(each) for key, each in value.items()}
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return type(value)(**{name: _on_cpu(getattr(value, name)) for name in names})
    return value
