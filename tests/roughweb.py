"""The engines' half of a rough web: a loopback server that speaks the formats of four engines, and can misbehave.

It is a proxy that answers for the four hosts itself, with certificates of its own, so that the real `ddgs` client
(primp, TLS, HTML and JSON parsers) and the real `requests` are driven against it: only the addresses they connect to
are changed, by the usual environment variables. All content is invented.
"""

import gzip
import hashlib
import html
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import trustme

HOSTS = dict(
    duckduckgo="duckduckgo.com", bing="www.bing.com", openverse="api.openverse.org", commons="commons.wikimedia.org"
)
LICENCES = [("by", "2.0"), ("by-sa", "4.0"), ("by-nc", "2.0"), ("cc0", "1.0"), ("by-nc-nd", "2.0"), ("pdm", "1.0")]


def _vqd(query):
    return f"4-{int(hashlib.md5(query.encode()).hexdigest(), 16) % 10**30}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        "A client that hangs up is part of the game"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_CONNECT(self):
        host = self.path.rpartition(":")[0]
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.connection = self.request = self.server.web._context(host).wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self):
        web, host, parts = self.server.web, self.headers["Host"], urlsplit(self.path)
        source = {v: k for k, v in HOSTS.items()}.get(host)
        query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        web.log.append((source, parts.path, query))
        if source is None:
            return self._send(404, "text/plain", b"unknown host")
        mood = web._mood(source)
        if mood == "ok":
            return self._send(*getattr(web, f"_{source}")(parts.path, query, self.headers))
        (replies(mood, "text/html", PAGE) if isinstance(mood, int) else MOODS[mood])(self)

    def _send(self, status, kind, body, headers=()):
        self.send_response(status)
        for k, v in {"Content-Type": kind, "Content-Length": len(body), **dict(headers)}.items():
            self.send_header(k, str(v))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self):
        self.close_connection = True
        self.connection.close()

    def _wait(self, seconds):
        "Whether the test ended in these seconds"
        return self.server.web._closing.wait(seconds)


PAGE = b"<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>"


def replies(status, kind, body, headers=()):
    "A server that answers like this"
    return lambda handler: handler._send(status, kind, body, headers)


def bomb(handler):
    "Some kilobytes that become sixty megabytes"
    handler._send(200, "application/json", gzip.compress(b"x" * 60_000_000, 1), {"Content-Encoding": "gzip"})


def truncated(handler):
    handler._send(200, "application/json", b'{"results": [', {"Content-Length": 5000})
    handler._hang_up()


def hang(handler):
    handler._wait(20)
    handler._hang_up()


def drip(handler):
    "A byte ten times a second"
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler._wait(0.1):
        handler.wfile.write(b" ")


def drip_head(handler):
    "A header that does not end"
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler._wait(0.1):
        handler.wfile.write(b"z")


MOODS = {  # how a server misbehaves → what it does then with a request
    "limited": replies(429, "text/plain", b"slow down", {"Retry-After": 1}),
    "limited for long": replies(503, "text/plain", b"slow down", {"Retry-After": 3600}),
    "html": replies(200, "text/html", PAGE),
    "captcha": replies(200, "text/html", PAGE.replace(b"Welcome", b"Please solve the captcha")),
    "empty": replies(200, "text/html", b""),
    "huge": replies(200, "application/json", b'{"results": "' + b"x" * 8_000_000 + b'"}'),
    "nested": replies(200, "application/json", b"[" * 100_000),
    "bomb": bomb,
    "truncated": truncated,
    "reset": _Handler._hang_up,
    "hang": hang,
    "drip": drip,
    "driphead": drip_head,
}


class RoughEngines:
    "A loopback proxy behind which four engines have `n` pictures of each word but 'xyzzy', in the `moods` asked for"

    def __init__(
        self,
        n=130,  # pictures each engine has
        **moods,  # source → 'ok', a status, or one of `MOODS`; a list is used up in order, its last stays
    ):
        self.n, self.moods, self.log = n, {k: list(v) if isinstance(v, list) else [v] for k, v in moods.items()}, []
        self._closing, self._ca, self._contexts, self._lock = threading.Event(), trustme.CA(), {}, threading.Lock()
        self.openverse_left = 20

    def __enter__(self):
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.web = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs=dict(poll_interval=0.02), daemon=True).start()
        return self

    def __exit__(self, *exc):
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def environment(self, folder):
        "What sends `ddgs` and `requests` here; writes the certificate of the authority into `folder`"
        ca = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(ca)
        return dict(
            DDGS_PROXY=self.url,
            HTTPS_PROXY=self.url,
            https_proxy=self.url,
            NO_PROXY="",
            no_proxy="",
            PRIMP_CA_BUNDLE=str(ca),
            REQUESTS_CA_BUNDLE=str(ca),
        )

    def asked(self, source):
        return sum(s == source for s, *_ in self.log)

    def _context(self, host):
        with self._lock:
            if host not in self._contexts:
                self._contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._ca.issue_cert(host).configure_cert(self._contexts[host])
            return self._contexts[host]

    def _mood(self, source):
        with self._lock:
            moods = self.moods.get(source, ["ok"])
            return moods.pop(0) if len(moods) > 1 else moods[0]

    def _found(self, query):
        return 0 if "xyzzy" in query else self.n

    # The engines. DuckDuckGo: a page that hands out a token, and i.js, which wants it back
    def _duckduckgo(self, path, q, headers):
        word = q.get("q", "")
        if path == "/":
            return 200, "text/html", f'<html><script>vqd="{_vqd(word)}";</script></html>'.encode()
        if q.get("vqd") != _vqd(word):
            return 403, "text/html", b"If this persists, tell us"
        start, count = int(q.get("s", 0)), self._found(word)
        rows = [
            dict(
                height=900,
                width=1600,
                image=f"https://img.example.net/{word}/a%20{i}%2B.jpg",
                title=f"Picture {i}",
                thumbnail=f"https://tse1.mm.bing.net/th/id/OIP.{word}{i}?pid=Api",
                url=f"https://www.example.net/{i}",
                source="Bing",
                image_token="0",
                thumbnail_token="0",
            )
            for i in range(start, min(start + 100, count))
        ]
        more = (
            dict(next=f"i.js?q={word}&o=json&p=1&s={start + 100}&u=bing&f=,,,&l=us-en") if start + 100 < count else {}
        )
        reply = dict(
            ads=None, query=word, queryEncoded=word, response_type="places", results=rows, vqd={word: _vqd(word)}
        )
        return 200, "application/json", json.dumps(reply | more).encode()

    def _bing(self, path, q, headers):
        first, count, n = int(q["first"]) - 1, int(q["count"]), self._found(q["q"])
        first = min(first, max(0, n - count))  # past its end Bing repeats the last page
        rows = ""
        for i in range(first, min(first + count, n)):
            m = html.escape(
                json.dumps(
                    dict(
                        purl=f"https://www.example.net/{i}",
                        t=f"Picture {i}",
                        md5="0",
                        murl=f'https://cdn.example.com/{q["q"]}/{i}.jpg',
                        turl=f'https://ts2.mm.bing.net/th?id=OIP.{q["q"]}b{i}&pid=15.1',
                    )
                )
            )
            rows += (
                f'<li><div class="iuscp"><div class="imgpt"><a class="iusc" m="{m}"></a><div class="img_info hon">'
                '<span class="nowrap">1280 x 960 · jpeg</span><div class="lnkw"><a>example.net</a></div></div></div>'
                '<div class="infopt"></div></div></li>'
            )
        return 200, "text/html", f'<div class="dg_b"><ul>{rows}</ul></div>'.encode()

    # Openverse: at most 20 a page and 240 in all without a key, limits in headers
    def _openverse(self, path, q, headers):
        page, size = int(q.get("page", 1)), int(q.get("page_size", 20))
        def say(status, body, **h):
            return (status, "application/json", json.dumps(body).encode(), h)
        if size > 20:
            return say(401, dict(detail="page_size may not exceed 20 for anonymous requests"))
        if page * size > 240:
            return say(400, dict(detail="pagination depth exceeded"))
        self.openverse_left -= 1
        limits = {
            "X-RateLimit-Limit-anon_burst": "20/min",
            "X-RateLimit-Available-anon_burst": max(self.openverse_left, 0),
        }
        if self.openverse_left < 0:
            return say(429, dict(detail="Request was throttled."), **{"Retry-After": 60}, **limits)
        wanted = set(q["license"].split(",")) if "license" in q else None
        rows = [
            dict(
                id=str(i),
                title=f"Work {i}",
                url=f'https://photos.example.org/{q["q"]}/{i}.jpg',
                foreign_landing_url=f"https://photos.example.org/page/{i}",
                creator="example-account",
                width=1024,
                height=768,
                license=LICENCES[i % 6][0],
                license_version=LICENCES[i % 6][1],
                thumbnail=f'https://api.openverse.org/v1/images/{q["q"]}{i}/thumb/',
            )
            for i in range(self._found(q["q"]))
        ]
        rows = [r for r in rows if not wanted or r["license"] in wanted]
        body = dict(result_count=len(rows), page_count=min(12, -(-len(rows) // size)), page_size=size, page=page)
        return say(200, body | dict(results=rows[(page - 1) * size : page * size]), **limits)

    # Commons: who does not say who he is gets 403; the next page is asked for with what `continue` holds
    def _commons(self, path, q, headers):
        if "http" not in headers.get("User-Agent", ""):
            return 403, "text/plain", b"Please set a user-agent"
        start, word = int(q.get("gsroffset", 0)), q["gsrsearch"].split()[-1]
        end = min(start + int(q["gsrlimit"]), self._found(word))
        pages = [self._commons_page(word, i) for i in range(start, end)]
        reply = dict(query=dict(pages=pages[::-1])) if pages else {}
        if end < self._found(word):
            reply["continue"] = {"gsroffset": end, "continue": "gsroffset||"}
        return 200, "application/json", json.dumps(dict(batchcomplete=True) | reply).encode()

    def _commons_page(self, word, i):
        name, base = f"{word}_{i}.jpg", "https://upload.wikimedia.org/wikipedia/commons"
        meta = dict(
            LicenseShortName=dict(value="CC BY-SA 4.0"), Artist=dict(value='<a href="//example.org">Example user</a>')
        )
        info = dict(
            size=2_000_000,
            width=4000,
            height=3000,
            mime="image/jpeg",
            url=f"{base}/a/ab/{name}",
            thumburl=f"{base}/thumb/a/ab/{name}/960px-{name}",
            thumbwidth=960,
            thumbheight=720,
            descriptionurl=f"https://commons.wikimedia.org/wiki/File:{name}",
            extmetadata=meta,
        )
        return dict(pageid=i, ns=6, title=f"File:{name}", index=i + 1, imageinfo=[info])
