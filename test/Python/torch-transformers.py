"""Models of transformers, with small random weights, on attn by attn.torch.install(): logits and gradients as eager's.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: torch, transformers
UNSUPPORTED: sanitized
"""

import unittest
import unittest.mock

import attn
import torch

attn.torch.install()  # before transformers looks the functions up
import transformers  # noqa: E402

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


class Models(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(19)
        self.symbols = torch.randint(0, 64, (2, 50), device=DEVICE)
        self.seen = torch.ones_like(self.symbols)
        self.seen[1, :7] = 0  # padding

    def results(self, name, implementation, **more):
        """Logits, and a gradient of the first layer."""
        torch.manual_seed(20)
        config = getattr(transformers, name + "Config")(**SIZES, **more)
        kind = getattr(transformers, name + "ForCausalLM")
        model = kind._from_config(config, attn_implementation=implementation).to(DEVICE).eval()
        logits = model(self.symbols, attention_mask=self.seen).logits[self.seen.bool()]
        logits.square().mean().backward()
        return logits, model.model.layers[0].self_attn.q_proj.weight.grad

    def check(self, name, **more):
        expected = self.results(name, "eager", **more)
        launch = attn.torch._forward.Launch
        with unittest.mock.patch.object(launch, "__call__", autospec=True, side_effect=launch.__call__) as launches:
            got = self.results(name, "flex_attention", **more)
        self.assertEqual(launches.call_count, 2)
        for x, y in zip(got, expected):
            self.assertLessEqual((x - y).abs().max().item() / y.abs().max().item(), 1e-4)

    def test_llama(self):
        self.check("Llama")

    def test_gemma2(self):
        self.check("Gemma2", sliding_window=16)  # and softcap

    @unittest.skipIf(DEVICE == "cpu", "transformers has sinks for flex_attention on GPUs alone")
    def test_gpt_oss(self):
        self.check("GptOss", sliding_window=16, num_local_experts=4)


if __name__ == "__main__":
    unittest.main()
