#!/usr/bin/env python3
"""What "make run" does: a gateway in the foreground that sends itself a message."""
import os
import re
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
from instance import BUILD, SRC, free_port, wait_until
from tap import diag, is_eq, like, ok, run


def test_first_run():
    with tempfile.TemporaryDirectory(prefix="postern-run-") as d:
        os.chmod(d, 0o755)
        smtp, submission = free_port(), free_port()
        env = dict(os.environ, POSTERN_BUILD=BUILD, RUN_SMTP_PORT=str(smtp), RUN_SUBMISSION_PORT=str(submission))
        p = subprocess.Popen([SRC + "/scripts/run-gateway", d + "/run"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        said = []
        threading.Thread(target=lambda: said.extend(iter(p.stdout.readline, "")), daemon=True).start()
        text = lambda: "".join(said)
        try:
            wait_until(lambda: "The gateway goes on" in text() or p.poll() is not None, "the first delivery", 60)
            where = re.search(r"was delivered to\n\s+(\S+)", text())
            if not ok(where, "the first message was delivered"):
                diag(text())
                return
            like(where.group(1), r"/run/mail/you/new/", "into a Maildir of the recipient")
            like(open(where.group(1)).read(), r"Subject: It works\n(.|\n)*gateway that you have just built", "it is in the Maildir")
            like(text(), r"postfix/virtual\[\d+\]: \w+: to=<you@gateway\.test>, .*status=sent", "its log lines are shown")
            ok(not re.search(r": (warning|error|fatal): ", text()), "it has nothing to complain about") or diag(text())
            with smtplib.SMTP("127.0.0.1", submission, timeout=20) as s:
                s.sendmail("you@gateway.test", ["friend@gateway.test"], "Subject: two\r\n\r\nx\r\n")
            wait_until(lambda: "to=<friend@gateway.test>" in text(), "the log of another message, taken on the submission port")
            ok(True, "the submission port takes mail as well")
        finally:
            p.send_signal(signal.SIGINT)
            is_eq(p.wait(30), 0, "Ctrl-C ends it")


run(test_first_run)
