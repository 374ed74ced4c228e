import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from formats.pictures import decode_png, encode_png, read_png_parameters
from formats.xmp import SourceType

FACE = np.random.default_rng(5).integers(0, 256, (48, 48), np.uint8)
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
TERM = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
TOOL = "{http://ns.adobe.com/xap/1.0/}CreatorTool"
IPTC_TERMS = {  # http://cv.iptc.org/newscodes/digitalsourcetype
    SourceType.GENERATED: "trainedAlgorithmicMedia",
    SourceType.EDITED: "compositeWithTrainedAlgorithmicMedia",
    SourceType.COMPOSITE: "compositeSynthetic",
}


def packet_of(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as image:
        text = image.info["XML:com.adobe.xmp"]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("source", SourceType)
def test_a_marked_picture_says_in_xmp_that_it_is_synthetic(source: SourceType) -> None:
    packet = packet_of(encode_png(FACE, {"seed": 1}, source))

    root = ElementTree.fromstring(packet)
    assert root.tag == "{adobe:ns:meta/}xmpmeta"
    (description,) = root.findall(f"{RDF}RDF/{RDF}Description")
    assert description.attrib == {
        f"{RDF}about": "",
        TOOL: "Darkroom",
        TERM: f"http://cv.iptc.org/newscodes/digitalsourcetype/{IPTC_TERMS[source]}",
    }


def test_a_packet_is_wrapped_as_xmp_asks_and_read_only_as_png_asks() -> None:
    packet = packet_of(encode_png(FACE, None, SourceType.GENERATED))

    assert packet.startswith('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    assert packet.endswith('<?xpacket end="r"?>')


def test_the_mark_changes_neither_pixels_nor_parameters_and_gives_the_same_bytes() -> None:
    marked = encode_png(FACE, {"seed": 1}, SourceType.EDITED)

    np.testing.assert_array_equal(decode_png(marked), FACE)
    assert read_png_parameters(marked) == {"seed": 1}
    assert marked == encode_png(FACE, {"seed": 1}, SourceType.EDITED)


def test_the_packet_stands_uncompressed_before_the_pixels() -> None:
    content = encode_png(FACE, {"seed": 1}, SourceType.GENERATED)

    chunk = content.index(b"iTXtXML:com.adobe.xmp\0\0\0\0\0<?xpacket")
    assert chunk < content.index(b"IDAT")
    assert content.count(b"XML:com.adobe.xmp") == 1


def test_a_picture_that_nobody_marks_has_no_packet() -> None:
    with Image.open(io.BytesIO(encode_png(FACE, {"seed": 1}))) as image:
        assert set(image.info) == {"darkroom"}
