"""Copies of other projects' tests, changed so that they run on this machine and with attn's functions.

A copy has the lines of the original. What torch.compile made is called as it is, on our functions (plugin.compile).
Without a GPU, "cuda" is the CPU, and what asks for a GPU is told that there is one.
"""

import ast

_AVAILABLE = {
    "torch.cuda.is_available": "True",
    "torch.cuda.get_device_capability": "(8, 0)",
    "torch.cuda.synchronize": "None",
    "torch.cuda.empty_cache": "None",
    "torch.utils._triton.has_triton": "True",
    "has_triton": "True",
}


def changed(source, on_gpu, constants):
    """`constants`: by name, the texts that replace the values of numbers that a module assigns, or that are defaults
    of parameters: smaller sizes."""
    edits = _Edits(on_gpu, constants)
    edits.visit(ast.parse(source))
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    for (first, start), (last, end), text in sorted(edits.made, reverse=True):
        head, tail = lines[first - 1][:start], lines[last - 1][end:]
        # No line is lost, so that messages name those of the original.
        lines[first - 1 : last] = [head + text.encode() + b"\\\n" * (last - first) + tail] + [b""] * (last - first)
    return b"".join(lines).decode()


class _Edits(ast.NodeVisitor):
    def __init__(self, on_gpu, constants):
        self.made, self._on_gpu, self._constants = [], on_gpu, constants

    def _replace(self, node, text):
        self.made.append(((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset), text))

    def visit_Attribute(self, node):
        if _name(node) == "torch.compile":
            return self._replace(node, '__import__("plugin").compile')
        if node.attr == "is_cuda" and not self._on_gpu:
            place = node.end_lineno, node.end_col_offset
            self.made.append(((place[0], place[1] - len("cuda")), place, "cpu"))
        self.generic_visit(node)

    def visit_Module(self, node):
        for statement in node.body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                self._shrink(getattr(statement.targets[0], "id", None), statement.value)
        self.generic_visit(node)

    def visit_arguments(self, node):
        with_defaults = node.args[len(node.args) - len(node.defaults) :]
        for argument, default in zip(with_defaults, node.defaults):
            self._shrink(argument.arg, default)
        self.generic_visit(node)

    def _shrink(self, name, value):
        if name in self._constants and isinstance(value, ast.Constant) and isinstance(value.value, int):
            self._replace(value, self._constants[name])

    def visit_Call(self, node):
        if self._on_gpu:
            return self.generic_visit(node)
        if _name(node.func) in _AVAILABLE:
            return self._replace(node, _AVAILABLE[_name(node.func)])
        if isinstance(node.func, ast.Attribute) and node.func.attr == "cuda" and _name(node.func) != "torch.cuda":
            before = node.func.value
            place = (before.end_lineno, before.end_col_offset), (node.end_lineno, node.end_col_offset)
            self.made.append((*place, ""))
            return self.visit(before)
        self.generic_visit(node)

    def visit_Compare(self, node):
        # The CPU is the GPU, and not the CPU.
        for x in node.comparators:
            if not self._on_gpu and isinstance(x, ast.Constant) and x.value == "cpu":
                self._replace(x, "None")
            else:
                self.visit(x)
        self.visit(node.left)

    def visit_Constant(self, node):
        if not self._on_gpu and node.value in ("cuda", "cuda:0"):
            self._replace(node, '"cpu"')

    def visit_Name(self, node):
        if not self._on_gpu and node.id == "PLATFORM_SUPPORTS_BF16" and isinstance(node.ctx, ast.Load):
            self._replace(node, "True")

    def visit_JoinedStr(self, node):
        pass  # of whose parts nothing says where they are


def _name(node):
    """Of a name with dots, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _name(node.value)
        return before and f"{before}.{node.attr}"
    return None
