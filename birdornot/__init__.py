"""Words in, a trustworthy image classifier out: is it a bird?

```sh
# search the web, download, clean, train, export
birdornot make bird forest
# or start from folders of your own, photos/bird, photos/not_bird
birdornot make bird not_bird --folder photos
birdornot predict bird_or_forest/model garden.jpg
```

If `make` is interrupted, type it again, and it goes on where it stopped. From Python, a finished model answers in three lines:

```python
from birdornot.predict import Classifier
is_it = Classifier("bird_or_forest/model")
is_it("garden.jpg").probabilities
```

Modules:

- `birdornot.clean`: Files of every kind in, upright RGB pictures out; useless ones go to quarantine, each with its reason
- `birdornot.download`: Hits in, pictures and a ledger out: nothing is fetched twice, and nothing is lost silently
- `birdornot.embed`: A picture in, a thousand numbers out: computed once, and without waiting for torch
- `birdornot.evaluate`: Answers to unseen pictures in, an error with its interval out: how often is a model wrong, and how sure is that?
- `birdornot.lock`: A dataset as a text file: share the list, download the pictures again, and see which links have rotted
- `birdornot.make`: Words in, a classifier out, in one call; and each of its steps as a function of its own
- `birdornot.predict`: A photo in, an answer out, in a fraction of a second and without torch
- `birdornot.probe`: A folder of pictures in, a tested classifier out, with the honesty to say "none of these"
- `birdornot.publish`: A model in, a Hugging Face Space out, through a gate that asks whose pictures these were
- `birdornot.review`: Look at the doubtful pictures first, decide with one key each, and change your mind as often as you like
- `birdornot.search`: One word in, a list of pictures out: where each one is, how large, whose it is, and which source found it
- `birdornot.split`: Pictures in, a training and a validation set out, with all copies of a photo on the same side"""

__version__ = "0.1.0"
