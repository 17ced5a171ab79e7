"""Settings of every test run, also of ``pytest --nbval notebooks``: the kernels inherit this environment."""

import os

# The chapters are executed for the repository under the same settings (tests/notebooks/execute.py).
os.environ.setdefault("COURSE_PROFILE", "quick")
os.environ.setdefault("COURSE_PROGRESS", "0")
os.environ.setdefault("MPLBACKEND", "agg")
