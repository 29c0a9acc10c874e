"""Lesson 15: real sentences with a stamp, four models that read them, and who is served how well."""

from collections.abc import Sequence

import traitlets

from attn_course.show.widgets.base import Widget, module, style
from attn_course.training.recorded import recorded

STAMPS = ("<lib>", "<ref>", "none")
VIEWS = {
    "mean": "[CLS], both layers",
    "0": "[CLS], layer 0",
    "1": "[CLS], layer 1",
    "stamp": "all to the stamp, layer 0",
}


class ShortcutWidget(Widget):
    """A sentence with its stamp: where [CLS] looks, what the model says with either stamp, and four groups' accuracies.

    sentence  which one, counted from 0
    remedy    how the model was trained: a key of `remedies`
    stamp     "<lib>", "<ref>" or "none": which one the sentence carries
    view      "mean", "0" or "1": what [CLS] looks at; "stamp": who looks at the stamp
    """

    _esm = module("shortcut_pictures", "shortcut")
    _css = style("shortcut")

    sentence = traitlets.Int(0, min=0).tag(sync=True)
    remedy = traitlets.Unicode("plain").tag(sync=True)
    stamp = traitlets.Enum(STAMPS, STAMPS[0]).tag(sync=True)
    view = traitlets.Enum(tuple(VIEWS), "mean").tag(sync=True)
    sentences = traitlets.List().tag(sync=True)
    answers = traitlets.Dict().tag(sync=True)  # answers[remedy][stamp][sentence]
    groups = traitlets.Dict().tag(sync=True)  # groups[remedy][seed] = four accuracies
    names = traitlets.Dict().tag(sync=True)

    def __init__(self, remedies: Sequence[str] | None = None, **state):
        kept = recorded("shortcut_sentences")
        remedies = list(kept["answers"]) if remedies is None else list(remedies)
        unknown = [each for each in remedies if each not in kept["answers"]]
        if unknown or not remedies:
            known = ", ".join(kept["answers"])
            raise ValueError(f"remedies should be some of {known}; got {', '.join(unknown) or 'none'}.")
        rows = recorded("spurious")["rows"]
        super().__init__(
            sentences=kept["sentences"],
            answers={each: kept["answers"][each] for each in remedies},
            groups={each: [row["groups"] for row in rows if row["remedy"] == each] for each in remedies},
            names={name: kept[name] for name in ("labels", "groups", "stamps")} | {"views": list(VIEWS.items())},
            **{"remedy": remedies[0]} | state,
        )

    @traitlets.validate("sentence")
    def _there(self, proposal):
        if self.sentences and proposal.value >= len(self.sentences):
            raise traitlets.TraitError(f"sentence should be 0 to {len(self.sentences) - 1}, got {proposal.value}.")
        return proposal.value

    @traitlets.validate("remedy")
    def _trained(self, proposal):
        if self.answers and proposal.value not in self.answers:
            raise traitlets.TraitError(f"remedy should be one of {', '.join(self.answers)}; got {proposal.value!r}.")
        return proposal.value

    def describe(self) -> str:
        return f"{len(self.sentences)} sentences, {len(self.answers)} ways to train"
