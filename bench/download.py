"""How fast pictures arrive, and whether all do: `download_images` of birdornot, of fastai, and img2dataset.

    python bench/download.py [--quick] [--photos DIR] [--files 256]

A server on this machine answers each address after 0.2 to 1 s: 85 of 100 are good pictures, a sixth of these after a
503 at first; the others are missing, web pages, cut short, or never answered. Each client runs as a process of its own,
in turn with the others, with its default settings, and every file it leaves is compared with what was served. Times are
taken around the call, without the start of Python. img2dataset gets its own virtual environment, made at the first run.
The last line is JSON: birdornot's good pictures a second ÷ the peer's, good ones lost, files that are no good picture,
memory in MB.
"""
import argparse
import asyncio
import hashlib
import json
import multiprocessing
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HOSTS = [f"127.0.1.{i}" for i in range(1, 101)] if sys.platform == "linux" else ["127.0.0.1"]
KINDS = dict(good=709, late=139, missing=71, page=31, cut=30, hang=20)  # of 1000
PEERS = dict(birdornot="birdornot", fastai="fastai, 8 threads",
             fastai64="fastai, 64 threads", img2dataset="img2dataset, 64 threads")
IMG2DATASET = "img2dataset==1.47.0"


def kinds(n: int) -> list:
    "What the server does with each of `n` addresses; it hangs only in the full run, whose length hides that wait"
    names = [k for k, share in KINDS.items() for _ in range(share) if k != "hang" or n >= 1000]
    names = [names[i * len(names) // n] for i in range(n)]
    random.Random(42).shuffle(names)
    return names


def bodies(photos, i: int) -> bytes:
    "JPEG number `i`: a photo with a comment that makes it one of a kind"
    data, comment = photos[i % len(photos)], f"picture {i}".encode()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


# ---- the server

def serve(photos, n, port):
    "Answer for ever, in a process of its own; the port goes through the pipe `port`"
    what, pictures, seen = kinds(n), [bodies(photos, i) for i in range(n)], set()

    async def answer(path):
        "Bytes to send and whether the connection stays open"
        i, kind = int(path.rsplit("/", 1)[1].split(".")[0]), "missing"
        kind = what[i]
        await asyncio.sleep(random.Random(path).uniform(.2, 1))
        if kind == "hang": await asyncio.sleep(600)
        if kind == "late" and path not in seen:
            seen.add(path)
            return b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", True
        if kind == "missing": return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", True
        body, mime = (b"<!DOCTYPE html><html>" + b" " * 5000, "text/html") if kind == "page" else (
            pictures[i], "image/jpeg")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        return (head + body[:len(body) // 2], False) if kind == "cut" else (head + body, True)

    async def talk(reader, writer):
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                reply, stay = await answer(request.split(b" ", 2)[1].decode())
                writer.write(reply)
                await writer.drain()
                if not stay: break
        except (asyncio.IncompleteReadError, OSError): pass  # the client has gone
        finally: writer.close()

    async def run():
        with socket.socket() as s:
            s.bind((HOSTS[0], 0))
            number = s.getsockname()[1]
        server = await asyncio.start_server(talk, HOSTS, number, backlog=512)
        port.send(number)
        async with server: await server.serve_forever()

    asyncio.run(run())


# ---- the clients: each reads addresses from a file and prints one line of JSON

CLIENTS = dict(
    birdornot="""
from birdornot.download import download_images
from birdornot.hits import Hit
hits = [Hit("bird", u) for u in urls]
go = lambda: download_images(dest, hits, allow_hosts={u.split("/")[2] for u in urls})""",
    fastai="""
from fastai.vision.utils import download_images
go = lambda: download_images(dest, urls=urls, max_pics=len(urls), n_workers=8)""",
    fastai64="""
from fastai.vision.utils import download_images
go = lambda: download_images(dest, urls=urls, max_pics=len(urls), n_workers=64)""",
    img2dataset="""
from img2dataset import download
go = lambda: download(url_list=file, output_folder=dest, thread_count=64, processes_count=1, retries=1,
                      resize_mode="no",
                      disable_all_reencoding=True, number_sample_per_shard=len(urls))""")
FRAME = """
import json, resource, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
def main():
    global file, dest, urls
    file, dest = sys.argv[1:]
    urls = Path(file).read_text().split()
    scope = {}
    exec(CODE, globals())
    start, before = time.perf_counter(), time.process_time()
    go()
    seconds, cpu = time.perf_counter() - start, time.process_time() - before
    peak = [l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")] if sys.platform == "linux" else []
    print(json.dumps(dict(seconds=seconds, cpu=cpu, rss=int(peak[0]) / 1024 if peak else 0)))
if __name__ == "__main__": main()
"""


def python_of(peer) -> str:
    "The interpreter for a client; img2dataset's is made here, once, since it wants other versions than we do"
    if peer != "img2dataset": return sys.executable
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "birdornot" / "bench" / IMG2DATASET
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        print(f"making an environment for {IMG2DATASET} (once, some minutes)", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", IMG2DATASET], capture_output=True, text=True)
        if done.returncode: raise SystemExit(f"{IMG2DATASET} cannot be installed:\n{done.stderr[-3000:]}")
        (home / "ready").touch()
    return str(python)


def few_files(most):
    "What a client does before it starts, so that it may open no more than so many files; nothing where `most` is None"
    def limit():
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return limit if most else None


def run(peer, python, port, n, round, photos, work, most_files=None) -> dict:
    "Let a client fetch all addresses; what it took and what it left"
    dest, script, file = work / f"{peer}{round}", work / f"client_{peer}.py", work / "urls.txt"
    script.write_text(f"CODE = {CLIENTS[peer]!r}\n{FRAME}", encoding="utf-8")
    file.write_text("\n".join(f"http://{HOSTS[i % len(HOSTS)]}:{port}/{peer}{round}/{i}.jpg" for i in range(n)) + "\n")
    env = dict(os.environ, NO_ALBUMENTATIONS_UPDATE="1")
    if peer == "img2dataset": env.pop("PYTHONPATH", None)
    done = subprocess.run([python, script, file, dest], env=env, preexec_fn=few_files(most_files),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode: raise SystemExit(f"{peer} failed:\n{done.stderr[-3000:]}")
    good = {hashlib.sha256(bodies(photos, i)).digest() for i, kind in enumerate(kinds(n)) if kind in ("good", "late")}
    files = [p for p in dest.rglob("*") if p.is_file() and p.suffix in (".jpg", ".jpeg", ".png", ".webp")]
    left = [hashlib.sha256(p.read_bytes()).digest() for p in files]
    got = good & {*left}
    return json.loads(done.stdout.splitlines()[-1]) | dict(good=len(got),
                                                           lost=len(good - got), junk=len(left) - len(got))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true",
                   help="one round of 120 addresses, none of which hangs, "
                   "instead of two of 1,000: the ratios are lower then")
    p.add_argument("--photos", type=Path, help="folder of JPEG photos to serve; drawn pictures otherwise")
    p.add_argument("--files", type=int, help="open files that each client may have; by default what the system allows")
    args = p.parse_args()
    n, rounds = (120, 1) if args.quick else (1000, 2)
    if args.photos: photos = [f.read_bytes() for f in sorted(args.photos.rglob("*.jp*g"))[:200]]
    else:
        from birdornot.sample import sample_picture
        photos = [data for i in range(60) if (data := sample_picture("bird", i)).startswith(b"\xff\xd8")]
    pythons = {peer: python_of(peer) for peer in PEERS}
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(photos, n, theirs), daemon=True)
    server.start()
    port, results = ours.recv(), {peer: [] for peer in PEERS}
    with tempfile.TemporaryDirectory() as d:
        for r in range(rounds):
            for peer in PEERS: results[peer].append(run(peer, pythons[peer], port, n, r, photos, Path(d), args.files))
    server.kill()
    report(results)


def report(results) -> None:
    "The table and the line of JSON"
    print(f"{'client':<26}{'good/s':>8}{'seconds':>9}{'CPU s':>8}{'good':>6}{'lost':>6}{'junk':>6}{'MB':>6}")
    for peer, rs in results.items():
        m = {k: statistics.median(r[k] for r in rs) for k in rs[0]}
        print(f"{PEERS[peer]:<26}{m['good'] / m['seconds']:>8.1f}{m['seconds']:>9.1f}{m['cpu']:>8.1f}{m['good']:>6.0f}"
              f"{m['lost']:>6.0f}{m['junk']:>6.0f}{m['rss']:>6.0f}")
    def rate(r):
        return r["good"] / r["seconds"]
    def ratio(peer):
        return round(statistics.median(rate(a) / rate(b) for a, b in zip(results["birdornot"], results[peer])), 2)
    worst = {k: max(r[k] for r in results["birdornot"]) for k in ("lost", "junk", "rss")}
    print(json.dumps(dict(vs_fastai=ratio("fastai"), vs_fastai64=ratio("fastai64"), vs_img2dataset=ratio("img2dataset"),
                          lost=worst["lost"], junk=worst["junk"], rss_mb=round(worst["rss"]))))


if __name__ == "__main__": main()
