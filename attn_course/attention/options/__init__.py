"""What may be changed in attention against its failures: where scores come from, and where a head's output goes.

Each is a mechanism, `mechanism(q, k, v, visible, scale=None, score=None)`, and wraps one, `attention` unless told
otherwise. What has parameters takes (heads, d_head) and is made once a layer: `GPT(…, mechanism=NullKey)`.
"""

from attn_course.attention.option import Option, asks
from attn_course.attention.options.gated import Gated
from attn_course.attention.options.key_bias import KeyBias
from attn_course.attention.options.log_length import LogLength, log_length
from attn_course.attention.options.null_key import NullKey, OffByOne
from attn_course.attention.options.qk_clip import largest_scores, qk_clip, with_qk_clip
from attn_course.attention.options.qk_norm import QKNorm
from attn_course.attention.options.sigma_reparam import SigmaReparam, sigma_reparam
from attn_course.attention.options.sigmoid import sigmoid_attention
from attn_course.attention.options.soft_capped import SoftCapped, soft_capped

__all__ = [
    "Gated",
    "KeyBias",
    "LogLength",
    "NullKey",
    "OffByOne",
    "Option",
    "QKNorm",
    "SigmaReparam",
    "SoftCapped",
    "asks",
    "largest_scores",
    "log_length",
    "qk_clip",
    "sigma_reparam",
    "sigmoid_attention",
    "soft_capped",
    "with_qk_clip",
]
