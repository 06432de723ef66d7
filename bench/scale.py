"""Does a picture cost the same among a thousand and among a hundred thousand, and what does a plain loop do?

    python bench/scale.py [--quick] [--photos DIR] [--rows N ...]

A server on this machine serves the same pictures again and again under distinct addresses. `birdornot.scale` takes
tables of 1,000 and 10,000 of them through download, decode, measures, hashes and working copy, in two processes; a
plain loop does the same work with 64 threads in one process, in turn. Tables of 1,000, 10,000 and 100,000 thumbnails
follow, ours alone. Both write a file for every 100 rows. What a row costs is the time from when 200 rows are done to
the end, for the rows between: the work under way. What comes before (imports, processes) is told apart, as `start`.
Each program has a session of its own, as Linux shares the processor among sessions: what else runs takes the same from
two processes as from 64 threads. Processor time is told, too, which other programs disturb less: that of all processes,
less that of a table of two rows, one for each process. All but the longest table come three times, before it and after
it.

The last line is JSON: flat = dearest ÷ cheapest picture over the numbers of rows, the worse of photos and thumbnails;
vs_threads = pictures a second ÷ the plain loop's; flat_cpu and vs_threads_cpu = the same for processor time; start =
seconds not spent on rows; rss_mb = most memory of all processes together at the largest table; growth_mb = how much
more that is than at the smallest table of such pictures.
"""
import argparse
import asyncio
import io
import json
import multiprocessing
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from pathlib import Path

SHARD = 100
OURS = """
import json, sys, time
from birdornot.scale import scale
table, dest, host, shard = sys.argv[1:]
if __name__ == "__main__":
    start = time.perf_counter()
    scale(table, dest, allow_hosts=[host], workers=2, shard=int(shard), per_host=128, progress=False)
    print(json.dumps(dict(seconds=time.perf_counter() - start)))
"""
PLAIN = """
import io, json, sys, time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
import pyarrow as pa, pyarrow.parquet
from birdornot.clean import examine_picture
from birdornot.download import Fetcher
table, dest, host = sys.argv[1:4]
start = time.perf_counter()
def one(job):
    row, url = job
    fetcher.save(url, out := io.BytesIO())
    im, seen = examine_picture(out.getvalue())
    im.save(copy := io.BytesIO(), "JPEG", quality=92)
    done.append(time.perf_counter())
    return dict(row=row, image_url=url, bytes=len(out.getvalue()), picture=copy.getvalue(), **seen)
done = []
Path(dest).mkdir()
with Fetcher(allow_hosts=[host], per_host=128) as fetcher, ThreadPoolExecutor(64) as pool:
    rows = pool.map(one, enumerate(Path(table).read_text().split()))
    while some := list(islice(rows, 100)):
        file = f"{dest}/{some[0]['row']//100:06}.parquet"
        pa.parquet.write_table(pa.Table.from_pylist(some), file, compression="zstd")
end = time.perf_counter()
each = (end - done[199]) / (len(done) - 200) if len(done) > 200 else None
print(json.dumps(dict(seconds=end - start, each=each)))
"""


def serve(photos, port):
    "Answer for ever, in a process of its own"
    async def talk(reader, writer):
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                body = photos[int(request.split(b" ", 2)[1].rsplit(b"/", 1)[1]) % len(photos)]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body)
                             + body)
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


def run(code, *words) -> dict:
    "Seconds, processor seconds and most memory of a program"
    def used():
        return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    before = used()
    p = subprocess.Popen([sys.executable, "-c", code, *map(str, words)],
                         stdout=subprocess.PIPE, text=True, start_new_session=True)
    peak, ended = [0.0], threading.Event()
    def look():
        while not ended.wait(.5): peak.append(memory(p.pid))
    watcher = threading.Thread(target=look)
    watcher.start()
    out = p.communicate()[0]
    ended.set()
    watcher.join()
    if p.returncode: raise SystemExit("a program of the measurement failed")
    return json.loads(out) | dict(mb=max(peak), cpu=used() - before)


def same(ours, theirs) -> bool:
    "Whether two tables hold the same, row by row, in the columns that both have"
    import pyarrow.parquet as pq
    a, b = (pq.ParquetDataset(sorted(d.glob("[0-9]*.parquet"))).read() for d in (ours/"done", theirs))
    return a.select(b.column_names).to_pylist() == b.to_pylist()


def pace(dest, n) -> float | None:
    "Seconds a row in a run of ours, from the second file that was written to the last"
    written = sorted(f.stat().st_mtime for f in (dest/"done").glob("[0-9]*.parquet"))
    return (written[-1] - written[1]) / (n - 2*SHARD) if len(written) > 2 else None


def thumbnails(n) -> list:
    "Small JPEGs, each another"
    from PIL import Image
    out = []
    for i in range(n):
        Image.effect_noise((64, 48), 20 + i).convert("RGB").save(data := io.BytesIO(), "JPEG")
        out.append(data.getvalue())
    return out


def series(pictures, sizes, repeat, kinds, show) -> dict:
    "What a row costs in tables of several sizes, ours and plain in turn: (kind, rows) → medians"
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(pictures, theirs), daemon=True)
    server.start()
    host, found, runs = f"127.0.0.1:{mine.recv()}", {}, 0
    with tempfile.TemporaryDirectory() as d:
        def one(kind, n, shard=SHARD):
            nonlocal runs
            runs += 1
            file, dest = Path(d)/f"{n}.txt", Path(d)/f"{kind}{n}-{runs}"
            file.write_text("\n".join(f"http://{host}/{i}" for i in range(n)))
            r = run(dict(ours=OURS, plain=PLAIN)[kind], file, dest, host, shard)
            return {"each": pace(dest, n)} | r, dest
        idle = {k: min(one(k, 2, shard=1)[0]["cpu"] for _ in range(2)) for k in kinds}  # both processes have begun
        got = defaultdict(list)
        for turn, n in [(turn, n) for turn in range(repeat) for n in sizes if not turn or n < sizes[-1]]:
            dests = {}
            for k in kinds if turn % 2 else kinds[::-1]:
                r, dests[k] = one(k, n)
                got[k, n].append(r | dict(cpu=(r["cpu"] - idle[k]) / n, start=r["seconds"] - n*r["each"]))
            if len(kinds) == 2 and not same(dests["ours"], dests["plain"]):
                raise SystemExit(f"the tables of {n} rows differ")
            for dest in dests.values(): shutil.rmtree(dest)
        for n in sizes:
            for k in kinds:
                found[k, n] = r = {key: statistics.median(x[key] for x in got[k, n]) for key in got[k, n][0]}
                ms = f"{1000*r['each']:>9.2f}{1000*r['cpu']:>9.2f}"
                print(f"{f'{k}, {n:,} {show}':<28}{r['seconds']:>9.1f}{r['start']:>8.1f}{ms}{r['mb']:>7.0f}",
                      flush=True)
    server.kill()
    return found


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true", help="500 and 1,500 rows")
    p.add_argument("--photos", type=Path, help="folder of JPEG photos to serve; drawn pictures otherwise")
    p.add_argument("--rows", type=int, nargs="+", help="other numbers of rows, from 300 on")
    p.add_argument("--thumbnails", type=int, nargs="*", help="other numbers of rows of thumbnails")
    args = p.parse_args()
    sizes = args.rows or ([500, 1500] if args.quick else [1000, 10_000])
    small = args.thumbnails if args.thumbnails is not None else [] if args.quick else [1000, 10_000, 100_000]
    if args.photos: photos = [f.read_bytes() for f in sorted(args.photos.rglob("*.jp*g"))[:200]]
    else:
        from birdornot.sample import sample_picture
        photos = [d for i in range(40) if (d := sample_picture("bird", i)).startswith(b"\xff\xd8")]
    repeat = 1 if args.quick else 3
    print(f"{'':<28}{'seconds':>9}{'start':>8}{'ms each':>9}{'cpu ms':>9}{'MB':>7}")
    found = [series(photos, sizes, repeat, ("ours", "plain"), "photos")]
    if small: found.append(series(thumbnails(40), small, repeat, ("ours",), "thumbnails"))
    ours = [[f["ours", n] for k, n in f if k == "ours"] for f in found]
    def spread(key):
        return round(max(max(r[key] for r in rows) / min(r[key] for r in rows) for rows in ours), 3)
    def versus(key):
        return round(found[0]["plain", sizes[-1]][key] / found[0]["ours", sizes[-1]][key], 2)
    print(json.dumps(dict(flat=spread("each"), vs_threads=versus("each"),
                          flat_cpu=spread("cpu"), vs_threads_cpu=versus("cpu"),
                          start=round(ours[0][0]["start"], 1), rss_mb=round(ours[-1][-1]["mb"]),
                          growth_mb=round(ours[-1][-1]["mb"] - ours[-1][0]["mb"]))))


if __name__ == "__main__": main()
