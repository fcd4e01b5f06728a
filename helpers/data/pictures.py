"""The one way to open a picture, for training, evaluation and checks alike: upright, RGB, or one sentence on what it is."""

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image as PILImage
from PIL import ImageOps
from xxhash import xxh3_128

# What people save under a picture's name: how the file begins, what it is, what to do.
_NO_PICTURES = (
    (rb"\s*version https://git-lfs", "a Git LFS pointer, not the picture itself", "run `git lfs pull`"),
    (rb"%PDF", "a PDF", "save its page as PNG"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript drawing", "save it as PNG"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg\b", "an SVG drawing", "save it as PNG"),
    (rb"\s*(<!doctype html|<html|<head|<body)", "an HTML page, such as a failed download leaves", "download the picture anew"),
    (rb"\s*<", "an XML text, such as a failed download leaves", "download the picture anew"),
    (rb"....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)", "a HEIC photograph, as iPhones take them", "save it as JPEG"),
    (rb"....ftyp", "a video or raw photograph", "save one picture of it as JPEG"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture", "save it as PNG or JPEG"),
    (rb"PK\x03\x04", "a zip archive or Office document", "save the picture in it as PNG"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf", "a compressed archive", "unpack it"),
    (rb"PAR1", "a parquet table", "give the picture itself, or load the table"),
    (rb"\s*[\[{]", "a JSON text, such as a failed download leaves", "download the picture anew"),
)


class PictureError(ValueError):
    """A file that can't be used as a picture. The message says what it is and what to do."""


def open_picture(source: str | os.PathLike | bytes | Mapping | PILImage.Image) -> PILImage.Image:
    """The picture, upright (EXIF orientation applied) and RGB; transparency lies on white, grey of 16 bits is scaled to 8.

    ``source``: a path; the content of a file; ``{"bytes", "path"}`` as datasets stores it; or an open picture. An animation
    gives its first frame. FileNotFoundError if there is no such file, PictureError for all else that is no picture.
    """
    if isinstance(source, PILImage.Image):
        return _rgb(_upright(source))
    if isinstance(source, Mapping):
        content, path = source.get("bytes"), source.get("path")
        source = content if content is not None else path
    if not isinstance(source, bytes | str | os.PathLike):
        raise PictureError(
            "there is no image" if source is None else f"a Python {type(source).__name__} is no picture: give its file"
        )
    name, content = ("it", source) if isinstance(source, bytes) else (shown(os.fspath(source)), _content(os.fspath(source)))
    if not content:
        raise PictureError(f"{name} is a file of 0 bytes: copy or download it again")
    try:
        with PILImage.open(io.BytesIO(content)) as picture:
            picture.load()
            return _rgb(_upright(picture))
    except PictureError as error:
        raise PictureError(f"{name} can't be used: {error}") from None
    except Exception as error:  # Pillow's decoders raise many kinds; each means that the picture can't be used
        raise PictureError(f"{name} {_what_it_is(content, error)}") from error


def image_problem(image: Mapping | None) -> str | None:
    """What is wrong with an undecoded image, ``{"bytes", "path"}``, in words, or None. One is in memory at a time."""
    if image is None or (image.get("bytes") is None and not image.get("path")):
        return "there is no image"
    try:
        open_picture(image)
    except (FileNotFoundError, PictureError) as error:
        return f"the image can't be opened: {error}"
    return None


def no_file(name: str) -> str | None:
    """Why ``name`` can't be a file's name, in words, or None."""
    if re.match(r"file:", name, re.IGNORECASE):
        return f"{shown(name)} is the address of a file: give its name without file://"
    if re.match(r"[a-z][a-z0-9+.-]*://", name, re.IGNORECASE):
        return f"{shown(name)} is a web address: download the picture and give the file's name"
    if re.match(r"data:", name, re.IGNORECASE) or (len(name) > 400 and re.fullmatch(r"[\w+/=\s-]+", name, re.ASCII)):
        return f"{shown(name)} is a picture written as text (base64): save it to a file, or store its bytes"
    return None


def shown(name: str) -> str:
    """A name in a message: the end of a very long one is left out."""
    return name if len(name) <= 300 else f"{name[:60]} … ({len(name):,} characters)"


def _content(path: str) -> bytes:
    if problem := no_file(path):
        raise PictureError(problem)
    if not os.path.exists(path):
        raise FileNotFoundError(f"the image {shown(path)} is not there")
    if not os.path.isfile(path):  # a named pipe would be waited for, for ever
        raise PictureError(f"{path} is {'a folder' if os.path.isdir(path) else 'no ordinary file'}: give a picture's file")
    return Path(path).read_bytes()


def _what_it_is(content: bytes, error: Exception) -> str:
    start = content[:2000]
    for pattern, what, action in _NO_PICTURES:
        if re.match(pattern, start, re.IGNORECASE | re.DOTALL):
            return f"is {what}: {action}"
    if isinstance(error, PILImage.DecompressionBombError):
        return f"is too large ({error}): save it smaller"
    if isinstance(error, PILImage.UnidentifiedImageError):
        text = all(byte >= 32 or byte in b"\t\r\n" for byte in start)
        return "is a text: give the picture's file" if text else "is no picture that Pillow knows: save it as PNG or JPEG"
    return f"is broken ({type(error).__name__}: {error}): copy or download it again"


def _upright(image: PILImage.Image) -> PILImage.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block says nothing about the orientation; the picture itself is readable
        return image


def _rgb(image: PILImage.Image) -> PILImage.Image:
    if image.mode.startswith("I;16"):  # convert() alone would make all but the darkest of it white
        return _of_16_bits(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        page = PILImage.new("RGBA", image.size, "white")  # most charts are drawn for a white page
        page.alpha_composite(image.convert("RGBA"))
        return page.convert("RGB")
    if image.mode in ("I", "F"):
        raise PictureError("its pixels are 32-bit numbers, and which of them is white isn't said: save it with 8 bits a pixel")
    return image.convert("RGB")


def _of_16_bits(image: PILImage.Image) -> PILImage.Image:
    """Grey of 16 bits a pixel, in whichever order of bytes, as RGB of 8; one grey may be said to be transparent."""
    grey = np.asarray(image)  # Pillow's own arithmetic knows one order alone
    page = PILImage.fromarray(np.round(grey / 257).astype(np.uint8)).convert("RGB")
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        page.paste((255, 255, 255), mask=PILImage.fromarray(np.where(grey == clear, 255, 0).astype(np.uint8)))
    return page


def pixels_key(picture: PILImage.Image) -> str:
    """The same text for the same pixels."""
    return xxh3_128(f"{picture.mode} {picture.size}".encode() + picture.tobytes()).hexdigest()
