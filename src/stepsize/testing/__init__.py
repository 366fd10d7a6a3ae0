"""The exams that whatever is written against stepsize's seams must pass, for any test suite."""
