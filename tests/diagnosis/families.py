"""Small models of the library's families, random or planted so that their maps are known in closed form."""

import functools

import torch
from torch import nn

torch.set_num_threads(1)
VOCABULARY, N, HIDDEN, D = 48, 12, 32, 8
COMMON, MARKED = 7, 3  # the token that a planted text is made of, and the one that its queries look at
_LLAMA = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": None,
    "pad_token_id": 0,
}
_BERT = {k: v for k, v in _LLAMA.items() if k != "num_key_value_heads"} | {
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
}


def build(family: str, implementation: str = "eager", seed: int = 0) -> nn.Module:
    """A random model of this family: 2 layers, 4 heads, 32 features, weights large enough for maps with a shape."""
    import transformers as t

    torch.manual_seed(seed)
    model = {
        "gpt2": lambda: t.GPT2LMHeadModel(
            t.GPT2Config(
                vocab_size=VOCABULARY,
                n_embd=HIDDEN,
                n_layer=2,
                n_head=4,
                n_positions=64,
                initializer_range=0.3,
                bos_token_id=1,
                eos_token_id=None,
                pad_token_id=0,
            )
        ),
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**_LLAMA)),
        "mistral": lambda: t.MistralForCausalLM(t.MistralConfig(**_LLAMA, sliding_window=5)),
        "gemma2": lambda: t.Gemma2ForCausalLM(
            t.Gemma2Config(**_LLAMA, head_dim=D, sliding_window=5, query_pre_attn_scalar=D, attn_logit_softcapping=3.0)
        ),
        "qwen3": lambda: t.Qwen3ForCausalLM(t.Qwen3Config(**_LLAMA, head_dim=D)),
        "gpt_oss": lambda: t.GptOssForCausalLM(
            t.GptOssConfig(**_LLAMA, head_dim=D, sliding_window=5, num_local_experts=2, num_experts_per_tok=1)
        ),
        "opt": lambda: t.OPTForCausalLM(
            t.OPTConfig(
                vocab_size=VOCABULARY,
                hidden_size=HIDDEN,
                ffn_dim=48,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=64,
                word_embed_proj_dim=HIDDEN,
                init_std=0.3,
                bos_token_id=1,
                eos_token_id=None,
                pad_token_id=0,
            )
        ),
        "neox": lambda: t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**_BERT, rotary_pct=0.25)),
        "bert": lambda: t.BertModel(t.BertConfig(**_BERT), add_pooling_layer=False),
        "distilbert": lambda: t.DistilBertModel(
            t.DistilBertConfig(
                vocab_size=VOCABULARY,
                dim=HIDDEN,
                hidden_dim=48,
                n_layers=2,
                n_heads=4,
                max_position_embeddings=64,
                initializer_range=0.3,
            )
        ),
        "vit": lambda: t.ViTModel(
            t.ViTConfig(
                hidden_size=HIDDEN,
                intermediate_size=48,
                num_hidden_layers=2,
                num_attention_heads=4,
                image_size=12,
                patch_size=4,
                initializer_range=0.3,
            ),
            add_pooling_layer=False,
        ),
        "t5": lambda: t.T5ForConditionalGeneration(
            t.T5Config(
                vocab_size=VOCABULARY,
                d_model=HIDDEN,
                d_kv=D,
                d_ff=48,
                num_layers=2,
                num_heads=4,
                initializer_factor=1.0,
                decoder_start_token_id=0,
                eos_token_id=None,
            )
        ),
    }[family]()
    model.set_attn_implementation(implementation)
    if family == "t5":  # its own first weights leave the maps of so small a model almost flat
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "relative_attention_bias" in name or name.endswith((".q.weight", ".k.weight")):
                    weight.mul_(1.5)
    return model.eval()


CAUSAL = ("gpt2", "llama", "mistral", "gemma2", "qwen3", "gpt_oss", "opt", "neox")
BOTH_WAYS = ("bert", "distilbert", "vit")
FAMILIES = (*CAUSAL, *BOTH_WAYS, "t5")
EAGER_ONLY = ("gemma2", "gpt_oss")  # torch's kernel has no soft-cap and no learned sink
WINDOWED = {"mistral": (5, 5), "gemma2": (5, None), "gpt_oss": (5, None)}  # what each layer sees


@functools.cache
def random_model(family: str, implementation: str = "eager") -> nn.Module:
    """The same, built once: for tests that leave it as it is."""
    return build(family, implementation)


def text(batch: int = 2, n: int = N, seed: int = 1) -> torch.Tensor:
    return torch.randint(4, VOCABULARY, (batch, n), generator=torch.Generator().manual_seed(seed))


def inputs(family: str, batch: int = 2, n: int = N, dtype: torch.dtype = torch.float32) -> dict:
    if family == "vit":
        pixels = torch.randn(batch, 3, 12, 12, generator=torch.Generator().manual_seed(1))
        return {"pixel_values": pixels.to(dtype)}
    if family == "t5":
        return {"input_ids": text(batch, n), "decoder_input_ids": text(batch, n - 4, seed=2)}
    return {"input_ids": text(batch, n)}


def result(model: nn.Module, **given) -> torch.Tensor:
    out = model(**given)
    return out.logits if hasattr(out, "logits") else out.last_hidden_state


def planted(family: str, gain: float) -> nn.Module:
    """Each query of each layer gives the marked token a score above all others, and the others the same score.

    With a gain of 4 the marked token has a lead of 40 and more, or the whole of what a soft-cap lets through; with 0
    all scores are equal, whatever the text. The stream stays what the embeddings are, for all outputs are zero;
    positions are zero, or rotate a feature that hardly turns.
    """
    model = build(family)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            is_scale = "norm" in name.lower() or "ln_" in name
            if not (is_scale and name.endswith("weight")):
                weight.zero_()
        for table in _tables(family, model):
            table[:, 1] = 4.0
            table[MARKED if len(table) > 1 else 0, 0] = 4.0
        for q, k in _query_key(family, model):
            q[:, -1, 1] = gain
            k[:, -1, 0] = gain
        if family == "vit":  # a patch is as its bias says; the class token is the marked one
            model.embeddings.patch_embeddings.projection.bias[1] = 4.0
        if family == "qwen3":  # its keys and queries are normalised: the gain is in the normalisation's weight
            for layer in model.model.layers:
                layer.self_attn.q_norm.weight.mul_(4 * gain)
    return model


def _tables(family: str, model: nn.Module) -> list[torch.Tensor]:
    if family == "vit":
        return [model.embeddings.cls_token[0]]
    return [model.get_input_embeddings().weight]


def _query_key(family: str, model: nn.Module):
    """The weights that make queries and keys, (head, feature of the head, feature of the stream), of each layer."""
    if family == "gpt2":
        for block in model.transformer.h:
            q, k, _ = block.attn.c_attn.weight.T.split(HIDDEN)
            yield q.unflatten(0, (-1, D)), k.unflatten(0, (-1, D))
    elif family == "neox":
        for layer in model.gpt_neox.layers:
            q, k, _ = layer.attention.query_key_value.weight.view(4, 3, D, HIDDEN).unbind(1)
            yield q, k
    else:
        names = {"bert": ("query", "key"), "distilbert": ("q_lin", "k_lin"), "t5": ("q", "k")}
        own_q, own_k = names.get(family, ("q_proj", "k_proj"))
        for layer in model.modules():
            children = dict(layer.named_children())
            if own_q in children and own_k in children:
                yield tuple(children[name].weight.view(-1, D, HIDDEN) for name in (own_q, own_k))
