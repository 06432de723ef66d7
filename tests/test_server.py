"""Requests made to harm, one list for every page that we serve: each is refused in one line, and nothing changes."""
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
import tinymodel
from PIL import Image
from program import PROGRAM
from starlette.responses import Response
from starlette.routing import Route
from test_clean import HOSTILE, saved

from birdornot.app import AppServer
from birdornot.clean import clean_images
from birdornot.download import download_images
from birdornot.ledger import Ledger
from birdornot.review import ReviewServer
from birdornot.search import search_images
from birdornot.server import HEADERS, Limits, LocalServer

SECRET = "this file is of no business to anybody"
LIMITS = Limits(body=2_000_000, seconds=0.6)
PHOTO = saved(Image.new("RGB", (60, 40), (200, 100, 50)))
FILE, WORDS = "application/octet-stream", "application/json"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A dataset of two classes, one picture in quarantine, with a model in it, and a file beside it"
    folder = tmp_path_factory.mktemp("served")
    for label, colour in (("sunset", (240, 120, 20)), ("sea", (20, 90, 200))):
        (folder/"src"/label).mkdir(parents=True)
        for i in range(3):
            noise = Image.effect_noise((90, 60), 40 + 20*i).convert("RGB")
            Image.blend(noise, Image.new("RGB", noise.size, colour), 0.5).save(folder/"src"/label/f"{i}.jpg")
        download_images(folder/"set", search_images(label, n=9, source="folder", folder=folder/"src"), progress=False)
    (folder/"src"/"sea"/"small.png").write_bytes(saved(Image.new("RGB", (9, 9)), "PNG"))
    download_images(folder/"set", search_images("sea", n=9, source="folder", folder=folder/"src"), progress=False)
    clean_images(folder/"set", progress=False)
    tinymodel.folder(folder/"set"/"model")
    (folder/"beside.txt").write_text(SECRET)
    return folder/"set"


@pytest.fixture(scope="module")
def servers(made):
    "Both pages of one dataset, with limits that tests can wait for"
    app, review = AppServer(made/"model", made, limits=LIMITS), ReviewServer(made, who="tester", limits=LIMITS)
    with app, review: yield dict(serve=app, review=review)


@pytest.fixture(params=["serve", "review"])
def server(request, servers): return servers[request.param]


def send(server, data, wait=10):
    "Bytes to a server, in pieces with 0.1 seconds between; → status, head and body of the answer, 0 if there is none"
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as s:
        got = b""
        try:
            for i, piece in enumerate([data] if isinstance(data, bytes) else data):
                if i: time.sleep(0.1)
                s.sendall(piece)
            while more := s.recv(65536): got += more
        except ConnectionError: pass  # it was cut off while it was still talking
    head, _, body = got.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, head.decode("latin-1"), body


def request(server, path="", method="GET", body=b"", secret=None, **headers):
    "A request as the page sends it, with changes; a header of None is left out"
    ours = {"Host": f"127.0.0.1:{server.port}", "Connection": "close", "Content-Length": len(body)}
    if body: ours["Content-Type"] = FILE
    headers = ours | {k.replace("_", "-"): v for k, v in headers.items()}
    lines = [f"{k}: {v}" for k, v in headers.items() if v is not None]
    first = f"{method} /{server.secret if secret is None else secret}/{path} HTTP/1.1"
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1") + body


def snapshot(folder):
    "Every file in and beside a dataset, by its content; a ledger by its rows, as reading it moves its bytes"
    with Ledger(folder) as ledger: rows = ledger.rows()
    files = (f for f in folder.parent.rglob("*") if f.is_file() and "ledger.sqlite" not in f.name)
    return {f: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}, rows


def chunked(pieces):
    return [b"%x\r\n%s\r\n" % (len(p), p) for p in pieces]


def js(**values): return json.dumps(values).encode()


POST = dict(method="POST", Content_Type=WORDS)
OF_ALL = {  # name → status, and the arguments of `request`
    "foreign Host": (403, dict(Host="evil.example")),
    "foreign name that leads here": (403, dict(Host="127.0.0.1.evil.example")),
    "no port in Host": (403, dict(Host="127.0.0.1")),
    "another port in Host": (403, dict(Host="127.0.0.1:1")),
    "no Host": (400, dict(Host=None)),
    "foreign Origin": (403, dict(Origin="https://evil.example")),
    "Origin null": (403, dict(Origin="null")),
    "another localhost port as Origin": (403, dict(Origin="http://localhost:8888")),
    "an image tag elsewhere": (403, dict(Sec_Fetch_Site="cross-site", Sec_Fetch_Dest="image")),
    "another localhost page": (403, dict(Sec_Fetch_Site="same-site")),
    "no secret": (403, dict(secret="")), "a wrong secret": (403, dict(secret="A"*22)),
    "a secret that is no text": (403, dict(secret="%ff%00%ed%a0%80")),
    "..": (404, dict(path="../../beside.txt")), "many ..": (404, dict(path="../"*20 + "etc/passwd")),
    "encoded ..": (404, dict(path="%2e%2e/%2e%2e/beside.txt")),
    "twice encoded": (404, dict(path="%252e%252e%252fbeside.txt")),
    "backslashes": (404, dict(path="..\\..\\beside.txt")), "encoded slashes": (404, dict(path="..%2f..%2fbeside.txt")),
    "absolute path": (404, dict(path="/etc/passwd")), "drive": (404, dict(path="C:/Windows/win.ini")),
    "file address": (404, dict(path="file:///etc/passwd")), "NUL": (404, dict(path="index.html%00.jpg")),
    "the ledger": (404, dict(path="ledger.sqlite")), "the model": (404, dict(path="model/model.onnx")),
    "source of the page": (404, dict(path="server.py")), "UTF-8 that is none": (404, dict(path="%ff%fe")),
    "writing a file": (405, dict(path="index.html", method="PUT", body=b"x")),
    "deleting": (405, dict(path="index.html", method="DELETE")), "no method": (405, dict(method="OWL")),
    "OPTIONS": (405, dict(method="OPTIONS")),
    "huge body": (413, dict(POST, body=b" "*2_100_000)),
    "said to be huge": (413, dict(POST, Content_Length=10**12)),
    "compressed": (415, dict(POST, body=b"x", Content_Encoding="gzip")),
    "no length": (400, dict(POST, Content_Length="many")), "negative length": (400, dict(POST, Content_Length=-1)),
    "two lengths": (400, dict(POST, Content_Length="1\r\nContent-Length: 2")),
    "less than was said": (408, dict(POST, body=b"", Content_Length=9))}
OF_SERVE = {
    "a form": (415, dict(path="answer", method="POST", body=b"photo=/etc/passwd",
                         Content_Type="application/x-www-form-urlencoded")),
    "a form with a file": (415, dict(path="answer", method="POST", body=b"--x", Content_Type="multipart/form-data")),
    "a path for a photo": (409, dict(path="answer", method="POST", body=b"/etc/passwd")),
    "an address for a photo": (409, dict(path="answer", method="POST", body=b"http://127.0.0.1:9/x.jpg")),
    "no photo": (409, dict(path="answer", method="POST", Content_Type=FILE)),
    "unknown label": (409, dict(path="feedback?label=moon", method="POST", body=PHOTO)),
    "label that is a path": (409, dict(path="feedback?label=../../beside", method="POST", body=PHOTO)),
    "label that is no text": (409, dict(path="feedback?label=%ff%00", method="POST", body=PHOTO)),
    "empty label": (409, dict(path="feedback?label=", method="POST", body=PHOTO)),
    "no label": (400, dict(path="feedback", method="POST", body=PHOTO)),
    "a correction that is no photo": (409, dict(path="feedback?label=sea", method="POST", body=b"<html>")),
    "undo of what nobody said": (409, dict(POST, path="undo", body=js(id=1))),
    "undo of text": (400, dict(POST, path="undo", body=js(id="1"))),
    "undo of the impossible": (409, dict(POST, path="undo", body=js(id=2**80))),
    "undo as a form": (415, dict(path="undo", method="POST", body=b"id=1", Content_Type="text/plain")),
    "a question without a photo": (404, dict(path="answer"))}
OF_REVIEW = {
    "no JSON": (400, dict(POST, path="api/decide", body=b"milk, bread")),
    "JSON that is no text": (400, dict(POST, path="api/decide", body=b'"\xff\xfe"')),
    "a list": (400, dict(POST, path="api/decide", body=b"[1]")),
    "nested": (400, dict(POST, path="api/decide", body=b"["*100_000)),
    "a number too long to read": (400, dict(POST, path="api/decide", body=b'{"id": ' + b"9"*9000 + b"}")),
    "SQL": (400, dict(POST, path="api/decide", body=js(id="1; DROP TABLE pictures", action="keep"))),
    "true for a number": (400, dict(POST, path="api/decide", body=js(id=True, action="keep"))),
    "no such picture": (409, dict(POST, path="api/decide", body=js(id=2**80, action="discard"))),
    "no such decision": (409, dict(POST, path="api/decide", body=js(id=1, action="\ud800"))),
    "unknown label": (409, dict(POST, path="api/decide", body=js(id=1, action="move", label="moon"))),
    "label that is a path": (409, dict(POST, path="api/decide", body=js(id=1, action="move", label="../../x"))),
    "label that is no text": (409, dict(POST, path="api/decide", body=js(id=1, action="move", label="\ud800"))),
    "move to nowhere": (400, dict(POST, path="api/decide", body=js(id=1, action="move", label=None))),
    "undo of text": (400, dict(POST, path="api/undo", body=js(decision="1"))),
    "undo of nothing": (409, dict(POST, path="api/undo", body=js(decision=9**20))),
    "a decision as a form": (415, dict(path="api/decide", method="POST", body=js(id=1, action="discard"),
                                       Content_Type="text/plain")),
    "a decision by a link": (404, dict(path="api/decide?id=1&action=discard")),
    "a picture by its path": (404, dict(path="img/../../beside.txt")),
    "a picture by its encoded path": (404, dict(path="img/..%2f..%2fbeside.txt")),
    "a picture of a large number": (404, dict(path="img/" + "9"*5000)),
    "a picture of a negative number": (404, dict(path="img/-1")),
    "no such list": (409, dict(path="api/queue?view=../labels")),
    "a list that is no text": (409, dict(path="api/queue?view=%ff")),
    "offset that is none": (400, dict(path="api/queue?offset=1e9")),
    "offset of many digits": (400, dict(path="api/queue?offset=" + "9"*5000))}
CASES = [(page, name) for page in ("serve", "review") for name in OF_ALL]
CASES += [("serve", name) for name in OF_SERVE] + [("review", name) for name in OF_REVIEW]


def check_refusal(status, head, body):
    "One line that says why, with the headers that every answer has; what is no HTTP is refused by uvicorn in its words"
    if body == b"Invalid HTTP request received.": return
    assert set(json.loads(body)) == {"error"} and not any(s in body for s in (b"\n", b"Traceback", SECRET.encode()))
    told = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in head.split("\r\n")[1:]}
    for name, value in HEADERS.items(): assert told[name.lower()] == value
    assert "server" not in told


@pytest.mark.parametrize("page, name", CASES, ids=[f"{page}: {name}" for page, name in CASES])
def test_a_hostile_request_is_refused_in_one_line(page, name, servers, made, capfd):
    "Threat: app, review, any page on loopback"
    server, before = servers[page], snapshot(made)
    status, more = (OF_ALL | (OF_SERVE if page == "serve" else OF_REVIEW))[name]
    got, head, body = send(server, request(server, **more))
    assert got == status, (got, body)
    check_refusal(got, head, body)
    assert snapshot(made) == before
    assert capfd.readouterr() == ("", "")


def test_after_all_of_them_the_page_still_answers(server):
    status, head, body = send(server, request(server))
    assert status == 200 and body.startswith(b"<!doctype html>") and "content-type: text/html; charset=utf-8" in head


def test_a_slow_head_is_cut_off(server):
    start = time.monotonic()
    assert send(server, [request(server)[:20], *[b"X"]*40]) == (0, "", b"")
    assert time.monotonic() - start < 5


def test_a_slow_head_after_a_good_one_is_cut_off(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
        s.sendall(request(server, Connection="keep-alive") + b"G")
        while (piece := s.recv(65536))[-8:] != b"</html>\n": assert piece
        start = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - start < 5:
                s.sendall(b"X")
                time.sleep(0.1)


def test_a_slow_body_is_cut_off(server):
    start, drip = time.monotonic(), [b"1\r\nx\r\n"]*40
    data = request(server, "api/decide", "POST", Content_Length=None, Content_Type=WORDS, Transfer_Encoding="chunked")
    assert send(server, [data, *drip])[0] in (0, 408)  # who goes on talking may not hear it
    assert time.monotonic() - start < 5
    assert send(server, data)[0] == 408


def test_a_body_without_an_end_is_cut_off(server):
    data = request(server, "api/decide", "POST", Content_Length=None, Content_Type=WORDS, Transfer_Encoding="chunked")
    assert send(server, data + b"".join(chunked([bytes(600_000)]*5)))[0] in (0, 413)
    assert send(server, data + b"".join(chunked([bytes(600_000)]*3)) + b"0\r\n\r\n")[0] in (400, 404, 405)


def test_a_sender_that_hangs_up_is_not_answered_for_half_a_photo(servers, made):
    server, before = servers["serve"], snapshot(made)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as s:
        s.sendall(request(server, "feedback?label=sea", "POST", PHOTO, Content_Length=len(PHOTO) + 9))
    time.sleep(0.2)
    assert snapshot(made) == before


def test_many_at_once_are_too_many(made):
    with ReviewServer(made, limits=Limits(at_once=4, seconds=5)) as server:
        held = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(6)]
        assert send(server, request(server))[0] == 503
        for s in held: s.close()
        time.sleep(0.1)
        assert send(server, request(server))[0] == 200


def test_a_closed_page_hangs_up_on_those_it_has_not_answered():
    "Six pictures that hang would keep the browser from hearing that the program has stopped: it opens six connections"
    began, go_on = threading.Event(), threading.Event()

    def slow(request):
        began.set()
        go_on.wait(10)
        return Response(b"late")

    with LocalServer([Route("/", slow)]) as server:
        asking = socket.create_connection(("127.0.0.1", server.port), timeout=3)
        asking.sendall(f"GET /{server.secret}/ HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        assert began.wait(5)
        threading.Timer(1.3, go_on.set).start()  # after the second that an answer has
    with asking: assert asking.recv(100) == b""


def test_no_other_computer_can_reach_it(server):
    "Threat: app, review, any page on loopback"
    assert server.socket.getsockname()[0] == "127.0.0.1"
    host = socket.gethostbyname(socket.gethostname())
    if not host.startswith("127."):
        with pytest.raises(OSError): socket.create_connection((host, server.port), timeout=1)


@pytest.mark.parametrize("name", HOSTILE)
def test_each_hostile_photo_is_refused_with_a_reason(name, servers, made):
    "Threat: app, review, any page on loopback"
    server, before, data = servers["serve"], snapshot(made), HOSTILE[name]()
    path = "answer" if len(name) % 2 else "feedback?label=sea"  # both read in the same way: half of them for each
    got, head, body = send(server, request(server, path, "POST", data, Content_Type=FILE), wait=60)
    assert got == 409 if len(data) <= LIMITS.body else got in (0, 413)  # cut off, it may not hear why
    if got: check_refusal(got, head, body)
    assert snapshot(made) == before


def test_a_hostile_original_is_not_shown(servers, made, tmp_path):
    with Ledger(made) as ledger: row = next(r for r in ledger.rows(status="quarantined"))
    good = (made/row["original"]).read_bytes()
    assert send(servers["review"], request(servers["review"], f"img/{row['id']}"))[0] == 200
    try:
        for name in ("pixel bomb", "BLP", "truncated PNG"):
            (made/row["original"]).write_bytes(HOSTILE[name]())
            assert send(servers["review"], request(servers["review"], f"img/{row['id']}"), wait=60)[0] == 404
    finally: (made/row["original"]).write_bytes(good)


def test_a_good_photo_is_answered_after_all_of_that(servers):
    got, _, body = send(servers["serve"], request(servers["serve"], "answer", "POST", PHOTO), wait=60)
    assert got == 200 and json.loads(body)["labels"] == ["sunset"]


@pytest.mark.parametrize("words", [["serve", "model"], ["review", "."]], ids=["serve", "review"])
def test_ctrl_c_ends_it_cleanly(words, made, tmp_path):
    shutil.copytree(made, tmp_path/"set")
    with Ledger(tmp_path/"set") as ledger:  # as if it were ranked already
        ledger.add_columns(suspicion="REAL", label_quality="REAL", novelty="REAL", likely_wrong="INTEGER")
        for r in ledger.rows(): ledger.update(r["id"], suspicion=0, label_quality=1, novelty=1, likely_wrong=0)
    job = subprocess.Popen([*PROGRAM, *words, "--no-browser"], text=True, cwd=tmp_path/"set", start_new_session=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        url = job.stdout.readline().strip()
        port, secret = url.removeprefix("http://127.0.0.1:").rstrip("/").split("/")
        server = type("Server", (), dict(port=int(port), secret=secret))
        assert send(server, request(server))[0] == 200
        os.killpg(job.pid, signal.SIGINT)  # as a terminal does: to every process of the command
        out, err = job.communicate(timeout=30)
    finally: job.kill()
    assert job.returncode == 0 and out == "" and "Traceback" not in err, (out, err)
