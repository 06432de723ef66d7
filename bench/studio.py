"""How long the studio takes, in headless Chromium with the network cut, and Python on the same photos.

    python bench/studio.py [--quick] [--photos DIR]

DIR has two folders of photos; without it, pictures are drawn. 30 of each are dropped: seconds from the drop to the
first result, with the model loaded, and from the moment the page is opened; then one label is changed: seconds to the
next result. Then 2 × 500 drawn pictures, in two halves: milliseconds a photo, and what the second half takes in shares
of the first (1: linear); solving is told apart. Memory is that of all processes of the browser together. Requests to
anything but the server of the page are counted; there must be none. The last line is JSON.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]/"tests"))
from browser import chromium, static_server  # noqa: E402

from birdornot.clean import clean_images  # noqa: E402
from birdornot.core import cache_dir  # noqa: E402
from birdornot.download import download_images  # noqa: E402
from birdornot.embed import backbone_onnx  # noqa: E402
from birdornot.novelty import ood_embeddings  # noqa: E402
from birdornot.probe import fit_probe  # noqa: E402
from birdornot.sample import sample_picture  # noqa: E402
from birdornot.search import search_images  # noqa: E402
from birdornot.studio import write_studio  # noqa: E402

FEW, MANY = 30, 500  # photos of each class


def memory(root: int) -> float:
    "Megabytes of the browser's processes below one; what several share is divided among them"
    total, parents = 0, {}
    for d in Path("/proc").glob("[0-9]*"):
        try: parents[int(d.name)] = int((d/"stat").read_text().rpartition(")")[2].split()[1])
        except OSError: continue
    for pid in parents:
        at = pid
        while at in parents and at != root: at = parents[at]
        try:
            if at != root or not (Path("/proc")/str(pid)/"comm").read_text().startswith("chrom"): continue
            lines = (Path("/proc")/str(pid)/"smaps_rollup").read_text().splitlines()
        except OSError: continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total/1024


def photos(folder: Path | None, dest: Path, n: int, first: int = 0) -> list[Path]:
    "Two folders of `n` photos each below `dest`, from `folder` or drawn"
    made = []
    for kind in ("bird", "forest") if folder is None else sorted(d.name for d in folder.iterdir() if d.is_dir()):
        (dest/kind).mkdir(parents=True)
        if folder: [shutil.copy(f, dest/kind) for f in sorted((folder/kind).glob("*.jpg"))[:n]]
        else: [(dest/kind/f"{i}.jpg").write_bytes(sample_picture(kind, 20_000 + first + i)) for i in range(n)]
        made.append(dest/kind)
    return made


class Visit:
    "The page of the studio, opened, the network cut once it is complete"
    def __init__(self, browser, url):
        self.context, self.foreign, self.url = browser.new_context(), set(), url
        self.context.on("request", lambda r: self.foreign.add(r.url) if self.is_foreign(r.url) else None)
        self.page = self.context.new_page()
        self.start = time.perf_counter()
        self.page.goto(url)
        self.page.wait_for_selector("body[data-ready]")

    def is_foreign(self, address): return address.startswith("http") and not address.startswith(self.url)

    def cut(self):
        self.page.wait_for_selector("body[data-offline]", timeout=60_000)
        self.context.set_offline(True)

    def fill(self, folders):
        "Drop two folders; → seconds until it is trained"
        times, start = self.trained(), time.perf_counter()
        for i, folder in enumerate(folders): self.page.locator("input.folder").nth(i).set_input_files(folder)
        self.wait(times + 1)
        return time.perf_counter() - start

    def trained(self): return int(self.page.evaluate("Number(document.body.dataset.trained ?? 0)"))

    def wait(self, times):
        self.page.wait_for_function("n => Number(document.body.dataset.trained) >= n", arg=times, timeout=500_000)

    def solving(self):
        "Seconds that the last training took, as the page says them"
        return float(self.page.inner_text("#training").split()[-2])

    def relabel(self):
        "Move the first photo of the first class; → seconds until it is trained again"
        self.page.locator(".class .strip button").first.click()
        self.page.wait_for_selector("#photo[open] select")
        times = self.trained()
        return self.page.evaluate("""async times => {
          const select = document.querySelector("#photo select"), start = performance.now();
          select.value = [...select.options].find(o => !o.selected).value;
          select.dispatchEvent(new Event("change"));
          while (Number(document.body.dataset.trained) <= times) await new Promise(done => setTimeout(done, 2));
          return (performance.now() - start)/1000;
        }""", times)


def few(browser, url, folders):
    "Seconds for 60 photos: with the model loaded, from opening the page, and after one changed label; foreign requests"
    visit = Visit(browser, url)
    cold = visit.fill(folders) and time.perf_counter() - visit.start
    visit.context.close()
    visit = Visit(browser, url)
    visit.cut()
    seconds, solving, again = visit.fill(folders), visit.solving(), visit.relabel()
    visit.context.close()
    return dict(seconds_60=seconds, cold_60=cold, solve_60=solving, retrain_s=again, foreign=visit.foreign)


def many(browser, url, root, halves):
    "Milliseconds a photo for two halves of many photos, and what solving them takes"
    visit, found = Visit(browser, url), []
    visit.cut()
    empty = memory(root)
    for folders in halves:
        seconds, n = visit.fill(folders), sum(len([*f.iterdir()]) for f in folders)
        found.append(1000*(seconds - visit.solving())/n)
    facts = dict(ms_a_photo=sum(found)/2, growth=found[1]/found[0], solve_many=visit.solving(),
                 retrain_many=visit.relabel(), mb=memory(root), empty=empty, foreign=visit.foreign)
    visit.context.close()
    return facts


def python(folders, place):
    "Seconds that Python takes from a folder to a classifier, no embedding cached; and what cleaning takes of it"
    backbone_onnx()
    ood_embeddings()
    (place/"cache").mkdir()
    for f in cache_dir().glob("tf_efficientnet_lite0-own-*"): shutil.copy(f, place/"cache")
    os.environ["BIRDORNOT_CACHE"] = str(place/"cache")
    start = time.perf_counter()
    for folder in folders:
        hits = search_images(folder.name, source="folder", folder=folder.parent, n=10_000)
        download_images(place/"set", hits, progress=False)
    clean_images(place/"set", progress=False)
    cleaned = time.perf_counter() - start
    fit_probe(place/"set")
    return time.perf_counter() - start, cleaned


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true", help="a tenth of the many pictures")
    p.add_argument("--photos", type=Path, help="two folders of photos; without it, pictures are drawn")
    asked = p.parse_args()
    n = MANY//10 if asked.quick else MANY
    with tempfile.TemporaryDirectory() as d:
        d = Path(d)
        site, folders = write_studio(d/"studio"), photos(asked.photos, d/"few", FEW)
        halves = [photos(None, d/f"half{i}", n//2, i*n) for i in range(2)]
        with chromium() as browser, static_server(site) as url:
            facts = few(browser, url, folders)
            facts |= many(browser, url, os.getpid(), halves) | dict(foreign=facts["foreign"])
        theirs, cleaned = python(folders, d)
    rows = [("60 photos, from the drop to the result", f"{facts['seconds_60']:.1f} s"),
            ("… from opening the page, nothing loaded", f"{facts['cold_60']:.1f} s"),
            ("… of which solving", f"{facts['solve_60']:.1f} s"),
            ("one label changed, 60 photos", f"{facts['retrain_s']:.2f} s"),
            (f"{2*n} drawn pictures, each", f"{facts['ms_a_photo']:.0f} ms"),
            ("… second half ÷ first", f"{facts['growth']:.2f}"), ("… solving all", f"{facts['solve_many']:.1f} s"),
            (f"one label changed, {2*n} pictures", f"{facts['retrain_many']:.2f} s"),
            ("memory of the browser, with them", f"{facts['mb']:.0f} MB"), ("… empty", f"{facts['empty']:.0f} MB"),
            ("Python: the 60 photos, from the folder", f"{theirs:.1f} s (cleaning {cleaned:.1f} s)")]
    for name, value in rows: print(f"{name:<46}{value:>24}")
    kept = {k: round(facts[k], 3) for k in ("seconds_60", "retrain_s", "ms_a_photo", "growth", "mb")}
    print(json.dumps(kept | dict(foreign_requests=len(facts["foreign"]))))


if __name__ == "__main__": main()
