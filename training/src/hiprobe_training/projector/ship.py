"""Put what is trained of a projector into the package, as float16.

python -m hiprobe_training.projector.ship --from runs/projector
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import load_file, save_file

TARGET = Path("src/hiprobe/backbones/embedded/projector.safetensors")
LIMIT = 16_000_000  # bytes
CLOSED_FORM = ("maps.", "offsets", "scales", "state.")  # computed where the backbone is assembled, in full precision


def main() -> None:
    """Convert and write; a file above the limit is refused."""
    parser = argparse.ArgumentParser(prog="python -m hiprobe_training.projector.ship", description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder that speak wrote")
    weights = load_file(parser.parse_args().source / "projector.safetensors")
    weights = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in weights.items()
        if not name.startswith(CLOSED_FORM)
    }
    size = sum(value.nbytes for value in weights.values())
    if size > LIMIT:
        raise SystemExit(f"The projector is {size} bytes as float16; at most {LIMIT} may ship.")
    save_file(weights, TARGET)
    TARGET.chmod(0o644)
    print(f"{TARGET}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
