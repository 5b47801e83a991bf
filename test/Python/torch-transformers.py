"""Models of transformers, with small random weights, on attn: logits, gradients and generated text as eager's.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: torch, transformers
UNSUPPORTED: sanitized
"""

import os
import re
import unittest
import unittest.mock

import attn
import torch

attn.torch.install()  # before transformers looks the functions up
import attn.transformers  # noqa: E402
import transformers  # noqa: E402

attn.transformers.register()
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZES = {
    "vocab_size": 64,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
}


def apart(x, y):
    return (x - y).abs().max().item() / y.abs().max().item()


class Models(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(19)
        self.symbols = torch.randint(0, 64, (2, 50), device=DEVICE)
        self.seen = torch.ones_like(self.symbols)
        self.seen[1, :7] = 0  # padding

    def results(self, name, implementation, **more):
        """The text that a model writes, its logits, and gradients of the first layer."""
        torch.manual_seed(20)
        config = getattr(transformers, name + "Config")(**SIZES, **more)
        kind = getattr(transformers, name + "ForCausalLM")
        model = kind._from_config(config, attn_implementation=implementation).to(DEVICE).eval()
        layer = model.model.layers[0].self_attn
        if name == "GptOss":
            torch.nn.init.normal_(layer.sinks)
        given = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": 0}
        text = model.generate(self.symbols[:, :30], attention_mask=self.seen[:, :30], **given)
        logits = model(self.symbols, attention_mask=self.seen).logits[self.seen.bool()]
        logits.square().mean().backward()
        grads = [x.grad for x in (layer.q_proj.weight, getattr(layer, "sinks", None)) if x is not None]
        return text, logits, *grads

    def check(self, name, implementation, **more):
        text, *expected = self.results(name, "eager", **more)
        launch = attn.torch._forward.Launch
        with unittest.mock.patch.object(launch, "__call__", autospec=True, side_effect=launch.__call__) as launches:
            got_text, *got = self.results(name, implementation, **more)
        self.assertEqual(launches.call_count, 2 * (4 + 1))
        self.assertTrue(torch.equal(got_text, text))
        for x, y in zip(got, expected):
            self.assertLessEqual(apart(x, y), 1e-4)

    def test_llama(self):
        self.check("Llama", "flex_attention")
        self.check("Llama", "attn")

    def test_gemma2(self):
        """With windows and softcap."""
        self.check("Gemma2", "flex_attention", sliding_window=16)
        self.check("Gemma2", "attn", sliding_window=16)

    def test_gpt_oss(self):
        """With sinks."""
        self.check("GptOss", "attn", sliding_window=16, num_local_experts=4)

    @unittest.skipIf(DEVICE == "cpu", "transformers has sinks in its own function for GPUs alone")
    def test_gpt_oss_by_its_own_function(self):
        self.check("GptOss", "flex_attention", sliding_window=16, num_local_experts=4)

    def test_its_own_name(self):
        """Sinks on the CPU, for models that ask for flex_attention."""
        before = [x()["flex_attention"] for x in (transformers.AttentionInterface, transformers.AttentionMaskInterface)]
        attn.transformers.register("flex_attention")
        try:
            self.check("GptOss", "flex_attention", sliding_window=16, num_local_experts=4)
        finally:
            transformers.AttentionInterface.register("flex_attention", before[0])
            transformers.AttentionMaskInterface.register("flex_attention", before[1])


class Documentation(unittest.TestCase):
    def test_docs(self):
        with open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "PyTorch.md")) as file:
            (block,) = re.findall(r"^```python\n(import attn.transformers.*?)^```", file.read(), re.M | re.S)
        names = {}
        exec(compile(block, "block", "exec"), names)
        logits = names["model"](torch.arange(9)[None]).logits
        self.assertEqual(logits.shape, (1, 9, 99))


class Functions(unittest.TestCase):
    """What models give to attention besides."""

    def setUp(self):
        torch.manual_seed(19)
        self.operands = [torch.randn(2, n, m, 16, device=DEVICE) for n, m in ((4, 9), (2, 12), (2, 12))]

    def check(self, mask, expected_bias, **more):
        query, key, value = self.operands
        out, weights = attn.transformers.attend(None, query, key, value, mask, **more)
        key, value = (x.repeat_interleave(2, 1) for x in (key, value))
        expected = (query @ key.mT / 4 + expected_bias).softmax(-1) @ value
        self.assertLessEqual(apart(out, expected.transpose(1, 2)), 1e-5)
        self.assertIsNone(weights)

    def test_masks_that_are_tensors(self):
        for batch, heads in ((1, 1), (2, 1), (1, 4)):
            keeps = torch.rand(batch, heads, 9, 12, device=DEVICE) > 0.5
            keeps[..., 0] = True
            bias = torch.zeros(keeps.shape, device=DEVICE).masked_fill(~keeps, -float("inf"))
            self.check(keeps, bias)
            self.check(torch.nn.functional.pad(bias, (0, 5)), bias)

    def test_biases(self):
        bias, mask = (torch.randn(n, m, 9, 12, device=DEVICE) for n, m in ((1, 4), (2, 1)))
        self.check(None, bias, position_bias=bias)
        self.check(mask, bias + mask, position_bias=bias)

    def test_masks_of_offsets(self):
        """As with a cache, of which the first entries are padding, and of which some are not there yet."""
        seen = torch.ones(2, 10, dtype=torch.bool, device=DEVICE)
        seen[1, :5] = False
        mask = attn.transformers.block_mask(2, 3, 8, 6, 4, attention_mask=seen, device=DEVICE)
        q, kv = torch.arange(6, 9, device=DEVICE)[:, None], torch.arange(4, 12, device=DEVICE)
        expected = (q >= kv) & torch.nn.functional.pad(seen, (0, 2))[:, None, 4:]
        b = torch.arange(2, device=DEVICE)[:, None, None]
        self.assertTrue(torch.equal(mask.mask_mod(b, 0, q - 6, kv - 4), expected))
        operands = [torch.randn(2, 1, n, 16, device=DEVICE) for n in (3, 8, 8)]
        out, _ = attn.transformers.attend(None, *operands, mask)
        scores = (operands[0] @ operands[1].mT / 4).masked_fill(~expected[:, None], -float("inf"))
        self.assertLessEqual(apart(out.transpose(1, 2), scores.softmax(-1) @ operands[2]), 1e-5)

    def test_mistakes(self):
        with self.assertRaisesRegex(attn.Error, "expects 'dropout' of 0, got 0.1"):
            attn.transformers.attend(None, *self.operands, None, dropout=0.1)
        with unittest.mock.patch.object(transformers, "__version__", "4.57.1"):
            with self.assertRaisesRegex(attn.Error, "expects transformers 5 or newer, got 4.57.1"):
                attn.transformers.register()


if __name__ == "__main__":
    unittest.main()
