"""The XMP packet that marks a picture as synthetic media, for programs that know no Darkroom.

Sources: XMP specification, part 1 (packets) and part 3 (PNG); IPTC Photo Metadata Standard,
Digital Source Type.
"""

from enum import StrEnum

XMP_KEY = "XML:com.adobe.xmp"  # of the PNG's iTXt chunk
CREATOR_TOOL = "Darkroom"
_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmp:CreatorTool="{tool}"
    Iptc4xmpExt:DigitalSourceType="{source}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""  # read-only: whoever changed it in place would break the chunk's checksum


class SourceType(StrEnum):
    """What a picture is made of: IPTC's terms, which are their own URIs."""

    GENERATED = f"{_VOCABULARY}trainedAlgorithmicMedia"  # by a model alone
    EDITED = f"{_VOCABULARY}compositeWithTrainedAlgorithmicMedia"  # by a model, out of given faces
    COMPOSITE = f"{_VOCABULARY}compositeSynthetic"  # generated faces beside faces as they were


def xmp_packet(source: SourceType) -> str:
    """The packet, which differs by the source alone."""
    return _PACKET.format(tool=CREATOR_TOOL, source=source)
