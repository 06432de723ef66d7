"""Words in, a trustworthy image classifier out.

From words or folders to a model folder that answers, each step a function of a module named after its chapter:

    from birdornot.make import make            # the whole way: make(["bird", "forest"]) or make(folder="photos")
    from birdornot.search import search_images  # words → hits
    from birdornot.predict import Classifier   # Classifier("bird_or_forest/model")("garden.jpg")

Typed in a shell, the same is `birdornot make bird forest` and `birdornot predict bird_or_forest/model garden.jpg`;
`birdornot --help` lists all commands. The chapters: https://birdornot.github.io/birdornot
"""
__version__ = "0.1.0"
