"""The library's own BERT before its first step, with the skips around attention and without, layer by layer."""

import torch
from torch import Tensor, nn

from attn_course.models.loading import from_weights
from attn_course.models.skips import weaken_skips

SEEDS, BATCH, LENGTH = (0, 1, 2), 8, 128


def norm_ratio(x: Tensor) -> float:
    """‖X − 1x̄ᵀ‖ / ‖X‖ with ‖·‖ = √(‖·‖₁‖·‖_∞) (Dong et al. 2021, 2103.03404), mean over texts."""

    def norm(m: Tensor) -> Tensor:
        return (m.abs().sum(1).amax(1) * m.abs().sum(2).amax(1)).sqrt()

    return (norm(x - x.mean(1, keepdim=True)) / norm(x)).mean().item()


def without_attention_skips(bert: nn.Module) -> None:
    """Take the skip around attention out of the library's BERT, in place."""
    for layer in bert.encoder.layer:
        output = layer.attention.output
        output.forward = lambda hidden, given, output=output: output.LayerNorm(output.dense(hidden))


@torch.no_grad()
def measure(seeds: tuple[int, ...] = SEEDS, batch: int = BATCH, length: int = LENGTH, **sizes) -> dict:
    """Rows: "residual" of the embeddings and after each layer; "apart", how far the library and the course's own blocks
    with the same weights differ at most on the last layer. sizes: of `BertConfig`, BERT-base unless given.
    """
    from transformers import BertConfig, BertModel  # takes seconds to import

    rows = []
    for skip in (True, False):
        for seed in seeds:
            torch.manual_seed(seed)
            bert = BertModel(BertConfig(**sizes)).eval()
            ours = from_weights(bert.config.to_dict(), bert.state_dict())
            if not skip:
                without_attention_skips(bert)
                weaken_skips(ours, attention=0.0)
            tokens = torch.randint(0, bert.config.vocab_size, (batch, length))
            states = bert(tokens, output_hidden_states=True).hidden_states
            rows.append(
                {
                    "skip": skip,
                    "seed": seed,
                    "residual": [float(f"{norm_ratio(x):.3g}") for x in states],
                    "apart": float(f"{(ours(tokens[:1]) - states[-1][:1]).abs().max().item():.1g}"),
                }
            )
    return {"settings": {"batch": batch, "length": length} | sizes, "seeds": list(seeds), "rows": rows}
