"""Measures tornado4 beside its peers, and tells what came out; see README.md.

python benches/run.py --quick
python benches/run.py [--only NAME ...] [--peers NAME ...] [--json FILE]
python benches/run.py plot
python benches/run.py compare OLD.json NEW.json
python benches/run.py guard BASE HEAD
"""

from harness.command import main

if __name__ == "__main__":
    main()
