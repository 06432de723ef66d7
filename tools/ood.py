"""Write the packaged embeddings of the OOD pictures, after a change to the drawings or to the backbones"""
from pathlib import Path

import numpy as np

from birdornot.embed import embed_files
from birdornot.novelty import PACKAGED_OOD, ood_files

if __name__ == "__main__":
    for backbone, name in PACKAGED_OOD.items():
        x = embed_files(ood_files(), backbone)
        np.save(Path(__file__).parents[1]/"birdornot"/name, x if name == "ood.npy" else x.astype(np.float16))
