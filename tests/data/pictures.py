"""Pictures and folders that the tests make themselves, after what people reported."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def chart(seed: int, kind: str = "PNG", size=(60, 40), **saved) -> bytes:
    """A picture of coarse blocks, of which no two are alike and which looks different on its side."""
    blocks = np.random.default_rng(seed).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(buffer, format=kind, **saved)
    return buffer.getvalue()


def sideways(seed: int) -> bytes:
    """The same picture as a photograph that is stored on its side, with the EXIF tag (6) that says so."""
    with Image.open(io.BytesIO(chart(seed))) as upright:
        turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    turned.save(buffer, format="PNG", exif=exif)
    return buffer.getvalue()


def chart_folder(folder: Path, count: int = 12) -> Path:
    """``count`` pictures with one question each, in a questions.csv."""
    lines = ["image,question,answer"]
    for at in range(count):
        (folder / f"c{at}.png").write_bytes(chart(at))
        lines.append(f"c{at}.png,How many in chart {at}?,{at + 3}")
    (folder / "questions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 200
NO_PICTURES = {  # how the file begins, and words that the message must hold
    "heic.heic": (HEIC, "HEIC"),
    "heic_as.jpg": (HEIC.replace(b"heic", b"mif1", 1), "HEIC"),
    "zero.png": (b"", "0 bytes"),
    "chart.svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "chart.pdf": (b"%PDF-1.7\n", "PDF"),
    "error.png": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "HTML"),
    "pointer.png": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "archive.png": (b"PK\x03\x04" + b"\0" * 30, "zip"),
    "film.png": (b"\0\0\0\x18ftypmp42" + b"\0" * 30, "video"),
    "answer.png": (b'{"error": "not found"}', "JSON"),
    "text.png": (b"see the other folder\n", "text"),
    "cut.png": (chart(0)[:80], "broken"),
}
