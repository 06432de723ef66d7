"`python -m birdornot`: the command line, where the program `birdornot` is not on the path"
import sys

from birdornot.cli import main

if __name__ == "__main__": sys.exit(main())
