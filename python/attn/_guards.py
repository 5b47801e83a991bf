"""What a recording took for granted, as a function that looks whether other functions are alike.

A recording reads what programs refer to: code, cells, defaults, globals, attributes. Each thing that it reads has a
source, an expression of Python by which the same thing of a later program is found; what it relied on are conditions on
sources. Together they are the text of one function, which is compiled when a recording is kept: it walks over no
closure, and keeps nothing of a program alive but its code, and the modules and classes that it names.
"""

_MOST = 2000  # conditions, behind which a recording is not kept


class Guards:
    def __init__(self):
        self._lines, self._names, self._floats, self._sources = [], {}, {}, 0
        #: Whether all that the recording depends on is known.
        self.complete = True

    def refuse(self):
        """Something was read whose changes would not be seen."""
        self.complete = False

    def let(self, expression):
        """A source for what the expression of other sources gives."""
        self._sources += 1
        source = f"v{self._sources}"
        self._add(f"{source} = {expression}")
        return source

    def require(self, condition):
        self._add(f"if not ({condition}): return None")

    def require_same(self, source, thing):
        """The very object."""
        self.require(f"{source} is {self.name(thing)}")

    def require_equal(self, source, constant):
        """A number, text or the like, of the same type and value."""
        if constant is None or isinstance(constant, bool):
            self.require(f"{source} is {constant}")
        elif type(constant) is float:
            # Zeros have signs, and NaN is itself.
            text = constant.hex()
            self.require(f"type({source}) is float and {source}.hex() == '{text}'")
        elif constant != constant or constant == 0 and type(constant) is not int:
            type_ = self.name(type(constant))
            self.require(f"type({source}) is {type_} and repr({source}) == {repr(constant)!r}")
        else:
            type_, value = self.name(type(constant)), self.name(constant)
            self.require(f"type({source}) is {type_} and {source} == {value}")

    def require_code(self, source, code):
        """Code compares by value, which takes time; mostly it is the same object."""
        code = self.name(code)
        self.require(f"({source}.__code__ is {code} or {source}.__code__ == {code})")

    def number(self, number):
        """A number in an expression."""
        if type(number) is not float:
            return f"({number!r})"
        if number.hex() not in self._floats:
            self._floats[number.hex()] = self.name(number)
        return self._floats[number.hex()]

    def name(self, thing):
        """A name that stands for an object in conditions."""
        name = f"k{len(self._names)}"
        self._names[name] = thing
        return name

    def matcher(self, arguments, results):
        """`match(*arguments)`: what the sources `results` are of these arguments, or None where a condition fails;
        it may raise anything where they are quite unlike."""
        tuple_ = "".join(f"{r}, " for r in results)
        body = "".join(f"  {line}\n" for line in self._lines)
        text = f"def match({', '.join(arguments)}):\n{body}  return ({tuple_})\n"
        names = dict(self._names)
        exec(compile(text, "<guards>", "exec"), names)
        return names["match"]

    def _add(self, line):
        self._lines.append(line)
        self.complete = self.complete and len(self._lines) <= _MOST


class Unconditional(Guards):
    """Of recordings whose conditions are somebody else's to look at."""

    def require(self, condition):
        pass
