"""What a compiled program does: kernels, bytes moved, and bytes sent to other devices.

Read from its text, HLO, in which XLA says how often a loop runs; XLA's own analysis counts the body
of a loop once.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

SIZES = {"pred": 1, "s4": 0.5, "u4": 0.5, "c64": 8, "c128": 16}
ARRAY = re.compile(r"\b(pred|[a-z]+\d+\w*)\[([\d,]*)\](\{[^}]*\})?")
HEADER = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")
INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (.*)$")
CALLED = re.compile(r"(?:calls|to_apply|body|condition)=%?([\w.\-]+)")
BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}|(?:true|false)_computation=%?([\w.\-]+)")
CHANNEL = re.compile(r"channel_id=(\d+)")
TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')

FREE = {
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"),
    *("partition-id", "replica-id", "opt-barrier", "add-dependency", "domain"),
}
"""What takes no time: names for what is there."""

COLLECTIVES = (
    *("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute"),
    *("ragged-all-to-all", "collective-broadcast"),
)


class Costs(NamedTuple):
    """What one device does when it runs a program once.

    Attributes:
      kernels: operations that are started one by one. On a GPU each costs a launch.
      bytes: read from and written to memory, if nothing stays in caches between kernels.
      collectives: operations that need all devices.
      sent: bytes of their results; of a reduce-scatter, of what it sums.
      loops_of_unknown_length: loops that were counted once, for want of a number.
    """

    kernels: float = 0.0
    bytes: float = 0.0
    collectives: float = 0.0
    sent: float = 0.0
    loops_of_unknown_length: float = 0.0

    def plus(self, other: "Costs", times: float = 1.0) -> "Costs":
        """Returns these costs and ``times`` others."""
        return Costs(*(mine + times * theirs for mine, theirs in zip(self, other, strict=True)))


class Instruction(NamedTuple):
    """A line of a program.

    Attributes:
      name: of its result.
      shape: of its result, as HLO writes it.
      operation: what it does, such as ``fusion``.
      operands: the names of what it reads.
      rest: its further attributes; of a parameter its number, of a constant its value.
    """

    name: str
    shape: str
    operation: str
    operands: tuple[str, ...]
    rest: str


def costs_of(text: str) -> Costs:
    """Returns the costs of a compiled program.

    A loop counts as often as it runs, and a branch as the one that costs most.

    Args:
      text: ``jax.jit(f).lower(...).compile().as_text()``.
    """
    entry, computations = _computations(text)
    return _Counter(computations).costs(entry)


class _Counter:
    def __init__(self, computations: Mapping[str, Sequence[Instruction]]) -> None:
        self._computations = computations
        self._known: dict[str, Costs] = {}

    def costs(self, name: str) -> Costs:
        if name not in self._known:
            instructions = self._computations.get(name, ())
            shapes = {instruction.name: instruction.shape for instruction in instructions}
            total = Costs()
            for instruction in instructions:
                total = total.plus(self._one(instruction, shapes))
            self._known[name] = total.plus(self._fused_collectives(instructions))
        return self._known[name]

    def _fused_collectives(self, instructions: Sequence[Instruction]) -> Costs:
        """The collectives inside of fusions, as XLA for TPUs makes them.

        An all-reduce is fused with the slice that is taken of it, a reduce-scatter. An all-gather
        beside which something is computed is several fusions, with one channel.
        """
        sent: dict[tuple[str, str], float] = {}
        for instruction in instructions:
            called = CALLED.findall(instruction.rest) if instruction.operation == "fusion" else []
            for inner in (inner for name in called for inner in self._computations.get(name, ())):
                if inner.operation in COLLECTIVES:
                    channel = CHANNEL.search(inner.rest)
                    key = inner.operation, channel[1] if channel else inner.name
                    sent[key] = size_of(inner.shape, True)
        return Costs(collectives=len(sent), sent=sum(sent.values()))

    def _one(self, instruction: Instruction, shapes: Mapping[str, str]) -> Costs:
        operation = instruction.operation
        if operation in FREE or operation.endswith(("-done", "-update")):
            return Costs()
        called = CALLED.findall(instruction.rest)
        if operation == "while":
            trips = self._trips(instruction)
            total = Costs(loops_of_unknown_length=0 if trips else 1)
            for name in called:
                total = total.plus(self.costs(name), trips or 1)
            return total
        if operation == "conditional":
            branches = [
                name.strip().lstrip("%")
                for several, single in BRANCHES.findall(instruction.rest)
                for name in (several or single).split(",")
            ]
            return max(map(self.costs, branches), default=Costs())
        if operation in ("call", "async-start"):
            total = Costs()
            for name in called:
                total = total.plus(self.costs(name))
            return total
        kind = operation.removesuffix("-start")
        if kind == "reduce-scatter":
            sent = sum(size_of(shapes.get(name, ""), True) for name in instruction.operands)
            return Costs(1, sent + size_of(instruction.shape, True), 1, sent)
        if kind in COLLECTIVES:
            sent = size_of(instruction.shape, on_chip=True)
            if operation != kind and kind != "all-reduce":  # its result begins with its operands
                sent -= sum(size_of(shapes.get(name, ""), True) for name in instruction.operands)
            return Costs(1, 2 * sent, 1, sent)
        return Costs(1, self._moved(instruction, shapes, called))

    def _trips(self, loop: Instruction) -> int | None:
        """How often a loop runs: as noted, or from its condition, since JAX counts from 0."""
        if noted := TRIPS.search(loop.rest):
            return int(noted[1])
        condition = re.search(r"condition=%?([\w.\-]+)", loop.rest)
        inside = self._computations.get(condition[1], ()) if condition else ()
        constants = {i.name: i.rest for i in inside if i.operation == "constant"}
        compared = [i for i in inside if i.operation == "compare" and "direction=LT" in i.rest]
        if len(compared) != 1 or compared[0].operands[1] not in constants:
            return None
        return int(constants[compared[0].operands[1]])

    def _moved(
        self, instruction: Instruction, shapes: Mapping[str, str], called: Sequence[str]
    ) -> float:
        """The bytes that an operation reads and writes."""
        sizes = [size_of(shapes.get(operand, "")) for operand in instruction.operands]
        written = size_of(instruction.shape)
        if instruction.operation in ("dynamic-slice", "slice", "gather"):
            return 2 * written
        if instruction.operation == "dynamic-update-slice":
            return 2 * sizes[1]
        if instruction.operation != "fusion" or not called:
            return sum(sizes) + written
        inside = self._computations.get(called[0], ())
        read = [min(size, _part_read(inside, index, size)) for index, size in enumerate(sizes)]
        return sum(read) + min(written, _part_written(inside, written))


def _part_read(inside: Sequence[Instruction], index: int, size: float) -> float:
    """The bytes that a fusion reads of an operand: less than its size if it takes slices of it."""
    names = {
        instruction.name
        for instruction in inside
        if instruction.operation == "parameter" and instruction.rest == str(index)
    }
    shapes = {instruction.name: instruction.shape for instruction in inside}
    read = 0.0
    for instruction in inside:
        if names.isdisjoint(instruction.operands):
            continue
        if instruction.operation == "bitcast":
            names.add(instruction.name)
        elif instruction.operation == "dynamic-slice" and instruction.operands[0] in names:
            read += size_of(instruction.shape)
        elif instruction.operation == "dynamic-update-slice" and instruction.operands[0] in names:
            read += size_of(shapes.get(instruction.operands[1], ""))
        else:
            return size
    return read


def _part_written(inside: Sequence[Instruction], size: float) -> float:
    """The bytes that a fusion writes: less than its result if it updates a slice in place."""
    shapes = {instruction.name: instruction.shape for instruction in inside}
    updates = [
        size_of(shapes.get(instruction.operands[1], "")) - size_of(instruction.shape)
        for instruction in inside
        if instruction.operation == "dynamic-update-slice"
    ]
    return max(size + sum(updates), 0.0)


def size_of(shape: str, on_chip: bool = False) -> float:
    """Returns the bytes of a shape as HLO writes it, of all parts of a tuple together.

    Args:
      shape: such as ``(f32[2,3]{1,0}, s32[])``.
      on_chip: whether arrays in a chip's own fast memory count, too: their layouts say ``S(1)``.
    """
    return sum(
        _item_size(kind) * math.prod(int(n) for n in dimensions.split(",") if n)
        for kind, dimensions, layout in ARRAY.findall(shape)
        if on_chip or "S(1)" not in layout
    )


def _item_size(kind: str) -> float:
    if kind in SIZES:
        return SIZES[kind]
    bits = re.search(r"\d+", kind)
    return int(bits[0]) / 8 if bits else 0


def _computations(text: str) -> tuple[str, dict[str, list[Instruction]]]:
    """The name of the program's entry, and the instructions of each of its computations."""
    entry, current = "", ""
    computations: dict[str, list[Instruction]] = {}
    for line in re.sub(r"/\*.*?\*/", "", text).splitlines():
        if header := HEADER.match(line):
            current = header[2]
            computations[current] = []
            entry = current if header[1] else entry
        elif current and (found := INSTRUCTION.match(line)):
            computations[current].append(_instruction(found[1], found[2]))
    return entry, computations


def _instruction(name: str, text: str) -> Instruction:
    """Takes ``shape operation(operands), attributes`` apart."""
    end = _closing(text, 0) + 1 if text.startswith("(") else text.index(" ")
    shape, text = text[:end], text[end:].strip()
    opening = text.index("(")
    closing = _closing(text, opening)
    inside = text[opening + 1 : closing]
    operation = text[:opening]
    rest = inside if operation in ("parameter", "constant") else text[closing + 1 :]
    return Instruction(name, shape, operation, tuple(_names(inside)), rest)


def _names(operands: str) -> Iterator[str]:
    if "%" in operands:
        yield from re.findall(r"%([\w.\-]+)", operands)
    else:
        yield from (part.split(" ")[-1] for part in operands.split(", ") if part)


def _closing(text: str, opening: int) -> int:
    """The position of the bracket that closes the one at a position."""
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if not depth:
            return position
    raise ValueError(f"unbalanced brackets in {text[:80]!r}")
