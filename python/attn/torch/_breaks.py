"""flex_attention where a graph of torch.compile breaks; a module of its own, since this takes torch's compiler."""

import torch

from .flex import flex_attention

attend_outside_of_graphs = torch.compiler.disable(flex_attention)
