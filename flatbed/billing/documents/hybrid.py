"""One file for people and machines: the invoice's PDF/A-3b with its EN 16931 data (Factur-X).

typst attaches the XML and answers for PDF/A; what it cannot say is which profile the attachment
has. That note is the factur-x library's, added to typst's own XMP by an incremental update. The
library's way of embedding would write the clock into the file and replace what typst said of it.
"""

import io
import struct
from dataclasses import dataclass
from typing import Any, Final

import facturx
from lxml import etree
from pypdf import PdfReader
from pypdf.generic import IndirectObject, NumberObject, StreamObject

from flatbed.billing.documents.en16931 import invoice_xml
from flatbed.billing.documents.errors import NoElectronicInvoiceError
from flatbed.billing.documents.invoice_pdf import invoice_pdf
from flatbed.billing.documents.model import Document

_ENTRY: Final = struct.Struct(">BQH")
_FX: Final = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_NAMES: Final = {
    "fx": _FX,
    "pdfaExtension": "http://www.aiim.org/pdfa/ns/extension/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
_NOTE: Final = {
    "documenttype": "INVOICE",
    "xml_filename": facturx.facturx.FACTURX_FILENAME,
    "version": "1.0",
    "xmp_level": facturx.facturx.FACTURX_LEVEL2xmp["en16931"],
    "urn": _FX,
    # What the library wants, and typst has said.
    **dict.fromkeys(("author", "creator_tool", "pdfa3_flavor", "producer", "subject"), ""),
    **dict.fromkeys(("timestamp", "title"), ""),
}


@dataclass(frozen=True, slots=True)
class InvoiceFile:
    """An invoice or credit note as files.

    ``xml`` is what the PDF carries. It is None, and the PDF is one for people only, where
    EN 16931 does not admit the document; ``broken_rules`` then says why.
    """

    pdf: bytes
    xml: bytes | None
    broken_rules: tuple[str, ...] = ()


def invoice_file(document: Document) -> InvoiceFile:
    """The document as a Factur-X file: the same bytes for the same document.

    Takes a whole core (30 ms for a line, 0.3 s for 250, 15 s for 10,000): call it in a thread.

    Raises:
        TypesettingError: a text that no page holds.
    """
    try:
        xml = invoice_xml(document)
    except NoElectronicInvoiceError as refusal:
        return InvoiceFile(invoice_pdf(document), None, refusal.rules)
    return InvoiceFile(_declared(invoice_pdf(document, xml=xml)), xml)


def _declared(pdf: bytes) -> bytes:
    # By hand: a general writer would read every object of a large file to change this one.
    reader = PdfReader(io.BytesIO(pdf))
    place = reader.root_object.raw_get("/Metadata")
    metadata = reader.get_object(place)
    size = reader.trailer["/Size"]
    if (
        not isinstance(place, IndirectObject)
        or not isinstance(metadata, StreamObject)
        or not isinstance(size, NumberObject)
    ):
        raise TypeError("typst writes XMP as a stream of its own, and counts its objects")
    xmp = _noted(metadata.get_data())
    number, free = place.idnum, int(size)
    stream = b"%d 0 obj\n<< /Type /Metadata /Subtype /XML /Length %d >>\nstream\n" % (
        number,
        len(xmp),
    )
    body = b"\n" + stream + xmp + b"\nendstream\nendobj\n"
    here = len(pdf) + len(body)
    offsets = _ENTRY.pack(1, len(pdf) + 1, 0) + _ENTRY.pack(1, here, 0)
    index = f"/Type /XRef /Size {free + 1} /W [1 8 2] /Index [{number} 1 {free} 1]"
    again = " ".join(f"{name} {_written(reader, name)}" for name in ("/Root", "/Info", "/ID"))
    before = f"/Prev {_last_offset(pdf)} /Length {len(offsets)}"
    table = f"{free} 0 obj\n<< {index} {again} {before} >>\nstream\n".encode("latin-1")
    end = b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % here
    return pdf + body + table + offsets + end


def _written(reader: PdfReader, name: str) -> str:
    out = io.BytesIO()
    reader.trailer.raw_get(name).write_to_stream(out)
    return out.getvalue().decode("latin-1")


def _last_offset(pdf: bytes) -> int:
    return int(pdf.rpartition(b"startxref")[2].split()[0])


def _noted(xmp: bytes) -> bytes:
    root = etree.fromstring(xmp)
    note = facturx.generate_xmp_object(_NOTE)
    (schemas,) = _all(root, "//pdfaExtension:schemas/rdf:Bag")
    (schema,) = _all(note, "//pdfaExtension:schemas/rdf:Bag/rdf:li")
    (facts,) = _all(note, "//rdf:Description[fx:DocumentType]")
    schemas.append(schema)
    (descriptions,) = _all(root, "//rdf:RDF")
    facts.set(f"{{{_NAMES['rdf']}}}about", "")
    descriptions.append(facts)
    noted: bytes = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=False)
    return noted


def _all(node: Any, path: str) -> list[Any]:  # noqa: ANN401 - lxml has no types
    found: list[Any] = node.xpath(path, namespaces=_NAMES)
    return found
