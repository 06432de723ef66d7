"""A web on this machine that serves pictures as badly as the real one: late, cut, endless, forged, or not at all.

And the zoo: picture files of every kind that people have, sound (`SHOWN`, `UPRIGHT`) and not (`REFUSED`), made by code.
"""
import functools
import gzip
import io
import re
import socket
import struct
import threading
import time
import zlib
from base64 import b64decode
from collections import Counter
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image, ImageCms, ImageOps

from birdornot.sample import sample_picture

JPEG_HEAD = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(600)


@lru_cache(maxsize=None)
def picture(i: int) -> bytes:
    "A small good JPEG, another one for each `i`"
    im = Image.effect_noise((64, 48), 20 + i % 60).convert("RGB")
    im.putpixel((0, 0), (i % 256, i // 256 % 256, 99))
    out = io.BytesIO()
    im.save(out, "PNG" if i % 7 == 0 else "JPEG")
    return out.getvalue()


SAME = picture(12345)  # now: asked for three times at once it would be three pictures, since its noise is random


def draw(file, seed):
    "Write a picture that looks like no other; the file"
    file.parent.mkdir(parents=True, exist_ok=True)
    squares = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), np.uint8)
    Image.fromarray(squares).resize((80, 64), Image.Resampling.NEAREST).save(file)
    return file


@functools.cache
def vast() -> bytes:
    "20,000 x 20,000 pixels in 50 kB"
    rows = zlib.compress(bytes((1 + 20_000//8)*20_000))  # Pillow takes a second for them
    chunks = (b"IHDR", struct.pack(">II5B", 20_000, 20_000, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*c) for c in chunks)


@functools.cache
def gzip_bomb(megabytes=300) -> bytes:
    "A gzip stream of some hundred kilobytes that becomes `megabytes` of a JPEG that never ends"
    packer, block, crc = zlib.compressobj(9, zlib.DEFLATED, -15), bytes(2**20), zlib.crc32(JPEG_HEAD)
    def packed(data, how): return packer.compress(data) + packer.flush(how)
    begin, again = (packed(data, zlib.Z_FULL_FLUSH) for data in (JPEG_HEAD, block))
    for _ in range(megabytes): crc = zlib.crc32(block, crc)
    length = len(JPEG_HEAD) + megabytes*2**20
    return b"".join([gzip.compress(b"")[:10], begin, again*megabytes, packed(b"", zlib.Z_FINISH),
                     struct.pack("<II", crc, length)])


class Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def log_message(self, *args): pass

    def setup(self):
        super().setup()
        with self.server.lock: self.server.connections += 1

    def do_GET(self):
        url = urlsplit(self.path)
        with self.server.lock:
            self.server.asked[self.path] += 1
            self.server.flying += 1
            self.server.most = max(self.server.most, self.server.flying)
        self.first = self.server.asked[self.path] == 1
        _, kind, *rest = url.path.split("/")
        try:
            time.sleep(float(parse_qs(url.query).get("wait", [0])[0]))
            getattr(self, "do_" + kind.replace("-", "_"), self.do_missing)(*rest)
        except OSError: self.close_connection = True  # the client hung up, as it should
        finally:
            with self.server.lock: self.server.flying -= 1

    def reply(self, body=b"", code=200, length=None, **headers):
        self.send_response(code)
        for k, v in {"Content-Type": "image/jpeg",
                     "Content-Length": len(body) if length is None else length, **headers}.items():
            self.send_header(k.replace("_", "-"), str(v))
        self.end_headers()
        self.wfile.write(body)

    # what works
    def do_good(self, i="0"): self.reply(picture(int(i)))
    def do_same(self, i="0"): self.reply(SAME)
    def do_octet(self, i="0"): self.reply(picture(int(i)), Content_Type="application/octet-stream")
    def do_nolength(self, i="0"):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(picture(int(i)))
        self.close_connection = True
    def do_zipped(self, i="0"): self.reply(gzip.compress(picture(int(i))), Content_Encoding="gzip")
    def do_hops(self, n):
        if int(n) == 0: return self.reply(picture(777))
        self.reply(code=302, Location=f"/hops/{int(n)-1}")

    # what works the second time
    def do_busy(self, i): self.reply(code=429, Retry_After=1) if self.first else self.do_good(i)
    def do_later(self, i): self.reply(code=503, Retry_After=1) if self.first else self.do_good(i)
    def do_heals(self, i): self.reply(code=500) if self.first else self.do_good(i)
    def do_wishes(self, i):
        if not self.first: return self.do_good(i)
        said = parse_qs(urlsplit(self.path).query)
        self.reply(code=429, Retry_After=said["after"][0], **({"Date": said["date"][0]} if "date" in said else {}))
    def do_paced(self, i):
        "So many a second are allowed, and no more"
        with self.server.lock:
            self.server.second[int(time.monotonic())] += 1
            over = self.server.second[int(time.monotonic())] > self.server.pace
        self.reply(code=429, Retry_After=1) if over else self.do_good(i)
    def do_reset(self, i): self.do_resets() if self.first else self.do_good(i)
    def do_cutonce(self, i): self.do_truncated() if self.first else self.do_good(i)

    # what never works
    def do_missing(self, *_): self.reply(b"<html>nothing here", 404)
    def do_gone(self): self.reply(code=410)
    def do_forbidden(self): self.reply(code=403)
    def do_broken(self): self.reply(code=500)
    def do_overloaded(self, *_): self.reply(code=429, Retry_After=3600)
    def do_tired(self, *_): self.reply(code=429, Retry_After=0)
    def do_html(self, *_): self.reply(b"<!DOCTYPE html><html><body>Please log in" + b" " * 600)
    def do_svg(self): self.reply(b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>')
    def do_json(self): self.reply(b'{"error": "no such picture"}')
    def do_empty(self): self.reply()
    def do_text(self): self.reply(b"hello" * 200)
    def do_truncated(self, *_):
        self.reply(picture(1)[:-200], length=len(picture(1)))
        self.close_connection = True
    def do_short(self, *_):
        self.reply(picture(2), length=len(picture(2)) - 200)
        self.close_connection = True
    def do_resets(self, *_):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
    def do_hang(self, *_): time.sleep(60)
    def do_drip(self, *_):
        self.reply(JPEG_HEAD, length=10**6)
        while True:
            self.wfile.write(b"\0")
            time.sleep(.1)
    def do_drip_head(self, *_):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            self.wfile.write(b"z")
            time.sleep(.1)
    def do_endless(self, *_):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(JPEG_HEAD)
        while True: self.wfile.write(bytes(2**16))
    def do_bomb(self): self.reply(gzip_bomb(), Content_Encoding="gzip")
    def do_notgzip(self): self.reply(b"this is not gzip" * 50, Content_Encoding="gzip")
    def do_large(self): self.reply(JPEG_HEAD, length=10**10)
    def do_vast(self): self.reply(vast(), Content_Type="image/png")
    def do_loop(self): self.reply(code=301, Location="/loop")
    def do_to(self, *where): self.reply(code=302, Location=parse_qs(urlsplit(self.path).query)["url"][0])
    def do_endless_redirect(self):
        self.send_response(302)
        self.send_header("Location", "/good/5")
        self.send_header("Connection", "close")
        self.end_headers()
        while True: self.wfile.write(bytes(2**16))
    def do_optout(self, *_):
        self.send_response(200)
        for tag in parse_qs(urlsplit(self.path).query)["tag"]: self.send_header("X-Robots-Tag", tag)
        self.send_header("Content-Length", str(len(picture(3))))
        self.end_headers()
        self.wfile.write(picture(3))
    def do_sample(self, kind, i, fault=""): self.reply(sample_picture(kind, int(i), fault=fault))


class RoughWeb(ThreadingHTTPServer):
    "The server as a context manager: `asked` counts requests by path, `connections` and `most` (at once) what it saw"
    daemon_threads, block_on_close, request_queue_size = True, False, 512

    def __init__(self, address="127.0.0.1"):
        super().__init__((address, 0), Handler)
        self.asked, self.lock, self.connections, self.flying, self.most = Counter(), threading.Lock(), 0, 0, 0
        self.second, self.pace = Counter(), 100  # requests to /paced in each second, and how many are allowed
        self.host = f"{address}:{self.server_port}"
        self.url = f"http://{self.host}"

    def handle_error(self, request, client_address): pass  # clients hang up on us all the time

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs=dict(poll_interval=.05), daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.shutdown()
        self.server_close()


# ---- picture files as people have them, and as no decoder likes them

def saved(im, kind="JPEG", **kwargs) -> bytes:
    "A picture as a file"
    im.save(out := io.BytesIO(), kind, **kwargs)
    return out.getvalue()


def scene(size=(320, 240), seed=1):
    "A soft pattern of colours, another one for each `seed`"
    small = np.random.default_rng(seed).integers(0, 255, (9, 9, 3), "uint8")
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@functools.cache
def few_colours():
    "The scene in sixteen colours: to choose them takes longer than to do anything with it"
    return scene().quantize(16)


def put(data, at, *new) -> bytes:
    "Bytes written over those at a place"
    return data[:at] + (piece := b"".join(new)) + data[at+len(piece):]


def noise(n, seed=0) -> bytes: return np.random.default_rng(seed).bytes(n)


def png_chunk(kind, body) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks, base=None) -> bytes:
    "A PNG with more chunks behind its header"
    data = base or saved(scene(), "PNG")
    return data[:33] + b"".join(png_chunk(*c) for c in chunks) + data[33:]


def film() -> bytes: return b"\0\0\0\x18ftypmp42" + noise(8_000_000)  # has the marker of a scan in it 120 times


def exif_block(value=6, kind=3, count=1, offset=8, order="<") -> bytes:
    "An EXIF block with one entry, which way is up"
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(order + "IH", offset, 1) + struct.pack(order + "HHIHHI", 0x0112, kind, count, value, 0, 0)


def jpeg_with(kind, body, base=None) -> bytes:
    "A JPEG with one more segment in front"
    data = base or saved(scene())
    return data[:2] + bytes([255, kind]) + struct.pack(">H", len(body) + 2) + body + data[2:]


def frame_of(data) -> int: return re.search(rb"\xff[\xc0\xc2]", data).start()


def jpeg_of_size(w, h, **kwargs) -> bytes:
    "A JPEG that says it is `w`×`h`; what is not there is grey"
    data = saved(scene(), **kwargs)
    return put(data, frame_of(data) + 5, struct.pack(">HH", h, w))


def four_to_one() -> bytes:
    "A JPEG with a colour for four pixels in a row (4:1:1), from one with a colour for two by two"
    data = saved(scene((256, 256)), subsampling=2)
    at = frame_of(data)
    return put(put(data, at + 5, struct.pack(">HH", 128, 512)), at + 11, b"\x41")


def ycck() -> bytes:
    "Three inks as brightness and colour, as Photoshop writes them"
    inks = np.dstack([255 - np.asarray(Image.fromarray(255 - np.asarray(scene())).convert("YCbCr")),
                      np.zeros((240, 320), "uint8")])
    data = saved(Image.frombytes("CMYK", (320, 240), inks.astype("uint8").tobytes()), quality=95)
    return put(data, data.index(b"Adobe") + 11, b"\2")


@lru_cache(maxsize=1)
def arithmetic() -> bytes:
    "48×32, arithmetic coding"
    return b64decode(
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsjHBYWICwgIyYnKSopGR8tMC0o"
        "MCUoKSj/2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCj/yQARCAAgADAD"
        "ASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD/AF3ZyWizgER1Ad03kruAS9Man7nJnqMc9SuSrTqfYyJIl6sOo8yQ026cydHgDdbi"
        "4RcN8Xxk/XpxgAdyhO9II6urdZkTs0MF8Dokuh2xF4FNpSPlIIZ5nft3PYJJUrwCamEBnZ9CuKGFMVRKuQf+Sq4wGLPn78P0YcaqLLdPXRzMdSst"
        "O9cffqhu0LULwTwabwzh1rzzA4D/2Q==")


def grey(low, high) -> Image.Image:
    "A grey picture of 16 bits that uses the levels from `low` to `high`"
    values = np.asarray(scene().convert("L")).astype(float)
    values = (values - values.min())/np.ptp(values)
    return Image.fromarray((low + values*(high - low)).round().astype("uint16"))


def deep(top, channels=3, clear=False):
    "The colours of the scene (or its greys) in 16 bits, of which the levels up to `top` are used: h×w×channels"
    values = np.asarray(scene() if channels == 3 else scene().convert("L")).reshape(240, 320, channels)/255*top
    return np.dstack([values, np.full((240, 320), top)] if clear else [values]).round().astype("uint16")


def deep_png(values) -> bytes:
    "A PNG of 16 bits a channel"
    h, w, n = values.shape
    head = struct.pack(">II5B", w, h, 16, {2: 4, 3: 2, 4: 6}[n], 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in values))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*c) for c in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b"")))


def deep_tiff(values, order="<", packed=False) -> bytes:
    "A TIFF of 16 bits a channel"
    h, w, n = values.shape
    data = values.astype(order + "u2").tobytes()
    data = zlib.compress(data) if packed else data
    bits = 8 + len(data) + len(data) % 2
    entries = [(256, 4, 1, w), (257, 4, 1, h), (258, 3, n, bits), (259, 3, 1, 8 if packed else 1), (262, 3, 1, 2),
               (273, 4, 1, 8), (277, 3, 1, n), (278, 4, 1, h), (279, 4, 1, len(data)), (284, 3, 1, 1)]
    table = b"".join(struct.pack(order + ("HHIHH" if kind == 3 and count == 1 else "HHII"), tag, kind, count, value,
                                 *([0] if kind == 3 and count == 1 else [])) for tag, kind, count, value in entries)
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, bits + 2*n)
    return b"".join([head, data, bytes(len(data) % 2), struct.pack(order + f"{n}H", *[16]*n),
                     struct.pack(order + "H", len(entries)), table, bytes(4)])


def one_luminance() -> Image.Image:
    "Two colours that are the same grey"
    im = Image.new("RGB", (320, 240), (200, 0, 0))
    im.paste((0, 102, 0), (0, 0, 160, 240))
    return im


def tiff(mode="RGB", **kwargs) -> bytes: return saved(scene().convert(mode), "TIFF", **kwargs)


def tiff_with(*entries, of=None) -> bytes:
    "A TIFF whose first page has more entries (tag, kind, count, value), or other values of those that it has"
    data = of or tiff()
    at, = struct.unpack_from("<I", data, 4)
    n, = struct.unpack_from("<H", data, at)
    old = {struct.unpack_from("<H", data, i)[0]: data[i:i+12] for i in range(at + 2, at + 2 + 12*n, 12)}
    old |= {e[0]: struct.pack("<HHII", *e) for e in entries}
    table = struct.pack("<H", len(old)) + b"".join(old[tag] for tag in sorted(old)) + bytes(4)
    pad = bytes(len(data) % 2)
    return put(data, 4, struct.pack("<I", len(data + pad))) + pad + table


def webp_still(**kwargs) -> bytes: return saved(scene(), "WEBP", **kwargs)


def bmp_runs(w, h, body) -> bytes:
    "A BMP with run lengths"
    head = struct.pack("<IiiHHIIiiII", 40, w, h, 1, 8, 1, len(body), 0, 0, 256, 0)
    palette = b"".join(bytes([i, i, i, 0]) for i in range(256))
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(body), 0, 0, 54 + 1024) + head + palette + body


def gif_with(blocks, **kwargs) -> bytes:
    "A GIF with more blocks in front of its first frame"
    data = saved(few_colours(), "GIF", **kwargs)
    at = 13 + (3 << (data[10] & 7) + 1)
    return data[:at] + blocks + data[at:]


def big_frame() -> bytes:
    "A GIF whose frame is larger than its screen"
    data = saved(few_colours(), "GIF")
    return put(data, 6, struct.pack("<HH", 100, 100))


def srgb(n) -> bytes:
    "A colour profile of `n` bytes"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return put(profile, 0, struct.pack(">I", n)) + noise(n - len(profile))


def with_profile(n) -> bytes: return png_with((b"iCCP", b"mine\0\0" + zlib.compress(srgb(n))))


def scan_bomb(scans=400) -> bytes:
    "A progressive JPEG that sends the same scan over and over: small to store, minutes to decode"
    data = saved(Image.effect_noise((1600, 1600), 90).convert("L"), progressive=True, quality=30)
    cuts = [m.start() for m in re.finditer(rb"\xff\xda", data)]
    return data[:cuts[1]] + data[cuts[1]:cuts[2]]*scans + data[cuts[1]:]


def at_a_restart() -> bytes:
    "A JPEG with restart markers that ends before one of them, with nothing begun"
    data = saved(scene(), restart_marker_rows=1)
    return data[:[m.start() for m in re.finditer(rb"\xff[\xd0-\xd7]", data)][4]]


SHOWN = {  # name → what makes a sound file: each is a picture of 320×240, unless its name says more
    "motion photo": lambda: saved(scene()) + film(),
    "progressive motion photo": lambda: saved(scene(), progressive=True) + film(),
    "JPEG and zeros": lambda: saved(scene()) + bytes(3_000_000),
    "no end marker": lambda: saved(scene())[:-2],
    "half an end marker": lambda: saved(scene())[:-1],
    "progressive, no end marker": lambda: saved(scene(), progressive=True)[:-2],
    "restart markers, no end marker": lambda: saved(scene(), restart_marker_rows=1)[:-2],
    "two pictures in a JPEG (MPO)": lambda: saved(scene(), "MPO", save_all=True, append_images=[scene((99, 99), 2)]),
    "JPEG with 3 MB of notes": lambda: functools.reduce(
        lambda d, i: jpeg_with(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + noise(60_000, i), d),
        range(50),
        saved(scene()),
    ),
    "EXIF of noise": lambda: jpeg_with(0xE1, b"Exif\0\0" + noise(500)),
    "EXIF with a wrong offset": lambda: jpeg_with(0xE1, b"Exif\0\0" + exif_block(offset=4_000_000_000)),
    "EXIF with no such way up": lambda: jpeg_with(0xE1, b"Exif\0\0" + exif_block(value=77)),
    "EXIF with a text for the way up": lambda: jpeg_with(0xE1, b"Exif\0\0" + exif_block(kind=2, count=70_000)),
    "EXIF cut off": lambda: jpeg_with(0xE1, b"Exif\0\0II*\0\x08\0"),
    "empty EXIF": lambda: jpeg_with(0xE1, b"Exif\0\0"),
    "4:1:1, 512×128": four_to_one,
    "4:4:4": lambda: saved(scene(), subsampling=0),
    "YCCK": ycck,
    "CMYK": lambda: saved(scene().convert("CMYK")),
    "arithmetic, 48×32": arithmetic,
    "filling in front of a marker": lambda: saved(scene())[:2] + b"\xff" * 3_000 + saved(scene())[2:],
    "filling before the end": lambda: saved(scene())[:-2] + b"\xff" * 300_000 + b"\xff\xd9",
    "50 megapixels, 8192×6144": lambda: jpeg_of_size(8192, 6144),
    "108 megapixels, 12000×9000": lambda: jpeg_of_size(12000, 9000),
    "200 megapixels, 16320×12240": lambda: jpeg_of_size(16320, 12240),
    "progressive, 12 megapixels, 4000×3000": lambda: jpeg_of_size(4000, 3000, progressive=True),
    "PNG with 2 MB of text": lambda: png_with((b"tEXt", b"prompt\0" + b"a bird " * 300_000)),
    "PNG with packed text": lambda: png_with((b"zTXt", b"x\0\0" + zlib.compress(bytes(20_000_000)))),
    "PNG with 90 MB of packed texts": lambda: png_with(*[(b"zTXt", b"x\0\0" + zlib.compress(bytes(900_000)))] * 100),
    "PNG with international text": lambda: png_with((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"x" * 2_000_000)),
    "PNG with a profile of 2 MB": lambda: with_profile(2_000_000),
    "JPEG with a profile of 600 kB": lambda: saved(scene(), icc_profile=srgb(600_000)),
    "PNG with a damaged profile": lambda: png_with((b"iCCP", b"x\0\0" + noise(999))),
    "PNG with a damaged EXIF": lambda: png_with((b"eXIf", noise(99))),
    "PNG with a wrong checksum of a text": lambda: put(png_with((b"tEXt", b"a\0b")), 33 + 8 + 3, b"????"),
    "PNG and more": lambda: saved(scene(), "PNG") + noise(5000),
    "PNG without its end": lambda: saved(scene(), "PNG")[:-12],
    "animated PNG": lambda: saved(scene(), "PNG", save_all=True, append_images=[scene(seed=2)]),
    "grey, 8 bits of 16": lambda: saved(grey(0, 255), "PNG"),
    "grey, 10 bits of 16": lambda: saved(grey(0, 1023), "PNG"),
    "grey, 12 bits of 16": lambda: saved(grey(0, 4095), "PNG"),
    "grey, 16 bits": lambda: saved(grey(0, 65535), "PNG"),
    "grey, of a camera for warmth": lambda: saved(grey(29_000, 31_000), "PNG"),
    "colours, 8 bits of 16": lambda: deep_png(deep(255)),
    "colours, 10 bits of 16": lambda: deep_png(deep(1023)),
    "colours, 12 bits of 16": lambda: deep_png(deep(4095)),
    "colours, 16 bits": lambda: deep_png(deep(65535)),
    "colours, 12 bits of 16, with clear parts": lambda: deep_png(deep(4095, clear=True)),
    "grey, 12 bits of 16, with clear parts": lambda: deep_png(deep(4095, 1, clear=True)),
    "TIFF, colours, 12 bits of 16": lambda: deep_tiff(deep(4095)),
    "TIFF, colours, 12 bits of 16, by another order": lambda: deep_tiff(deep(4095), ">"),
    "TIFF, Deflate, colours, 10 bits of 16": lambda: deep_tiff(deep(1023), packed=True),
    "digit of 28 pixels, 28×28": lambda: saved(scene((28, 28)), "PNG"),
    "dark, stripes": lambda: saved(scene().point(lambda v: v//28), "PNG"),
    "two colours of one luminance, stripes": lambda: saved(one_luminance(), "PNG"),
    "PNG of 1 bit": lambda: saved(scene().convert("1"), "PNG"),
    "PNG with a palette": lambda: saved(scene().quantize(7), "PNG", transparency=3),
    "GIF without its end": lambda: saved(few_colours(), "GIF")[:-1],
    "GIF with comments": lambda: gif_with(b"!\xfe\5hello\0" * 3000 + b"\0\0"),
    "GIF with a large note": lambda: gif_with(b"!\xff\x0bXMP DataXMP" + (b"\xff" + b"x" * 255) * 2000 + b"\0"),
    "animated GIF": lambda: saved(few_colours(), "GIF", save_all=True, append_images=[scene(seed=2)]),
    "GIF with a frame beyond its screen": big_frame,
    "TIFF": tiff,
    "TIFF, grey": lambda: tiff("L"),
    "TIFF of 1 bit": lambda: tiff("1"),
    "TIFF, palette": lambda: tiff("P"),
    "TIFF, CMYK": lambda: tiff("CMYK"),
    "TIFF with clear parts": lambda: tiff("RGBA"),
    "TIFF, LZW": lambda: tiff(compression="tiff_lzw"),
    "TIFF, Deflate": lambda: tiff(compression="tiff_adobe_deflate"),
    "TIFF, PackBits": lambda: tiff(compression="packbits"),
    "TIFF, JPEG": lambda: tiff(compression="jpeg"),
    "TIFF, fax": lambda: tiff("1", compression="group4"),
    "TIFF, 10 bits of 16": lambda: saved(grey(0, 1023), "TIFF"),
    "TIFF, fractions": lambda: saved(scene().convert("F"), "TIFF"),
    "TIFF, 32 bits": lambda: saved(Image.fromarray(np.asarray(grey(0, 60_000)).astype("int32")), "TIFF"),
    "BigTIFF": lambda: tiff(big_tiff=True),
    "BigTIFF, LZW": lambda: tiff(big_tiff=True, compression="tiff_lzw"),
    "TIFF of three pages": lambda: tiff(save_all=True, append_images=[scene((99, 99), 2), scene((50, 50), 3)]),
    "TIFF with 60,000 notes": lambda: tiff_with(*[(40_000 + i % 20_000, 7, 9_000_000, 8) for i in range(60_000)]),
    "TIFF with EXIF": lambda: tiff(exif=(lambda e: (e.update({0x010F: "maker"}), e)[1])(Image.Exif())),
    "WebP": webp_still,
    "WebP of 24 megapixels, 6000×4000": lambda: saved(Image.new("RGB", (6000, 4000)), "WEBP", quality=0, method=0),
    "WebP, lossless": lambda: webp_still(lossless=True),
    "WebP and more": lambda: webp_still() + noise(99),
    "WebP with clear parts": lambda: saved(scene().convert("RGBA"), "WEBP"),
    "animated WebP": lambda: webp_still(save_all=True, append_images=[scene(seed=2)]),
    "WebP with a damaged EXIF": lambda: webp_still(exif=noise(99)),
    "AVIF": lambda: saved(scene(), "AVIF"),
    "AVIF of the general kind": lambda: put(saved(scene(), "AVIF"), 8, b"mif1"),
    "animated AVIF": lambda: saved(scene(), "AVIF", save_all=True, append_images=[scene(seed=2)]),
    "BMP": lambda: saved(scene(), "BMP"),
    "BMP from above": lambda: put(saved(ImageOps.flip(scene()), "BMP"), 22, struct.pack("<i", -240)),
    "BMP with run lengths, stripes": lambda: bmp_runs(
        320, 240, b"".join(bytes([160, y, 160, 255 - y, 0, 0]) for y in range(240))
    ),
}

UPRIGHT = {  # name → the scene held sideways, with a note that says so
    f"{kind} sideways": functools.partial(
        saved, scene().transpose(Image.Transpose.ROTATE_90), kind, exif=b"Exif\0\0" + exif_block()
    )
    for kind in ("JPEG", "PNG", "WEBP", "AVIF")
} | {
    "TIFF sideways": lambda: tiff_with(
        (274, 3, 1, 6), of=saved(scene().transpose(Image.Transpose.ROTATE_90), "TIFF")
    ),
    "JPEG sideways, by another order": lambda: jpeg_with(
        0xE1, b"Exif\0\0" + exif_block(order=">"), saved(scene().transpose(Image.Transpose.ROTATE_90))
    ),
}

CUT, HURT, SORT = "cut off: only a part", "is damaged", "not read here"
REFUSED = {  # name → what makes a file that is none, and what the reason says
    "half a JPEG": (lambda: saved(scene())[:4000], CUT),
    "half a progressive JPEG": (lambda: saved(scene(), progressive=True)[:4000], CUT),
    "JPEG without its last row": (lambda: saved(scene())[:-120], CUT),
    "JPEG that ends at a restart marker": (at_a_restart, CUT),
    "half a motion photo's picture": (lambda: saved(scene())[:3000], CUT),
    "JPEG, header only": (lambda: saved(scene())[:20], CUT),
    "JPEG with bytes in front": (lambda: b"\r\n" + saved(scene()), "not a picture of a kind we know"),
    "JPEG without height": (lambda: jpeg_of_size(320, 0), "damaged: it says that its picture has 320×0 pixels"),
    "JPEG of 12 bits": (lambda: put(saved(scene()), frame_of(saved(scene())) + 4, b"\x0c"), f"{HURT}|{SORT}"),
    "lossless JPEG": (lambda: put(saved(scene()), frame_of(saved(scene())), b"\xff\xc3"), f"{HURT}|{SORT}"),
    "JPEG with odd sampling": (lambda: put(saved(scene()), frame_of(saved(scene())) + 11, b"\0"), HURT),
    "progressive, 200 megapixels": (
        lambda: jpeg_of_size(16320, 12240, progressive=True),
        r"takes about 690 MB to decode, more than 500; save it smaller",
    ),
    "scan bomb": (scan_bomb, "more than 100 scans"),
    "150,000 markers": (
        lambda: saved(scene())[:2] + b"\xff\xfe\0\2" * 150_000 + saved(scene())[2:],
        "more than 100,000 parts",
    ),
    "half a PNG": (lambda: saved(scene(), "PNG")[:5000], CUT),
    "PNG without pixels": (lambda: png_with()[:33] + png_chunk(b"IEND", b""), HURT),
    "PNG of no size": (
        lambda: (
            b"\x89PNG\r\n\x1a\n"
            + png_chunk(b"IHDR", bytes(8) + b"\x08\2\0\0\0")
            + png_chunk(b"IDAT", b"")
            + png_chunk(b"IEND", b"")
        ),
        HURT,
    ),
    "150,000 chunks": (
        lambda: png_with()[:33] + png_chunk(b"tEXt", b"a\0b") * 150_000 + png_with()[33:],
        "more than 100,000 parts",
    ),
    "half a GIF": (lambda: saved(few_colours(), "GIF")[:2000], CUT),
    "GIF of comments only": (lambda: gif_with(b"!\xfe\5hello\0" * 50_000), "more than 100,000 parts"),
    "half a WebP": (lambda: webp_still()[:500], f"{CUT}|{HURT}"),
    "WebP of 16384×16384": (
        lambda: put(webp_still(exif=b"x"), 24, b"\xff\x3f\0" * 2),
        "takes about 5370 MB",
    ),
    "half an AVIF": (lambda: saved(scene(), "AVIF")[:600], f"{CUT}|{HURT}"),
    "half a BMP": (lambda: saved(scene(), "BMP")[:5000], CUT),
    "BMP with slow run lengths": (
        lambda: bmp_runs(7000, 7000, b"\0\0" * 8_000_000),
        r"BMP of 7000×7000 takes about 42 seconds to decode, more than 20",
    ),
    "half a TIFF": (lambda: tiff()[:5000], CUT),
    "half a TIFF, LZW": (lambda: tiff(compression="tiff_lzw")[:5000], f"{CUT}|{HURT}"),
    "TIFF compressed in another way": (
        lambda: tiff_with((259, 3, 1, 50000)),
        r"a TIFF compressed in a way not read here \(50000\); save it as PNG",
    ),
    "TIFF of raw pixels": (lambda: tiff_with((262, 3, 1, 32803)), "a camera's raw file"),
    "TIFF that is a preview": (lambda: tiff_with((254, 4, 1, 1)), "a camera's raw file"),
    "DNG": (lambda: tiff_with((50706, 1, 4, 1)), "a camera's raw file"),
    "TIFF with a strip of 4 GB": (lambda: tiff_with((279, 4, 1, 2**32 - 1), of=tiff(compression="tiff_lzw")), HURT),
    "TIFF of no size": (lambda: tiff_with((256, 4, 1, 0)), HURT),
    "TIFF of 4 billion rows": (lambda: tiff_with((257, 4, 1, 2**32 - 1)), "takes about|has a side of more than"),
    "CR2": (lambda: b"II*\0\x10\0\0\0CR\2\0" + bytes(99), "a camera's raw file"),
    "CR3": (lambda: b"\0\0\0\x18ftypcrx " + bytes(99), "a camera's raw file"),
    "film": (film, "a video"),
    "PDF": (lambda: b"%PDF-1.7", "a PDF"),
    "Photoshop": (lambda: b"8BPS\0\1" + bytes(99), "Photoshop"),
    "JPEG XL": (lambda: b"\xff\x0a" + bytes(99), "JPEG XL"),
    "JPEG 2000": (lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99), "JPEG 2000"),
    "zip": (lambda: b"PK\x03\x04" + bytes(99), "zip"),
    "EPS": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture"),
    "BLP": (lambda: b"BLP2" + bytes(280), "not a picture"),
    "FLI": (lambda: bytes(4) + b"\x11\xaf" + bytes(200), "not a picture"),
    "icon": (lambda: saved(scene(), "ICO"), "not a picture"),
    "PPM": (lambda: saved(scene(), "PPM"), "not a picture"),
    "web page": (lambda: b"<!DOCTYPE html><html></html>", "a web page"),
    "empty": (lambda: b"", "empty"),
    "zeros": (lambda: bytes(1000), "not a picture"),
}

SHOWN, UPRIGHT = ({name: functools.cache(make) for name, make in some.items()} for some in (SHOWN, UPRIGHT))
REFUSED = {name: (functools.cache(make), why) for name, (make, why) in REFUSED.items()}


# ---- by dice

def bitten(data, dice):
    "Bytes with some changed, a piece cut out, doubled, or the end cut off"
    raw, n = bytearray(data), dice.randint(1, 6)
    for _ in range(n): raw[dice.randrange(len(raw))] = dice.randrange(256)
    at, length = dice.randrange(len(raw)), dice.randrange(1, 200)
    how = dice.random()
    if how < 0.2: del raw[at:at + length]
    elif how < 0.3: raw[at:at] = raw[at:at + length]
    elif how < 0.4: del raw[at:]
    return bytes(raw)


def lied(data, dice):
    "A picture with some bytes changed, most of them in its head, or numbers that are out of the question put there"
    raw = bytearray(bitten(data, dice) if dice.random() < 0.4 else data)
    for _ in range(dice.randint(0, 8)):
        if not raw: break
        at = dice.randrange(min(len(raw), dice.choice([64, 700, 10**6])))
        value = dice.choice([bytes([dice.randrange(256)]), b"\xff\xff", b"\xff"*4, b"\x7f" + b"\xff"*3, bytes(4)])
        raw[at:at + len(value)] = value
    return bytes(raw)
