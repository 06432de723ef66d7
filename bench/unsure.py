"""What "unsure" promises, and whether a model notices that its promises no longer hold.

    python bench/unsure.py [--quick] [--small DIR] [--photos DIR] [--seeds N]

DIR holds a folder of pictures for each class (default ../shared/small and ../shared/photos, else drawings stand in).
The last line is JSON: `drift_seen` is the share of the changes costing 5 points of error or more that were noticed
without labels, `drift_false` that of unchanged folders in which something was; `estimate_held` is how often the
interval of the estimated error held the true one, `labelled_held` the same with thirty labels. `broken_promises` is
the share of simulated sets in which less was answered than promised, `broken_errors` that in which more of the answers
were wrong, each of those that promised anything; `foreign_near` and `foreign_far` are the shares of pictures of other
kinds, and of photos of other things, that are found where 95 % of the rest pass, and `baseline_best` what the best of
five other measures finds of the near ones.
"""
import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent/"simulation"))

from drift import drift_facts, simulate
from promises import foreign, set_by_set

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


def mean(values): return round(float(sum(values)/len(values)), 4) if values else None


def promises(args, folder):
    "Facts on promises of coverage and of error"
    sizes, sets = ((50,), 20) if args.quick else ((20, 50, 200), 334)
    rows = set_by_set(folder, sizes, sets)
    for size in sizes:
        mine = [r for r in rows if r["size"] == size]
        held, strict = ([r for r in mine if r.get(k)] for k in ("promised", "promised_error"))
        less = sum(r["coverage"] < r["promised"] for r in held)
        print(f"{size:4} a class: coverage promised in {len(held)} of {len(mine)} sets, less in {less}, "
              f"{mean([r['coverage'] for r in mine]):.1%} on average; "
              f"error promised in {len(strict)}, more in {sum(r['error'] > r['promised_error'] for r in strict)}")
    return dict(broken_promises=mean([r["coverage"] < r["promised"] for r in rows if r["promised"]]),
                broken_errors=mean([r["error"] > r["promised_error"] for r in rows if r.get("promised_error")]))


def none_of_these(args, folder, photos):
    "Facts on pictures of none of the classes"
    rows = foreign(folder, photos, (20, 60) if args.quick else (20, 60, 200), 1 if args.quick else args.seeds)
    measures = [k for k in rows[0] if k not in ("where", "size")]
    for where, size in dict.fromkeys((r["where"], r["size"]) for r in rows):
        mine = [r for r in rows if (r["where"], r["size"]) == (where, size)]
        print(f"{where:5}{size:4} a class  " + "  ".join(f"{k} {mean([r[k] for r in mine]):.1%}" for k in measures))
    near, far = ([r for r in rows if r["where"] == where] for where in ("near", "far"))
    return dict(foreign_near=mean([r["ours"] for r in near]), foreign_far=mean([r["ours"] for r in far]),
                baseline_best=max(mean([r[k] for r in near]) for k in measures[2:]))


def main():
    args = options()
    with tempfile.TemporaryDirectory() as d:
        folder, photos = args.small, args.photos if args.photos.is_dir() else None
        if not folder.is_dir(): make_sample(folder := Path(d), n=100, kinds=("bird", "forest", "thing"))
        facts = promises(args, folder) | none_of_these(args, folder, photos)
    print(json.dumps(facts | drift(args)))


if __name__ == "__main__": main()
