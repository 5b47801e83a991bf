"""Prints the closing line of a test run from lit's results: one count for all."""

import collections
import json
import sys

PASSED = {"PASS", "FLAKYPASS", "XFAIL"}
SKIPPED = {"UNSUPPORTED", "SKIPPED", "EXCLUDED"}

with open(sys.argv[1]) as results:
    codes = collections.Counter(test["code"] for test in json.load(results)["tests"])
passed = sum(codes[code] for code in PASSED)
skipped = sum(codes[code] for code in SKIPPED)
failed = sum(codes.values()) - passed - skipped
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed > 0 or passed == 0)
