"""Rendered faces with a known age: gray 48×48 pictures of nobody, free of any licence or person."""

from synthetic.attributes import ATTRIBUTES, synthetic_attributes
from synthetic.canvas import FACE_SIZE
from synthetic.faces import synthetic_faces
from synthetic.rendering import render_faces

__all__ = ["ATTRIBUTES", "FACE_SIZE", "render_faces", "synthetic_attributes", "synthetic_faces"]
