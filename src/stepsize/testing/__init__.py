"""The exams that everything written against stepsize's seams must pass, for use in any test suite."""
