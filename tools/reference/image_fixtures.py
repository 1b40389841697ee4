"""Writes small pictures and what Pillow makes of them.

    python image_fixtures.py FOLDER [PICTURES]

FOLDER receives the pictures and `expected.json`:

    "decoded":      [{"file", "width", "height", "channels", "pixels"}]
    "resized":      [{"file", "interpolation", "width", "height", "channels", "pixels"}]
    "preprocessed": [{"file", "preset", "shape", "values"}]
    "assets":       [{"file", "width", "height", "channels", "pixels", "resized"}]

`pixels` and `values` are base64 (uint8 H×W×C, float32 little-endian) except under `assets`, where `pixels` and `resized`
are the Adler-32 of the pixels and of those resized to a short side of 256 and cropped to 224. `assets` covers the
pictures below the folder PICTURES; without one, what `expected.json` has under `assets` stays.
"""

import base64
import io
import json
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps

import deterministic

FILTERS = dict(
    nearest=Image.Resampling.NEAREST, bilinear=Image.Resampling.BILINEAR, bicubic=Image.Resampling.BICUBIC,
    lanczos=Image.Resampling.LANCZOS)


def picture(name: str, width: int, height: int, channels: int, smooth: bool = True) -> np.ndarray:
    """Deterministic uint8 pixels H×W×C: a coloured gradient with noise, or noise alone."""
    noise = deterministic.uniform(name, (height, width, channels))
    if not smooth:
        return (noise * 256).astype(np.uint8)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    waves = np.stack([np.sin(3 * x + 4 * y * (c + 1) + c) for c in range(channels)], -1) * 0.4 + 0.5
    return np.clip(waves * 255 + (noise - 0.5) * 40, 0, 255).astype(np.uint8)


def png(width, height, depth, colour, samples, palette=None, transparency=None, interlaced=False) -> bytes:
    """A PNG file of any kind (Pillow writes few of them). `samples`: H×W×C numbers below 2^depth."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def rows(part: np.ndarray) -> bytes:
        out = bytearray()
        for row in part:
            flat = row.reshape(-1)
            if depth == 16:
                packed = flat.astype(">u2").tobytes()
            else:
                bits = "".join(format(int(v), f"0{depth}b") for v in flat)
                bits += "0" * (-len(bits) % 8)
                packed = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
            out += b"\0" + packed
        return bytes(out)

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in passes] if interlaced else [samples]
    data = b"".join(rows(part) for part in parts if part.size)
    file = b"\x89PNG\r\n\x1a\n"
    file += chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced)))
    file += chunk(b"gAMA", struct.pack(">I", 45455))
    if palette is not None:
        file += chunk(b"PLTE", palette.tobytes())
    if transparency is not None:
        file += chunk(b"tRNS", transparency)
    return file + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def png_files() -> dict:
    """Every colour type and depth, 13×9."""
    files = {}
    for depth in (1, 2, 4, 8, 16):
        for colour, channels, kind in ((0, 1, "grey"), (2, 3, "rgb"), (3, 1, "palette"), (4, 2, "greyalpha"), (6, 4, "rgba")):
            if depth not in {0: (1, 2, 4, 8, 16), 3: (1, 2, 4, 8)}.get(colour, (8, 16)):
                continue
            name = f"{kind}{depth}"
            samples = (deterministic.uniform(name, (9, 13, channels)).astype(np.float64) * 2**depth).astype(np.int64)
            options = {}
            if colour == 3:
                options["palette"] = picture(name + "p", 2**depth, 1, 3, smooth=False)
                if depth in (4, 8):
                    options["transparency"] = bytes(range(10))
            files[name + ".png"] = png(13, 9, depth, colour, samples, **options)
            if depth == 8 or name in ("grey1", "palette4", "rgb16"):
                files[name + "_interlaced.png"] = png(13, 9, depth, colour, samples, interlaced=True, **options)
    return files


def jpeg_files() -> dict:
    files = {}

    def add(name, image, **options):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", **options)
        files[name + ".jpg"] = buffer.getvalue()

    rgb = Image.fromarray(picture("jpeg", 37, 29, 3))
    add("rgb444", rgb, quality=90, subsampling=0)
    add("rgb422", rgb, quality=90, subsampling=1)
    add("rgb420", rgb, quality=75, subsampling=2)
    add("progressive", rgb, quality=75, progressive=True)
    add("restarts", rgb, quality=75, restart_marker_blocks=2)
    add("grey", rgb.convert("L"), quality=80)
    add("cmyk", Image.fromarray(picture("cmyk", 21, 18, 4), "CMYK"), quality=90)
    small = Image.fromarray(picture("turned", 11, 7, 3))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        add(f"orientation{orientation}", small, quality=90, exif=exif)
    return files


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    """A TIFF structure with the orientation alone, in either byte order, as SHORT (3), LONG (4) or SLONG (9)."""
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *([orientation, 0] if kind == 3 else [orientation]))
    header = b"II*\0" if order == "<" else b"MM\0*"
    return header + struct.pack(order + "IHHHI", 8, 1, 0x0112, kind, 1) + value + struct.pack(order + "I", 0)


def xmp(orientation: int) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{orientation}"/>'
        '</rdf:RDF></x:xmpmeta>').encode()


def with_chunk(png_file: bytes, kind: bytes, data: bytes, late: bool = False) -> bytes:
    """A PNG with one more chunk behind its header, or before its end."""
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    at = len(png_file) - 12 if late else 33
    return png_file[:at] + chunk + png_file[at:]


def orientation_files() -> dict:
    """The same small picture turned in every place that an orientation is kept in."""
    image = Image.fromarray(picture("turned", 11, 7, 3))
    plain = saved(image, "PNG")
    profile = b"\nexif\n%8d\n" % (6 + len(exif(6))) + (b"Exif\0\0" + exif(6)).hex().encode() + b"\n"
    files = {
        "exif.png": with_chunk(plain, b"eXIf", exif(6)),
        "exif_late.png": with_chunk(plain, b"eXIf", exif(5, ">"), late=True),
        "exif_profile.png": with_chunk(plain, b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile)),
        "exif_profile_plain.png": with_chunk(plain, b"tEXt", b"Raw profile type exif\0" + profile),
        "xmp.png": with_chunk(plain, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(8)),
        "exif.webp": saved(image, "WEBP", lossless=True, exif=exif(7)),
        "xmp.webp": saved(image, "WEBP", lossless=True, xmp=xmp(3)),
        "exif.tif": saved(image, "TIFF", tiffinfo={0x0112: 6}),
        "xmp.tif": saved(image, "TIFF", tiffinfo={700: xmp(4)}),
        "xmp.jpg": saved(image, "JPEG", quality=90, xmp=xmp(6)),
    }
    for order, name in (("<", "little"), (">", "big")):
        for kind in (3, 4, 9):
            files[f"exif_{name}{kind}.jpg"] = saved(
                image, "JPEG", quality=90, exif=b"Exif\0\0" + exif(6, order, kind))
    return files


def webp_files() -> dict:
    rgb, rgba = (Image.fromarray(picture("webp", 23, 17, channels)) for channels in (3, 4))
    frames = [Image.fromarray(picture(f"film{index}", 21, 15, 3)) for index in range(3)]
    return {
        "lossy.webp": saved(rgb, "WEBP", quality=80), "lossless.webp": saved(rgb, "WEBP", lossless=True),
        "alpha.webp": saved(rgba, "WEBP", lossless=True, exact=True),
        "film.webp": saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True),
    }


def gif_files() -> dict:
    image = Image.fromarray(picture("gif", 27, 19, 3)).quantize(40)
    frames = [Image.fromarray(picture(f"film{index}", 21, 15, 3)).quantize(16) for index in range(3)]
    # A frame of 11×7 at (5, 3) on a canvas of 20×16, with a transparent colour.
    small = saved(Image.fromarray(picture("turned", 11, 7, 3)).quantize(8), "GIF", transparency=5)
    frame = small.index(b"\x2c\0\0\0\0")
    placed = bytearray(small)
    placed[6:10] = struct.pack("<HH", 20, 16)
    placed[frame + 1:frame + 5] = struct.pack("<HH", 5, 3)
    return {
        "interlaced.gif": saved(image, "GIF", interlace=1), "rows.gif": saved(image, "GIF", interlace=0),
        "film.gif": saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), "placed.gif": bytes(placed),
    }


def bitmap(width, height, bits, compression, rows: bytes, palette=b"", masks=b"", header=40) -> bytes:
    """A BMP file; `height` below zero has its first row first."""
    start = 14 + header + len(palette) + (len(masks) if header == 40 else 0)
    head = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(rows), 2835, 2835, len(palette) // 4, 0)
    rest = (masks + bytes(header - 40 - len(masks))) if header > 40 else masks
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + rest + palette + rows


def bmp_files() -> dict:
    rgb, rgba = picture("bmp", 13, 9, 3), picture("bmp", 13, 9, 4)
    indexed = Image.fromarray(rgb).quantize(12)
    indices = np.asarray(indexed)
    palette = b"".join(bytes([*indexed.getpalette()[3 * i:3 * i + 3][::-1], 0]) for i in range(12))
    nibbles = np.pad(indices, ((0, 0), (0, 3)))
    four = b"".join(bytes(row[0::2] << 4 | row[1::2]) for row in nibbles[::-1])
    runs = b""
    for row in indices[::-1]:  # runs of one pixel, then the rest as it is, padded
        runs += bytes([1, row[0], 0, 12, *row[1:]]) + b"\0\0"
    words = (rgb.astype(np.int64) >> 3) @ np.array([1 << 10, 1 << 5, 1])
    words = np.pad(words.astype("<u2"), ((0, 0), (0, 1)))
    green = ((rgb.astype(np.int64) >> [3, 2, 3]) @ np.array([1 << 11, 1 << 5, 1])).astype("<u2")
    return {
        "rgb24.bmp": saved(Image.fromarray(rgb), "BMP"), "grey8.bmp": saved(Image.fromarray(rgb[..., 0]), "BMP"),
        "bits1.bmp": saved(Image.fromarray(rgb[..., 0] > 128), "BMP"), "palette8.bmp": saved(indexed, "BMP"),
        "palette4.bmp": bitmap(13, 9, 4, 0, four, palette), "runs8.bmp": bitmap(13, 9, 8, 1, runs + b"\0\1", palette),
        "rgb555.bmp": bitmap(13, 9, 16, 0, words[::-1].tobytes()),
        "rgb565.bmp": bitmap(
            13, 9, 16, 3, np.pad(green, ((0, 0), (0, 1)))[::-1].tobytes(), masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F)),
        "rgba32.bmp": bitmap(
            13, 9, 32, 3, rgba[::-1, :, [2, 1, 0, 3]].tobytes(),
            masks=struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000), header=124),
        "topdown.bmp": bitmap(13, -9, 32, 0, rgba[:, :, [2, 1, 0, 3]].tobytes()),
    }


def tiff_files() -> dict:
    rgb, rgba = (Image.fromarray(picture("tiff", 19, 14, channels)) for channels in (3, 4))
    grey = Image.fromarray(picture("tiff", 19, 14, 1)[..., 0])
    files = {f"{name}.tif": saved(rgb, "TIFF", compression=kind) for name, kind in (
        ("plain", None), ("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate"), ("packbits", "packbits"))}
    return {
        **files, "rgba.tif": saved(rgba, "TIFF", compression="tiff_lzw"), "grey.tif": saved(grey, "TIFF"),
        "fax.tif": saved(grey.point(lambda value: 255 * (value > 128)).convert("1"), "TIFF", compression="group4"),
        "palette.tif": saved(rgb.quantize(16), "TIFF"), "big.tif": saved(rgb, "TIFF", big_tiff=True),
    }


def decoded(source: pathlib.Path) -> np.ndarray:
    """Pixels H×W×C, grey or RGB, turned as EXIF or XMP says."""
    image = ImageOps.exif_transpose(Image.open(source))
    if source.suffix == ".png" and source.read_bytes()[25] == 4:  # grey with alpha, which Pillow may open as RGBA
        return np.asarray(image.convert("RGB"))[..., :1]
    if image.mode.startswith("I"):  # 16-bit grey: Pillow has no 8-bit reading of its own
        return (np.asarray(image).astype(np.int64) >> 8).astype(np.uint8)[..., None]
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))


def pillow(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def framed(image: Image.Image, short: int, crop: int) -> Image.Image:
    """torchvision's Resize(short) and CenterCrop(crop)."""
    from torchvision.transforms import functional

    return functional.center_crop(functional.resize(image, short), [crop, crop])


def encoded(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def described(file: str, pixels: np.ndarray, **more) -> dict:
    height, width, channels = pixels.shape
    return {"file": file, **more, "width": width, "height": height, "channels": channels, "pixels": encoded(pixels)}


def as_array(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def preprocessed(image: Image.Image, preset: str) -> np.ndarray:
    """What the reference frameworks feed to a network; pictures are framed to 32 and 24."""
    if preset == "digits":
        grey = image.convert("L").resize((28, 28), Image.Resampling.BILINEAR)
        return np.asarray(grey, np.float32)[None, None] / np.float32(255)
    image = framed(image, 32, 24)
    if preset == "torchvision":
        from torchvision import transforms

        normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        return normalize(transforms.ToTensor()(image)).numpy()[None]
    from keras.applications import imagenet_utils

    values = imagenet_utils.preprocess_input(np.asarray(image, np.float32), data_format="channels_last", mode=preset)
    return values.transpose(2, 0, 1)[None]


def assets(folder: pathlib.Path) -> list:
    entries = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg")):
        pixels = decoded(path)
        small = as_array(framed(pillow(pixels), 256, 224))
        height, width, channels = pixels.shape
        entries.append({
            "file": str(path.relative_to(folder)), "width": width, "height": height, "channels": channels,
            "pixels": zlib.adler32(np.ascontiguousarray(pixels).tobytes()),
            "resized": zlib.adler32(np.ascontiguousarray(small).tobytes())})
    return entries


def main(folder: pathlib.Path, pictures: pathlib.Path | None) -> None:
    import classifiers

    classifiers.import_torchvision()
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        **png_files(), **jpeg_files(), **orientation_files(), **webp_files(), **gif_files(), **bmp_files(),
        **tiff_files()}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    pixels = {name: decoded(folder / name) for name in files}
    result = {"decoded": [described(name, array) for name, array in pixels.items()], "resized": [], "preprocessed": []}
    # Both orders of the two passes: Pillow 13 begins with the height where it shrinks by twice as much as the width.
    sizes = [(20, 20), (50, 33), (50, 11), (35, 24), (37, 12), (5, 29), (3, 2), (1, 1)]
    for name, wanted in (("rgb420.jpg", sizes), ("grey.jpg", sizes[:1])):
        for interpolation, kind in FILTERS.items():
            for size in wanted:
                array = as_array(pillow(pixels[name]).resize(size, kind))
                result["resized"].append(described(name, array, interpolation=interpolation))
    for preset in ("torchvision", "caffe", "tf", "digits"):
        values = preprocessed(pillow(pixels["rgb420.jpg"]), preset).astype("<f4")
        result["preprocessed"].append(
            {"file": "rgb420.jpg", "preset": preset, "shape": list(values.shape), "values": encoded(values)})
    target = folder / "expected.json"
    if pictures is not None:
        result["assets"] = assets(pictures)
    else:
        result["assets"] = json.loads(target.read_text())["assets"] if target.exists() else []
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(*(f"{len(entries)} {kind}" for kind, entries in result.items()), sep=", ")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None)
