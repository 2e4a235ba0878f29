#!/usr/bin/env python3
"""The controller's page in a real browser: Chromium, headless, over four real switches in a ring.

With OF_WEB_IMAGE=FILE the screenshot is kept there (doc/img/controller.png is made so)."""
import html.parser
import os
import shutil
import subprocess
import threading

import lab
import of_lab

PAGE = "http://127.0.0.1:8181/"
TOKEN = "a-word-to-read"


class Dom(html.parser.HTMLParser):
    """What the page shows: elements by attribute, text by id."""

    def __init__(self, text):
        super().__init__()
        self.attributes, self.texts, self._open = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.attributes.append((tag, a))
        if tag not in ("br", "meta", "input", "link"):
            self._open.append(a.get("id"))

    def handle_endtag(self, tag):
        if self._open:
            self._open.pop()

    def handle_data(self, data):
        for name in self._open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data + " "

    def values(self, name):
        return sorted(a[name] for _, a in self.attributes if name in a)


def chromium(url, *more):
    home = os.path.join(lab.folder(), "chromium")
    return subprocess.run(
        ["timeout", "60", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--mute-audio",
         "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--hide-scrollbars",
         "--disable-background-networking", "--user-data-dir=" + home, "--window-size=1500,860",
         "--virtual-time-budget=9000", *more, url], capture_output=True, text=True)


def main():
    lab.enter()
    program = os.path.join(lab.BUILD, "src/tools/millrace-ofd")
    if not os.path.exists(program):
        lab.skip_all("this build has no millrace-ofd: its libraries were not there")
    if not shutil.which("chromium"):
        lab.skip_all("not installed: chromium")
    tokens = os.path.join(lab.folder(), "tokens")
    with open(tokens, "w") as f:
        f.write(f"ro {TOKEN}\n")
    net = of_lab.Network()
    p = lab.start(program, "--dev", "kernel", "--cores", "2", "--quiet", "--listen",
                  lab.KERNEL + ":6653", "--stats-interval", "1", "--tokens", tokens)
    net.lead(f"tcp:{lab.KERNEL}:6653")
    lab.point(net.connected(), "four switches connect")
    missing = net.ping_all(tries=20)
    lab.note(f"after pings missing: {missing}")
    image = os.path.join(lab.folder(), "page.png")
    load = threading.Thread(target=lambda: net.iperf("h11", "h31", 14)) \
        if os.environ.get("OF_WEB_IMAGE") else None
    if load:
        load.start()
    out = chromium(PAGE + "#token=" + TOKEN + "&switch=1", "--dump-dom")
    dom = Dom(out.stdout)
    lab.point(dom.values("data-dpid") == ["%016x" % n for n in range(1, 5)],
              "the page shows four switches", out.stderr[-800:])
    lab.point(len(dom.values("data-link")) == 4, "the links of the ring",
              (dom.values("data-link"), dom.texts.get("state")))
    lab.point(len(dom.values("data-mac")) == 8, "eight hosts", dom.values("data-mac"))
    lab.point("10.0.0.31" in dom.texts.get("nodes", ""), "by their addresses",
              dom.texts.get("nodes"))
    lab.point("eth_dst=02:00:00:00:00:" in dom.texts.get("flows", ""),
              "the flows of the chosen switch",
              dom.texts.get("flows", dom.texts.get("d-body")))
    lab.point("switch_up" in dom.texts.get("events", ""), "events", dom.texts.get("events"))
    lab.point(dom.texts.get("f-switches", "").strip() == "4" and
              dom.texts.get("state", "").strip() == "live", "counters, live",
              (dom.texts.get("f-switches"), dom.texts.get("state")))
    out = chromium(PAGE + "#token=" + TOKEN + "&switch=1", "--screenshot=" + image)
    size = os.path.getsize(image) if os.path.exists(image) else 0
    lab.point(size > 20000, f"a screenshot of {size} bytes", out.stderr[-500:])
    if os.environ.get("OF_WEB_IMAGE") and size:
        shutil.copy(image, os.environ["OF_WEB_IMAGE"])
    dom = Dom(chromium(PAGE, "--dump-dom").stdout)
    asks = [a for _, a in dom.attributes if a.get("id") == "ask"]
    lab.point(asks and asks[0].get("class") == "on" and not dom.values("data-dpid"),
              "without a token it asks for one")
    if load:
        load.join()
    p.terminate()
    lab.point(p.wait(10) == 0, "the controller ends in order")
    lab.done()


main()
