"""The pricing benchmark from a source tree: python benchmarks/pricing.py [--quick].

`strikelock bench pricing` is the same from an installation.
"""

import json
import sys

from options.bench import measure

if __name__ == "__main__":
    json.dump(measure(quick="--quick" in sys.argv[1:]), sys.stdout, indent=2)
    sys.stdout.write("\n")
