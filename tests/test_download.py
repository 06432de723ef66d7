"""Downloading from a web that misbehaves: good pictures arrive, others get a reason, nothing leaves this machine."""
import errno
import itertools
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest
from roughpictures import RoughWeb, gzip_bomb, picture, vast

from birdornot.core import DatasetError
from birdornot.download import RUNS, Fetcher, Refused, download_images
from birdornot.hits import Hit
from birdornot.ledger import Ledger, reason_kind

CONNECTS = []  # every address this process connects to
NO_NETWORK = threading.Event()  # while it is set, no connection can be made
COUNT = itertools.count(1)  # numbers them
OUTAGES = set()  # numbers of the connections with which the network goes


def _listen(event, args):
    if event != "socket.connect" or isinstance(args[1], (str, bytes)): return
    CONNECTS.append(args[1][0])
    if next(COUNT) in OUTAGES: NO_NETWORK.set()
    if NO_NETWORK.is_set(): raise OSError(errno.ENETUNREACH, "Network is unreachable")
    if not args[1][0].startswith("127."): raise ConnectionRefusedError(errno.ECONNREFUSED, "the tests use no network")


sys.addaudithook(_listen)


@pytest.fixture
def web():
    with RoughWeb() as w: yield w


def fetch(web, dest, *paths, **kwargs):
    "Download `paths` of the rough web → path → row"
    hits = [Hit("bird", web.url + p if p.startswith("/") else p, source="urls") for p in paths]
    done = download_images(dest, hits, progress=False, **{"allow_hosts": [web.host], "per_host": 100, **kwargs})
    return {r["image_url"].removeprefix(web.url): r for r in done.rows}


def reason(web, dest, path, **kwargs): return fetch(web, dest, path, **kwargs)[path]["reason"]


# ---- what is good arrives

GOOD = ["/good/1", "/good/7", "/octet/2", "/nolength/3", "/zipped/4",
        "/hops/5", "/busy/5", "/later/6", "/heals/8", "/reset/9",
        "/cutonce/10", "/good/11?w=1&x=a%20b", "/optout/?tag=otherbot:%20noai", "/optout/?tag=all"]


def test_good_pictures_arrive_whatever_the_server_does_first(web, tmp_path):
    rows = fetch(web, tmp_path, *GOOD)
    assert {p: r["reason"] for p, r in rows.items() if r["status"] != "downloaded"} == {}
    for r in rows.values():
        data = (tmp_path/r["file"]).read_bytes()
        assert len(data) == r["bytes"] and r["file"].endswith((".png", ".jpg"))
    assert (tmp_path/rows["/octet/2"]["file"]).read_bytes() == picture(2)
    assert (tmp_path/rows["/zipped/4"]["file"]).read_bytes() == picture(4)
    assert rows["/good/7"]["file"].endswith(".png")  # the server called it a JPEG


def test_retry_after_is_respected(web, tmp_path):
    start = time.monotonic()
    fetch(web, tmp_path, "/busy/1")
    assert time.monotonic() - start >= 1
    assert web.asked["/busy/1"] == 2


def test_our_own_drawings_are_waited_for_longer_than_a_site(monkeypatch):
    from requests.adapters import HTTPAdapter
    patience = []

    def send(self, request, timeout=None, **kwargs):
        patience.append(timeout)
        raise ConnectionError

    monkeypatch.setattr(HTTPAdapter, "send", send)
    with Fetcher(allow_hosts=["localhost"]) as fetcher:
        for address in ("sample://bird/1/0.jpg", "http://localhost/1.jpg"):
            with pytest.raises(ConnectionError): fetcher.get(address)
    assert patience == [30, (6, 6)]


def test_what_only_opening_can_tell_is_told_then(web, tmp_path):
    "A body longer than it was announced, and a picture of 20,000 x 20,000 pixels in 50 kB"
    from birdornot.clean import clean_images
    vast()  # it takes seconds to make, in which a site that is asked for it seems to have stopped answering
    rows = fetch(web, tmp_path, "/short/1", "/vast", "/good/1")
    assert {r["status"] for r in rows.values()} == {"downloaded"}
    clean_images(tmp_path, workers=1, progress=False)
    with Ledger(tmp_path) as ledger: after = {r["image_url"].removeprefix(web.url): r["reason"] for r in ledger.rows()}
    assert after["/good/1"] == "" and "20000×20000" in after["/vast"] and after["/short/1"], after


def test_same_bytes_are_stored_once(web, tmp_path):
    rows = fetch(web, tmp_path, "/same/1", "/same/2", "/same/3")
    assert len({r["file"] for r in rows.values()}) == 1 and len(rows) == 3
    assert len([*tmp_path.glob("originals/bird/*")]) == 1


# ---- what is not gets a reason

BLOCKED = "leads to a private address, blocked for safety; to permit it, download with allow_hosts=…"
BAD = {
    "/missing": "no longer there (404)", "/gone": "no longer there (410)",
    "/forbidden": "the site refuses programs (403)",
    "/broken": "the server failed (500)", "/html": "a web page, not a picture", "/svg": "an SVG drawing, not a photo",
    "/json": "data (JSON), not a picture", "/empty": "empty", "/text": "not a picture of a kind we know",
    "/truncated": "the connection broke off", "/resets": "the connection broke off", "/bomb": "larger than 25 MB",
    "/endless": "larger than 25 MB", "/large": "larger than 25 MB",
    "/notgzip": "damaged on the way: cannot be decompressed",
    "/loop": "more than 5 redirects", "/hops/6": "more than 5 redirects",
    "/to?url=http://169.254.169.254/latest/meta-data/":
        BLOCKED,
    "/to?url=http://127.0.0.1:1/": BLOCKED,
    "/to?url=file:///etc/passwd": "redirects to something that is not an http or https address",
    "/to?url=sample://pictures/42/bird/0000.jpg": "redirects to something that is not an http or https address",
    "/to?url=http://a:b@127.0.0.1/": "the address holds a user name or password",
    "/optout/?tag=noai": "the site asks not to use it (X-Robots-Tag: noai)",
    "/optout/?tag=nofollow,noimageai": "the site asks not to use it (X-Robots-Tag: noimageai)",
    "/optout/?tag=googlebot:%20all&tag=noindex": "the site asks not to use it (X-Robots-Tag: noindex)",
    "/overloaded": "the site asks us to slow down (429); try again later",
}


def test_every_failure_has_its_reason(web, tmp_path):
    "Threat: opt-outs and licences"
    gzip_bomb()  # it takes seconds to make, in which a site that is asked for it seems to have stopped answering
    rows = fetch(web, tmp_path, *BAD)
    assert {p: r["reason"] for p, r in rows.items()} == BAD
    # nothing half is left
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and not p.name.startswith("ledger")]
    assert web.asked["/missing"] == web.asked["/forbidden"] == 1  # asking again cannot help
    assert web.asked["/broken"] == web.asked["/resets"] == 3


def test_optout_can_be_waived_by_who_has_asked(web, tmp_path):
    assert fetch(web, tmp_path, "/optout/?tag=noai", optout=False)["/optout/?tag=noai"]["status"] == "downloaded"


@pytest.mark.parametrize("path", ["/drip", "/drip-head", "/hang", "/endless-redirect"])
def test_no_answer_outlives_the_deadline(web, tmp_path, path):
    "Threat: an endless, dripping or zip-bomb body"
    start = time.monotonic()
    r = fetch(web, tmp_path, path, deadline=1)[path]
    assert time.monotonic() - start < 3
    assert r["reason"] == "took longer than 1 second" or path == "/endless-redirect"


def test_endless_bodies_cost_little_memory(web, tmp_path):
    "Threat: an endless, dripping or zip-bomb body"
    import resource
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fetch(web, tmp_path, *(f"/{kind}?{i}" for kind in ("endless", "bomb") for i in range(8)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # kB, the server's share included


def test_absurd_times_to_wait_are_bounded(web, tmp_path):
    "A number of 5,000 digits, and a year ahead by a clock that is right while ours was set back"
    ahead = "Fri, 01 Jan 2100 00:00:0{} GMT"
    dated = f"/wishes/2?after={quote(ahead.format(1))}&date={quote(ahead.format(0))}"
    paths = f"/wishes/1?after={'9'*5000}", dated, f"/wishes/3?after={quote(ahead.format(1))}", "/wishes/4?after=%C2%B2"
    start = time.monotonic()
    assert {r["status"] for r in fetch(web, tmp_path, *paths).values()} == {"downloaded"}
    assert time.monotonic() - start < 6


@pytest.mark.parametrize("pace,n,refused", [(4, 20, 16), (80, 240, 30)])
def test_the_pace_of_a_host_is_learned_and_none_of_its_pictures_lost(web, tmp_path, pace, n, refused):
    "All pictures lie on one host, which asks to wait a second where more than `pace` a second are wanted"
    web.pace = pace
    start = time.monotonic()
    rows = fetch(web, tmp_path, *(f"/paced/{i}" for i in range(n)), per_host=8)
    assert Counter(r["status"] for r in rows.values()) == {"downloaded": n}
    assert sum(web.asked.values()) <= n + refused
    assert time.monotonic() - start < n/pace + 7


def test_a_host_that_drips_is_given_up(web, tmp_path):
    rows = fetch(web, tmp_path, *(f"/drip/{i}" for i in range(40)), per_host=8, deadline=1, max_wait=.1)
    assert {r["reason"] for r in rows.values()} == {"took longer than 1 second"} and len(rows) == 40
    assert sum(web.asked.values()) < 20


def test_a_host_that_never_recovers_is_given_up(web, tmp_path):
    rows = fetch(web, tmp_path, *(f"/tired/{i}" for i in range(60)), per_host=2, workers=4)
    assert {r["reason"] for r in rows.values()} == {"the site asks us to slow down (429); try again later"}
    assert len(rows) == 60
    assert sum(web.asked.values()) < 20


def test_a_closed_port_is_given_up(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{s.getsockname()[1]}"
    hits = [Hit("bird", f"http://{host}/{i}") for i in range(50)]
    done = download_images(tmp_path, hits, per_host=2, allow_hosts=[host], progress=False)
    assert done.reasons == {"the site cannot be reached": 50}


# ---- nothing private is ever connected to

HOSTILE = """http://127.0.0.1/ http://127.1/ http://127.0.0.1:22/ http://2130706433/ http://0x7f000001/
http://0177.0.0.1/ http://0x7f.1/ http://0/ http://0.0.0.0/ http://localhost/ http://LOCALHOST:80/
http://localhost./ http://[::1]/ http://[::]/ http://[::ffff:127.0.0.1]/ http://[::ffff:7f00:1]/
http://[::127.0.0.1]/ http://[64:ff9b::7f00:1]/ http://[fe80::1]/ http://[fc00::1]/ http://[fd00:ec2::254]/
http://[ff02::1]/ http://[2002:7f00:1::]/ http://169.254.169.254/latest/meta-data/ http://2852039166/
http://[::ffff:a9fe:a9fe]/ http://10.0.0.1/ http://172.16.0.1/ http://192.168.1.1/ http://100.64.0.1/
http://100.100.100.200/ http://192.0.0.192/ http://168.63.129.16/ http://224.0.0.1/ http://255.255.255.255/
http://198.18.0.1/ http://user:pass@127.0.0.1/ http://user@example.com/ http://example.com@127.0.0.1/
http://127.0.0.1\\@example.com/ http://example.com#@127.0.0.1/ file:///etc/passwd file://localhost/etc/passwd
FILE:///etc/passwd ftp://127.0.0.1/x gopher://127.0.0.1/ data:image/png;base64,iVBORw0KGgo= javascript:alert(1)
dict://127.0.0.1:11211/ jar:http://127.0.0.1!/ //127.0.0.1/ /etc/passwd 127.0.0.1 http:127.0.0.1 http:/127.0.0.1
http:///127.0.0.1 http:// http://[::1 http://[x]/ http://127.0.0.1:99999/ http://127.0.0.1:-1/ http://①②⑦.⓪.⓪.①/
http://127。0。0。1/ http://\x00127.0.0.1/ http://a..b/ http://%31%32%37.0.0.1/ ://""".split() + ["",
" ", "http://127.0.0.1 /",
                                          "http://" + "a" * 300 + "/", "ht\ntp://127.0.0.1/"]


@pytest.fixture
def names(monkeypatch):
    "A resolver of our own: name → addresses, one for each time it is asked; other names as the system says, offline"
    real, table = socket.getaddrinfo, {"example.com": ["93.184.215.14"]}

    def resolve(host, port, *args, **kwargs):
        if isinstance(table.get(host), int): raise socket.gaierror(table[host], "no answer")
        if host in table:
            addr = table[host].pop(0) if len(table[host]) > 1 else table[host][0]
            return [(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port or 0))
                    for a in addr.split()]
        if host and host.strip("[].").replace(".", "").isalpha() and host.lower().rstrip(".") != "localhost":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return table


def private(): return [a for a in CONNECTS if a != "93.184.215.14"]


def test_no_hostile_address_leads_to_a_connection(names, tmp_path):
    "Threat: an address leads to a private place, or `file:`"
    CONNECTS.clear()
    done = download_images(tmp_path, [Hit("bird", u) for u in HOSTILE], progress=False)
    assert len(done.rows) == len({*HOSTILE}) and all(r["status"] == "failed" and r["reason"] for r in done.rows)
    assert not [r for r in done.rows if "foresee" in r["reason"]]
    assert private() == []


# every range that is not the public internet: this network, private, shared (CGNAT), loopback, link-local, cloud
# metadata (Amazon, Google, Azure, Alibaba, Oracle), protocol, documentation, benchmarking, multicast, reserved,
# broadcast
V4 = """0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.254 100.64.0.1 100.127.255.254 100.100.100.200 127.0.0.1 127.255.255.254
168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.254 192.0.0.1 192.0.0.192 192.0.2.1
192.88.99.1 192.168.0.1 192.168.255.254 198.18.0.1 198.19.255.254 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250
240.0.0.1 255.255.255.255""".split()
V6 = """:: ::1 100::1 2001:db8::1 3fff::1 4000::1 5f00::1 fe80::1 febf::1 fec0::1 fc00::1 fd00::1 fd00:ec2::254
fd20:ce::254 ff00::1 ff02::1 ff05::1:3""".split()
# IPv4 in IPv6 dress: mapped, compatible, translated, NAT64 (well-known and local), 6to4, Teredo
DRESSES = ["::ffff:{0}", "::ffff:{1}", "::{1}", "::ffff:0:{1}", "64:ff9b::{1}",
           "64:ff9b:1::{1}", "2002:{1}::1", "2001:0:{1}::1"]


def dressed(address):
    a, b, c, d = map(int, address.split("."))
    return [form.format(address, f"{a:02x}{b:02x}:{c:02x}{d:02x}") for form in DRESSES]


NOT_PUBLIC = [*V4, *V6, *dict.fromkeys(d for a in V4 for d in dressed(a))]


@pytest.mark.parametrize("way", ["in the address", "by redirect", "by DNS",
                                 "by DNS beside a public one", "by DNS the second time"])
def test_what_is_not_public_is_never_connected_to(names, web, way):
    "Threat: an address leads to a private place, or `file:`"
    with Fetcher(allow_hosts=[web.host]) as fetcher:
        for i, a in enumerate(NOT_PUBLIC):
            plain = f"http://[{a}]/x" if ":" in a else f"http://{a}/x"
            names[f"evil{i}.example"] = dict(zip(["by DNS", "by DNS beside a public one", "by DNS the second time"],
                                                 [[a], [f"93.184.215.14 {a}"], ["93.184.215.14", a]])).get(way, [])
            url = {"in the address": plain,
                   "by redirect": f"{web.url}/to?url={plain}"}.get(way, f"http://evil{i}.example/x")
            for _ in range(1 + (way == "by DNS the second time")):
                CONNECTS.clear()
                with pytest.raises(Refused) as e: fetcher.get(url)
                public = "the site cannot be reached"  # the one public address of this test, which does not answer
                assert e.value.reason in (BLOCKED, public if "the second" in way
                                          or "beside" in way else BLOCKED), (a, e.value.reason)
                assert {*CONNECTS} <= {"93.184.215.14", "127.0.0.1" if way == "by redirect" else ""}, (a, CONNECTS)
            assert e.value.reason == BLOCKED or "beside" in way, a


def test_rebinding_between_check_and_connection(names, web):
    """Threat: an address leads to a private place, or `file:`.

    The name is private at the second look; the connection goes to the address of the first look, or nowhere."""
    names["evil.example"] = ["93.184.215.14", "127.0.0.1"]
    CONNECTS.clear()
    with Fetcher() as fetcher, pytest.raises(Refused): fetcher.get(f"http://evil.example:{web.server_port}/good/1")
    assert CONNECTS == ["93.184.215.14"] and not web.asked


def test_an_allowed_host_does_not_open_others(web):
    with Fetcher(allow_hosts=[web.host]) as fetcher, RoughWeb() as other:
        assert fetcher.get(web.url + "/good/1") == picture(1)
        for url in (other.url + "/good/1", web.url + f"/to?url={other.url}/good/1"):
            with pytest.raises(Refused, match="private"): fetcher.get(url)
        assert not other.asked


def test_the_environment_cannot_redirect_us(web, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", web.url)
    monkeypatch.setenv("ALL_PROXY", web.url)
    with Fetcher() as fetcher, pytest.raises(Refused, match="private"): fetcher.get("http://10.0.0.1/")
    assert not web.asked


def test_we_say_who_we_are_and_keep_no_cookies(web):
    seen = []
    from roughpictures import Handler
    class Nosy(Handler):
        def do_good(self, i="0"):
            seen.append(dict(self.headers))
            self.reply(picture(1), Set_Cookie="track=me")
    web.RequestHandlerClass = Nosy
    with Fetcher(allow_hosts=[web.host]) as fetcher:
        for _ in range(2): fetcher.get(web.url + "/good/1")
    assert "+https://github.com/birdornot" in seen[0]["User-Agent"]
    assert not {"Cookie", "X-Forwarded-For", "Referer", "Authorization"} & {*seen[1]}


def test_a_file_address_is_read_only_for_a_hit_of_a_folder(tmp_path):
    "Threat: an address leads to a private place, or `file:`"
    (tmp_path/"x.jpg").write_bytes(picture(1))
    url = (tmp_path/"x.jpg").as_uri()
    rows = download_images(tmp_path/"d",
                           [Hit("a", url, source="folder"), Hit("b", url, source="urls"),
                            Hit("c", url, source="bing")]).rows
    assert {r["label"]: r["status"] for r in rows} == {"a": "downloaded", "b": "failed", "c": "failed"}


@pytest.mark.parametrize("term",
                         ["../../evil", "/etc", "..", ".", "", "con", "a/b\\c", "-rf", "x" * 300, "\0", ".quarantine",
                          "originals", ".htaccess", "C:\\x", "aux.jpg", "nul", "LPT1", "~", "x.", "x ", "%2e%2e%2fx",
                          "\u202egnp.x", "x\ny", "../ledger.sqlite", "‥／x"])
def test_no_label_leaves_the_dataset(tmp_path, web, term):
    "Threat: labels and titles as paths"
    r, = download_images(tmp_path/"d/e", [Hit(term, web.url + "/good/1", title=term)], allow_hosts=[web.host]).rows
    file = (tmp_path/"d/e"/r["file"]).resolve()
    assert file.is_file() and file.parent.parent == (tmp_path/"d/e/originals").resolve()


# ---- politeness and speed

def test_hosts_get_their_share_and_no_more(tmp_path):
    with RoughWeb() as a, RoughWeb("127.0.0.2") as b:
        hits = [Hit("x", f"{w.url}/good/{i}?wait=.05") for w in (a, b) for i in range(40)]
        done = download_images(tmp_path, hits, per_host=5, allow_hosts=[a.host, b.host], progress=False)
        assert Counter(r["status"] for r in done.rows) == {"downloaded": 80}
        assert (a.most, b.most) == (5, 5)
        assert a.connections <= 10  # they are used again


FEW = """
import resource, sys
from pathlib import Path
from birdornot.download import download_images
from birdornot.hits import Hit
limit, dest, port = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_NOFILE, (int(limit), int(limit)))
hosts = [f"127.0.3.{i}:{port}" for i in range(1, 151)]
hits = [Hit("bird", f"http://{hosts[i % 150]}/good/{i}?wait=.1") for i in range(240)]
print(download_images(dest, hits, allow_hosts=hosts, progress=False))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs many loopback addresses")
@pytest.mark.parametrize("limit", [64, 256])
def test_few_open_files_are_enough(tmp_path, limit):
    "240 addresses on 150 hosts, whose connections are kept to be used again"
    with RoughWeb("0.0.0.0") as web:
        command = [sys.executable, "-c", FEW, str(limit), str(tmp_path), str(web.server_port)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stdout == "240 downloaded, 0 failed\n", done.stderr
        assert sum(web.asked.values()) == 240 and web.most > limit/8


def test_a_hundred_in_flight(web, tmp_path):
    start = time.monotonic()
    rows = fetch(web, tmp_path, *(f"/good/{i}?wait=.5" for i in range(256)), per_host=128)
    assert {r["status"] for r in rows.values()} == {"downloaded"}
    assert web.most >= 100 and time.monotonic() - start < 12


# ---- nothing is lost

SCRIPT = """
import sys
from birdornot.download import download_images
from birdornot.hits import Hit
url, dest, host = sys.argv[1:]
print("go", flush=True)
download_images(dest, [Hit("bird", f"{url}/good/{i}?wait=.05") for i in range(150)], per_host=8, allow_hosts=[host])
"""


def start(web, dest):
    p = subprocess.Popen([sys.executable, "-c", SCRIPT, web.url, str(dest), web.host],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    p.stdout.readline()
    return p


def until(ready, seconds=20):
    "Wait until `ready()`"
    end = time.monotonic() + seconds
    while not ready() and time.monotonic() < end: time.sleep(.01)
    assert ready()


def test_kill_and_resume(web, tmp_path):
    "Threat: lost work"
    for n in (20, 55, 100):
        p = start(web, tmp_path)
        until(lambda n=n: sum(web.asked.values()) >= n)
        p.kill()
        p.communicate()
    p = start(web, tmp_path)
    assert p.wait(30) == 0, p.communicate()[1]
    with Ledger(tmp_path) as ledger: rows = ledger.rows()
    assert Counter(r["status"] for r in rows) == {"downloaded": 150}
    assert all((tmp_path/r["file"]).stat().st_size == r["bytes"] for r in rows)
    assert sum(web.asked.values()) <= 150 + 3*8 and max(web.asked.values()) <= 4  # only those in flight came twice


def test_ctrl_c_ends_at_once_and_keeps_what_came(web, tmp_path):
    p = start(web, tmp_path)
    until(lambda: sum(web.asked.values()) >= 40)
    p.send_signal(signal.SIGINT)
    begin = time.monotonic()
    _, err = p.communicate(timeout=10)
    assert time.monotonic() - begin < 3 and p.returncode != 0 and "KeyboardInterrupt" in err
    with Ledger(tmp_path) as ledger: n = ledger.counts()["bird"]
    assert 0 < n["downloaded"] < 150 and n["downloaded"] + n["found"] == 150
    assert not (tmp_path/"unfinished").exists() and not [*tmp_path.glob("ledger.sqlite-*")]


def test_ctrl_c_does_not_wait_for_a_server_that_hangs(web, tmp_path):
    code = SCRIPT.replace("/good/{i}?wait=.05", "/hang/{i}")
    p = subprocess.Popen([sys.executable, "-c", code, web.url, str(tmp_path), web.host],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    until(lambda: web.flying >= 8)
    p.send_signal(signal.SIGINT)
    begin = time.monotonic()
    p.wait(10)
    assert time.monotonic() - begin < 3


def test_retry_failed(web, tmp_path):
    fetch(web, tmp_path, "/good/1", "/missing")
    assert fetch(web, tmp_path, "/missing") == {}
    assert {p: r["status"] for p, r in fetch(web, tmp_path, retry_failed=True).items()} == {"/missing": "failed"}


def test_what_failed_for_a_reason_of_the_moment_is_tried_again_by_itself_but_not_for_ever(web, tmp_path):
    first = fetch(web, tmp_path, "/heals/1", "/broken", "/missing", "/html", tries=1)
    assert first["/heals/1"]["reason"] == first["/broken"]["reason"] == "the server failed (500)"
    assert {p: r["status"] for p, r in fetch(web, tmp_path, tries=1).items()} == {
        "/heals/1": "downloaded", "/broken": "failed"}
    for _ in range(RUNS): fetch(web, tmp_path, tries=1)
    assert web.asked["/broken"] == RUNS and web.asked["/missing"] == web.asked["/html"] == 1
    assert {*fetch(web, tmp_path, retry_failed=True, tries=1)} == {"/broken", "/missing", "/html"}


def test_a_time_to_wait_holds_for_the_next_run_too(web, tmp_path, monkeypatch):
    fetch(web, tmp_path, "/overloaded/1")
    assert fetch(web, tmp_path) == {} and web.asked["/overloaded/1"] == 1
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    assert [*fetch(web, tmp_path)] == ["/overloaded/1"]
    monkeypatch.setattr(time, "time", lambda: now - 400*86_400)  # the clock was set back
    assert [*fetch(web, tmp_path)] == ["/overloaded/1"]


def test_the_result_says_what_the_next_run_tries_again(web, tmp_path):
    hits = [Hit("bird", web.url + p) for p in ("/broken", "/missing", "/good/1")]
    done = download_images(tmp_path, hits, allow_hosts=[web.host], tries=1, progress=False)
    assert "2 failed" in repr(done) and "the next run tries 1 of them again" in repr(done)
    assert "tries 1 of these again" in done._repr_markdown_()


def test_what_a_limit_forbade_is_tried_again_when_the_limit_is_another_one(web, tmp_path):
    paths = "/good/1", "/hops/3", "/optout/?tag=noai"
    first = fetch(web, tmp_path, *paths, max_bytes=100, max_redirects=2)
    assert {r["status"] for r in first.values()} == {"failed"}
    assert fetch(web, tmp_path, max_bytes=100, max_redirects=2) == {}
    assert [*fetch(web, tmp_path, max_redirects=2)] == ["/good/1"]
    assert [*fetch(web, tmp_path)] == ["/hops/3"]
    again = fetch(web, tmp_path, optout=False)
    assert {p: r["status"] for p, r in again.items()} == {"/optout/?tag=noai": "downloaded"}


def test_what_was_private_is_tried_again_when_its_host_is_allowed(web, tmp_path):
    assert fetch(web, tmp_path, "/good/1", allow_hosts=())["/good/1"]["reason"] == BLOCKED
    assert fetch(web, tmp_path, allow_hosts=()) == fetch(web, tmp_path, allow_hosts=()) == {}
    assert fetch(web, tmp_path)["/good/1"]["status"] == "downloaded"


def test_every_reason_is_of_the_kind_that_it_should_be():
    moment = {p for p, said in BAD.items() if reason_kind(said) == "moment"}
    limit = {p for p, said in BAD.items() if reason_kind(said) == "limit"}
    assert moment == {"/broken", "/truncated", "/resets", "/overloaded"}
    assert limit == {p for p in BAD if p.startswith(("/optout", "/to?url=http://1", "/loop", "/hops"))} - {
        "/to?url=http://a:b@127.0.0.1/"} | {"/bomb", "/endless", "/large"}


def test_dead_dns_loses_nothing(names, web, tmp_path, capsys):
    "The names cannot be looked up; the next run fetches all, and the failed runs do not count"
    alive = {f"h{i}.example.": ["127.0.0.1"] for i in range(12)}
    hits = [Hit("bird", f"http://h{i % 12}.example.:{web.server_port}/good/{i}") for i in range(60)]
    hosts = [f"{h}:{web.server_port}" for h in alive]
    for _ in range(RUNS+1):
        names.update(dict.fromkeys(alive, socket.EAI_AGAIN))
        done = download_images(tmp_path, hits, allow_hosts=hosts, max_wait=.3, progress=False)
        assert [reason_kind(r) for r in done.reasons] == ["moment"]*len(done.reasons)
        assert sum(done.reasons.values()) == 60 == done.again
    assert "the network is gone" in capsys.readouterr().err
    names.update(alive)
    assert repr(download_images(tmp_path, allow_hosts=hosts, progress=False)) == "60 downloaded, 0 failed"


OUTAGE = """
import fcntl, socket, struct, sys, threading, time
sys.path[:0] = sys.argv[2:]
from roughpictures import RoughWeb
from birdornot.download import download_images
from birdornot.hits import Hit

def turn(up):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x49 if up else 0x48))

def outage():
    while sum(web.asked.values()) < 200: time.sleep(.01)
    turn(False)
    time.sleep(3)
    turn(True)

turn(True)
with RoughWeb("0.0.0.0") as web:
    hosts = [f"127.0.0.{i}:{web.server_port}" for i in range(1, 21)]
    hits = [Hit("bird", f"http://{hosts[i % 20]}/good/{i}?wait=.05") for i in range(600)]
    threading.Thread(target=outage, daemon=True).start()
    print(download_images(sys.argv[1], hits, allow_hosts=hosts, progress=False))
"""


def test_three_seconds_without_network_lose_nothing(tmp_path):
    "In a network of its own, whose one device is switched off meanwhile"
    import birdornot
    paths = [str(Path(__file__).parent), str(Path(birdornot.__file__).parents[1])]
    command = ["unshare", "-rn", sys.executable, "-c", OUTAGE, str(tmp_path), *paths]
    done = subprocess.run(command, capture_output=True, text=True)
    if "unshare" in done.stderr: pytest.skip("no private networks here: " + done.stderr.strip())
    assert done.stdout == "600 downloaded, 0 failed\n", done.stderr


def test_a_network_that_is_gone_is_noticed_waited_for_and_told(tmp_path, monkeypatch):
    "It goes with the hundredth connection, and comes back when its absence is reported"
    told = []
    def say(stage, text):
        told.append(text.partition(":")[0])
        NO_NETWORK.clear()
    monkeypatch.setattr("birdornot.download.say", say)
    with RoughWeb("0.0.0.0") as web:
        hosts = [f"127.0.0.{i}:{web.server_port}" for i in range(1, 21)]
        hits = [Hit("bird", f"http://{hosts[i % 20]}/nolength/{i}?wait=.02") for i in range(400)]  # each connects anew
        OUTAGES.add(next(COUNT) + 100)
        done = download_images(tmp_path, hits, allow_hosts=hosts, progress=False)
    assert repr(done) == "400 downloaded, 0 failed" and told == ["the network is gone", "the network is back"]


def test_dead_sites_are_no_dead_network(tmp_path, capsys):
    "Five hosts at which nobody listens, and one that answers, slowly and last"
    with RoughWeb() as web:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            dead = [f"127.0.4.{i}:{s.getsockname()[1]}" for i in range(5)]
        hits = [Hit("bird", f"http://{h}/{i}") for i in range(4) for h in dead]
        hits += [Hit("bird", f"{web.url}/good/{i}?wait=.2") for i in range(9)]
        done = download_images(tmp_path, hits, allow_hosts=[*dead, web.host], per_host=2, max_wait=4, progress=False)
    assert done.reasons == {"the site cannot be reached": 20}
    assert "network" not in capsys.readouterr().err


FULL = """
import sys
from birdornot.download import download_images
from birdornot.core import DiskFull
from birdornot.hits import Hit
url, dest, host = sys.argv[1:]
try: download_images(dest, [Hit("bird", f"{url}/sample/bird/{i}") for i in range(60)], per_host=4, allow_hosts=[host])
except DiskFull as e: print(e)
"""


def test_full_disk(web, tmp_path):
    "A file system of one megabyte, mounted where only this test sees it"
    inner = (f"mount -t tmpfs -o size=1m tmpfs {tmp_path} && {sys.executable} "
             f"-c '{FULL}' {web.url} {tmp_path}/d {web.host}; ls -R {tmp_path}/d/originals/bird")
    done = subprocess.run(["unshare", "-rm", "sh", "-c", inner], capture_output=True, text=True)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no private mounts here: " + done.stderr.strip())
    assert "is full; free some space" in done.stdout, done.stderr
    assert done.stdout.count(".jpg") > 5  # what had come stayed


def test_a_ledger_on_a_full_disk_or_locked_is_told_apart_from_a_damaged_one(tmp_path):
    (tmp_path/"ledger.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(DatasetError, match="damaged"): download_images(tmp_path)
    assert (tmp_path/"ledger.sqlite").read_bytes().startswith(b"no database")


def test_two_at_once_do_not_break_the_ledger(web, tmp_path):
    ps = [start(web, tmp_path) for _ in range(2)]
    assert [p.wait(30) for p in ps] == [0, 0]
    with Ledger(tmp_path) as ledger: assert ledger.counts() == {"bird": {"downloaded": 150}}
    assert sqlite3.connect(tmp_path/"ledger.sqlite").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_it_runs_inside_an_event_loop(web, tmp_path):
    import asyncio
    async def cell(): return fetch(web, tmp_path, "/good/1")
    assert asyncio.run(cell())["/good/1"]["status"] == "downloaded"


BAR = """
from birdornot.download import download_images
from birdornot.hits import Hit
hits = [Hit("bird", "{url}/" + p + "?wait=.3") for p in ("good/1", "good/2", "missing", "good/3")]
done = download_images("{dest}", hits, allow_hosts=["{host}"])
"""


def test_a_notebook_shows_the_bar_and_the_table(web, tmp_path):
    "In a real kernel, whose event loop is running"
    from jupyter_client.manager import start_new_kernel
    manager, client = start_new_kernel(kernel_name="python3")
    shown = []
    def hear(msg):
        shown.append(str(msg["content"].get("data") or msg["content"].get("text")
                         or msg["content"].get("traceback", "")))
    try:
        client.execute_interactive(BAR.format(dest=tmp_path, url=web.url, host=web.host) + "done",
                                   timeout=60, output_hook=hear)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    text = "\n".join(shown)
    assert all(part in text for part in ("download ", "/4 pictures", "failed=", "pictures/s")), text
    assert "| bird | 3 | 1 |" in text


def test_a_terminal_shows_done_failed_and_rate(web, tmp_path):
    pty = pytest.importorskip("pty", exc_type=ImportError)  # not on Windows
    import fcntl
    import struct
    import termios
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    code = BAR.format(dest=tmp_path, url=web.url, host=web.host)
    assert subprocess.run([sys.executable, "-c", code], stderr=theirs, timeout=60).returncode == 0
    text = os.read(ours, 65536)
    os.close(ours)
    os.close(theirs)
    assert all(part in text for part in (b"/4 pictures", b"failed=", b"pictures/s")), text
    assert not text.split(b"\r")[-2].strip(), "at the end it gives its place to what is printed"


def test_leftovers_of_a_killed_run_go(web, tmp_path):
    old = tmp_path/"unfinished/1-1"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"half a picture")
    os.utime(old, (0, 0))
    fetch(web, tmp_path, "/good/1")
    assert not old.exists()
