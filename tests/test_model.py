"""Models from elsewhere: a faulty one is refused with a reason, and nothing of it is run or written."""
import contextlib
import json
import os
import pickle
import random
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys
import time
import zipfile
from hashlib import sha256
from types import SimpleNamespace

import onnxruntime as ort
import pytest
import tinymodel
from onnx import TensorProto, helper

from birdornot.core import BirdornotError
from birdornot.model import ModelError, ModelFolder, load_graph, note_sound
from birdornot.predict import Classifier

CANARY = "CANARY_OF_TEST_MODEL"


class Evil:
    "Sets an environment variable when it is unpickled"
    def __reduce__(self): return os.putenv, (CANARY, "1")


def refused(path, *words):
    "`Classifier` refuses what lies at `path`, and its reason names the path and holds the words"
    before = {f for f in path.parent.rglob("*")}
    with pytest.raises(ModelError) as e: Classifier(path)
    text = str(e.value)
    assert all(w in text for w in words) and path.name in text, text
    assert {f for f in path.parent.rglob("*")} == before
    return text


def test_a_good_one_answers(tmp_path):
    clf = Classifier(tinymodel.folder(tmp_path/"model"))
    assert clf(tmp_path/"model"/"probe.png").label == "sunset"
    for top in ("", "model/"):
        assert Classifier(tinymodel.zipped(tmp_path/"model", tmp_path/"m.zip",
                                           top))(tmp_path/"model"/"probe.png").label == "sunset"


@pytest.mark.parametrize("name", ["learner.pkl", "weights.pth", "pytorch_model.bin", "notes.txt"])
def test_pickle_inside(tmp_path, name):
    "Threat: pickle"
    model = tinymodel.folder(tmp_path/"model")
    (model/name).write_bytes(pickle.dumps(Evil()))
    refused(model, "pickle", name)
    refused(tinymodel.zipped(model, tmp_path/"m.zip"), "pickle", name)


@pytest.mark.parametrize("name", ["model.onnx", "model.json", "probe.png", "model.safetensors"])
def test_pickle_in_the_place_of(tmp_path, name):
    "Threat: pickle"
    model = tinymodel.folder(tmp_path/"model")
    (model/name).write_bytes(pickle.dumps(Evil()))
    refused(model, "pickle", name)


@pytest.mark.parametrize("name", ["model.onnx", "probe.png"])
def test_wrong_hash(tmp_path, name):
    model = tinymodel.folder(tmp_path/"model")
    with open(model/name, "ab") as f: f.write(b"\0")
    refused(model, "not the file that was exported", name)


@pytest.mark.parametrize("entry", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "..\\out.txt", "C:\\out.txt"])
def test_paths_out_of_a_zip(tmp_path, entry):
    "Threat: archives"
    model = tinymodel.folder(tmp_path/"model")
    refused(tinymodel.zipped(model, tmp_path/"m.zip", more=[(zipfile.ZipInfo(entry), "x")]), "leads out of it")


def test_zip_bomb_costs_nothing(tmp_path):
    "Threat: archives"
    model = tinymodel.folder(tmp_path/"model")
    bomb = tmp_path/"m.zip"
    with zipfile.ZipFile(tinymodel.zipped(model, bomb), "a", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        with z.open("model-int8.onnx", "w", force_zip64=True) as f:
            for _ in range(300): f.write(bytes(2**20))
    assert bomb.stat().st_size < 3_000_000
    start, had = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(bomb, "bomb")
    assert time.monotonic() - start < 5 and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - had < 50_000


def test_a_zip_of_a_million_files_costs_nothing(tmp_path):
    name = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0)
    names, n = b"".join(name + b"%06d" % i for i in range(60_000)), 60_000
    ends = (struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, n, n, len(names), 0),
            struct.pack("<4sIQI", b"PK\6\7", 0, len(names), 1),
            struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0))
    (tmp_path/"m.zip").write_bytes(names + b"".join(ends))
    start = time.process_time()
    refused(tmp_path/"m.zip", "holds more files than a model does")
    assert time.process_time() - start < 0.2


def test_a_size_that_lies(tmp_path):
    "The directory of the zip says that a file is small; its data go on and on"
    model, file = tinymodel.folder(tmp_path/"model"), tmp_path/"m.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
        for f in model.iterdir():
            if f.name != "model.json": z.write(f, f.name)
        z.writestr("model.json", (model/"model.json").read_bytes() + b" "*5_000_000)
    raw = bytearray(file.read_bytes())
    at = raw.rindex(b"PK\1\2") + 24
    raw[at:at + 4] = struct.pack("<I", 100)
    file.write_bytes(raw)
    refused(file, "model.json")


@pytest.mark.parametrize("changes, words", [
    (dict(size=10**9), ["'size'", "2,048"]), (dict(size=-1), ["'size'"]), (dict(max_size=10**9), ["'max_size'"]),
    (dict(labels=["a"]*10), ["'labels'", "different"]), (dict(labels=[f"{i}" for i in range(30_000)]), ["'labels'"]),
    (dict(labels={"a": 1}), ["'labels'"]), (dict(temperature=0), ["'temperature'"]),
    (dict(temperature=float("nan")), ["'temperature'"]),
    (dict(schema=2), ["update birdornot"]), (dict(schema="1"), ["no schema"]), (dict(probe=[]), ["'probe'"]),
    (dict(unsure="yes"), ["'unsure'"]), (dict(multilabel=1), ["'multilabel'"])])
def test_absurd_values(tmp_path, changes, words):
    net = tinymodel.graph().SerializeToString()
    refused(tinymodel.folder(tmp_path/"model", net, **changes), *words)


@pytest.mark.parametrize("text", ["", "null", "[" * 200_000, '{"a":' * 200_000,
                                  '{"schema": 1' + "0" * 5000 + "}", '{"schema":1} x', "\xff"])
def test_broken_json(tmp_path, text):
    model = tinymodel.folder(tmp_path/"model")
    (model/"model.json").write_text(text, encoding="latin-1")
    refused(model, "model.json")


def test_giant_json(tmp_path):
    model = tinymodel.folder(tmp_path/"model")
    with open(model/"model.json", "r+b") as f: f.truncate(10**10)  # sparse: it takes no room
    refused(model, "model.json", "4 MB")


def test_giant_graph(tmp_path):
    model = tinymodel.folder(tmp_path/"model")
    with open(model/"model.onnx", "r+b") as f: f.truncate(10**10)
    refused(model, "model.onnx", "2,000 MB")


def fits(tmp_path, net):
    "A folder with this graph, sums and all"
    return tinymodel.folder(tmp_path/"model", net if isinstance(net, bytes) else net.SerializeToString())


@pytest.mark.parametrize("keep", [0, 1, 50, 150, 400])
def test_truncated_graph(tmp_path, keep):
    refused(fits(tmp_path, tinymodel.graph().SerializeToString()[:keep]), "model.onnx")


@pytest.mark.parametrize("where", ["/etc/passwd", "../../../../etc/passwd", "weights.bin"])
@pytest.mark.parametrize("place", ["initializer", "attribute", "branch"])
def test_values_in_another_file(tmp_path, where, place):
    net = tinymodel.graph()
    tensor = TensorProto(name="w", dims=[3, 2], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=where)
    if place == "initializer": net.graph.initializer[0].CopyFrom(tensor)
    if place == "attribute": net.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))
    if place == "branch":
        inner = helper.make_graph([], "inner", [], [], [tensor])
        net.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner))
    refused(fits(tmp_path, net), "another file" if place != "branch" else "a graph inside another")


@pytest.mark.parametrize("op", ["Loop", "Scan", "If", "SequenceMap"])
def test_endless_graph(tmp_path, op):
    net = tinymodel.graph()
    net.graph.node.append(helper.make_node(op, ["x"], ["y"]))
    refused(fits(tmp_path, net), repr(op), "no network of ours")
    net.graph.node[-1].attribute.append(helper.make_attribute("body", helper.make_graph([], "inner", [], [])))
    refused(fits(tmp_path/"2", net), "a graph inside another")


def test_unknown_operator(tmp_path):
    net = tinymodel.graph()
    net.graph.node.append(helper.make_node("RunShell", ["logits"], ["y"], domain="evil.example"))
    refused(fits(tmp_path, net), "'RunShell'")


def test_functions_nested_to_a_million_nodes(tmp_path):
    "Threat: untrusted models"
    net, domain = tinymodel.graph(), "evil.example"
    net.opset_import.append(helper.make_opsetid(domain, 1))
    for i in range(20):
        inner = ("Add", "", ["x", "x"]) if not i else (f"f{i-1}", domain, ["x"])
        nodes = [helper.make_node(inner[0], ins, [out], domain=inner[1]) for ins, out in
                 ((inner[2], "y"), ([*inner[2][:-1], "y"], "z"))]
        net.functions.append(helper.make_function(domain, f"f{i}", ["x"], ["z"], nodes, net.opset_import))
    net.graph.node.append(helper.make_node("f19", ["logits"], ["far"], domain=domain))
    refused(fits(tmp_path, net), "functions")


def test_the_format_of_the_runtime_poses_as_onnx(tmp_path):
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path/"net.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(tinymodel.graph().SerializeToString(), options, providers=["CPUExecutionProvider"])
    data = (tmp_path/"net.ort").read_bytes()
    assert data[4:8] == b"ORTM"
    refused(fits(tmp_path, data), "format of ONNX Runtime's own")


def test_a_picture_may_not_say_how_much_memory_is_taken(tmp_path):
    "Harmless for the check picture, which is all that a trial sees"
    net = tinymodel.graph()
    net.graph.node.extend([helper.make_node("Cast", ["logits"], ["n"], to=TensorProto.INT64),
                           helper.make_node("ConstantOfShape", ["n"], ["all"])])
    refused(fits(tmp_path, net), "'ConstantOfShape'", "the picture")
    net.graph.initializer.append(helper.make_tensor("n", TensorProto.INT64, [1], [2]))  # a name of two values
    refused(fits(tmp_path/"2", net), "cannot read")


@pytest.fixture
def unknown(tmp_path, monkeypatch):
    "This user has opened no model yet"
    monkeypatch.setenv("BIRDORNOT_CACHE", str(tmp_path/"cache"))
    return tmp_path/"cache"/"sound"


@pytest.fixture
def trials(unknown, monkeypatch):
    "The processes in which models were to be tried from now on; none is started, and all find them sound"
    seen = []
    def run(words, **kwargs):
        seen.append(dict(kwargs, words=words))
        return subprocess.CompletedProcess(words, 0, b'""')
    monkeypatch.setattr(subprocess, "run", run)
    return seen


def costly(*nodes, **values):
    "A graph that does more work than others"
    net = tinymodel.graph()
    net.graph.initializer.extend(helper.make_tensor(k, TensorProto.INT64, [len(v)], v) for k, v in values.items())
    net.graph.node.extend(helper.make_node(op, ins, [out], **more) for op, ins, out, more in nodes)
    return net


def test_a_chain_of_giant_products_is_ended(tmp_path, unknown):
    "Threat: untrusted models"
    wide = [("ConstantOfShape", ["n"], "x0", {}), ("Sum", ["x0"], "y", {})]
    chain = [("MatMul", ["y" if i == 0 else f"x{i}", "x0"], f"x{i+1}", {}) for i in range(200)]
    model = ModelFolder(fits(tmp_path, costly(*wide, *chain, n=[3000, 3000])))
    start = time.monotonic()
    with pytest.raises(ModelError, match="takes longer than 0.5 s .*seconds=2$"): load_graph(model, seconds=0.5)
    assert time.monotonic() - start < 5 and not unknown.exists()  # it is not remembered as sound


@pytest.mark.skipif(sys.platform != "linux", reason="the system keeps no limits of memory")
def test_gigabytes_out_of_nothing_are_refused(tmp_path, unknown):
    "Threat: untrusted models"
    for i, net in enumerate((costly(("ConstantOfShape", ["n"], "x", {}), n=[2**30]),
                             costly(("Tile", ["pixels", "n"], "x", {}), n=[1, 1, 2**9, 2**9]))):
        net.graph.output.append(helper.make_tensor_value_info(net.graph.node[-1].output[0], TensorProto.FLOAT, None))
        model = fits(tmp_path/str(i), net)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        assert re.search("takes more than 700 MB .*megabytes=1400$", refused(model, "model.onnx"))
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, 1_000_000)


def test_an_unknown_model_is_tried_once(tmp_path, unknown, trials):
    model = tinymodel.folder(tmp_path/"model", labels=["dusk", "lake"], known=False)
    for _ in range(3): assert Classifier(model).labels == ["dusk", "lake"]
    assert len(trials) == 1 and trials[0]["words"][0] == sys.executable
    note, = unknown.iterdir()
    assert note.stat().st_size == 0 and note.name == f"{sha256((model/'model.onnx').read_bytes()).hexdigest()}-" \
        f"{ort.__version__}"
    note.rename(note.with_name(note.name[:64] + "-0.9"))  # another runtime may do other things with it
    Classifier(model)
    assert len(trials) == 2


def test_what_photos_may_take_a_model_may_take_too(tmp_path, trials):
    given = []
    for i, limits in enumerate(({}, dict(seconds=60, megabytes=3000), dict(seconds=1, megabytes=10))):
        Classifier(tinymodel.folder(tmp_path/f"{i}"/"model", known=False, labels=["a", f"b{i}"]), **limits)
        asked = trials.pop()
        given.append((round(asked["timeout"]), json.loads(asked["input"].partition(b"\n")[0])["megabytes"]))
    assert given == [(20, 700), (60, 3000), (20, 700)]


def test_few_notes_are_kept(unknown, monkeypatch):
    monkeypatch.setattr("birdornot.model.MOST_NOTES", 3)
    for i in range(9): note_sound(f"{i:064}")
    assert len([*unknown.iterdir()]) == 3


def test_a_model_made_here_is_not_tried(tmp_path, trials):
    model = tinymodel.folder(tmp_path/"model", known=False)
    note_sound(ModelFolder(model).info["sha256"]["model.onnx"])
    Classifier(model)
    assert not trials


def test_where_nothing_can_be_noted_it_is_tried_each_time(tmp_path, trials, monkeypatch):
    (tmp_path/"cache").write_text("no folder")
    for _ in range(2): Classifier(tinymodel.folder(tmp_path/f"{_}"/"model", known=False))
    assert len(trials) == 2


def test_a_model_that_crashes_the_runtime(tmp_path, unknown, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    refused(tinymodel.folder(tmp_path/"1"/"model", known=False), "crashes ONNX Runtime")
    monkeypatch.setattr(sys, "executable", str(tmp_path/"nothing"))
    refused(tinymodel.folder(tmp_path/"2"/"model", known=False), "cannot be tried")


def test_a_script_without_a_guard_is_not_started_again(tmp_path, unknown):
    model = tinymodel.folder(tmp_path/"model", known=False)
    script = tmp_path/"script.py"
    script.write_text(f"print('started')\nfrom birdornot.predict import Classifier\nprint(Classifier({str(model)!r}))")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["started", "Classifier(sunset or sea?)"] and not done.stderr
    assert len([*unknown.iterdir()]) == 1


def test_another_models_graph(tmp_path):
    "Right sums, right shape, other weights: only the probe tells"
    net = tinymodel.graph(weight=((-8., 8.), (0., 0.), (8., -8.))).SerializeToString()
    refused(tinymodel.folder(tmp_path/"model", net, known=True), "check picture")


def test_labels_swapped_in_the_json(tmp_path):
    net = tinymodel.graph().SerializeToString()
    refused(tinymodel.folder(tmp_path/"model", net, labels=["sea", "sunset"]), "two exports")


@pytest.mark.parametrize("name", ["model.json", "model.onnx", "notes"])
def test_what_is_no_file_in_a_folder(tmp_path, name):
    model = tinymodel.folder(tmp_path/"model")
    (model/name).unlink(missing_ok=True)
    os.mkfifo(model/name)
    refused(model, repr(name), "a pipe or a device")
    refused(model/name, "is a pipe or a device")
    (model/name).unlink()
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(model):
        server.bind(name)
        refused(model, repr(name), "a pipe or a device")


@pytest.mark.parametrize("name", ["model.json", "model.onnx", "probe.png", "ATTRIBUTION.csv", "notes", "folder"])
def test_links_in_a_folder_are_not_followed(tmp_path, name):
    "Threat: untrusted models"
    model = tinymodel.folder(tmp_path/"model")
    secret = tmp_path/"secret"
    if (model/name).exists(): (model/name).rename(secret)
    else: secret.mkdir()
    (model/name).symlink_to(secret)
    refused(model, "holds a link", repr(name), "not followed")


def test_a_link_to_a_folder_is_the_choice_of_who_names_it(tmp_path):
    tinymodel.folder(tmp_path/"model")
    (tmp_path/"mine").symlink_to(tmp_path/"model")
    assert Classifier(tmp_path/"mine").labels == ["sunset", "sea"]


def test_nothing_was_unpickled():
    "Threat: pickle. None of the pickles above has run"
    code = f"import os; print(os.environ.get({CANARY!r}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "None"


def test_a_folder_is_never_written_to(tmp_path):
    model = tinymodel.folder(tmp_path/"model")
    before = {f.name: f.stat().st_mtime_ns for f in model.iterdir()}
    for f in model.iterdir(): f.chmod(0o444)
    Classifier(model)
    assert {f.name: f.stat().st_mtime_ns for f in model.iterdir()} == before
    assert json.loads((model/"model.json").read_text()) == ModelFolder(model).info


@pytest.fixture(autouse=True)
def quiet(capfd):
    "What ONNX Runtime has to say is in our errors; its own lines would end up among the answers"
    yield
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("key", [*tinymodel.INFO, "probe", "sha256"])
def test_a_description_that_lacks_something(tmp_path, key):
    said = "no schema" if key == "schema" else f"says nothing for {key!r}"
    refused(tinymodel.folder(tmp_path/"model", drop=[key]), said)


TEXTS, DICTS = ("backbone", "created", "trained_on", "shift"), ("error", "head", "fit", "pictures", "versions")


@pytest.mark.parametrize("key", TEXTS + DICTS)
def test_a_description_of_other_types(tmp_path, key):
    for i, value in enumerate((7, ["x", {}], {"a": 1} if key in TEXTS else "x")):
        refused(tinymodel.folder(tmp_path/f"{i}"/"model", **{key: value}), f"for {key!r}")


def field(number, kind, data): return bytes([number << 3 | kind]) + (b"" if kind == 0 else bytes([len(data)])) + data


HUGE = b"\xff"*8 + b"\x7f"  # a number of 63 bits
VARINTS = {"name of a node": field(7, 2, field(1, 2, field(4, 0, HUGE))), "graph": field(7, 0, HUGE),
           "node": field(7, 2, field(1, 0, HUGE)), "length": bytes([7 << 3 | 2]) + HUGE, "without an end": b"\xff"*99,
           "field": HUGE, "tensor": field(7, 2, field(5, 0, HUGE))}


@pytest.mark.parametrize("name", VARINTS)
def test_absurd_numbers_in_a_graph(tmp_path, name):
    start = time.monotonic()
    refused(tinymodel.folder(tmp_path/"model", VARINTS[name]), "model.onnx", "is damaged")
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 9, 97, 65535])
def test_a_zip_packed_in_another_way(tmp_path, method):
    file = tinymodel.zipped(tinymodel.folder(tmp_path/"model"), tmp_path/"m.zip")
    raw = file.read_bytes()
    for mark, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        parts = raw.split(mark)
        raw = mark.join([parts[0], *(p[:at-4] + struct.pack("<H", method) + p[at-2:] for p in parts[1:])])
    file.write_bytes(raw)
    refused(file, "copy the model again")


def test_a_zip_with_names_of_another_encoding(tmp_path):
    file = tinymodel.zipped(tinymodel.folder(tmp_path/"model"), tmp_path/"m.zip", more=[("naïve.txt", "x")])
    file.write_bytes(file.read_bytes().replace("naïve".encode(), b"na\xff\xfeve"))
    refused(file, "copy it again")


def test_damaged_zips_are_refused_in_one_line(tmp_path):
    "A byte here or there is another one: it still answers, or it is refused"
    good = tinymodel.zipped(tinymodel.folder(tmp_path/"model"), tmp_path/"m.zip").read_bytes()
    dice, refusals = random.Random(0), 0
    for _ in range(150):
        raw = bytearray(good)
        for _ in range(dice.randint(1, 4)): raw[dice.randrange(len(raw))] = dice.randrange(256)
        (tmp_path/"m.zip").write_bytes(raw[:dice.choice([None, None, dice.randrange(len(raw))])])
        try: ModelFolder(tmp_path/"m.zip").checked("model.onnx")
        except ModelError as e: refusals += "\n" not in str(e)
    assert refusals > 50


def test_damaged_weights(tmp_path):
    from birdornot.export import to_learner
    data = SimpleNamespace(vocab=tinymodel.INFO["labels"])
    for i, raw in enumerate((b"", b"\xff"*8, b"\x02" + bytes(7) + b"[]", b"\x10" + bytes(7) + b"{"*16)):
        model = tinymodel.folder(tmp_path/f"{i}"/"model")
        (model/"model.safetensors").write_bytes(raw)
        info = json.loads((model/"model.json").read_text())
        info["sha256"]["model.safetensors"] = sha256(raw).hexdigest()
        (model/"model.json").write_text(json.dumps(info))
        with pytest.raises(ModelError, match="is damaged"): to_learner(model, data)


def test_attribution_without_a_code(tmp_path):
    from birdornot.publish import write_space
    for i, table in enumerate(("", "file,label\nx,y\n", "\0", "x"*200_000)):
        model = tinymodel.folder(tmp_path/f"{i}"/"model", papers={"ATTRIBUTION.csv": table, "MODEL_CARD.md": "# x"})
        with pytest.raises(BirdornotError, match="ATTRIBUTION.csv has no column"): write_space(model, tmp_path/"space")
    assert not (tmp_path/"space").exists()


@pytest.mark.parametrize("op,sound", [("Identity", True), ("Neg", False)])
def test_maps_are_what_the_embedding_is_the_mean_of(tmp_path, op, sound):
    net = tinymodel.graph()
    net.graph.node.append(helper.make_node(op, ["pixels"], ["maps"]))
    net.graph.output.append(helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", 3, 32, 32]))
    model = tinymodel.folder(tmp_path/"model", net.SerializeToString(), maps=True)
    refused = pytest.raises(ModelError, match="gives maps of .1, 3, 32, 32. whose mean is not its embedding")
    with contextlib.nullcontext() if sound else refused: Classifier(model)
