#!/usr/bin/python3
"""test/summary counts what must be counted: the verdict of CI hangs on it."""
import json
import os
import subprocess
import tempfile

import tap


def verdict(records, broken=""):
    """(last line, exit status) of test/summary over one tree with these tests."""
    with tempfile.TemporaryDirectory() as tree:
        os.mkdir(os.path.join(tree, "meson-logs"))
        with open(os.path.join(tree, "meson-logs", "testlog.json"), "w", encoding="utf-8") as log:
            for n, (result, stdout) in enumerate(records):
                print(json.dumps({"name": f"t{n}", "result": result, "stdout": stdout,
                                  "command": ["t"], "returncode": 0}), file=log)
        env = {k: v for k, v in os.environ.items() if k != "VERDICT"}
        run = subprocess.run(
            [os.path.join(tap.ROOT, "test", "summary"), "--broken", tree if broken else "", tree],
            capture_output=True, text=True, check=False, env=env)
        return run.stdout.splitlines()[-1], run.returncode


def check(name, records, line, status, **more):
    got = verdict(records, **more)
    tap.point(got == (line, status), name, [f"got {got}, expected {(line, status)}"])


check("passed points are counted",
      [("OK", "1..2\nok 1 - a\nok 2 - b\n"), ("OK", "ok 1\n1..1\n")],
      "3 passed, 0 failed", 0)
check("a failed point fails the run",
      [("FAIL", "1..2\nok 1 - a\nnot ok 2 - b\n")], "1 passed, 1 failed", 1)
check("a skipped point is neither passed nor failed",
      [("OK", "1..2\nok 1 - a\nok 2 - b # SKIP no tap device\n")],
      "1 passed, 0 failed, 1 skipped", 0)
check("a test that skips everything is one skip",
      [("SKIP", "1..0 # SKIP not root\n"), ("OK", "ok 1 - a\n1..1\n")],
      "1 passed, 0 failed, 1 skipped", 0)
check("a crash without a failed point is one failure",
      [("ERROR", "1..2\nok 1 - a\n")], "1 passed, 1 failed", 1)
check("running out of time is one failure",
      [("TIMEOUT", "1..1\n")], "0 passed, 1 failed", 1)
check("silence is one failure", [("OK", "")], "0 passed, 1 failed", 1)
check("words that begin with ok are no points",
      [("OK", "okay\nok then, let us go\nok 1 - a\n1..1\n")], "1 passed, 0 failed", 0)
check("a tree that does not build is one failure",
      [("OK", "ok 1 - a\n1..1\n")], "0 passed, 1 failed", 1, broken="yes")
tap.done()
