"""A web on this machine that serves pictures as badly as the real one: late, cut, endless, forged, or not at all."""
import gzip
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from birdornot.sample import sample_picture

JPEG_HEAD = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(600)


@lru_cache(maxsize=None)
def picture(i: int) -> bytes:
    "A small good JPEG, another one for each `i`"
    import io

    from PIL import Image
    im = Image.effect_noise((64, 48), 20 + i % 60).convert("RGB")
    im.putpixel((0, 0), (i % 256, i // 256 % 256, 99))
    out = io.BytesIO()
    im.save(out, "PNG" if i % 7 == 0 else "JPEG")
    return out.getvalue()


@lru_cache(maxsize=1)
def gzip_bomb(megabytes=300) -> bytes:
    "A gzip stream of some hundred kilobytes that becomes `megabytes` of a JPEG that never ends"
    packer, out = zlib.compressobj(9, zlib.DEFLATED, 31), [b""]
    out.append(packer.compress(JPEG_HEAD))
    block = bytes(2**20)
    for _ in range(megabytes): out.append(packer.compress(block))
    return b"".join([*out, packer.flush()])


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
    def do_same(self, i="0"): self.reply(picture(12345))
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
    def do_vast(self):
        import io

        from PIL import Image
        out = io.BytesIO()
        Image.new("1", (20_000, 20_000)).save(out, "PNG")
        self.reply(out.getvalue(), Content_Type="image/png")
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
        self.host = f"{address}:{self.server_port}"
        self.url = f"http://{self.host}"

    def handle_error(self, request, client_address): pass  # clients hang up on us all the time

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs=dict(poll_interval=.05), daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.shutdown()
        self.server_close()
