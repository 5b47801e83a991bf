"""Why a backend has no result: the words that attn-bench's rows use."""

import re
import traceback


class Refusal(Exception):
    """`kind`: unavailable, unsupported, out_of_memory or failed."""

    def __init__(self, kind, reason):
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def unsupported(reason):
    return Refusal("unsupported", reason)


def unavailable(reason):
    return Refusal("unavailable", reason)


def first_line(text):
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[0] if lines else ""


def is_out_of_memory(error):
    name = type(error).__name__
    return name in ("OutOfMemoryError", "MemoryError") or "out of memory" in str(error)


# "This flash attention build does not support local attention", "was built with
# backward disabled", "head_dim=... is not supported on SM90"; not CUDA's "operation not
# supported", which is a fault.
_CANNOT = re.compile(
    r"does not support|(?<!operation )not (yet )?supported|only supports? "
    r"|built with \w+ disabled|^Unsupported|does not have a deterministic implementation"
)


def says_it_cannot(error):
    """Whether a package says that it, or this build of it, leaves something out. Errors
    of types of their own are those of compilers and drivers."""
    plain = type(error) in (AssertionError, RuntimeError, TypeError, ValueError)
    text = first_line(error)
    return plain and "CUDA error" not in text and bool(_CANNOT.search(text))


def refusal_for(error):
    """The refusal that an exception stands for. Surprises keep their traceback on
    standard error."""
    if isinstance(error, Refusal):
        return error
    if is_out_of_memory(error):
        return Refusal("out_of_memory", first_line(error))
    if isinstance(error, NotImplementedError):
        return unsupported(first_line(error) or "PyTorch has not implemented this")
    if says_it_cannot(error):
        return unsupported(first_line(error))
    traceback.print_exception(error)
    return Refusal("failed", f"{type(error).__name__}: {first_line(error)}")
