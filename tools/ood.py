"""Write the packaged embeddings of the OOD pictures, after a change to the drawings or to the backbone"""
from pathlib import Path

import numpy as np

from birdornot.embed import embed_files
from birdornot.novelty import ood_files

if __name__ == "__main__": np.save(Path(__file__).parents[1]/"birdornot"/"ood.npy", embed_files(ood_files()))
