"""Runs modules of CPython's own test suite and prints one line of JSON: the outcome of every test by name."""

import json
import os
import sys
import unittest
from test import support

support.use_resources = {}  # no network, no huge files, nothing that takes minutes
support.verbose = False


class Outcomes(unittest.TestResult):
    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[str, str] = {}

    def note(self, test: unittest.TestCase, outcome: str, why: object = None) -> None:
        name = getattr(test, "test_case", test).id()
        if self.outcomes.get(name) != "failed":
            self.outcomes[name] = outcome
        if why:
            print(name, why, file=sys.stderr)

    def startTest(self, test):
        super().startTest(test)
        print(test.id(), file=progress, flush=True)  # the last line tells what did not end

    def addSuccess(self, test): self.note(test, self.outcomes.get(test.id(), "passed"))  # noqa: E704
    def addFailure(self, test, err): self.note(test, "failed", self._exc_info_to_string(err, test))  # noqa: E704
    def addError(self, test, err): self.note(test, "failed", self._exc_info_to_string(err, test))  # noqa: E704
    def addSkip(self, test, reason): self.note(test, "skipped")  # noqa: E704
    def addExpectedFailure(self, test, err): self.note(test, "passed")  # noqa: E704
    def addUnexpectedSuccess(self, test): self.note(test, "failed")  # noqa: E704

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, "failed", self._exc_info_to_string(err, test))


report, left_out, modules = sys.argv[1], set(json.loads(sys.argv[2])), sys.argv[3:]


def only(suite: unittest.TestSuite) -> unittest.TestSuite:
    """Without those that are known not to end."""
    kept = unittest.TestSuite()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            kept.addTest(only(test))
        elif test.id() not in left_out:
            kept.addTest(test)
    return kept


progress = open(f"{report}.progress", "w")
result = Outcomes()
suite = unittest.defaultTestLoader.loadTestsFromNames([f"test.{m}" for m in modules])
only(suite).run(result)
with open(report, "w") as f:
    json.dump(result.outcomes, f)
sys.stdout.flush()
os._exit(0)  # threads that a test left behind are not waited for
