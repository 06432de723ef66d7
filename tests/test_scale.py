"""A table in shards: the same table whatever dies, nothing done twice, nothing left running."""
import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
import tinymodel
from PIL import Image
from program import PROGRAM
from roughpictures import RoughWeb, picture

from birdornot import scale as scaling
from birdornot.core import BirdornotError
from birdornot.download import Fetcher
from birdornot.ledger import Ledger
from birdornot.predict import Classifier
from birdornot.scale import Scaled, scale

if not (find_spec("pandas") and find_spec("pyarrow")):  # each worker collects these tests, one imports pandas
    pytest.skip("tables take pandas and pyarrow: pip install 'birdornot[scale]'", allow_module_level=True)


@pytest.fixture
def web():
    with RoughWeb() as w: yield w


@pytest.fixture
def model(tmp_path): return tinymodel.folder(tmp_path/"model")


class Inline:
    "Does shards in this process"
    slots, died = 1, ()
    def submit(self, fn, *args):
        done = fn(*args)
        return lambda: done
    def wait(self, running): return running
    def result(self, task): return task()
    def close(self): pass


@pytest.fixture
def inline(monkeypatch):
    "Has runs do their shards in this process, where what is asked is not about processes: each takes 0.4 s to begin"
    monkeypatch.setattr(scaling, "_engine", lambda *args: Inline())


at_once = pytest.mark.usefixtures("inline")


def table(web, path, n, wait=0):
    "`n` addresses of which every ninth is missing and every tenth a web page"
    def kind(i):
        return "missing" if i % 9 == 4 else "html" if i % 10 == 3 else "good"
    path.write_text("\n".join(f"{web.url}/{kind(i)}/{i}?wait={wait}" for i in range(n)))
    return path


def run(web, file, dest, model=None, **kwargs):
    return scale(file, dest, model, allow_hosts=[web.host], per_host=200,
                 progress=False, **{"workers": 2, "shard": 10, **kwargs})


def test_a_row_for_every_row_as_a_plain_loop_would_write_it(web, model, tmp_path):
    t = run(web, table(web, tmp_path/"t.txt", 60), tmp_path/"run", model).table()
    clf = Classifier(model)
    assert t.row.tolist() == list(range(60))
    with Fetcher(allow_hosts=[web.host]) as fetcher:
        for r in t.itertuples():
            try: p, why = clf(fetcher.get(r.image_url)), ""
            except BirdornotError as e: why = str(e)
            assert r.reason == why and (r.status == "clean") == (not why)
            if not why:
                assert (r.prediction, r.answer) == (p.label, p.answer)
                assert round(r.p_sea, 6) == round(p.probabilities["sea"], 6)
    assert web.asked["/good/0?wait=0"] == 2  # once by the run, once by this test


@at_once
def test_the_columns_of_a_run(web, model, tmp_path):
    from pyarrow.parquet import read_schema
    full = run(web, table(web, tmp_path/"t.txt", 5), tmp_path/"a", model).table(["picture", "embedding"])
    assert Image.open(__import__("io").BytesIO(full.picture[0])).format == "JPEG" and len(full.embedding[0]) == 3
    bare = run(web, tmp_path/"t.txt", tmp_path/"b", copies=False)
    names = read_schema(bare.files[0]).names
    assert not {"picture", "embedding", "answer"} & {*names} and {"phash", "sharpness", "sha256"} <= {*names}


@at_once
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "folder"])
def test_tables_of_every_kind(web, tmp_path, kind):
    rows = [dict(URL=f"{web.url}/good/{i}", label="bird", author="A. Person")
            for i in range(4)] + [dict(URL="", label="bird", author="")]
    file = tmp_path/f"t.{kind}"
    if kind == "parquet":
        from pandas import DataFrame
        DataFrame(rows).to_parquet(file)
    elif kind == "jsonl": file.write_text("\n".join(map(json.dumps, rows)))
    elif kind == "folder":
        from birdornot.hits import Hit
        with Ledger(file) as ledger: ledger.add([Hit("bird", r["URL"], author=r["author"]) for r in rows])
    else:
        with file.open("w", newline="") as f:
            w = csv.DictWriter(f, rows[0], delimiter="," if kind == "csv" else "\t")
            w.writeheader()
            w.writerows(rows)
    t = run(web, file, tmp_path/"run").table()
    assert t.status.tolist() == ["clean"]*4 + ["failed"] and t.author.tolist()[:4] == ["A. Person"]*4
    assert t.label.tolist() == ["bird"]*5
    assert t.reason.tolist()[-1] == "not an http or https address"


@at_once
def test_addresses_of_a_table_reach_no_private_place(tmp_path):
    (tmp_path/"t.txt").write_text("http://127.0.0.1/a.jpg\nhttp://169.254.169.254/x\nfile:///etc/passwd\n")
    assert {*scale(tmp_path/"t.txt", tmp_path/"run", workers=1).reasons} == {
        "leads to a private address, blocked for safety; to permit it, download with allow_hosts=…",
        "not an http or https address; files=True permits paths and file: addresses"}


@at_once
def test_a_run_goes_on_only_with_what_it_was_begun_with(web, model, tmp_path):
    run(web, table(web, tmp_path/"t.txt", 5), tmp_path/"run", model)
    for other in (dict(shard=9), dict(copies=False)):
        with pytest.raises(BirdornotError, match="was begun with another"):
            run(web, tmp_path/"t.txt", tmp_path/"run", model, **other)
    with pytest.raises(BirdornotError, match="has no rows"):
        (tmp_path/"empty.csv").write_text("")
        run(web, tmp_path/"empty.csv", tmp_path/"other")


def addresses(web, path, numbers):
    path.write_text("url,label\n" + "".join(f"{web.url}/good/{i},bird\n" for i in numbers))
    return path


@at_once
def test_a_run_answers_for_the_table_it_is_given(web, tmp_path):
    file, dest = addresses(web, tmp_path/"t.csv", range(16)), tmp_path/"run"
    run(web, file, dest)
    (tmp_path/"other").mkdir()
    asked = sum(web.asked.values())
    for same in (file, addresses(web, tmp_path/"other/t.csv", range(16))):
        assert len(run(web, same, dest).table()) == 16 and sum(web.asked.values()) == asked
    grown = run(web, addresses(web, file, range(25)), dest)
    assert [r.rpartition("/")[2] for r in grown.table().image_url] == [*map(str, range(25))] and not grown.missing
    assert web.asked["/good/3"] == 1  # of a full shard
    for other in (range(100, 125), range(24), [*range(24), 99]):
        with pytest.raises(BirdornotError, match="was begun with another table; give the same again"):
            run(web, addresses(web, file, other), dest)
    assert len(run(web, addresses(web, file, range(25)), dest).table()) == 25


@at_once
def test_a_run_that_was_killed_while_cutting_knows_nothing_of_that_table(web, tmp_path):
    run(web, addresses(web, tmp_path/"t.csv", range(32)), tmp_path/"run")
    (tmp_path/"run/run.json").unlink()
    got = run(web, addresses(web, tmp_path/"t.csv", range(50, 65)), tmp_path/"run")
    assert len(got.table()) == 15 and got.counts == {"clean": 15}
    assert got.table().image_url[0].endswith("/50")


@at_once
def test_a_run_of_an_earlier_birdornot_knows_its_table_too(web, tmp_path):
    run(web, addresses(web, tmp_path/"t.csv", range(12)), tmp_path/"run")
    about = json.loads((tmp_path/"run/run.json").read_text())
    del about["content"]
    (tmp_path/"run/run.json").write_text(json.dumps(about))
    with pytest.raises(BirdornotError, match="another table"):
        run(web, addresses(web, tmp_path/"t.csv", range(20, 32)), tmp_path/"run")
    assert len(run(web, addresses(web, tmp_path/"t.csv", range(14)), tmp_path/"run").table()) == 14


@at_once
def test_damaged_and_missing_parts_are_told_and_made_again(web, tmp_path):
    from pandas.testing import assert_frame_equal
    file, dest = addresses(web, tmp_path/"t.csv", range(30)), tmp_path/"run"
    whole = run(web, file, dest).table()
    parts = sorted((dest/"done").iterdir())
    data = bytearray(parts[0].read_bytes())
    at = data.index(b"\xff\xd8\xff")  # within a picture
    data[at + 50:at + 60] = bytes(10)
    parts[0].write_bytes(data)
    parts[1].write_bytes(parts[1].read_bytes()[:999])
    parts[2].unlink()
    (dest/"todo/000002.parquet").write_bytes(b"")
    assert "; 10 are missing, run it again" in repr_or_error(Scaled(dest), dest)
    with pytest.raises(BirdornotError, match="'.*000001.parquet' is damaged .*; run the same"): Scaled(dest).table()
    again = run(web, file, dest)
    assert_frame_equal(again.table(), whole)
    assert not again.missing and "missing" not in repr(again)
    assert_frame_equal(again.table(["picture"]), run(web, file, tmp_path/"b").table(["picture"]))
    (dest/"run.json").write_text("{")
    with pytest.raises(BirdornotError, match="run.json' is damaged; run it into another folder"): run(web, file, dest)


def repr_or_error(got, dest):
    "What a run says of itself when its damaged part is out of the way"
    got.files = [f for f in got.files if f.name != "000001.parquet"]
    return repr(got)


@at_once
def test_another_model_in_the_same_place_is_another_run(web, model, tmp_path):
    file = addresses(web, tmp_path/"t.csv", range(3))
    run(web, file, tmp_path/"run", model)
    about = json.loads((model/"model.json").read_text())
    (model/"model.json").write_text(json.dumps(about | dict(seed=about.get("seed", 0) + 1)))
    with pytest.raises(BirdornotError, match="was begun with another model"): run(web, file, tmp_path/"run", model)


@at_once
@pytest.mark.parametrize("kind,text", [
    ("csv", "url,label\n,bird\n{},bird\n"), ("jsonl", '{{"url": null}}\n{{"url": "{}"}}\n'),
    ("jsonl", '{{"label": "bird"}}\n{{"url": "{}"}}\n')])
def test_an_empty_first_address_costs_its_row_only(web, tmp_path, kind, text):
    (tmp_path/f"t.{kind}").write_text(text.format(web.url + "/good/1"))
    assert run(web, tmp_path/f"t.{kind}", tmp_path/"run").table().status.tolist() == ["failed", "clean"]


@pytest.mark.parametrize("name", ["shard", "workers", "in_flight", "per_host", "patience"])
def test_numbers_that_nothing_can_be_done_with(tmp_path, name):
    (tmp_path/"t.txt").write_text("http://127.0.0.1:9/1.jpg")
    for value in (-1, 0):
        with pytest.raises(BirdornotError, match=f"^{name} is {value}; give a number from 1 to "):
            scale(tmp_path/"t.txt", tmp_path/"run", progress=False, **{name: value})
    assert not (tmp_path/"run").exists()


@pytest.fixture
def patched(tmp_path, monkeypatch):
    "Lets the processes of a run begin with some lines of ours"
    def _patch(code):
        (tmp_path/"site").mkdir()
        (tmp_path/"site/sitecustomize.py").write_text(f"import hashlib, os, sys, birdornot.scale as scale\n{code}")
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path/'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return _patch


def test_a_picture_that_kills_its_decoder_costs_itself_only(web, tmp_path, patched):
    patched(f"""
real = scale.examine_picture
def examine(data, *args):
    if hashlib.sha256(data).hexdigest() == {hashlib.sha256(picture(77)).hexdigest()!r}: os.abort()
    return real(data, *args)
scale.examine_picture = examine""")
    (tmp_path/"t.txt").write_text("\n".join(f"{web.url}/good/{i}" for i in (*range(14), 77, *range(20, 34))))
    t = run(web, tmp_path/"t.txt", tmp_path/"run").table()
    assert t.reason[14].startswith("the decoder crashes on it;") and (t.status == "clean").sum() == 28


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are spawned")
def test_what_a_process_of_a_run_starts_is_forked():
    "Spawned processes spawn; a picture that is decoded apart would take 0.3 s, and not the tenth that is promised"
    with closing(scaling._Home(1, 60)) as engine:
        asked = engine.submit(eval, "__import__('multiprocessing').get_start_method(True)")
        assert engine.result(asked) in (None, "fork")


def test_a_shard_that_always_dies_becomes_failures(web, tmp_path, patched):
    patched("""
real = scale._result_row
scale._result_row = lambda row, *args: os.abort() if row["row"] > 9 else real(row, *args)""")
    got = run(web, table(web, tmp_path/"t.txt", 20), tmp_path/"run")
    assert got.reasons[scaling._DIED] == 10 and len(got.table()) == 20


SCRIPT = "import json, sys; from birdornot.scale import scale; scale(*sys.argv[1:3], **json.loads(sys.argv[3]))"


def children(pid):
    "The working processes of a run, whose first word is Python's for a spawned process"
    out = subprocess.run(["pgrep", "-P", str(pid), "-f", "spawn_main"], capture_output=True, text=True).stdout.split()
    return [int(p) for p in out]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as Linux shows them")
def test_kill_a_worker_then_everything_and_go_on(web, model, tmp_path, monkeypatch):
    from pandas.testing import assert_frame_equal
    file, done = table(web, tmp_path/"t.txt", 180, .05), tmp_path/"run/done"
    args = dict(model=str(model), allow_hosts=[web.host], workers=2, shard=6, in_flight=8, per_host=200)
    p = subprocess.Popen([sys.executable, "-c", SCRIPT, file, tmp_path/"run", json.dumps(args)])
    def there():
        return {f.name: f.stat().st_mtime_ns for f in done.glob("[0-9]*.parquet")}
    def wait_for(n):
        until = time.monotonic() + 150  # a process that is killed while it holds a queue is waited for, a minute
        while len(there()) < n and p.poll() is None and time.monotonic() < until: time.sleep(.02)
    wait_for(3)
    workers = children(p.pid)
    os.kill(workers[0], signal.SIGKILL)
    wait_for(8)
    left, before = children(p.pid), there()
    p.kill()
    p.wait()
    asked = sum(web.asked.values())
    again = run(web, file, tmp_path/"run", model, in_flight=8, shard=6)
    assert 8 <= len(before) < 30 and before.items() <= there().items()
    monkeypatch.setattr(scaling, "_engine", lambda *args: Inline())
    undisturbed = run(web, file, tmp_path/"calm", model, shard=6)
    assert_frame_equal(again.table(), undisturbed.table())
    assert sum(web.asked.values()) - asked < 2*180 - 6*len(before) + 36
    until = time.monotonic() + 10
    while any(Path(f"/proc/{w}").exists() for w in left) and time.monotonic() < until: time.sleep(.1)
    assert not [w for w in left if Path(f"/proc/{w}").exists()]  # no worker outlives its master
    assert not [f for f in (tmp_path/"run").rglob(".*")]


CLUSTER = """
import os, subprocess, sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_raylet_start_wait_time_s="120")
import tinymodel
from ray.cluster_utils import Cluster
from roughpictures import RoughWeb
from birdornot.scale import scale
here = Path(sys.argv[1])
model = tinymodel.folder(here/"model")
node = dict(num_cpus=1, node_ip_address="127.0.0.1", object_store_memory=80*2**20)
head = dict(node, include_dashboard=False, include_log_monitor=False, no_monitor=True)
cluster = Cluster(initialize_head=True, head_node_args=head)
nodes = [cluster.add_node(**node) for _ in range(2)]
cluster.wait_for_nodes()
def wait_for(n):
    while len([*(here/"run/done").glob("[0-9]*.parquet")]) < n: time.sleep(.05)
with RoughWeb() as web:
    urls = [f"{web.url}/{'missing' if i % 9 == 4 else 'good'}/{i}?wait=.1" for i in range(300)]
    (here/"t.txt").write_text("\\n".join(urls))
    kwargs = dict(allow_hosts=[web.host], shard=10, in_flight=4, per_host=200, progress=False)
    there = dict(kwargs, cluster=cluster.address)
    run = threading.Thread(target=scale, args=(here/"t.txt", here/"run", model), kwargs=there)
    run.start()
    wait_for(3)
    raylet = lambda node: node.all_processes["raylet"][0].process.pid
    below = ["pgrep", "-P", str(raylet(nodes[1])), "-f", "^ray::do_shard"]
    while not (workers := subprocess.run(below, capture_output=True, text=True).stdout.split()): time.sleep(.05)
    os.kill(int(workers[0]), 9)
    wait_for(8)
    os.kill(raylet(nodes[0]), 9)
    run.join()
    scale(here/"t.txt", here/"home", model, workers=2, **kwargs)
cluster.shutdown()
"""


@pytest.mark.slow
def test_three_nodes_of_which_one_dies(tmp_path):
    "In a network of its own, as Ray listens to all interfaces"
    from pandas.testing import assert_frame_equal
    pytest.importorskip("ray")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("no network namespaces here")
    inner = ["sh", "-c", 'ip link set lo up && exec "$0" "$@"', sys.executable,
             "-c", CLUSTER, tmp_path, Path(__file__).parent]
    done = subprocess.run(["unshare", "-n", *map(str, inner)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert_frame_equal(Scaled(tmp_path/"run").table(), Scaled(tmp_path/"home").table())


def test_telemetry_is_off_before_ray_is_there(monkeypatch):
    "Threat: telemetry of dependencies"
    import builtins
    seen, real = [], builtins.__import__
    def watch(name, *args):
        if name == "ray":
            seen.append(os.environ.get("RAY_USAGE_STATS_ENABLED"))
            raise ImportError(name)
        return real(name, *args)
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    monkeypatch.setattr(builtins, "__import__", watch)
    with pytest.raises(BirdornotError, match="birdornot\\[scale\\]"): scaling._Ray("auto", 9)
    assert seen == ["0"]


@pytest.fixture
def program(tmp_path, monkeypatch, capsys, inline):
    "The command in this process, beside a folder of photos of the user's own: exit code and what it told"
    from birdornot.cli import main
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        file = tmp_path/"photos"/"bird"/f"{i} é.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((64, 48), 50 + i).convert("RGB").save(file)
    def _run(*words):
        code = main(["scale", *map(str, words)])
        return code, capsys.readouterr().err
    return _run


def test_paths_and_file_addresses_are_read_where_they_are_permitted(program, tmp_path):
    files = sorted((tmp_path/"photos/bird").iterdir())
    rows = ["photos/bird/0 é.jpg", str(files[1]), files[2].as_uri(), "photos/lost.jpg"]
    Path("t.csv").write_text("path,source\n" + "".join(f"{r},folder\n" for r in rows))
    code, err = program("t.csv", "closed")
    assert code == 1 and "4 rows: 4 failed" in err and "--files permits paths and file: addresses" in err, err
    assert set(Scaled("closed").table().status) == {"failed"}
    code, err = program("t.csv", "open", "--files")
    assert code == 0 and "3 clean, 1 failed" in err and "there is no such file; paths are read from" in err, err


def test_a_folder_of_pictures_is_a_table_too_and_answers_are_counted_and_written_down(program, model, tmp_path):
    Path("photos/bird/notes.txt").write_text("milk")
    code, err = program("photos", "run", "--model", "model", "--csv", "answers.csv")
    assert code == 0 and "3 rows: 3 clean; answers: " in err and "1 file is left out: notes.txt" in err, err
    rows = list(csv.DictReader(open("answers.csv", encoding="utf-8")))
    assert [r["title"] for r in rows] == ["0 é.jpg", "1 é.jpg", "2 é.jpg"] and {r["label"] for r in rows} == {"bird"}
    assert {r["answer"] for r in rows} <= {"sea", "sunset"} and not {"picture", "embedding"} & {*rows[0]}
    code, err = program("photos", "other", "--csv", "no/answers.csv")
    assert code == 1 and "there is no folder 'no'; make it first" in err and not Path("other").exists()


def test_from_the_command_line(web, program, model, tmp_path):
    table(web, tmp_path/"t.txt", 30)
    done = subprocess.run([*PROGRAM, "scale", "t.txt", "run", "--model",
                           "model", "--near", "--shard", "10", "--allow-hosts", web.host],
                          cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout == "run/done\n", done.stderr
    assert "30 rows: 25 clean, 5 failed" in done.stderr and "look like an earlier one" in done.stderr
    assert (tmp_path/"run/near.parquet").exists()
    code, err = program("no.csv", "other")
    assert code == 1 and "there is no file" in err and "Traceback" not in err


PEAK = """
import io, json, resource, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from PIL import Image
from birdornot import scale
Image.merge("RGB", [Image.effect_noise((400, 400), 150) for _ in "rgb"]).save(data := io.BytesIO(), "JPEG", quality=95)
class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(data.getvalue())
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
here, host = Path(sys.argv[1]), f"127.0.0.1:{server.server_port}"
s = scale._settings(in_flight=16, per_host=16, allow_hosts=[host])
for n in (40, 360):
    (here/"t.txt").write_text("\\n".join(f"http://{host}/{i}" for i in range(n)))
    scale._cut(here/"t.txt", here/f"{n}", n)
    assert scale.do_shard(here/f"{n}/000000.parquet", here/f"{n}.parquet", s) == {"clean": n}
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory in kilobytes, as Linux does")
def test_a_long_shard_takes_no_more_memory_than_a_short_one(tmp_path):
    done = subprocess.run([sys.executable, "-c", PEAK, tmp_path], capture_output=True, text=True, timeout=100)
    assert not done.returncode, done.stderr[-2000:]
    short, long = map(int, done.stdout.split())
    assert long - short < 45  # the copies alone are 70 MB
