"""same_memrefs.py A B TOLERANCE: whether two programs printed the same numbers.

Each file has what printMemrefF32 wrote. Shapes must agree, numbers to TOLERANCE
relative to the largest of their memref; there must be some, and not all zero.
"""
import re
import sys


def memrefs(path):
    with open(path) as file:
        parts = file.read().split("Unranked Memref")[1:]
    found = []
    for part in parts:
        sizes = re.search(r"sizes = \[([^]]*)\]", part).group(1)
        data = part.split("data =", 1)[1]
        found.append((sizes, [float(x) for x in re.findall(r"-?(?:inf|nan|[\d.]+(?:e[+-]?\d+)?)", data)]))
    return found


def main():
    ours, theirs, tolerance = memrefs(sys.argv[1]), memrefs(sys.argv[2]), float(sys.argv[3])
    if not ours or [sizes for sizes, _ in ours] != [sizes for sizes, _ in theirs]:
        return f"expects memrefs of the same shapes, got {ours!r:.200} and {theirs!r:.200}"
    for number, ((_, a), (_, b)) in enumerate(zip(ours, theirs)):
        largest = max(map(abs, b))
        if not largest > 0 or len(a) != len(b):
            return f"expects numbers in memref {number}, got {len(a)} and {len(b)}, at most {largest}"
        for place, (x, y) in enumerate(zip(a, b)):
            if not (x == y or abs(x - y) <= tolerance * largest):
                return f"expects {y} at {place} of memref {number}, got {x}"
    print(f"{len(ours)} memrefs agree")
    return 0


sys.exit(main())
