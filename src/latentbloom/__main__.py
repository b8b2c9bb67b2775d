"""`python -m latentbloom`: the command line where the script is not on the path."""

from latentbloom.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
