"""Everything goes wrong at random for a quarter of an hour, and nothing is lost.

    BIRDORNOT_FLAGS=slow BIRDORNOT_SOAK_MINUTES=15 BIRDORNOT_SOAK_SEED=7 pytest -n0 -s tests/test_soak.py

Download, clean, review, train, make, scale, lock and rebuild run one after the other and two at once, on slow and rough
hosts, and are killed, left without a network or given a disk on which nothing larger can be written. In the end a run
without faults must give what it gives where there never was one."""
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter

import pytest
from program import UNCACHED
from roughpictures import RoughWeb

from birdornot.core import BirdornotError
from birdornot.decide import decide, decisions
from birdornot.hits import Hit, Hits
from birdornot.ledger import Ledger
from birdornot.scale import Scaled
from birdornot.split import picture_files

SEED = int(os.environ.get("BIRDORNOT_SOAK_SEED", time.time()))
MINUTES = float(os.environ.get("BIRDORNOT_SOAK_MINUTES", 15))


def addresses(web, n=60):
    "Hits of two classes: most of them good, some slow, some that are no pictures"
    kinds = ["good"]*7 + ["later", "html", "missing"]
    def url(k, i): return f"{web.url}/{kinds[i % 10]}/{1000*k + i}?wait={.4*(i % 6 == 0)}"
    return Hits(Hit(label, url(k, i)) for k, label in enumerate(("bird", "forest")) for i in range(n))


class Soak:
    def __init__(self, where, web):
        self.rng, self.where, self.web, self.n, self.answered = random.Random(SEED), where, web, Counter(), {}
        self.hits = addresses(web)
        self.hits.save(where/"hits.jsonl")
        with Ledger(where/"d") as ledger: ledger.add(self.hits)  # so that make has nothing to search for
        (where/"t.csv").write_text("url,label\n" + "".join(f"{h.image_url},{h.term}\n" for h in self.hits))
        hosts = ["--allow-hosts", web.host]
        self.words = dict(
            download=["download", "d", "hits.jsonl", "--retry-failed", *hosts], clean=["clean", "d"],
            train=["train", "d"], make=["make", "bird", "forest", "--n", "40", "--out", "d"], lock=["lock", "d"],
            scale=["scale", "t.csv", "run", "--shard", "20", *hosts], rebuild=["rebuild", "d.lock", "again"])

    def start(self, name, fault):
        "One command, with a fault"
        def small():
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, self.limit))
        self.limit = self.rng.choice([0, 4_000, 40_000, 400_000])
        command = (["unshare", "-rn"] if fault == "no network" else []) + UNCACHED + self.words[name]
        out = open(self.where/f"{self.n['started']}.txt", "w")
        self.n["started"] += 1
        return subprocess.Popen(command, cwd=self.where, stdout=out, stderr=out, text=True,
                                preexec_fn=small if fault == "full disk" else None)

    def end(self, p, fault):
        "Wait for a command, or kill it; no traceback, whatever happened"
        try: p.wait({"kill": self.rng.uniform(.1, 1.5), "no network": 30}.get(fault, 240))
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            self.n["killed"] += 1
            assert fault in ("kill", "no network"), f"{p.args[-4:]} took more than four minutes"

    def review(self):
        "Some decisions, as a person makes them while other windows are at work"
        for _ in range(self.rng.randint(1, 3)):
            try:
                with Ledger(self.where/"d", create=False) as ledger: rows = ledger.rows(status="clean")
                row = self.rng.choice([r for r in rows if not r.get("verdict")])
                action = self.rng.choice(["keep", "discard", "discard"])
                made = decide(self.where/"d", row["id"], action)["decision"]
                self.answered[made] = row["id"], action
            except (BirdornotError, IndexError): self.n["not answered"] += 1

    def run(self):
        until = time.monotonic() + 60*MINUTES
        while time.monotonic() < until:
            running = []
            for _ in range(self.rng.choice([1, 1, 2])):
                name = self.rng.choices([*self.words], [4, 4, 2, 2, 1, 2, 1])[0]
                fault = self.rng.choice(["", "", "kill", "kill", "kill", "full disk", "no network"])
                if name == "scale" and fault == "no network": fault = "kill"  # it has no second try of what failed
                self.n[name] += 1
                self.n[fault or "calm"] += 1
                running.append((self.start(name, fault), fault))
            self.n["two at once"] += len(running) > 1
            if len(self.answered) < 25: self.review()
            for p, fault in running: self.end(p, fault)

    def calm(self, *commands):
        "Commands without faults, one after the other"
        for words in commands:
            done = subprocess.run([*UNCACHED, *words], cwd=self.where, capture_output=True, text=True, timeout=300)
            assert "Traceback" not in done.stderr, (words, done.stderr)


def outcome(path, but=()):
    "What a dataset holds"
    with Ledger(path) as ledger: rows = ledger.rows()
    return {(r["label"], r["image_url"]): (r["status"], r["sha256"]) for r in rows if r["image_url"] not in but}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="kills, limits and cuts off processes as Linux does")
def test_nothing_is_lost_whatever_happens(tmp_path):
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode: pytest.skip("no namespaces here")
    with RoughWeb() as web:
        soak = Soak(tmp_path, web)
        soak.run()
        hosts = ["--allow-hosts", web.host]
        last = [["download", "d", "hits.jsonl", "--retry-failed", *hosts], ["clean", "d"], soak.words["lock"],
                soak.words["scale"]]
        soak.calm(*last, ["download", "new", "hits.jsonl", *hosts], ["clean", "new"],
                  ["scale", "t.csv", "run2", "--shard", "20", *hosts])
    texts = [(f.name, f.read_text(errors="replace")) for f in tmp_path.glob("*.txt")]
    repaired = Counter(why for _, text in texts for why in re.findall(r"was damaged \((.*?)\) and is repaired", text))
    print(json.dumps(dict(seed=SEED, minutes=MINUTES, decisions=len(soak.answered), repaired=repaired, **soak.n)))
    assert not [(name, text[-2000:]) for name, text in texts if "Traceback" in text]
    with Ledger(tmp_path/"d") as ledger: rows = ledger.rows()
    assert {(h.term, h.image_url) for h in soak.hits} == {(r["label"], r["image_url"]) for r in rows}
    for r in rows:
        if r["status"] in ("clean", "quarantined"): assert (tmp_path/"d"/r["original"]).is_file(), r
        if r["status"] == "clean": assert (tmp_path/"d"/r["file"]).is_file(), r
        assert r["status"] in ("clean", "quarantined", "failed") and (r["status"] == "clean" or r["reason"]), r
    made = {d["id"]: (d["picture"], d["action"]) for d in decisions(tmp_path/"d")}
    assert soak.answered.items() <= made.items()
    by_id = {r["id"]: r for r in rows}
    for id, action in soak.answered.values(): assert by_id[id]["verdict"] == action, (by_id[id], action)
    decided = {by_id[id]["image_url"] for id, _ in made.values() if id}
    assert outcome(tmp_path/"d", decided) == outcome(tmp_path/"new", decided)
    assert len(picture_files(tmp_path/"d")) == sum(r["status"] == "clean" for r in rows)
    def answers(run):
        t = Scaled(tmp_path/run).table()
        return [*zip(t.row, t.image_url, t.status, t.sha256.fillna(""))]
    assert answers("run") == answers("run2")
