"""Readers of their own: pypdf for text and links, PDFium for what the page looks like."""

import io
from dataclasses import dataclass
from typing import Any

import pypdfium2
from pypdf import PdfReader

BLANK = 255


def reader(pdf: bytes) -> PdfReader:
    """The file, read without forgiving mistakes."""
    return PdfReader(io.BytesIO(pdf), strict=True)


def catalogue(pdf: bytes) -> Any:
    """The root of the file's objects."""
    return reader(pdf).root_object


def xmp(pdf: bytes) -> bytes:
    """What the file says of itself."""
    data: bytes = catalogue(pdf)["/Metadata"].get_object().get_data()
    return data


def font_files(pdf: bytes) -> list[bool]:
    """For each font of each page, whether the file holds it."""
    pages: Any = reader(pdf).pages
    fonts = [
        font["/DescendantFonts"][0]["/FontDescriptor"]
        for page in pages
        for font in page["/Resources"]["/Font"].values()
    ]
    return [bool({"/FontFile2", "/FontFile3"} & font.keys()) for font in fonts]


def page_texts(pdf: bytes) -> list[str]:
    """The text of each page, with plain blanks and without the marks that allow a break."""
    return [
        page.extract_text().replace("\u00a0", " ").replace("\u200b", "")
        for page in reader(pdf).pages
    ]


def words(pdf: bytes) -> str:
    """All text, each run of white space as one blank."""
    return " ".join(" ".join(page_texts(pdf)).split())


def letters(pdf: bytes) -> str:
    """All text without white space: what was broken over lines is whole again."""
    return "".join("".join(page_texts(pdf)).split())


def links(pdf: bytes) -> list[str]:
    """The address of every link, in order."""
    return [
        str(note.get_object()["/A"]["/URI"])
        for page in reader(pdf).pages
        for note in page.get("/Annots", [])
        if "/A" in note.get_object()
    ]


@dataclass(frozen=True)
class Look:
    """A page as it is drawn: the share of pixels that are not paper, and letters off the page."""

    inked: int
    outside: list[str]


def looks(pdf: bytes) -> list[Look]:
    """How each page looks at 72 dpi."""
    document = pypdfium2.PdfDocument(pdf)
    found = []
    for page in document:
        width, height = page.get_size()
        text = page.get_textpage()
        boxes = [text.get_charbox(index) for index in range(text.count_chars())]
        outside = [
            text.get_text_range(index, 1)
            for index, (left, bottom, right, top) in enumerate(boxes)
            if left < 0 or bottom < 0 or right > width or top > height
        ]
        pixels = bytes(page.render(grayscale=True).buffer)
        inked = len(pixels) - pixels.count(BLANK)
        found.append(Look(1000 * inked // len(pixels), outside))
    return found
