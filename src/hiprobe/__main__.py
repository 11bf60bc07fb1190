"""``python -m hiprobe`` is the command ``hiprobe``."""

from hiprobe.cli import main

if __name__ == "__main__":
    main()
