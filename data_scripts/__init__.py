"""Optional real data sets: list them, fetch them safely, verify them.

::

    python -m data_scripts list
    python -m data_scripts get NAME [--root FOLDER] [--part PART] [--yes]
    python -m data_scripts verify NAME [--root FOLDER] [--part PART]

No chapter needs any of them. What is here treats every server and every archive as a stranger:

- ``records``: what is known about a data set, as plain data; ``catalogue`` holds the records themselves;
- ``download``: one file over HTTP, with resume, retries, and rules for redirects and sizes;
- ``checksums``: published check sums, and what to do where nobody publishes one;
- ``extract``: archives that cannot write outside their folder or grow without end;
- ``contents``: the expected layout, and pickles that can run no code;
- ``workplace``: the folders under the root, the lock, the room on the disk, the last rename;
- ``fetch``: the order of all this; ``cli``: the command line.

``course_utils.data.real_data(name)`` finds a fetched set. It is the only thing that the chapters know of.
"""
