"""A corpus of migrations that were labelled by measuring what they do, to judge the lint by.

- `base`: the project and its tables, which are there before.
- `cases`, `families`: the migrations, written without looking at the rules.
- `holdout`: more of them, written after the rules had been mended by the others.
- `measuring`, `postgresql`, `mysql`, `sqlite`: apply each to a copy of the database and look.
- `labels`: what follows from what was seen, and the file in which it stands.
- `judging`: asks the lint, and counts.
- `others`: asks other tools the same.
"""
