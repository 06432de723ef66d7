"""The whole download against the rough web, in a process of its own, undisturbed and killed again and again."""
import hashlib
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pytest
from roughpictures import RoughWeb, picture

from birdornot.ledger import Ledger

BLOCKED = "leads to a private address, blocked for safety; to permit it, download with allow_hosts=…"
GOOD = "good good good good good good octet nolength zipped later heals reset cutonce busy same hops".split()
BAD = dict(
    missing="no longer there (404)", gone="no longer there (410)", forbidden="the site refuses programs (403)",
    broken="the server failed (500)", html="a web page, not a picture",
    svg="an SVG drawing, not a photo", empty="empty",
    json="data (JSON), not a picture", text="not a picture of a kind we know", truncated="the connection broke off",
    resets="the connection broke off", bomb="larger than 25 MB", endless="larger than 25 MB", large="larger than 25 MB",
    notgzip="damaged on the way: cannot be decompressed", loop="more than 5 redirects",
    hang="took longer than 5 seconds",
    drip="took longer than 5 seconds", drip_head="took longer than 5 seconds",
    overloaded="the site asks us to slow down (429); try again later",
    optout="the site asks not to use it (X-Robots-Tag: noai)", to=BLOCKED)
ONCE = ("bomb", "endless")  # they keep the machine busy: one in a hundred addresses is enough

CLIENT = """
import sys
from pathlib import Path
from birdornot.download import download_images
from birdornot.hits import Hit
dest, *hosts = sys.argv[1:]
hits = [Hit("bird", u) for u in Path(dest, "urls.txt").read_text().split()]
print("go", flush=True)
done = download_images(dest, hits, per_host=64, allow_hosts=hosts, deadline=5, max_wait=3)
peak = [l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")] if sys.platform == "linux" else [0]
print(int(peak[0]) // 1024, flush=True)
"""


def addresses(n, web, calm):
    "`n` addresses with what shall become of each: the bytes of a picture, or the reason why there is none"
    out, others = {}, [k for k in BAD if k not in ONCE]
    for i in range(n):
        kind = (ONCE[i // 100 % 2] if i % 100 == 50 else
                others[i // 7 % len(others)] if i % 7 == 0 else GOOD[i % len(GOOD)])
        host = calm if kind in ("busy", "overloaded") else web  # who asks us to slow down is left alone for a while
        rest = {"to": f"?url=http://10.0.0.1/{i}", "optout": f"?tag=noai&i={i}",
                "hops": str(i % 5) + f"?i={i}"}.get(kind, str(i))
        asked = ("gone", "forbidden", "broken", "svg", "json", "empty", "text", "bomb", "large", "notgzip", "loop")
        path = kind.replace("_", "-") + (f"?i={i}" if kind in asked else f"/{rest}")
        out[f"{host.url}/{path}"] = BAD.get(kind) or picture(dict(same=12345, hops=777).get(kind, i))
    return out


def settled(dest):
    "The addresses that the ledger knows the end of"
    if not (dest/"ledger.sqlite").exists(): return []
    with sqlite3.connect(dest/"ledger.sqlite") as db:
        try: return [u for u, in db.execute("SELECT image_url FROM pictures WHERE status IN ('downloaded', 'failed')")]
        except sqlite3.OperationalError: return []  # killed before there was a table


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address, and /proc to see memory")
@pytest.mark.parametrize("n,kills", [(1000, 0), (250, 4), pytest.param(1000, 10, marks=pytest.mark.slow)])
def test_every_address_ends_as_it_must(tmp_path, n, kills):
    "Threat: lost work"
    rng = random.Random(n + kills)
    with RoughWeb() as web, RoughWeb("127.0.0.2") as calm:
        expected = addresses(n, web, calm)
        (tmp_path/"urls.txt").write_text("\n".join(expected))
        def asked(url):
            return (calm if url.startswith(calm.url) else web).asked["/" + url.split("/", 3)[3]]
        command = [sys.executable, "-c", CLIENT, str(tmp_path), web.host, calm.host]
        frozen = {}  # address whose end was known at a kill → how often it had been asked for
        for k in range(kills):
            p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            assert p.stdout.readline() == "go\n", p.stderr.read()
            time.sleep(rng.uniform(.1, 1.2))
            while k == kills - 1 and not frozen and not settled(tmp_path) and p.poll() is None:  # a slow machine
                time.sleep(.1)
            p.kill()
            p.communicate()
            frozen |= {u: asked(u) for u in settled(tmp_path) if u not in frozen}
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        seconds = time.monotonic() - start
        assert done.returncode == 0, done.stderr
        assert {u: asked(u) for u in frozen} == frozen  # nothing whose end was known is fetched again
        assert max(asked(u) for u in expected) <= 3 + 3*kills
    with Ledger(tmp_path) as ledger: rows = {r["image_url"]: r for r in ledger.rows()}
    assert len(rows) == n
    def late(u, r):
        return u.split("/")[3][:4] in ("bomb", "endl") and r["reason"].startswith("took longer")  # on a busy machine
    wrong = {u: (r["status"], r["reason"]) for u, r in rows.items()
             if r["status"] == "failed" and r["reason"] != expected[u] and not late(u, r)
             or r["status"] != "failed" and r["sha256"] != hashlib.sha256(expected[u]).hexdigest()}
    assert not wrong
    assert all((tmp_path/r["file"]).stat().st_size == r["bytes"] for r in rows.values() if r["file"])
    assert Counter(r["status"] for r in rows.values())["downloaded"] == sum(type(v) is bytes for v in expected.values())
    kept = {r["file"].rpartition("/")[2] for r in rows.values() if r["file"]}
    assert {p.name for p in (tmp_path/"originals/bird").iterdir()} == kept
    assert int(done.stdout.split()[1]) < 300
    assert seconds < 20 + n/25
    assert kills == 0 or frozen
