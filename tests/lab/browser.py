# SPDX-License-Identifier: BSD-3-Clause
"""Headless Chromium, driven by its DevTools protocol over a pair of pipes."""

import base64
import json
import os
import select
import shutil
import subprocess
import time

from lab import Failure, expect, wait_until

TIMEOUT_S = 30
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
  "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
  "--remote-debugging-pipe", "about:blank")


class Browser:
  """One page. messages: what it wrote to its console, and what went wrong in it."""

  def __init__(self, directory, host=None):
    self.directory = directory / "chromium"
    self.number = 0
    self.received = b""
    self.messages = []
    command = ["chromium", f"--user-data-dir={self.directory}", *ARGUMENTS]
    if host:
      command = ["ip", "netns", "exec", host.name, *command]
    theirs_in, self.out = os.pipe()
    self.inp, theirs_out = os.pipe()

    def prepare():
      # It reads 3 and writes 4; out of the way first, in case one of ours has these numbers.
      high_in, high_out = os.dup(theirs_in), os.dup(theirs_out)
      os.dup2(high_in, 3)
      os.dup2(high_out, 4)

    # It complains of a missing desktop at length.
    self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL, preexec_fn=prepare, pass_fds=(3, 4), start_new_session=True)
    os.close(theirs_in)
    os.close(theirs_out)
    self.session = None
    target = next(one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
    self.session = self.call("Target.attachToTarget", targetId=target["targetId"],
      flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log"):
      self.call(f"{domain}.enable")

  def call(self, method, **parameters):
    """The result of one call."""
    self.number += 1
    message = {"id": self.number, "method": method, "params": parameters}
    if self.session:
      message["sessionId"] = self.session
    os.write(self.out, json.dumps(message).encode() + b"\0")
    end = time.monotonic() + TIMEOUT_S
    while True:
      answer = self._next(end)
      if answer.get("id") == self.number:
        expect("error" not in answer, f"{method}: {answer.get('error')}")
        return answer["result"]
      self._note(answer)

  def _next(self, end):
    while b"\0" not in self.received:
      ready, _, _ = select.select([self.inp], [], [], max(0, end - time.monotonic()))
      part = os.read(self.inp, 1 << 20) if ready else b""
      if not part:
        raise Failure("Chromium does not answer")
      self.received += part
    message, self.received = self.received.split(b"\0", 1)
    return json.loads(message)

  def _note(self, event):
    parameters = event.get("params", {})
    if event.get("method") == "Runtime.consoleAPICalled":
      self.messages.append(str([one.get("value") for one in parameters["args"]]))
    elif event.get("method") == "Runtime.exceptionThrown":
      details = parameters["exceptionDetails"]
      self.messages.append(details.get("exception", {}).get("description", details["text"]))
    elif event.get("method") == "Log.entryAdded":
      self.messages.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")

  def open(self, url):
    """Returns when the page and its scripts are there."""
    self.call("Page.navigate", url=url)
    wait_until(lambda: self.evaluate(
      f"location.href === {json.dumps(url)} && document.readyState === 'complete'"), 20, f"{url} loaded")

  def evaluate(self, expression):
    """The value of a JavaScript expression, waited for if it is a promise."""
    answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
    expect("exceptionDetails" not in answer, f"{expression}: {answer.get('exceptionDetails')}")
    return answer["result"].get("value")

  def size(self, width, height, dark=False):
    self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
      mobile=width < 600)
    self.call("Emulation.setEmulatedMedia", features=[
      {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

  def screenshot(self, path, whole=True):
    """The page as PNG, also what is beyond the window's edge."""
    picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
    path.write_bytes(base64.b64decode(picture["data"]))

  def close(self):
    if self.popen.poll() is None:
      try:
        self.session = None
        self.call("Browser.close")
        self.popen.wait(5)
      except (Failure, OSError, subprocess.TimeoutExpired):
        self.popen.kill()
        self.popen.wait()
    os.close(self.out)
    os.close(self.inp)
    shutil.rmtree(self.directory, ignore_errors=True)

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()
