"""Pictures: upright RGB pixels of the first frame, and the caption that is in the file."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from tasks.errors import DocumentError
from tasks.image import Image
from tasks.load.parse.ocr import MOST_PIXELS as OCR_PIXELS
from tasks.load.parse.ocr import lines_in
from tasks.load.parse.text import Parsed

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF")
MOST_PIXELS = 100_000_000  # of the whole picture: Pillow takes 400 MB for them, three times over
SHORT_SIDE, LONG_SIDE = 448, 1344  # of what is kept: models look at 224 to 384 pixels, most of them at the middle
SCREEN = 2_000  # pixels of the long side: what has fewer is no scan at 300 dots per inch
MOST_RATIO = 32  # a thinner strip would be a giant where a model scales the short side
_ORIENTATION, _DESCRIPTION = 0x0112, 0x010E  # of EXIF
_UPRIGHT: dict[object, Pillow.Transpose] = {  # by EXIF's orientation
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
_DAMAGE = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError),
    *(zlib.error, struct.error),
)  # what Pillow's plugins raise at content that they did not expect

Pillow.MAX_IMAGE_PIXELS = None  # decided here, and nothing is unpacked before


def parse_image(name: str, content: bytes, languages: str = "") -> Parsed:
    """DocumentError for what is damaged, cut off, or too large once it is unpacked.

    With `languages` it is no picture any more, but the words that tesseract reads in it.
    """
    try:
        with Pillow.open(BytesIO(content), formats=FORMATS) as picture:
            size = picture.size
            _check_size(name, *size)
            picture.draft(
                "RGB", size if languages else _fitted(size, 2.0)
            )  # a JPEG is unpacked at a half, a quarter or an eighth
            picture.load()
            exif = _exif(picture)
            shown = _rgb(picture, size if languages else _fitted(size))
            caption = _caption(exif.get(_DESCRIPTION) or picture.info.get("Description"))
    except UnidentifiedImageError as error:  # an OSError whose words show an object
        raise DocumentError(
            "corrupt",
            f"{name} holds none of {', '.join(FORMATS)}, or is cut off; save it as one of them, or exclude it",
        ) from error
    except _DAMAGE as error:
        cause = f"{type(error).__name__}: {error}"[:200]
        raise DocumentError(
            "corrupt", f"{name} is a damaged picture, or one that is cut off ({cause}); save it again, or exclude it"
        ) from error
    orientation = exif.get(_ORIENTATION)
    if orientation in _UPRIGHT:
        shown = shown.transpose(_UPRIGHT[orientation])
    if languages:
        return _words_of(name, shown, caption, languages)
    width, height = reversed(size) if orientation in (5, 6, 7, 8) else size
    return Parsed(caption, image=Image(width, height, *shown.size, zlib.compress(shown.tobytes(), 1)))


def _words_of(name: str, picture: Pillow.Image, caption: str, languages: str) -> Parsed:
    lines = lines_in(name, _legible(picture), languages)
    text = "".join(("\n" if line.before == "line" else "\n\n") + line.text for line in lines).strip()
    remarks = ("its words are what OCR read in the picture" if text else "OCR found no text in the picture",)
    return Parsed("\n\n".join(filter(None, (caption, f"{text}\n" if text else ""))), remarks=remarks)


def _legible(picture: Pillow.Image) -> Pillow.Image:
    """No larger than tesseract can take in a minute, and small letters, as on screens, as large as it knows them."""
    width, height = picture.size
    factor = min(2.0 if max(picture.size) < SCREEN else 1.0, (OCR_PIXELS / (width * height)) ** 0.5)
    size = max(1, round(factor * width)), max(1, round(factor * height))
    return picture if size == picture.size else picture.resize(size, Pillow.Resampling.BICUBIC)


def _check_size(name: str, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise DocumentError(
            "too-large",
            f"{name} has {width:,} x {height:,} pixels, the limit is {MOST_PIXELS:,}; make it smaller, or exclude it",
        )
    if max(width, height) > MOST_RATIO * min(width, height):
        raise DocumentError(
            "too-thin",
            f"{name} has {width:,} x {height:,} pixels, and models look at squares; one side may be {MOST_RATIO} times"
            " as long as the other: cut it into parts, or exclude it",
        )


def _fitted(size: tuple[int, int], times: float = 1.0) -> tuple[int, int]:
    """So large that both sides fit, or a multiple of that; small pictures stay as they are."""
    factor = min(1.0, times * SHORT_SIDE / min(size), times * LONG_SIDE / max(size))
    return max(1, round(factor * size[0])), max(1, round(factor * size[1]))


def _exif(picture: Pillow.Image) -> dict[int, object]:
    """Empty where it is damaged: the picture is there all the same. A TIFF is upright by now, and says so."""
    try:
        return dict(picture.getexif())
    except Exception:
        return {}


def _rgb(picture: Pillow.Image, size: tuple[int, int]) -> Pillow.Image:
    """The picture in this size; what can be seen through shows white."""
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _eight_bits(picture)
    picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    small = picture.resize(size, Pillow.Resampling.BICUBIC) if picture.size != size else picture
    if small.mode == "RGB":
        return small
    return Pillow.alpha_composite(Pillow.new("RGBA", size, "white"), small).convert("RGB")


def _eight_bits(picture: Pillow.Image) -> Pillow.Image:
    """Grey of 16 bits as it is meant; of other numbers nobody knows the range, so the brightest one is white.

    Numbers that are none are black, as where a map has no data.
    """
    values = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        return Pillow.fromarray((values >> 8).astype(np.uint8))
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return Pillow.fromarray(((values - low) * (255 / ((high - low) or 1.0))).astype(np.uint8))


def _caption(text: object) -> str:
    """EXIF has no encoding: Pillow reads Latin-1, most writers mean UTF-8."""
    words = " ".join(text.split()) if isinstance(text, str) else ""
    try:
        return words.encode("latin-1").decode()
    except UnicodeError:
        return words
