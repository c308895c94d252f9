"""``python -m vecsearch`` is the command ``vecsearch``."""

from vecsearch.cli.start import run

if __name__ == "__main__":
    run()
