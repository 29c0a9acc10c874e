"""Small models of the library `transformers`, with random weights."""

import torch
from torch import nn


def small(family: str, vocabulary: int, width: int, seed: int) -> nn.Module:
    """gpt2, llama or bert, of one layer and two heads. Weights begin larger than usual, so that it learns sooner."""
    import transformers as t

    torch.manual_seed(seed)
    if family == "gpt2":
        sizes = {"n_embd": width, "n_layer": 1, "n_head": 2, "n_positions": 128, "initializer_range": 0.15}
        zero = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        return t.GPT2LMHeadModel(t.GPT2Config(vocab_size=vocabulary, bos_token_id=0, eos_token_id=0, **sizes, **zero))
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "num_attention_heads": 2, "num_hidden_layers": 1}
    sizes["initializer_range"] = 0.15
    if family == "llama":
        return t.LlamaForCausalLM(t.LlamaConfig(vocab_size=vocabulary, bos_token_id=0, eos_token_id=0, **sizes))
    if family == "bert":
        return t.BertForMaskedLM(t.BertConfig(vocab_size=vocabulary, **sizes))
    raise ValueError(f"family should be gpt2, llama or bert; got {family!r}.")
