"""What is installed, for the report's header."""

import platform
from importlib import metadata

PACKAGES = ("triton", "flash-attn", "flash-attn-3", "fa3-fwd", "flash-attn-4")


def version_of(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def report():
    """Raises Refusal where PyTorch cannot be imported."""
    torch = import_torch()
    found = {name: version_of(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "packages": {name: version for name, version in found.items() if version},
    }


def import_torch():
    from refusal import first_line, unavailable

    try:
        import torch

        return torch
    except ImportError as error:
        reason = first_line(error)
        if "No module named 'torch'" in reason:
            reason = "PyTorch is not installed (--python chooses the interpreter)"
        raise unavailable(reason) from None
