#!/usr/bin/env python3
"""A From field that is made, and log lines of checks, have the envelope sender as canonical_maps make it."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
from instance import Instance, wait_until
import tap


def test_sender():
    with Instance(main={"relayhost": "[127.0.0.1]:9", "canonical_maps": "inline:{old@x.test=new@x.test}",
                        "sender_bcc_maps": "inline:{new@x.test=bcc@far.test}"}) as i:
        i.main["header_checks"] = "regexp:" + i.file("checks", "/^Subject: hold/ HOLD\n")
        i.write_config()
        i.start()
        i.cmd("sendmail", "-f", "old@x.test", "b@far.test", input="Subject: hold\n\nbody\n", check=True)
        line = i.wait_log(r"hold: header Subject: hold from local; from=<new@x.test> to=<b@far.test>")
        qid = re.search(r"(\w+): hold:", line).group(1)
        # The line comes before the message is in the queue.
        text = wait_until(lambda: i.cmd("postcat", "-q", qid).stdout, "the message on hold")
        tap.like(text, r"(?m)^From: .*new@x\.test", "From")
        tap.like(text, r"(?m)^sender: new@x\.test$", "sender")
        tap.like(text, r"(?m)^recipient: bcc@far\.test$", "its copy")


tap.run(test_sender)
