"""Where the library is looked for, what stands in its way, and errors that come from it.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s %t
UNSUPPORTED: sanitized
"""

import os
import shutil
import subprocess
import sys
import threading
import unittest

import attn

SCRATCH = sys.argv[1]
PACKAGE = os.path.dirname(attn.__file__)


def version_in(package=os.path.dirname(PACKAGE), **environment):
    """What a process that asks for the version prints: its output, or the last line of its errors."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": package, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-c", "import attn; print(attn.version())"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    return (run.stdout or run.stderr).strip().splitlines()[-1]


def other_library(source):
    with open(SCRATCH + ".c", "w") as file:
        file.write(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", SCRATCH + ".so", SCRATCH + ".c"], check=True)
    return SCRATCH + ".so"


class Library(unittest.TestCase):
    def test_named(self):
        self.assertRegex(version_in(ATTN_LIBRARY=os.environ["ATTN_LIBRARY"]), r"^\d+\.\d+\.\d+$")

    def test_beside_the_package(self):
        shutil.rmtree(SCRATCH + ".dir", ignore_errors=True)
        shutil.copytree(PACKAGE, os.path.join(SCRATCH + ".dir", "attn"))
        os.symlink(os.path.realpath(os.environ["ATTN_LIBRARY"]), os.path.join(SCRATCH + ".dir", "attn", "libattn.so"))
        self.assertEqual(version_in(SCRATCH + ".dir"), attn.version())

    def test_by_the_loader(self):
        directory = os.path.dirname(os.environ["ATTN_LIBRARY"])
        self.assertEqual(version_in(LD_LIBRARY_PATH=directory), attn.version())

    def test_not_there(self):
        self.assertRegex(version_in(), r"expects libattn.so, got: .*libattn.so.0.*ATTN_LIBRARY=/path/libattn.so names")
        self.assertRegex(version_in(ATTN_LIBRARY="/nowhere/x.so"), r"expects libattn.so, got: /nowhere/x.so: .*No such")

    def test_another_one(self):
        other = other_library("int attn_abi_version(void) { return 7; }")
        self.assertIn(f"expects libattn.so with binary interface 0, got 7: {other}", version_in(ATTN_LIBRARY=other))
        other = other_library("int other(void) { return 0; }")
        self.assertIn(f"got a library without attn_abi_version: {other}", version_in(ATTN_LIBRARY=other))


class Mods(unittest.TestCase):
    def test_diagnostics(self):
        with self.assertRaisesRegex(attn.Error, r"^mine.mlir:1:18: error: expected SSA operand"):
            attn.Mod.from_source("attn.mod @x score(", "mine.mlir")
        with self.assertRaisesRegex(attn.Error, "nowhere.mlir"):
            attn.Mod.from_file("/nowhere.mlir")

    def test_each_thread_has_its_own_text(self):
        texts = {}

        def fail(name):
            for _ in range(50):
                try:
                    attn.Mod.from_source("attn.mod", name)
                except attn.Error as error:
                    texts.setdefault(name, set()).add(str(error).partition(":")[0])

        threads = [threading.Thread(target=fail, args=(f"thread{i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(texts, {f"thread{i}": {f"thread{i}"} for i in range(4)})

    def test_what_a_mod_is(self):
        text = "attn.mod @two(%x: tensor<?x?xi8>, %n: i32) mask(%b: i32, %h: i32, %q: i32, %kv: i32)"
        text += "{ %c = arith.cmpi slt, %kv, %n : i32 attn.yield %c : i1 }"
        mod = attn.Mod.from_source(text)
        self.assertEqual((mod.name, mod.has_score, mod.has_mask, mod.folds_batch), ("two", False, True, False))
        self.assertEqual(mod.captures[0], ("x", "int8", 2, False, False, False))
        self.assertEqual(mod.captures[1], ("n", "int32", 0, True, False, False))
        more = mod.with_query_offset(per_batch=True).with_lengths()
        self.assertEqual([c[1:] for c in more.captures[2:]], [("int32", 1, False, *x) for x in ((1, 0), (0, 1))])
        self.assertEqual(len(mod.captures), 2)
        with self.assertRaisesRegex(attn.Error, "expects mod '@two' without lengths: it has them"):
            more.with_lengths()

    def test_specs(self):
        mod = attn.Mod.from_source("attn.mod @plain")
        attn.Kernel.check(mod, attn.Spec(64))
        with self.assertRaisesRegex(attn.Error, "head dim.* 300"):
            attn.Kernel.check(mod, attn.Spec(300))
        with self.assertRaisesRegex(attn.Error, "expects 'type' float32, float16, bfloat16, got float64"):
            attn.Kernel(mod, attn.Spec(64, type="float64"))
        with self.assertRaisesRegex(attn.Error, "schedule"):
            attn.Kernel(mod, attn.Spec(64, schedule="fast"))
        with self.assertRaisesRegex(attn.Error, "expects a mod with lengths"):
            attn.Kernel(mod, attn.Spec(64, paged=True))


class Cache(unittest.TestCase):
    def test_code_is_kept_where_that_is_said(self):
        directory, mod = SCRATCH + ".cache", attn.Mod.from_source("attn.mod @plain")
        shutil.rmtree(directory, ignore_errors=True)

        def files():
            return sum(len(names) for _, _, names in os.walk(directory))

        attn.use_cache(directory)
        attn.Kernel(mod, attn.Spec(4))
        kept = files()
        self.assertGreater(kept, 0)
        attn.use_no_cache()
        attn.Kernel(mod, attn.Spec(5))
        self.assertEqual(files(), kept)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
