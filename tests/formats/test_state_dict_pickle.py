import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from formats.checkpoint import import_checkpoint
from formats.course_checkpoint import read_course_checkpoint
from formats.errors import MalformedCheckpointError, UnsafePickleError
from formats.state_dict_pickle import parse_state_dict_pickle


class _Attack:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("place", ["value", "key_beside", "whole"])
def test_code_in_a_pickle_is_named_and_never_runs(
    place: str, protocol: int, tmp_path: Path
) -> None:
    proof = tmp_path / "executed"
    attack = _Attack(os.mkdir, str(proof))
    contents: dict[str, object] = {
        "value": OrderedDict(a=attack),
        "key_beside": {"state_dict": {"a": torch.ones(2)}, "extra": attack},
        "whole": attack,
    }
    path = tmp_path / "attack.cpt"
    torch.save(contents[place], path, pickle_protocol=protocol)

    with pytest.raises(UnsafePickleError, match=r"posix\.mkdir.*nothing was executed"):
        read_course_checkpoint(path)
    with pytest.raises(UnsafePickleError):
        import_checkpoint(path, tmp_path / "imported.safetensors")

    assert not proof.exists()
    assert not (tmp_path / "imported.safetensors").exists()
    torch.load(path, weights_only=False)  # the attack is real: an ordinary load runs it
    assert proof.exists()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (b"c\\Q os\nsystem\n.", r"\\Q os\.system"),
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "opcode STRING"),
        (b"(ios\nsystem\n.", "opcode INST"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "opcode NEWOBJ"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "os.system"),
        (b"\x80\x04\x8c\x05torch\x8c\x0cFloatStorage\x93)R.", "calls torch.FloatStorage"),
        (b"\x80\x02}}R.", "calls dict"),
        (b"\x80\x02ccollections\nOrderedDict\n]\x85R.", "calls collections.OrderedDict"),
        (b"\x80\x02\x82\x01.", "opcode EXT1"),
        (b"\x80\x02P0\n.", "opcode PERSID"),
        (b"\x80\x02}}X\x01\x00\x00\x00aK\x01sb.", "attributes other than _metadata"),
    ],
)
def test_programs_beyond_a_state_dict_are_unsafe(program: bytes, words: str) -> None:
    with pytest.raises(UnsafePickleError, match=words):
        parse_state_dict_pickle(program)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (b"", "damaged"),
        (b".", "0 values"),
        (b"}}.", "2 values"),
        (b"}", "damaged"),
        (b"K", "damaged"),
        (b"\xff.", "is no opcode"),
        (b"ctorch", "within the name of a global"),
        (b"ctorch\n", "within the name of a global"),
        (b"X\x02\x00\x00\x00\xff\xfe.", "damaged"),
        (b"s.", "more from its stack"),
        (b"}(s.", "more from its stack"),
        (b"u.", "a mark"),
        (b"h\x05.", "recalls value 5"),
        (b"q\x05.", "a memo opcode"),
        (b"]K\x01K\x02s.", "no dict"),
        (b"}}K\x02s.", "keys"),
        (b"}(K\x01u.", "keys"),
        (b"}K\x01a.", "no list"),
        (b"K\x01Q.", "storage in an unknown way"),
        (b"K\x01K\x02\x93.", "no text"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtR.", "tensor in an unknown way"),
    ],
)
def test_damaged_programs_are_malformed(program: bytes, words: str) -> None:
    with pytest.raises(MalformedCheckpointError, match=words):
        parse_state_dict_pickle(program)


def test_every_literal_of_a_pickle_is_read() -> None:
    values = [0, 255, 256, 65_536, -1, 2**40, -(2**40), 0.5, True, False, None, "é", "x" * 300]

    for protocol in (2, 4):
        assert parse_state_dict_pickle(pickle.dumps(values, protocol)) == values


def test_deep_nesting_is_only_data() -> None:
    program = b"\x80\x02)" + b"\x85" * 200_000 + b"."

    assert isinstance(parse_state_dict_pickle(program), tuple)


def test_deeply_nested_keys_are_refused_without_being_hashed() -> None:
    program = b"\x80\x02})" + b"\x85" * 200_000 + b"Ns."

    with pytest.raises(MalformedCheckpointError, match="keys"):
        parse_state_dict_pickle(program)


def test_a_dict_that_holds_itself_is_only_data(tmp_path: Path) -> None:
    endless: dict[str, object] = {}
    endless["state_dict"] = endless
    path = tmp_path / "endless.cpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("endless/data.pkl", pickle.dumps(endless, 2))

    with pytest.raises(ValueError, match="the entry state_dict is a dict"):
        read_course_checkpoint(path)
