"""Runs killed before each of their system calls, and their child processes before each of theirs."""

from rule import STATUSES
from traced import QUIET, calls_of, missing, with_fault

TITLE = "kill -9"
JOBS = {"tag-100": ("1", "4"), "tag-2": ("1", "4")}  # connections, of those that may have several
SCENES = [
    *("tag", "tag-100", "tag-tls", "tag-from", "tag-token", "copy-token", "tag-journal", "save", "tag-lookup", "delete"),
    *("tag-2", "watch", "undo", "copy", "fetch", "load"),
]
EVERY, STRIDE = 300, 7  # so many calls of a run are all tried; of those behind them, one of so many
NEVER = {"exit", "exit_group"}  # there, all is done


def options(jobs):
    return () if jobs == "-" else ("--jobs", jobs)


def cases(stage, whole):
    if missing(stage):
        return
    for name in SCENES if whole else SCENES[::2]:
        for jobs in JOBS.get(name, ("-",)):
            found = [one for one in calls_of(stage, stage.scene(name), options(jobs)) if one.name not in NEVER]
            for call in found[:EVERY] + found[EVERY::STRIDE]:
                yield name, jobs, *call


def attempt(stage, case):
    name, jobs, *call = case
    allowed = STATUSES | {128 + 9} if name == "watch" else STATUSES  # of its command
    before = with_fault(call, "kill")
    return stage.play(stage.scene(name), allowed, killed=True, before=before, more=options(jobs), env=QUIET)
