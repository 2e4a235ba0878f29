"""px_python's program: test modules of Python's own, one outcome a line.

    px_python_run.py FOLDER ADDRESS MODULE...

FOLDER holds the package `test`, in which the loopback's address has become ADDRESS."""
import sys

FOLDER, ADDRESS, *MODULES = sys.argv[1:]
sys.path.insert(0, FOLDER)

import importlib
import unittest

import test.support.socket_helper as helper

helper.HOST = helper.HOSTv4 = ADDRESS
helper.bind_port.__defaults__ = (ADDRESS,)


class Result(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.outcome = "ok", ""

    def addError(self, test, err):
        super().addError(test, err)
        self.outcome = "failed", f"{err[0].__name__}: {err[1]}"

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.outcome = "failed", f"{err[0].__name__}: {err[1]}"

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcome = "skipped", reason

    def stopTest(self, test):
        super().stopTest(test)
        outcome, why = self.outcome
        print("\n=", test.id().split(" ")[0], outcome, " ".join(why.split())[:200], flush=True)


def tests(suite):
    for t in suite:
        yield from tests(t) if isinstance(t, unittest.TestSuite) else [t]


for name in MODULES:
    module = importlib.import_module("test." + name)
    classes = {}
    for t in tests(unittest.defaultTestLoader.loadTestsFromModule(module)):
        classes.setdefault(type(t), []).append(t)
    for of_class in classes.values():
        # VSOCK is another machine's, and waits for it.
        if "VSOCK" not in of_class[0].id():
            unittest.TestSuite(of_class).run(Result())
print("\n= all", flush=True)
