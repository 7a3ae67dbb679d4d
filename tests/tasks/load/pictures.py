"""Pictures, made as they are asked for."""

from io import BytesIO
from typing import Any

from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo


def flag(mode: str = "RGB") -> Pillow.Image:
    """60 by 40 pixels: red at the top left, blue at the bottom right, white elsewhere."""
    picture = Pillow.new("RGB", (60, 40), "white")
    picture.paste("red", (0, 0, 30, 20))
    picture.paste("blue", (30, 20, 60, 40))
    return picture.convert(mode)


def saved(picture: Pillow.Image, name: str = "PNG", **settings: Any) -> bytes:
    content = BytesIO()
    picture.save(content, name, **settings)
    return content.getvalue()


def picture(color: str = "", caption: str = "", size: tuple[int, int] = (60, 40)) -> bytes:
    """A PNG: of one colour, or the flag."""
    text = PngInfo()
    if caption:
        text.add_itxt("Description", caption)
    return saved(Pillow.new("RGB", size, color) if color else flag(), pnginfo=text)
