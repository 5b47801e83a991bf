"""The runner of other projects' tests of flex_attention says which pass on attn's functions, and why others do not.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s %t
REQUIRES: long, torch, pytest, expecttest
UNSUPPORTED: sanitized
"""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER, SAMPLE = (os.path.join(HERE, "Inputs", *x) for x in (("flex_tests", "run.py"), ("flex_tests_sample.py",)))
RESULTS = sys.argv.pop() + ".jsonl"
EXPECTED = """
| file | result | reason | tests |
|---|---|---|---|
| flex_tests_sample.py | failed | AssertionError: expects 0 | 1 |
| flex_tests_sample.py | failed | status 768 | 1 |
| flex_tests_sample.py | passed | attention | 3 |
| flex_tests_sample.py | passed | block masks | 1 |
| flex_tests_sample.py | passed | calls neither function | 1 |
| flex_tests_sample.py | unsupported | an error in other words | 1 |
| flex_tests_sample.py | unsupported | float64 operands | 2 |
| flex_tests_sample.py | unsupported | looks at what torch's compiler does | 1 |
| flex_tests_sample.py | unsupported | skips: none is here | 1 |
| flex_tests_sample.py | unsupported | takes too long here | 1 |
"""


def run(*arguments):
    command = [sys.executable, RUNNER, "-o", RESULTS, *arguments]
    environment = {**os.environ, "FLEX_TESTS_SECONDS": "20"}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


class Runner(unittest.TestCase):
    def test_sample(self):
        if os.path.exists(RESULTS):
            os.remove(RESULTS)
        self.assertIn(EXPECTED, "\n" + run("--set", "S=64", SAMPLE))
        # What has a result is not run again.
        again = run("--set", "S=64", SAMPLE)
        self.assertNotIn("test_ends", again)
        self.assertIn(EXPECTED, "\n" + again)


if __name__ == "__main__":
    unittest.main()
