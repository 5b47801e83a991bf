"""Why a test passed or not, and the table of it."""

import collections
import json
import re

# What only torch's own compiler can pass, by what a test calls.
_INTERNALS = re.compile(
    r"run_and_get_code|FileCheck|CompileCounter|normalize_gm|metrics\.|EagerAndRecord|counters|_dynamo\.|_inductor\."
)


def group_of(result):
    """(passed | failed | unsupported, reason)."""
    outcome, text, calls = result["outcome"], result["text"], result["calls"]
    if outcome == "passed":
        return "passed", "with attention" if calls["ours"] else "masks alone" if calls["masks"] else "neither"
    if outcome == "skipped":
        return "unsupported", "skipped: " + text.removeprefix("Skipped: ")
    return "failed", outcome + ": " + text.splitlines()[0][:110] if text else outcome


def read(path):
    """The last result of each test."""
    results = {}
    with open(path) as file:
        for line in file:
            result = json.loads(line)
            results[result["test"]] = result
    return results


def table(results):
    counts = collections.Counter((name.split("::")[0], *group_of(x)) for name, x in results.items())
    lines = ["| file | result | reason | tests |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(key)} | {count} |" for key, count in sorted(counts.items())]
    return "\n".join(lines)
