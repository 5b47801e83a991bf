"""Prints the closing line of a test run: one count for all of lit's suites.

From lit's xunit report; its JSON leaves out what GoogleTest skipped.
"""

import re
import sys

with open(sys.argv[1], errors="replace") as report:
    suites = re.findall(
        r'^<testsuite .* tests="(\d+)" failures="(\d+)" skipped="(\d+)"', report.read(), re.M
    )
tests, failed, skipped = (sum(map(int, column)) for column in zip(*suites or [(0, 0, 0)]))
passed = tests - failed - skipped
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed > 0 or passed == 0)
