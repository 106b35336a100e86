"""`python -m npgrad` is `npgrad`."""

from .cli import main

if __name__ == "__main__":
    main()
