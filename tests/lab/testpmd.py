# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-testpmd in Sluice's place: what comes in at one port goes out at the other, untouched, or
back again."""

import re
import shutil
import signal

from lab import ALL_CPUS, OTHER_CPUS, REPOSITORY, WORKER_CPU, expect, run, wait_until

PACKAGE = "dpdk-dev"


def install():
  """Debian's package, where it is missing."""
  if not shutil.which("dpdk-testpmd"):
    run("bash", "-c", f". {REPOSITORY}/app/setup.sh && packages_install /dev/null {PACKAGE}",
      timeout=300)


class Testpmd:
  """Forwards between both ports of a lab, which get the same devices as Sluice, by io, the
  cheapest of its modes, on the worker's CPU; or, swapping, sends each frame back where it came
  from, with its MAC addresses swapped."""

  def __init__(self, lab, swapping=False):
    install()
    devices = [f"--vdev={lab.vdev(index, interface)}" for index, interface in enumerate(("c1", "s1"))]
    self.process = lab.sluice_host.start("testpmd", "dpdk-testpmd", "--lcores",
      f"0@{min(OTHER_CPUS)},1@{WORKER_CPU}", "--in-memory", "--no-pci", *lab.eal_memory(), *devices,
      # Without a terminal it only goes on forwarding while it has statistics to show.
      "--", *(("--forward-mode=macswap", "--port-topology=loop") if swapping else ("--forward-mode=io",)),
      "--nb-cores=1", "--total-num-mbufs=32768", "--record-core-cycles", "--stats-period=1",
      cpus=set(ALL_CPUS))
    wait_until(lambda: "Port statistics" in self.process.out() or not self.process.running(), 20,
      "testpmd forwards")
    expect(self.process.running(), f"testpmd ended:\n{self.process.out()}{self.process.err()}")

  def stop(self):
    self.process.signal(signal.SIGINT)
    self.process.wait(10)

  def ns_per_packet(self):
    """Once stopped: what each packet took of the worker, without idle polling."""
    found = re.search(r"CPU cycles/packet=([\d.]+) .* at (\d+) MHz", self.process.out())
    expect(found, f"testpmd counts no cycles:\n{self.process.out()}")
    return 1000 * float(found[1]) / float(found[2])
