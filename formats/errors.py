"""The errors of files: each says what was wrong, the value, and what is allowed.

    FormatError                        format_error
      TooLargeError                    too_large
      WrongShapeError                  wrong_shape
      WrongDtypeError                  wrong_dtype
      OutOfRangeError                  out_of_range
      LengthMismatchError              length_mismatch
      TooFewFacesError                 too_few
      ConstantFacesError               constant_faces
      ArrayFileError                   bad_array_file
        NotAnArrayError                not_an_array
        ObjectArrayError               object_array
        TruncatedArrayError            truncated_array
        CorruptGzipError               corrupt_gzip
          TruncatedGzipError           truncated_gzip
      CheckpointError                  bad_checkpoint
        NotACheckpointError            not_a_checkpoint
        TruncatedCheckpointError       truncated_checkpoint
        MalformedCheckpointError       malformed_checkpoint
        OldTorchFormatError            old_torch_format
        UnsafePickleError              unsafe_pickle
        UnknownArchitectureError       unknown_architecture
        WrongTensorsError              wrong_tensors
        NonFiniteWeightsError          non_finite_weights
        BadDescriptionError            bad_description
      PictureError                     bad_picture

The code is stable: programs may compare it, people read the message.
"""

from typing import ClassVar


class FormatError(ValueError):
    """A file or an array is not what it must be."""

    code: ClassVar[str] = "format_error"

    def __init__(self, message: str, value: str | None = None) -> None:
        """Keep the message, and in few words what was there instead."""
        super().__init__(message)
        self.value = value


class TooLargeError(FormatError):
    """The content is larger than this program is willing to hold in memory."""

    code = "too_large"


class WrongShapeError(FormatError):
    """An array or a tensor has another shape than its place asks for."""

    code = "wrong_shape"


class WrongDtypeError(FormatError):
    """An array or a tensor holds another kind of number than its place asks for."""

    code = "wrong_dtype"


class OutOfRangeError(FormatError):
    """A number lies outside its range."""

    code = "out_of_range"


class LengthMismatchError(FormatError):
    """Two arrays that belong together row by row differ in length."""

    code = "length_mismatch"


class TooFewFacesError(FormatError):
    """One face has no distribution."""

    code = "too_few"


class ConstantFacesError(FormatError):
    """A picture of one gray level is no face."""

    code = "constant_faces"


class ArrayFileError(FormatError):
    """A file of faces or ages cannot be read."""

    code = "bad_array_file"


class NotAnArrayError(ArrayFileError):
    """The content is not a NumPy array file."""

    code = "not_an_array"


class ObjectArrayError(ArrayFileError):
    """The array holds pickled Python objects, which are never loaded."""

    code = "object_array"


class TruncatedArrayError(ArrayFileError):
    """The array file ends before the values that its header promises."""

    code = "truncated_array"


class CorruptGzipError(ArrayFileError):
    """The gzip stream is damaged."""

    code = "corrupt_gzip"


class TruncatedGzipError(CorruptGzipError):
    """The gzip stream ends too early."""

    code = "truncated_gzip"


class CheckpointError(FormatError):
    """A checkpoint cannot be read or is not one that we know."""

    code = "bad_checkpoint"


class NotACheckpointError(CheckpointError):
    """The content is neither a torch zip nor safetensors."""

    code = "not_a_checkpoint"


class TruncatedCheckpointError(CheckpointError):
    """The checkpoint ends before what its header or directory promises."""

    code = "truncated_checkpoint"


class MalformedCheckpointError(CheckpointError):
    """The checkpoint's container is damaged or contradicts itself."""

    code = "malformed_checkpoint"


class OldTorchFormatError(CheckpointError):
    """The file is a bare pickle, as torch wrote before 1.6."""

    code = "old_torch_format"


class UnsafePickleError(CheckpointError):
    """The pickle asks for more than a state_dict needs; nothing of it was executed."""

    code = "unsafe_pickle"


class UnknownArchitectureError(CheckpointError):
    """The tensors' names belong to no architecture that we know."""

    code = "unknown_architecture"


class WrongTensorsError(CheckpointError):
    """Tensors of a known architecture are missing, or there are too many."""

    code = "wrong_tensors"


class NonFiniteWeightsError(CheckpointError):
    """A tensor holds NaN or infinity."""

    code = "non_finite_weights"


class BadDescriptionError(CheckpointError):
    """The description of a native checkpoint is missing or wrong."""

    code = "bad_description"


class PictureError(FormatError):
    """A picture cannot be read or written."""

    code = "bad_picture"
