"""One file per peer: its pairs, and how its rates are had."""
