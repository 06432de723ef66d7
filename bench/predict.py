"""How long an answer takes: a model folder of ours against fastai's `load_learner` and a loop in torch, same network.

    python bench/predict.py [--quick] [--photos DIR] [--threads N]

One network is exported both ways. Cold: a fresh process from its start to its first answer, and the most memory it
took. Warm: one photo at a time in a process that has answered before. Folder: 160 photos, ours on N threads against
torch with N threads, one photo a step and sixteen a step (the faster one counts). All take turns, so that a slow
machine slows all alike. DIR is any folder of photos; without it, pictures are drawn. The last line is JSON: the peer's
figure ÷ ours.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = 160  # photos
PREPARE = """import sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from birdornot.datablock import dataloaders
from birdornot.export import export_model
from birdornot.learner import vision_learner
from birdornot.sample import make_sample
from fastai.vision.all import (CategoryBlock, DataBlock, ImageBlock, Learner, RandomSplitter, Resize, ResizeMethod,
                               get_image_files, parent_label)
where = Path(sys.argv[1])
make_sample(where/"few", n=12, kinds=("bird", "forest"))
if len(sys.argv) < 3: make_sample(where/"photos", n=80, kinds=("bird", "forest"), seed=1)
ours = vision_learner(dataloaders(where/"few"))
export_model(ours, where/"model")
dls = DataBlock(blocks=(ImageBlock, CategoryBlock), get_items=get_image_files, splitter=RandomSplitter(seed=42),
                get_y=parent_label, item_tfms=Resize(224, method=ResizeMethod.Squish)).dataloaders(where/"few", bs=8)
dls.add_tfms([f for f in ours.dls.after_batch.fs if type(f).__name__ == "Normalize"], "after_batch")
Learner(dls, ours.model, path=where).export("learner.pkl")"""
COLD = dict(
    ours="import sys; from birdornot.predict import Classifier; "
         "print(Classifier(sys.argv[1] + '/model')(sys.argv[2]).label)",
    fastai="import sys; from fastai.vision.all import load_learner; "
           "print(load_learner(sys.argv[1] + '/learner.pkl').predict(sys.argv[2])[0])")
# A worker answers to each line it reads, 'one' or 'all' and photos, with seconds and labels.
WORKER = """import sys, time, warnings
warnings.simplefilter("ignore")
where, threads = sys.argv[1], int(sys.argv[2])
{setup}
print("ready", flush=True)
for line in sys.stdin:
    kind, *photos = line.rstrip("\\n").split("\\t")
    start = time.perf_counter()
    answer = one(photos[0]) if kind == "one" else every(photos)
    print(time.perf_counter() - start, answer, sep="\\t", flush=True)"""
TORCH = """
from fastai.vision.all import load_learner
import numpy as np, torch
from PIL import Image
torch.set_num_threads(threads)
learn = load_learner(where + "/learner.pkl")
net, labels = learn.model.eval(), list(learn.dls.vocab)
def pixels(f):
    x = Image.open(f).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(x)).permute(2, 0, 1).float()/255*2 - 1
def one(f):
    with learn.no_bar(), learn.no_logging(): return learn.predict(f)[0]
def every(photos):
    said = []
    with torch.inference_mode():
        for i in range(0, len(photos), {batch}):
            said += net(torch.stack([pixels(f) for f in photos[i:i + {batch}]])).argmax(1).tolist()
    return " ".join(labels[i] for i in said)"""
WORKERS = dict(
    ours=WORKER.format(setup="""
from birdornot.predict import Classifier
clf = Classifier(where + "/model", threads)
def one(f): return clf(f).label
def every(photos): return " ".join(p.label for p in clf.predict_many(photos))"""),
    torch=WORKER.format(setup=TORCH.format(batch=1)), torch16=WORKER.format(setup=TORCH.format(batch=16)))


def cold(who: str, where, photo) -> tuple[float, float]:
    "Seconds from the start of a process to its answer, and the most memory it took, in MB"
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-W", "ignore", "-c", COLD[who], where, photo], stdout=subprocess.PIPE)
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status or not said.strip(): sys.exit(f"{who} gave no answer")
    return time.perf_counter() - start, usage.ru_maxrss/(1024 if sys.platform != "darwin" else 2**20)


class Worker:
    "A process that answers when it is asked"
    def __init__(self, who, where, threads):
        self.process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", WORKERS[who], where, str(threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait(self):
        while self.process.stdout.readline().strip() != "ready":
            if self.process.poll() is not None: sys.exit("a worker died")

    def ask(self, kind, photos) -> tuple[float, list]:
        "Seconds and labels"
        self.process.stdin.write("\t".join([kind, *photos]) + "\n")
        self.process.stdin.flush()
        while True:
            seconds, tab, labels = self.process.stdout.readline().rstrip("\n").partition("\t")
            if tab: return float(seconds), labels.split()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def rounds(workers, kind, photos, n) -> tuple[dict, dict]:
    "Median seconds of each worker over `n` rounds in turn, and what each said in the last"
    took, said = {who: [] for who in workers}, {}
    for i in range(n):
        for who, w in workers.items():
            seconds, said[who] = w.ask(kind, photos if kind == "all" else [photos[i % len(photos)]])
            took[who].append(seconds)
    return {who: statistics.median(ts) for who, ts in took.items()}, said


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true", help="fewer rounds")
    p.add_argument("--photos", type=Path, help="folder of photos; without it they are drawn")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="for ours and for torch")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as d:
        subprocess.run([sys.executable, "-W", "ignore", "-c", PREPARE, d, *["given"]*bool(args.photos)], check=True)
        photos = sorted(map(str, (args.photos or Path(d)/"photos").resolve().rglob("*.jpg")))
        photos = (photos*FOLDER)[:FOLDER]
        colds = {who: [] for who in COLD}
        for i in range(2 if args.quick else 7):
            for who in COLD: colds[who].append(cold(who, d, photos[i]))
        workers = {who: Worker(who, d, args.threads) for who in WORKERS}
        for w in workers.values(): w.wait()
        pair = {who: workers[who] for who in ("ours", "torch")}
        rounds(workers, "one", photos, 2)  # the first runs of each lay out memory
        warm, _ = rounds(pair, "one", photos, 8 if args.quick else 60)
        folder, said = rounds(workers, "all", photos, 1 if args.quick else 5)
        for w in workers.values(): w.close()
    start, memory = ({who: statistics.median(v[i] for v in vs) for who, vs in colds.items()} for i in (0, 1))
    same = sum(a == b for a, b in zip(said["ours"], said["torch"]))
    table = [("cold start to first answer, s", start["ours"], start["fastai"]),
             ("memory for it, MB", memory["ours"], memory["fastai"]),
             ("one photo, warm, ms", warm["ours"]*1000, warm["torch"]*1000),
             (f"{FOLDER} photos, s", folder["ours"], min(folder["torch"], folder["torch16"]))]
    print(f"{'':<32}{'birdornot':>12}{'peer':>12}{'ratio':>8}")
    for name, ours, peer in table: print(f"{name:<32}{ours:>12.2f}{peer:>12.2f}{peer/ours:>8.1f}")
    print(f"torch alone: one a step {folder['torch']:.2f} s, sixteen a step {folder['torch16']:.2f} s; "
          f"{args.threads} threads; same label as torch: {same} of {FOLDER}")
    names = ("cold_vs_fastai", "rss_vs_fastai", "warm_vs_fastai", "folder_vs_torch")
    print(json.dumps({name: round(peer/ours, 2) for name, (_, ours, peer) in zip(names, table)}))


if __name__ == "__main__": main()
