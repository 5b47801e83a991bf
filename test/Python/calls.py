"""Many calls, from many threads: results, memory, the end of the process.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: numpy
UNSUPPORTED: sanitized
"""

import gc
import itertools
import os
import subprocess
import sys
import threading
import tracemalloc
import unittest
import unittest.mock

import attn
import numpy as np

random = np.random.default_rng(21)


def operands(queries=64):
    shapes = ((1, 2, queries, 8), (1, 1, 9, 8), (1, 1, 9, 8))
    return [random.standard_normal(shape).astype(np.float32) for shape in shapes]


def resident():
    """Bytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Memory(unittest.TestCase):
    def flat(self, call, times, most_traced, most_resident):
        """Memory after `times` more calls of `call` is as before, but for so many bytes."""
        for _ in range(times // 5):
            call()
        gc.collect()
        before = resident()
        for _ in range(times):
            call()
        self.assertLess(resident() - before, most_resident)
        tracemalloc.start()
        for _ in range(times // 10):
            call()
        first = tracemalloc.get_traced_memory()[0]
        for _ in range(times // 10):
            call()
        gc.collect()
        self.assertLess(tracemalloc.get_traced_memory()[0] - first, most_traced)
        tracemalloc.stop()

    def test_calls(self):
        bias = random.standard_normal((2, 9)).astype(np.float32)
        mod = attn.Mod.from_functions(lambda s, b, h, q, kv: s + bias[h, kv] * 2)
        kernel = attn.Kernel(mod.with_query_offset(), attn.Spec(8, lse=True))
        arrays, offsets = operands(), itertools.count()
        # A structure that stays, of each of 100 calls, is more than this.
        self.flat(lambda: kernel(*arrays, query_offset=next(offsets)), 1000, 5000, 2 << 20)
        # Offsets are among what a launch was checked for.
        self.assertEqual(len(kernel._bounds._known), 64)

    def test_errors_and_objects(self):
        arrays = operands()

        def fail():
            mod = attn.Mod.from_source("attn.mod @plain")
            try:
                attn.Kernel.check(mod, attn.Spec(300))
            except attn.Error:
                mod.make_captures(attn.Sizes(1, 2, 5, 9))
            try:
                attn.attention(*arrays, out=arrays[1])
            except attn.Error:
                pass

        self.flat(fail, 200, 5000, 4 << 20)


class Threads(unittest.TestCase):
    def on_threads(self, call, count=4):
        """What call(i) gives on thread i."""
        results, start = {}, threading.Barrier(count)

        def body(i):
            start.wait()
            results[i] = call(i)

        threads = [threading.Thread(target=body, args=(i,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [results[i] for i in range(count)]

    def test_recording_compiling_running(self):
        problems, factors = [operands(queries=64 + i) for i in range(4)], np.arange(4, dtype=np.float32)

        def call(i):
            row = factors[i : i + 1]
            return [attn.attention(*problems[i], lambda s, b, h, q, kv: s * row[0]) for _ in range(10)]

        with unittest.mock.patch.object(attn._attention, "Kernel", side_effect=attn.Kernel) as compiled:
            results = self.on_threads(call)
        self.assertEqual(compiled.call_count, 1)
        for i, outs in enumerate(results):
            expected, *_ = call(i)
            for out in outs:
                np.testing.assert_array_equal(out, expected)


class End(unittest.TestCase):
    def test_objects_that_are_still_there(self):
        program = """
import attn, numpy as np
x = np.ones((1, 1, 2, 4), np.float32)
kernel = attn.Kernel(attn.Mod.from_source("attn.mod @plain"), attn.Spec(4))
print(kernel(x, x, x)[0, 0, 0, 0])
cycle = [kernel]
cycle.append(cycle)
"""
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "1.0\n", ""))


if __name__ == "__main__":
    unittest.main()
