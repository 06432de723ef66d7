"""Does the number mean what it says? `python bench/numbers.py [--quick]` runs `simulation/intervals.py`.

The standard library has a module of this name, which numpy imports. The scripts in this folder find this file first, so
an import of it gives them the other one.
"""
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).parent/"simulation"/"intervals.py"), run_name="__main__")
else:
    here = sys.path.pop(0)
    del sys.modules["numbers"]
    import numbers
    sys.modules["numbers"] = numbers
    sys.path.insert(0, here)
