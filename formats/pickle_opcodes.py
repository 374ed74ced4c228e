"""The opcodes of a pickle one after another, each against an allow-list before it is read.

`pickletools.genops` would read the argument of any opcode first, and decodes escapes in the
names of globals, which pickle itself does not do.
"""

import io
import pickletools
from collections.abc import Collection, Iterator
from typing import Any

from formats.errors import MalformedCheckpointError, UnsafePickleError

_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}


def read_opcodes(program: bytes, allowed: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Give a pickle's opcodes by name, with their arguments, up to and with STOP.

    Args:
        program: the pickle.
        allowed: the names, as in pickletools, of the opcodes that may occur.

    Yields:
        Name and argument: a number, a text, for GLOBAL the pair (module, name), or None.

    Raises:
        UnsafePickleError: an opcode is not allowed.
        MalformedCheckpointError: it is no opcode, or the pickle ends too early.
    """
    stream = io.BytesIO(program)
    while code := stream.read(1):
        opcode = _OPCODES.get(code)
        if opcode is None:
            raise MalformedCheckpointError(f"data.pkl is damaged: {code!r} is no opcode")
        if opcode.name not in allowed:
            raise UnsafePickleError(
                f"data.pkl uses the opcode {opcode.name}, which no state_dict needs; nothing "
                "was executed. Save model.state_dict() alone"
            )
        yield opcode.name, _read_argument(opcode, stream)
        if opcode.name == "STOP":
            return
    raise MalformedCheckpointError("data.pkl is damaged: it ends without STOP")


def _read_argument(opcode: pickletools.OpcodeInfo, stream: io.BytesIO) -> Any:
    if opcode.name == "GLOBAL":
        return _read_line(stream), _read_line(stream)
    if opcode.arg is None:
        return None
    try:
        return opcode.arg.reader(stream)
    except ValueError as error:
        raise MalformedCheckpointError(f"data.pkl is damaged: {error}") from error


def _read_line(stream: io.BytesIO) -> str:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise MalformedCheckpointError("data.pkl is damaged: it ends within the name of a global")
    return line[:-1].decode("utf-8", "backslashreplace")
