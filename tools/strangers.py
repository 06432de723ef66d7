"""Write the packaged embeddings of the strangers, after a change to the drawings or to the backbone"""
from pathlib import Path

import numpy as np

from birdornot.embed import embed_files
from birdornot.novelty import stranger_files

if __name__ == "__main__": np.save(Path(__file__).parents[1]/"birdornot"/"strangers.npy", embed_files(stranger_files()))
