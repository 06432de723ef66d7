"""Does a picture cost the same among a thousand and among a hundred thousand, and what does a plain loop do?

    python bench/scale.py [--quick] [--photos DIR] [--rows N ...]

A server on this machine serves the same pictures again and again under distinct addresses. `birdornot.scale` takes tables
of 1,000, 10,000 and 100,000 of them through download, decode, measures, hashes and working copy, in two processes; a plain
loop does the same work with 64 threads in one process, in turn, up to 10,000. Both start in processes of their own. The time
until the first row could begin (imports, processes) is measured with a table of two rows and subtracted. The last line is
JSON: flat = dearest ÷ cheapest picture over the sizes, vs_threads = pictures a second ÷ the plain loop's, rss_mb = most
memory of all processes together at the largest size; growth_mb = how much more that is than at the smallest.
"""
import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

OURS = """
import json, sys, time
from birdornot.scale import scale
table, dest, host = sys.argv[1:]
if __name__ == "__main__":
    start = time.perf_counter()
    scale(table, dest, allow_hosts=[host], workers=2, per_host=128, progress=False)
    print(json.dumps(dict(seconds=time.perf_counter() - start)))
"""
PLAIN = """
import io, json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import pyarrow as pa, pyarrow.parquet
from birdornot.clean import _examine
from birdornot.download import Fetcher
table, dest, host = sys.argv[1:]
start = time.perf_counter()
def one(job):
    row, url = job
    fetcher.save(url, out := io.BytesIO())
    im, seen = _examine(out.getvalue())
    im.save(copy := io.BytesIO(), "JPEG", quality=92)
    return dict(row=row, image_url=url, bytes=len(out.getvalue()), picture=copy.getvalue(), **seen)
Path(dest).mkdir()
with Fetcher(allow_hosts=[host], per_host=128) as fetcher, ThreadPoolExecutor(64) as pool:
    rows = list(pool.map(one, enumerate(Path(table).read_text().split())))
for i in range(0, len(rows), 500): pa.parquet.write_table(pa.Table.from_pylist(rows[i:i+500]), f"{dest}/{i:06}.parquet", compression="zstd")
print(json.dumps(dict(seconds=time.perf_counter() - start)))
"""


def serve(photos, port):
    "Answer for ever, in a process of its own"
    async def talk(reader, writer):
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                body = photos[int(request.split(b" ", 2)[1].rsplit(b"/", 1)[1]) % len(photos)]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError): pass  # the client has gone
        finally: writer.close()

    async def run():
        server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=512)
        port.send(server.sockets[0].getsockname()[1])
        async with server: await server.serve_forever()

    asyncio.run(run())


def memory(pid) -> float:
    "MB of a process and all below it, shared pages counted once"
    total, todo = 0.0, [pid]
    while todo:
        p = todo.pop()
        try:
            todo += map(int, Path(f"/proc/{p}/task/{p}/children").read_text().split())
            total += sum(int(line.split()[1]) for line in Path(f"/proc/{p}/smaps_rollup").read_text().splitlines()
                         if line.startswith("Pss:")) / 1024
        except (OSError, ValueError): pass  # it has just ended
    return total


def run(code, table, dest, host) -> dict:
    "Seconds and most memory of a program"
    p = subprocess.Popen([sys.executable, "-c", code, table, dest, host], stdout=subprocess.PIPE, text=True)
    peak, ended = [0.0], threading.Event()
    def look():
        while not ended.wait(.5): peak.append(memory(p.pid))
    watcher = threading.Thread(target=look)
    watcher.start()
    out = p.communicate()[0]
    ended.set()
    watcher.join()
    if p.returncode: raise SystemExit("a program of the measurement failed")
    return json.loads(out) | dict(mb=max(peak))


def same(ours, theirs) -> bool:
    "Whether two tables hold the same, row by row, in the columns that both have"
    import pyarrow.parquet as pq
    a, b = (pq.ParquetDataset(sorted(d.glob("[0-9]*.parquet"))).read() for d in (ours/"done", theirs))
    return a.select(b.column_names).to_pylist() == b.to_pylist()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true", help="200 and 1,000 rows")
    p.add_argument("--photos", type=Path, help="folder of JPEG photos to serve; drawn pictures otherwise")
    p.add_argument("--rows", type=int, nargs="+", help="other numbers of rows")
    args = p.parse_args()
    sizes = args.rows or ([200, 1000] if args.quick else [1000, 10_000, 100_000])
    if args.photos: photos = [f.read_bytes() for f in sorted(args.photos.rglob("*.jp*g"))[:200]]
    else:
        from birdornot.sample import sample_picture
        photos = [d for i in range(40) if (d := sample_picture("bird", i)).startswith(b"\xff\xd8")]
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(photos, theirs), daemon=True)
    server.start()
    host = f"127.0.0.1:{mine.recv()}"
    table, found = [], {}
    with tempfile.TemporaryDirectory() as d:
        d = Path(d)
        def one(kind, n, name):
            file = d/f"{n}.txt"
            if not file.exists(): file.write_text("\n".join(f"http://{host}/{i}" for i in range(n)))
            return run(dict(ours=OURS, plain=PLAIN)[kind], str(file), str(d/name), host)
        start = {k: statistics.median(one(k, 2, f"{k}-start{i}")["seconds"] for i in range(3)) for k in ("ours", "plain")}
        for n in sizes:
            for k in ("ours", "plain"):
                if k == "plain" and n > 10_000: continue
                r = one(k, n, f"{k}{n}")
                found[k, n] = r | dict(each=(r["seconds"] - start[k]) / n)
                table.append((f"{k}, {n:,} rows", r["seconds"], 1000*found[k, n]["each"], r["mb"]))
            if n <= 10_000 and not same(d/f"ours{n}", d/f"plain{n}"): raise SystemExit(f"the tables of {n} rows differ")
    server.kill()
    print(f"{'':<22}{'seconds':>9}{'ms each':>9}{'MB':>7}")
    for name, seconds, each, mb in table: print(f"{name:<22}{seconds:>9.1f}{each:>9.2f}{mb:>7.0f}")
    each = [found["ours", n]["each"] for n in sizes]
    pairs = [found["plain", n]["each"] / found["ours", n]["each"] for n in sizes if ("plain", n) in found]
    mb = [found["ours", n]["mb"] for n in sizes]
    print(json.dumps(dict(flat=round(max(each) / min(each), 3), vs_threads=round(pairs[-1], 2), rss_mb=round(mb[-1]),
                          growth_mb=round(mb[-1] - mb[0]))))


if __name__ == "__main__": main()
