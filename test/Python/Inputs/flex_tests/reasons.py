"""Why a test passed or did not, and the table of it."""

import collections
import json
import re

# What is torch's compiler's, in the body of a test that does not pass, or in the line that fails.
_COMPILER = re.compile(
    r"run_and_get_code|FileCheck|CompileCounter|normalize_gm|metrics\.|EagerAndRecord|make_fx|counters\b|_inductor\b|mark_dynamic"
)
# By what the message of a failure holds: (result, reason), the first that fits.
_BY_TEXT = [
    (r"got float64", ("unsupported", "float64 operands")),
    (r"nested tensor", ("unsupported", "nested tensors")),
    (r"'max_scores'", ("unsupported", "max_scores")),
    (r"expects kernel_options that only tune", ("unsupported", "kernel_options that change more than speed")),
    (r"rows of at most 16 elements", ("unsupported", "sums over a long row for each score")),
    (r"second ones yet", ("unsupported", "second derivatives")),
    (r"Unexpected success", ("unsupported", "is to fail, and works here")),
    (r"not raised", ("unsupported", "is to be an error, and is none here")),
    (r"Tensor: (grad_)?bias", ("failed", "gradients of learned tables, which torch sums in half precision")),
    (r'" does not match "', ("unsupported", "an error in other words")),
]


def group_of(result):
    """(passed | unsupported | failed, reason)."""
    outcome, text, calls = result["outcome"], result["text"], result["calls"]
    if outcome == "passed" and calls["theirs"] and not calls["ours"]:
        return "unsupported", "float64 operands"
    if outcome == "passed":
        kind = "attention" if calls["ours"] else "block masks" if calls["masks"] else "calls neither function"
        return "passed", kind
    if outcome == "skipped":
        return "unsupported", "skips: " + text.removeprefix("Skipped: ")
    if outcome == "too long":
        return "unsupported", "takes too long here"
    for pattern, group in _BY_TEXT:
        if re.search(pattern, text):
            return group
    where = "".join(x for x in result.get("log", "").splitlines() if x.startswith(">"))
    if _COMPILER.search(result.get("source", "") + where):
        return "unsupported", "looks at what torch's compiler does"
    return "failed", (text.splitlines() or [outcome])[0][:100]


def read(path):
    """The last result of each test."""
    with open(path) as file:
        results = [json.loads(line) for line in file]
    return {x["test"]: x for x in results}


def table(results):
    """As Markdown: tests by file, result and reason."""
    counts = collections.Counter((name.split("::")[0], *group_of(x)) for name, x in results.items())
    lines = ["| file | result | reason | tests |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(key)} | {count} |" for key, count in sorted(counts.items())]
    return "\n".join(lines)
