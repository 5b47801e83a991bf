"""Each mask and score of attention-gym is recorded, and its program gives what the Python function gives.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: numpy, torch, attn_gym
UNSUPPORTED: sanitized
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import attn
import torch
import torch.nn.functional as F
from attn_gym import masks, mods
from attn_gym.masks.document_mask import length_to_offsets
from attn_gym.masks.vsa import generate_vsa_padding_mask_mod
from attn_gym.mods import softcapping
from eager import BATCH, check_masks, check_scores
from torch.nn.attention.flex_attention import and_masks, noop_mask, or_masks

# What it registers for torch's own compiler takes seconds to import.
softcapping._register_tanh_approx_lowering = lambda: None
torch.manual_seed(19)
HEADS, LENGTH = 4, 16
offsets = length_to_offsets([3, 2, 4, 3, 4], "cpu")
intervals = torch.tensor([[0, 7], [1, 7], [7, 12], [3, 16]], dtype=torch.int32)
tree = masks.build_tree_ancestor_matrix([-1, 0, 1, 1, 3, 3, 0, *range(6, 15)], device="cpu")
top = torch.stack([torch.randperm(4)[:2] for _ in range(BATCH * HEADS * 4)]).reshape(BATCH, HEADS, 4, 2)
tokens = torch.tensor([4, 3, 4, 2])


def documents(inner):
    return masks.generate_doc_mask_mod(inner, offsets)


MASKS = {
    "causal": masks.causal_mask,
    "sliding_window": masks.generate_sliding_window(3),
    "prefix_lm": masks.generate_prefix_lm_mask(5),
    "dilated_sliding_window": masks.generate_dilated_sliding_window(6, 2),
    "global_sliding_window": masks.generate_global_sliding_window(2, torch.rand(LENGTH) > 0.7),
    "batchify": masks.batchify_mask_mod(masks.causal_mask, 5),
    "document, causal": documents(masks.causal_mask),
    "document, window": documents(masks.generate_sliding_window(1)),
    "document, all": documents(noop_mask),
    "packed causal document": masks.generate_packed_causal_doc_mask_mod(offsets),
    "shared_prefix": masks.generate_shared_prefix_mask_mod(offsets, torch.tensor([0, 0, 2, 2, 2])),
    "flamingo": masks.generate_vision_cross_attention_mask_mod(intervals, 4),
    "block_diffusion": masks.generate_block_diffusion_mask(8, 3),
    "jetspec tree": masks.generate_jetspec_tree_causal_mask_mod(0, tree),
    "jetspec training": masks.generate_jetspec_training_mask_mod(4, 4),
    "natten": masks.generate_natten(4, 4, 3, 3),
    "tiled natten": masks.generate_tiled_natten(4, 4, 3, 3, 2, 2),
    "morton natten": masks.generate_morton_natten(4, 4, 3, 3),
    "sta 2d": masks.generate_sta_mask_mod_2d((4, 3), (2, 3), (2, 1), 2),
    "sta 3d": masks.generate_sta_mask_mod_3d((2, 2, 3), (2, 2, 3), (1, 2, 1), 2),
    "svg spatial": masks.generate_spatial_head_mask_mod(2, 7, 2, 2, True, 4),
    "svg temporal": masks.generate_temporal_head_mask_mod(2, 7, 2, 2),
    "vsa": masks.generate_vsa_mask_mod(top, 4, tokens),
    "vsa padding": generate_vsa_padding_mask_mod(tokens, 4),
    "or_masks, and_masks": or_masks(
        and_masks(masks.causal_mask, masks.generate_sliding_window(2)), documents(masks.causal_mask)
    ),
}

adjacency = torch.rand(BATCH, LENGTH, LENGTH) > 0.8
distances = mods.shortest_path_distances(adjacency, 3)
paths = mods.shortest_path_edge_types(adjacency, torch.randint(0, 4, adjacency.shape), 3)
rope = [torch.randn(BATCH, heads, LENGTH, 16) / 4 for heads in (HEADS, 1)]


def activation(f):
    return mods.generate_activation_score_mod(f, 2.5)


SCORES = {
    "alibi": mods.generate_alibi_bias(HEADS),
    "softcapping": mods.generate_tanh_softcap(20),
    "softcapping, approximate": mods.generate_tanh_softcap(20, approx=True),
    "sandwich": mods.generate_sandwich_bias(HEADS, LENGTH, 16),
    "graphormer spatial": mods.generate_graphormer_spatial_bias(torch.randn(HEADS, 5).requires_grad_(), distances),
    "graphormer edge": mods.generate_graphormer_edge_bias(torch.randn(HEADS, 3, 4).requires_grad_(), *paths),
    **{f"activation, {f.__name__}": activation(f) for f in (F.gelu, F.relu, F.silu, F.elu, F.softplus, torch.sigmoid)},
    "activation, a module": activation(torch.nn.GELU("tanh")),
    "latent_attention, 16 channels": mods.generate_mla_rope_score_mod(*rope, HEADS, 0.5),
}


class AttentionGym(unittest.TestCase):
    def test_masks(self):
        check_masks(MASKS, HEADS, LENGTH, LENGTH)

    def test_scores(self):
        check_scores(SCORES, HEADS, LENGTH, LENGTH)

    def test_long_rows(self):
        """64 loads for each score is not what is meant."""
        wide = [torch.randn(BATCH, heads, LENGTH, 64) for heads in (HEADS, 1)]
        with self.assertRaisesRegex(attn.RecordError, r"latent_attention.py:\d+:\d+: error: .* got 64 .* as channels"):
            attn.mod_source(mods.generate_mla_rope_score_mod(*wide, HEADS))

    def test_none_is_forgotten(self):
        """The package has no other generator of masks and scores than those above."""
        names = [n for n in (*vars(masks), *vars(mods)) if n.startswith("generate_")]
        with open(__file__) as file:
            here = file.read()
        self.assertEqual([n for n in names if n not in here], [])


if __name__ == "__main__":
    unittest.main()
