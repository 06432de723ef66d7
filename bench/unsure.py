"""What "unsure" promises, and whether a model notices that its promises no longer hold.

    python bench/unsure.py [--quick] [--small DIR] [--photos DIR] [--seeds N]

DIR holds a folder of pictures for each class (default ../shared/small and ../shared/photos, else drawings stand in).
The last line is JSON: `drift_seen` is the share of the changes costing 5 points of error or more that were noticed
without labels, `drift_false` that of unchanged folders in which something was; `estimate_held` is how often the
interval of the estimated error held the true one, `labelled_held` the same with thirty labels.
"""
import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent/"simulation"))

from drift import drift_facts, simulate

from birdornot.sample import make_sample


def options():
    "What was typed"
    p, shared = argparse.ArgumentParser(description=__doc__.split("\n")[0]), Path(__file__).parents[2]/"shared"
    p.add_argument("--quick", action="store_true")
    p.add_argument("--seeds", type=int, default=3)
    for name in ("small", "photos"): p.add_argument(f"--{name}", type=Path, default=shared/name)
    return p.parse_args()


def drift(args):
    "Facts on drift, over all folders that are there"
    rows = []
    with tempfile.TemporaryDirectory() as d:
        given = [folder for folder in (args.small, args.photos) if folder.is_dir()][:1 if args.quick else None]
        if not given: make_sample(d, n=160, kinds=("bird", "forest"))
        for folder in given or [Path(d)]: rows += simulate(folder, args.quick, args.seeds)
    for change in dict.fromkeys(r["change"] for r in rows):
        mine = [r for r in rows if r["change"] == change]
        costs = sum(r["cost"] for r in mine)/len(mine)
        print(f"{change:22} costs {costs:6.1%}, noticed in {sum(r['unlike'] for r in mine)} of {len(mine)} folders")
    return drift_facts(rows)


if __name__ == "__main__":
    facts = drift(options())
    print(json.dumps(facts))
