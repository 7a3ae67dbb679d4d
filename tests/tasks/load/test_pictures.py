"""Pictures of all sorts: what a model gets to see, and what is set aside."""

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from tasks.errors import DocumentError
from tasks.image import Image
from tasks.load.parse.isolated import child
from tasks.load.parse.open import parse, parse_image
from tasks.load.parse.text import Parsed
from tasks.records import Document, DocumentId, DocumentRef
from tests.tasks.load.pictures import flag, picture, saved

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
TURNED = {
    1: None,
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_90,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_270,
}  # what a camera does that says so
NOTHING: dict[str, Any] = {**Parsed("")._asdict(), "properties": {}}
EXACT: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "GIF": {},
}


@pytest.fixture(scope="module", autouse=True)
def _one_parser() -> Iterator[None]:
    yield
    child.SHARED.close()


def read(name: str, content: bytes) -> Document:
    return parse(DocumentRef(DocumentId(f"s:{name}"), "s", name), content)


def pixels(content: bytes, name: str = "a.png") -> np.ndarray:
    """Rows of columns of colours."""
    image = parse_image(name, content)
    return np.frombuffer(image.pixels, np.uint8).reshape(image.rows, image.columns, 3).astype(int)


def corners(content: bytes) -> list[tuple[int, ...]]:
    """Colours near the top left, top right, bottom left and bottom right."""
    shown = pixels(content)
    rows, columns, _ = shown.shape
    places = [(row, column) for row in (rows // 8, 7 * rows // 8) for column in (columns // 8, 7 * columns // 8)]
    return [tuple(shown[place]) for place in places]


def near(colors: list[tuple[int, ...]]) -> Any:
    return [pytest.approx(color, abs=6) for color in colors]


@pytest.mark.parametrize("name", EXACT)
def test_every_format_shows_its_pixels(name: str) -> None:
    assert corners(saved(flag(), name, **EXACT[name])) == near([RED, WHITE, WHITE, BLUE])


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_its_camera_says(name: str, orientation: int) -> None:
    exif, turn = Pillow.Exif(), TURNED[orientation]
    exif[0x0112] = orientation
    turned = flag() if turn is None else flag().transpose(turn)
    document = read("a.jpg", saved(turned, name, exif=exif, **EXACT[name]))
    assert document.image is not None
    assert (document.image.width, document.image.height) == (60, 40)
    assert corners(saved(turned, name, exif=exif, **EXACT[name])) == near([RED, WHITE, WHITE, BLUE])


@pytest.mark.parametrize(
    ("mode", "name"),
    [("1", "PNG"), ("L", "JPEG"), ("LA", "PNG"), ("P", "PNG"), ("RGBA", "WEBP"), ("CMYK", "JPEG"), ("CMYK", "TIFF")],
)
def test_every_mode_shows_as_it_does_in_rgb(mode: str, name: str) -> None:
    given = flag("L").convert(mode) if mode in ("1", "L", "LA") else flag(mode)
    settings = {} if mode == "P" else EXACT[name]
    assert corners(saved(given, name, **settings)) == near(corners(saved(given.convert("RGB"))))


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_sixteen_bits_are_shown_by_their_upper_half(name: str) -> None:
    grey = np.array([[0, 0x8000], [0xFFFF, 0x40FF]], np.uint16).repeat(16, 0).repeat(16, 1)
    assert [color[0] for color in corners(saved(Pillow.fromarray(grey), name))] == [0, 0x80, 0xFF, 0x40]


def test_numbers_without_a_known_range_are_shown_from_black_to_white() -> None:
    values = np.array([[-1.5, 0.0], [1.5, 0.75]], np.float32).repeat(16, 0).repeat(16, 1)
    assert [color[0] for color in corners(saved(Pillow.fromarray(values), "TIFF"))] == [0, 127, 255, 191]


def test_numbers_that_are_none_are_black_or_white() -> None:
    values = np.array([[np.nan, -np.inf], [np.inf, 1.0]], np.float32).repeat(16, 0).repeat(16, 1)
    values[0, 0] = 0.0
    assert [color[0] for color in corners(saved(Pillow.fromarray(values), "TIFF"))] == [0, 0, 255, 255]
    assert corners(saved(Pillow.fromarray(np.full((32, 32), np.nan, np.float32)), "TIFF")) == [(0, 0, 0)] * 4


def test_a_picture_without_its_head_is_told_in_the_same_words_each_time() -> None:
    for end in (9, 20, 30):
        with pytest.raises(DocumentError, match=r"a\.png .*cut off") as caught:
            pixels(saved(flag())[:end])
        assert " at 0x" not in str(caught.value)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_can_be_seen_through_is_white(mode: str) -> None:
    clear = Pillow.new("RGBA", (60, 40), (0, 0, 0, 0))
    clear.paste((90, 90, 90, 255), (0, 0, 30, 20))
    given = clear.quantize() if mode == "P" else clear.convert(mode)
    assert corners(saved(given)) == near([(90, 90, 90), WHITE, WHITE, WHITE])
    assert corners(saved(given.resize((1200, 800)))) == near([(90, 90, 90), WHITE, WHITE, WHITE])


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_stands_for_an_animation(name: str) -> None:
    frames = [Pillow.new("RGB", (60, 40), color) for color in ("green", "white", "black")]
    content = saved(flag(), name, save_all=True, append_images=frames, **EXACT[name])
    assert corners(content) == near([RED, WHITE, WHITE, BLUE])


def test_a_large_picture_is_made_smaller_and_keeps_its_shape_and_size() -> None:
    for name in ("JPEG", "PNG"):
        image = parse_image("a", saved(flag().resize((3000, 2000)), name))
        assert (image.width, image.height, image.columns, image.rows) == (3000, 2000, 672, 448)
    strip = parse_image("a", picture("red", size=(3000, 100)))
    assert (strip.columns, strip.rows) == (1344, 45)


def test_a_picture_is_known_by_its_pixels_alone() -> None:
    plain, told = parse_image("a.png", picture("red")), parse_image("b.gif", picture("red", caption="A cat."))
    assert plain.digest == told.digest == parse_image("c", saved(Pillow.new("RGB", (60, 40), "red"), "GIF")).digest
    assert plain.digest != parse_image("a.png", picture("red", size=(40, 60))).digest


def test_a_caption_comes_from_the_file() -> None:
    exif = Pillow.Exif()
    exif[0x010E] = b"A  cat\non a mat".decode("latin-1")
    for content in (saved(flag(), "JPEG", exif=exif), picture(caption="A cat on a mat")):
        document = read("a.jpg", content)
        assert (document.text, document.metadata) == ("A cat on a mat", {"caption": "A cat on a mat"})
    assert read("a.png", picture(caption="Über Müller 猫")).text == "Über Müller 猫"
    assert (read("a.png", picture()).text, read("a.png", picture()).metadata) == ("", {})


def test_a_damaged_note_costs_no_picture() -> None:
    content = saved(flag(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff broken")
    assert corners(content) == near([RED, WHITE, WHITE, BLUE])


@pytest.mark.parametrize("named", ["a.jpg", "a.PNG", "a.tiff", "a.webp"])
def test_a_picture_may_be_named_like_another_format_of_pictures(named: str) -> None:
    assert read(named, picture()).image == read("a.png", picture()).image


def refusal(name: str, content: bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        read(name, content)
    assert name in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("name", EXACT)
def test_a_picture_that_is_cut_off_is_told_and_not_shown_in_part(name: str) -> None:
    noise = Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    content = saved(noise, name)
    for share in (0.02, 0.3, 0.6, 0.9):
        assert refusal("a.png", content[: int(share * len(content))]) in ("corrupt", "wrong-type"), share


def test_a_text_is_no_picture_and_nothing_is_an_empty_document() -> None:
    assert refusal("a.png", b"no picture, but words") == "wrong-type"
    assert refusal("a.webp", b"RIFF\x24\0\0\0WAVEfmt ") == "corrupt"
    assert read("a.png", b"").image is None
    with pytest.raises(DocumentError, match=r"^a\.png is something else, not a picture"):
        parse_image("a.png", b"")


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is so large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("size", "reason"), [((20_000, 20_000), "too-large"), ((40, 4000), "too-thin")])
def test_a_bomb_is_refused_before_it_is_unpacked(size: tuple[int, int], reason: str) -> None:
    assert refusal("a.png", bomb(*size)) == reason


def test_a_parser_that_was_taken_over_cannot_set_off_a_bomb_here(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = base64.b64encode(zlib.compress(b"abcdef")).decode()
    good = {"width": 2, "height": 1, "columns": 2, "rows": 1, "packed": packed}
    answers: list[dict[str, object]] = [
        {"packed": base64.b64encode(zlib.compress(b"a" * 10_000_000)).decode()},
        {"packed": "no base64"},
        {"packed": base64.b64encode(b"no zlib").decode()},
        {"columns": 4096, "rows": 2048, "packed": base64.b64encode(zlib.compress(bytes(3 * 4096 * 2048))).decode()},
        {"columns": 0},
        {"rows": "many"},
    ]
    for change in answers:
        answer = {**NOTHING, "image": {**good, **change}}
        monkeypatch.setattr(child, "_exchange", lambda *_, answer=answer: json.loads(json.dumps(answer)))
        assert refusal("a.png", picture()) == "parser-failed"
    monkeypatch.setattr(child, "_exchange", lambda *_: {**NOTHING, "image": good})
    assert parse_image("a.png", picture()) == Image(2, 1, 2, 1, zlib.compress(b"abcdef"))
