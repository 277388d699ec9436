"""The crash sweep: a whole `migrate_all`, killed at each of its boundaries, resumed, compared.

`make test-crash`, or `python -m tests.sweep`. There is no hook in the product's code: what
counts the boundaries and strikes at one of them is put around the drivers, in the process that
will die, and nowhere else.

    boundaries  what is counted in the dying process, and what strikes there
    process     forks that process off a parent that has everything imported
    places      the databases: made, emptied, and read out to be compared
    mariadb     a server of the sweep's own, that may be killed
    world       what an experiment works on
    scenarios   runs with a repair, a backup, or a lock in their way
    verdicts    what became of the databases and the journal
    kinds       the experiments: where to strike, and what to do afterwards
    worker      one vendor's experiments, in a process of its own, as JSON lines
    table       the verdicts, counted
"""
