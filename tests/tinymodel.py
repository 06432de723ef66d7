"""The smallest model folder there is: the mean colour of a picture says sunset or sea."""
import json
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from birdornot.model import note_sound

INFO = dict(schema=1, labels=["sunset", "sea"], size=32, max_size=400, temperature=1.0, multilabel=False, unsure=None)


def graph(info=INFO, weight=((8., -8.), (0., 0.), (-8., 8.))):
    "mean colour → embedding N×3 → logits N×2, as an onnx.ModelProto"
    values = dict(w=np.array(weight, np.float32), b=np.zeros(2, np.float32))
    nodes = [helper.make_node("GlobalAveragePool", ["pixels"], ["mean"]),
             helper.make_node("Flatten", ["mean"], ["embedding"]),
             helper.make_node("Gemm", ["embedding", "w", "b"], ["logits"])]
    shapes = dict(pixels=["n", 3, info["size"], info["size"]], logits=["n", 2], embedding=["n", 3])
    ports = [helper.make_tensor_value_info(k, TensorProto.FLOAT, s) for k, s in shapes.items()]
    net = helper.make_graph(nodes, "tiny", ports[:1], ports[1:],
                            [numpy_helper.from_array(v, k) for k, v in values.items()])
    model = helper.make_model(net, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"birdornot": json.dumps(info)})
    return model


def folder(dest: Path, net=None, drop=(), papers=None, known=None, **changes) -> Path:
    """A model folder in `dest`: bytes of another graph, keys to leave out and values to change make it a bad one

    `known`: its graph is noted as made here, by default the good one; to try it would take a third of a second."""
    dest.mkdir(parents=True)
    Image.new("RGB", (40, 30), (200, 100, 50)).save(dest/"probe.png")
    info = INFO | changes
    (dest/"model.onnx").write_bytes(graph({k: info[k] for k in INFO}).SerializeToString() if net is None else net)
    info |= dict(probe=dict(file="probe.png", logits=[150/255*8, -150/255*8])) | changes
    for name, text in (papers or {}).items(): (dest/name).write_text(text, encoding="utf-8", newline="")
    info["sha256"] = {f.name: sha256(f.read_bytes()).hexdigest() for f in dest.iterdir()}
    if net is None if known is None else known: note_sound(info["sha256"]["model.onnx"])
    (dest/"model.json").write_text(json.dumps({k: v for k, v in info.items() if k not in drop}))
    return dest


def zipped(src: Path, dest: Path, top="", more=()) -> Path:
    "A zip of a folder; `more` are further pairs of entry and content"
    with zipfile.ZipFile(dest, "w", zipfile.ZIP_DEFLATED) as z:
        for f in sorted(src.iterdir()): z.write(f, top + f.name)
        for name, data in more: z.writestr(name, data)
    return dest
