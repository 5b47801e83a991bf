"""Models of transformers on our kernels, on CPUs and GPUs, with gradients: attention and masks, registered by a name.

    import attn.transformers

    attn.transformers.register()
    model = AutoModelForCausalLM.from_pretrained(..., attn_implementation="attn")

Nothing of transformers is patched. Imports transformers, version 5.
"""

import torch
import transformers
from transformers.masking_utils import causal_mask_function

from ._library import Error
from .torch import create_block_mask, flex_attention


def register(name="attn"):
    """From now on `attn_implementation=name` is ours; with "flex_attention" instead of transformers' own.

    Raises Error: a transformers that has no such registries.
    """
    if not hasattr(transformers, "AttentionMaskInterface") or int(transformers.__version__.split(".")[0]) < 5:
        raise Error(f"expects transformers 5 or newer, got {transformers.__version__}")
    transformers.AttentionInterface.register(name, attend)
    transformers.AttentionMaskInterface.register(name, block_mask)


def attend(
    module,
    query,
    key,
    value,
    attention_mask,
    scaling=None,
    dropout=0.0,
    softcap=None,
    s_aux=None,
    position_bias=None,
    **_,
):
    """(out, None), out (batch, queries, heads, channels), as transformers calls its attention functions.

    attention_mask: of block_mask(); a tensor (batch or 1, heads or 1, queries, keys or more), of conditions or added to
    scores; or None. s_aux: sinks, (heads,), or None: the score of a key that each query of a head sees besides, whose
    value is 0. position_bias: added to scores, (batch or 1, heads or 1, queries, keys), or None.

    Raises Error: dropout.
    """
    if dropout:
        raise Error(f"expects 'dropout' of 0, got {dropout}: attention weights are nowhere to be dropped")
    mask = attention_mask
    if isinstance(mask, torch.Tensor):
        mask, position_bias = _of_tensor(mask, position_bias, query, key)
    given = (_score_of(softcap, position_bias), mask, scaling)
    out = flex_attention(query, key, value, *given, enable_gqa=True, return_lse=s_aux is not None)
    if s_aux is not None:
        out, lse = out
        # exp(lse) of exp(lse) + exp(sink), which is what the weights of the other keys sum to.
        out = (out * torch.sigmoid(lse - s_aux.float()[:, None])[..., None]).to(query.dtype)
    return out.transpose(1, 2).contiguous(), None


def _score_of(softcap, bias):
    if softcap is None and bias is None:
        return None
    read = None if bias is None else _reader(bias)

    def score_mod(score, b, h, q, kv):
        if softcap is not None:
            score = softcap * torch.tanh(score / softcap)
        return score if read is None else score + read(b, h, q, kv)

    return score_mod


def _reader(table):
    """Reads a tensor whose batch and heads may be 1."""
    reads_batch, reads_head = table.shape[0] > 1, table.shape[1] > 1
    return lambda b, h, q, kv: table[b if reads_batch else 0, h if reads_head else 0, q, kv]


def _of_tensor(mask, bias, query, key):
    """(block mask or None, bias) of a mask that is a tensor."""
    if mask.dtype != torch.bool:
        mask = mask[..., : key.shape[2]]
        return None, mask if bias is None else bias + mask
    lengths = query.shape[2], key.shape[2]
    return create_block_mask(_reader(mask), mask.shape[0], mask.shape[1], *lengths, device=query.device), bias


def block_mask(
    batch_size,
    q_length,
    kv_length,
    q_offset=0,
    kv_offset=0,
    mask_function=causal_mask_function,
    attention_mask=None,
    device="cpu",
    **_,
):
    """The block mask of `mask_function` at positions from the offsets on, as transformers calls its mask functions.

    attention_mask: conditions (batch, positions), which positions of keys are no padding; or None.
    """
    padding = attention_mask
    if padding is not None and padding.all():
        padding = None  # so that a causal mask needs no lists of tiles
    if padding is not None:
        missing = max(kv_offset + kv_length - padding.shape[-1], 0)
        padding = torch.nn.functional.pad(padding, (0, missing))

    def mask_mod(b, h, q, kv):
        q, kv = q + q_offset, kv + kv_offset
        keeps = mask_function(b, h, q, kv)
        return keeps if padding is None else keeps & padding[b, kv]

    return create_block_mask(mask_mod, batch_size, None, q_length, kv_length, device=device)
