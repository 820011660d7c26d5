# SPDX-License-Identifier: BSD-3-Clause
"""README.md's guides that need no machine of their own, word for word. (tests/package follows those that
install.) They make their own network, and know nothing of this lab's."""

import pathlib

import guide
from lab import DRIVERS, REPOSITORY, expect, run
from registry import lab_test


def labs_kept():
  return {path.name for path in pathlib.Path("/run").glob("sluice-quickstart-*")}


@lab_test(drivers=DRIVERS[:1])
def tune(lab):
  """Outages and their cures, each with what the README shows of it."""
  del lab
  before = labs_kept()
  steps = guide.all_steps("Tune it")
  try:
    with guide.files_removed(steps):
      guide.follow(steps, 120)
    answers = [step for step in steps if step.command.startswith("clients 60")]
    expect(len(answers) == 3 and all("60 answers" in step.said for step in answers), "clients without an answer")
    for step in answers[1:]:
      slowest = float(step.said.split("slowest")[1].split()[0])
      expect(slowest < 0.9, f"after the cure the slowest client took {slowest} s")
    expect(labs_kept() <= before, "the lab is still there")
  finally:
    if labs_kept() - before:
      run(REPOSITORY / "app/quickstart", "--remove", check=False)


@lab_test(drivers=DRIVERS[:1])
def benchmark(lab):
  """Sluice and testpmd in its place, on a memif link: what comes back of what testpmd sends."""
  del lab
  steps = guide.all_steps("Benchmark it with testpmd")
  with guide.files_removed(steps):
    guide.follow(steps, 60)
  for step in steps:
    if "generate &" in step.command:
      rates = [int(line.split()[-1]) for line in step.said.splitlines() if line.startswith("came back")]
      expect(max(rates) > 100000, f"packets that came back per second: {rates}")
