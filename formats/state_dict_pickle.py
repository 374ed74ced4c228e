"""A state_dict's pickle, read as data: opcodes against an allow-list, nothing executed.

Pickle is a small stack language whose programs may import and call anything. The program that
torch.save writes for a state_dict uses few of its words, and those are acted out here on a stack
of our own: a global stays a name, a call is one of three known constructs or an error.
Source of the opcodes: Python's `pickletools`; of the constructs: `torch.save`'s zip format.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from formats.errors import MalformedCheckpointError, UnsafePickleError
from formats.pickle_opcodes import read_opcodes

_ORDERED_DICT = "collections.OrderedDict"
_TENSOR = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"
_STORAGES = {
    f"torch.{dtype}Storage"
    for dtype in (
        *("Float", "Half", "BFloat16", "Double"),
        *("Long", "Int", "Short", "Char", "Byte", "Bool"),
    )
}
_ALLOWED_GLOBALS = {_ORDERED_DICT, _TENSOR, _PARAMETER, *_STORAGES}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
_STORAGE_ID_LENGTH = 5
_TENSOR_ARGUMENTS = (6, 7)  # the seventh is metadata that newer versions of torch add


@dataclass(frozen=True)
class Symbol:
    """A global that the pickle names; it is never looked up."""

    name: str


@dataclass(frozen=True)
class StorageReference:
    """A record of the zip that holds a flat run of numbers.

    Attributes:
        kind: torch's name of its type, such as "FloatStorage".
        key: the record's name below `data/`.
        count: how many numbers it holds.
    """

    kind: str
    key: str
    count: int


@dataclass(frozen=True)
class TensorReference:
    """A view into a storage, offset and strides counted in numbers; not yet checked."""

    storage: StorageReference
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def parse_state_dict_pickle(program: bytes) -> object:
    """Give what the pickle of a state_dict says, with references in place of tensors.

    Args:
        program: the bytes of `data.pkl`.

    Returns:
        Dicts (OrderedDict or not), lists, tuples, numbers, texts and TensorReferences.

    Raises:
        UnsafePickleError: it names a global or uses an opcode that no state_dict needs.
        MalformedCheckpointError: it is damaged.
    """
    machine = _Machine()
    for opcode, argument in read_opcodes(program, machine.opcodes):
        machine.execute(opcode, argument)
    return machine.result()


class _Machine:
    """The stack, the memo and the few opcodes."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._actions: dict[str, Callable[[Any], None]] = {
            "PROTO": self._ignore,
            "FRAME": self._ignore,
            "STOP": self._ignore,
            "GLOBAL": lambda argument: self._global(*argument),
            "STACK_GLOBAL": self._stack_global,
            "MARK": lambda _: self._marks.append(len(self._stack)),
            "EMPTY_DICT": lambda _: self._stack.append({}),
            "EMPTY_LIST": lambda _: self._stack.append([]),
            "EMPTY_TUPLE": lambda _: self._stack.append(()),
            "TUPLE": lambda _: self._stack.append(tuple(self._pop_marked())),
            "TUPLE1": lambda _: self._stack.append(tuple(self._pop(1))),
            "TUPLE2": lambda _: self._stack.append(tuple(self._pop(2))),
            "TUPLE3": lambda _: self._stack.append(tuple(self._pop(3))),
            "SETITEM": lambda _: self._set_items(self._pop(2)),
            "SETITEMS": lambda _: self._set_items(self._pop_marked()),
            "APPEND": lambda _: self._extend(self._pop(1)),
            "APPENDS": lambda _: self._extend(self._pop_marked()),
            "BINPUT": self._put,
            "LONG_BINPUT": self._put,
            "MEMOIZE": lambda _: self._put(len(self._memo)),
            "BINGET": self._get,
            "LONG_BINGET": self._get,
            "BINPERSID": lambda _: self._stack.append(_storage(self._pop(1)[0])),
            "REDUCE": lambda _: self._stack.append(_call(*self._pop(2))),
            "BUILD": self._build,
        }

    @property
    def opcodes(self) -> set[str]:
        return {*_CONSTANTS, *_LITERALS, *self._actions}

    def execute(self, opcode: str, argument: Any) -> None:
        if opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode])
        elif opcode in _LITERALS:
            self._stack.append(argument)
        else:
            self._actions[opcode](argument)

    def result(self) -> object:
        if len(self._stack) != 1:
            raise MalformedCheckpointError(
                f"data.pkl leaves {len(self._stack)} values on the stack; it must leave one"
            )
        return self._stack[0]

    def _ignore(self, _: Any) -> None:
        pass

    def _pop(self, count: int) -> list[Any]:
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) - floor < count:
            raise MalformedCheckpointError("data.pkl takes more from its stack than it put there")
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    def _pop_marked(self) -> list[Any]:
        if not self._marks:
            raise MalformedCheckpointError("data.pkl refers to a mark that it did not set")
        mark = self._marks.pop()
        taken = self._stack[mark:]
        del self._stack[mark:]
        return taken

    def _top(self, kind: type, opcode: str) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise MalformedCheckpointError(f"data.pkl applies {opcode} to no {kind.__name__}")
        return self._stack[-1]

    def _global(self, module: str, name: str) -> None:
        full_name = f"{module}.{name}"
        if full_name not in _ALLOWED_GLOBALS:
            raise UnsafePickleError(
                f"data.pkl names {full_name[:100]}, which no state_dict needs; nothing was "
                "executed. Save model.state_dict() alone"
            )
        self._stack.append(Symbol(full_name))

    def _stack_global(self, _: Any) -> None:
        module, name = self._pop(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise MalformedCheckpointError("data.pkl names a global by something that is no text")
        self._global(module, name)

    def _put(self, index: int) -> None:
        self._memo[index] = self._top(object, "a memo opcode")

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise MalformedCheckpointError(f"data.pkl recalls value {index}, which it never kept")
        self._stack.append(self._memo[index])

    def _set_items(self, items: list[Any]) -> None:
        target = self._top(dict, "SETITEMS")
        if len(items) % 2 or not all(isinstance(key, str | int) for key in items[::2]):
            raise MalformedCheckpointError(
                "data.pkl has a dict whose keys are not texts or numbers"
            )
        target.update(zip(items[::2], items[1::2], strict=True))

    def _extend(self, items: list[Any]) -> None:
        self._top(list, "APPENDS").extend(items)

    def _build(self, _: Any) -> None:
        """Drop an OrderedDict's `_metadata`, the module versions that torch attaches."""
        attributes = self._pop(1)[0]
        self._top(dict, "BUILD")
        if not isinstance(attributes, dict) or set(attributes) != {"_metadata"}:
            raise UnsafePickleError(
                "data.pkl sets attributes other than _metadata, which no state_dict needs; "
                "nothing was executed"
            )


def _call(function: object, arguments: object) -> object:
    if isinstance(function, Symbol) and isinstance(arguments, tuple):
        if function.name == _ORDERED_DICT and arguments == ():
            return {}
        if function.name == _TENSOR and len(arguments) in _TENSOR_ARGUMENTS:
            return _tensor(*arguments[:4])
        if function.name == _PARAMETER and arguments and isinstance(arguments[0], TensorReference):
            return arguments[0]
    name = function.name if isinstance(function, Symbol) else type(function).__name__
    raise UnsafePickleError(
        f"data.pkl calls {name} in a way that no state_dict needs; nothing was executed"
    )


def _storage(identity: object) -> StorageReference:
    if isinstance(identity, tuple) and len(identity) == _STORAGE_ID_LENGTH:
        word, kind, key, _, count = identity
        if (
            isinstance(word, str)
            and word == "storage"
            and isinstance(kind, Symbol)
            and kind.name in _STORAGES
            and isinstance(key, str)
            and _is_size(count)
        ):
            return StorageReference(kind.name.removeprefix("torch."), key, count)
    raise MalformedCheckpointError(
        "data.pkl refers to a storage in an unknown way; it must be "
        "('storage', type, key, location, count)"
    )


def _tensor(storage: object, offset: object, shape: object, strides: object) -> TensorReference:
    if (
        isinstance(storage, StorageReference)
        and isinstance(offset, int)
        and isinstance(shape, tuple)
        and isinstance(strides, tuple)
        and all(_is_size(size) for size in (offset, *shape, *strides))
    ):
        return TensorReference(storage, offset, shape, strides)
    raise MalformedCheckpointError(
        "data.pkl builds a tensor in an unknown way; it must be "
        "(storage, offset, shape, strides, …), with sizes of 0 or more"
    )


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0
