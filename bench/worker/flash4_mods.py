"""Patterns as score and mask programs of FlashAttention-4. They are compiled by
CUTLASS's DSL, which reads their source; indices and scores come as short vectors, of
one element where a program reads a table."""

import cutlass
import cutlass.cute as cute
from flash_attn.cute import compute_block_sparsity as sparsity
from flash_attn.cute import utils


@cute.jit
def _rel(score, b, h, q_idx, kv_idx, seqlen_info, aux_tensors):
    return score + (q_idx - kv_idx).to(cutlass.Float32)


@cute.jit
def _head_bias(score, b, h, q_idx, kv_idx, seqlen_info, aux_tensors):
    return score + utils.scalar_to_ssa(aux_tensors[0][h[0]], cutlass.Float32)


@cute.jit
def _alibi(score, b, h, q_idx, kv_idx, seqlen_info, aux_tensors):
    slope = utils.scalar_to_ssa(aux_tensors[0][h[0]], cutlass.Float32)
    return score + slope * (kv_idx - q_idx).to(cutlass.Float32)


@cute.jit
def _unchanged(grad, score, b, h, q_idx, kv_idx, seqlen_info, aux_tensors):
    """The gradient of a score that something is added to."""
    return grad


def score_options(pattern, captures):
    """flash_attn_func's arguments for a bias."""
    mods = {"rel": _rel, "head_bias": _head_bias, "alibi": _alibi}
    options = {"score_mod": mods[pattern.bias], "score_mod_bwd": _unchanged}
    tables = {"head_bias": "bias", "alibi": "slopes"}
    if pattern.bias in tables:
        options["aux_tensors"] = [captures[tables[pattern.bias]]]
    return options


def _prefix(first_keys):
    @cute.jit
    def keeps(b, h, q_idx, kv_idx, seqlen_info, aux_tensors):
        prefix = utils.scalar_to_ssa(first_keys, cutlass.Int32)
        return (kv_idx < prefix) | (kv_idx <= q_idx)

    return keeps


def _tiles(problem):
    """Queries and keys of a block: its keys must be the kernel's."""
    dim, value_dim = problem.query.shape[3], problem.value.shape[3]
    if dim <= 128:
        return 128, 128
    if dim <= 192:
        return 128, 128 if value_dim <= 128 else 112
    return 128, 80


def prefix_options(problem):
    """flash_attn_func's arguments for a causal mask with a prefix: the program, and the
    blocks that it keeps anything of, for the forward pass."""
    keeps = _prefix(problem.pattern.prefix)
    blocks = sparsity.compute_block_sparsity(
        *_tiles(problem),
        batch_size=1,
        num_heads=1,
        seqlen_q=problem.queries,
        seqlen_k=problem.keys,
        mask_mod=keeps,
        aux_tensors=None,
        device=problem.device,
    )
    if isinstance(blocks, tuple) and not hasattr(blocks, "mask_block_cnt"):
        blocks = blocks[1]  # In some releases beside what the kernels take.
    return {"causal": False, "mask_mod": keeps, "block_sparse_tensors": blocks}
