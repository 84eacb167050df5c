"""Running code that is not ours, behind walls of the operating system (docs/decisions/0090).

The way in is `running.run(jobs.Job(...))`; `packages.provide` gets a job what it imports. Nothing
is imported here: the process inside of the walls loads this package without ours or any other.
"""
