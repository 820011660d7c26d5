#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluice --probe, before machines made of files, and once before this one."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"
PCI = "sys/bus/pci/devices"
IXGBE = ("0x8086", "0x10fb")
MLX5 = ("0x15b3", "0x1017")
VIRTIO = ("0x1af4", "0x1000")
NOBODY = ("0x1af4", "0xfffe")


class Machine:
  """A server of two nodes with four cores each and two threads per core, with nothing wrong."""

  def __init__(self, root):
    self.root = pathlib.Path(root)
    self.write(f"{CPU}/online", "0-15")
    self.write(f"{CPU}/isolated", "2-7")
    self.write(f"{CPU}/nohz_full", "2-7")
    self.write("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu constant_tsc nonstop_tsc avx2\n")
    for cpu in range(16):
      self.write(f"{CPU}/cpu{cpu}/topology/thread_siblings_list", f"{cpu}")
      self.write(f"{CPU}/cpu{cpu}/cpufreq/scaling_governor", "performance")
    self.write(f"{NODE}/node0/cpulist", "0-7")
    self.write(f"{NODE}/node1/cpulist", "8-15")
    self.pages("sys/kernel/mm/hugepages", 2048)
    self.pages(f"{NODE}/node0/hugepages", 1024)
    self.pages(f"{NODE}/node1/hugepages", 1024)
    self.folder("sys/kernel/iommu_groups/7")
    self.folder("sys/bus/pci/drivers/vfio-pci/module")
    self.write("proc/net/route", "Iface\tDestination\tGateway\neno1\t00000000\t0101A8C0\n")
    self.card("0000:03:00.0", IXGBE, "vfio-pci")
    self.card("0000:03:00.1", IXGBE, "vfio-pci")

  def write(self, path, text):
    path = self.root / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if text.endswith("\n") else text + "\n")

  def folder(self, path):
    (self.root / path).mkdir(parents=True, exist_ok=True)

  def pages(self, folder, free, size=2048):
    self.write(f"{folder}/hugepages-{size}kB/nr_hugepages", str(free))
    self.write(f"{folder}/hugepages-{size}kB/free_hugepages", str(free))

  def card(self, address, ids, driver, interface=None, node=0, speed="10000"):
    for name, text in zip(("vendor", "device"), ids):
      self.write(f"{PCI}/{address}/{name}", text)
    self.write(f"{PCI}/{address}/class", "0x020000")
    self.write(f"{PCI}/{address}/numa_node", str(node))
    link = self.root / PCI / address / "driver"
    link.unlink(missing_ok=True)
    link.symlink_to(f"../../drivers/{driver}")
    if interface:
      inside = "virtio5/net" if ids == VIRTIO else "net"
      self.folder(f"{PCI}/{address}/{inside}/{interface}")
      self.write(f"sys/class/net/{interface}/speed", speed)
      self.write(f"sys/class/net/{interface}/operstate", "up")

  def probe(self, *words):
    """What it found, as JSON, and its exit status."""
    done = subprocess.run([PROGRAM, "--probe", "--json", *words], text=True, capture_output=True,
      check=False, timeout=30, env={**os.environ, "SLUICE_PROBE_ROOT": str(self.root)})
    assert done.stderr == "", done.stderr
    return json.loads(done.stdout), done.returncode


class Probe(unittest.TestCase):

  def setUp(self):
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.machine = Machine(folder.name)

  def config(self, client="0000:03:00.0", server="0000:03:00.1", cpus=(2, 3), mtu=None, **more):
    sizes = {"mtu": mtu} if mtu else {}
    self.machine.write("sluice.json", json.dumps({"ports": {"client": {"device": client, **sizes},
      "server": {"device": server, **sizes}}, "workers": {"cpus": list(cpus)}, "backends": [], **more}))
    return "--config", str(self.machine.root / "sluice.json")

  def expect(self, found, level, text, cure=None):
    """One finding of that level has this text, and this in its cure."""
    for finding in found[0]["findings"]:
      if text in finding["text"]:
        self.assertEqual(finding["level"], level, finding)
        if cure:
          self.assertIn(cure, finding["cure"] or "")
        return
    self.fail(f"no finding says {text!r}: {found[0]['findings']}")

  def expect_none(self, found, text):
    for finding in found[0]["findings"]:
      self.assertNotIn(text, finding["text"])

  def test_nothing_wrong(self):
    found = self.machine.probe(*self.config())
    self.assertEqual((found[1], found[0]["problems"]), (0, 0), found)
    for text in ("IOMMU is on", "0000:03:00.0: DPDK's net_ixgbe drives it (vfio-pci)",
        "CPUs 2-3 are isolated and without timer ticks", "0000:03:00.1 is on node 0: CPUs 0-7",
        "NUMA node 0, which has ports: 1024 of 1024 of 2048 kB", "the time stamp counter is constant"):
      self.expect(found, "ok", text)
    self.expect_none(found, "node 1")

  def test_memory(self):
    self.machine.pages("sys/kernel/mm/hugepages", 10)
    self.machine.pages(f"{NODE}/node0/hugepages", 0)
    found = self.machine.probe(*self.config())
    self.assertEqual(found[1], 1)
    self.expect(found, "problem", "10 of 10 of 2048 kB; that is 20 MB, and about 252 MB are needed",
      "echo 127 > /proc/sys/vm/nr_hugepages")
    self.expect(found, "note", "NUMA node 0 has ports, but of huge pages only none",
      "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages")
    found = self.machine.probe(*self.config(eal=["--no-huge"]))
    self.assertEqual(found[1], 0)
    self.machine.pages("sys/kernel/mm/hugepages", 1, 1048576)
    found = self.machine.probe(*self.config())
    self.expect(found, "ok", "10 of 10 of 2048 kB, 1 of 1 of 1048576 kB")

  def test_memory_grows_with_the_mtu(self):
    """By the configuration, or by the interface where that says nothing."""
    self.expect(self.machine.probe(*self.config(mtu=9000)), "ok", "about 692 MB are needed")
    self.machine.write("sys/class/net/c1/operstate", "up")
    self.machine.write("sys/class/net/c1/mtu", "3000")
    for client, megabytes in (("net_af_xdp0,iface=c1", 332), ("net_af_packet0,iface=c1", 380),
        ("net_af_packet0,iface=c1,framesz=8192,blocksz=8192", 636)):
      self.expect(self.machine.probe(*self.config(client=client)), "ok",
        f"about {megabytes} MB are needed")

  def test_memory_grows_with_lists(self):
    """Once: what a reload would need beside them may not keep a start from going on."""
    self.machine.write("deny.txt", "192.0.2.0/24\n2001:db8::/32\n")
    found = self.machine.probe(*self.config(sources={"deny_file": str(self.machine.root / "deny.txt")}))
    self.expect(found, "ok", "about 336 MB are needed")

  def test_iommu(self):
    (self.machine.root / "sys/kernel/iommu_groups/7").rmdir()
    found = self.machine.probe(*self.config())
    self.assertEqual(found[1], 1)
    self.expect(found, "problem", "no IOMMU", "intel_iommu=on")
    self.machine.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y")
    found = self.machine.probe(*self.config())
    self.assertEqual(found[1], 0)
    self.expect(found, "note", "a card then reaches all memory")

  def test_drivers(self):
    self.machine.card("0000:03:00.0", IXGBE, "ixgbe", "enp3s0")
    self.machine.card("0000:05:00.0", MLX5, "mlx5_core", "enp5s0")
    self.machine.card("0000:06:00.0", NOBODY, "odd", "enp6s0")
    self.machine.card("0000:07:00.0", IXGBE, "ixgbe", "eno1")
    found = self.machine.probe()
    self.assertEqual(found[1], 0)
    self.expect(found, "note", "0000:03:00.0: DPDK's net_ixgbe can drive it; ixgbe has it now",
      "dpdk-devbind.py --bind=vfio-pci 0000:03:00.0")
    self.expect(found, "ok", "0000:05:00.0: DPDK's mlx5_eth drives it (beside the kernel's driver)")
    self.expect(found, "note", "0000:06:00.0: the installed DPDK has no driver for it",
      "net_af_xdp0,iface=enp6s0")
    self.expect(found, "note", "eno1 has the default route", "leave eno1")
    self.expect(found, "ok", "0000:05:00.0: link 10000 Mbit/s")
    found = self.machine.probe(*self.config())
    self.assertEqual(found[1], 1)
    self.expect(found, "problem", "0000:03:00.0: DPDK's net_ixgbe can drive it; ixgbe has it now")
    self.expect_none(found, "0000:05:00.0")
    self.expect(self.machine.probe(*self.config(client="0000:07:00.0")), "problem",
      "eno1 has the default route")

  def test_a_card_behind_many_functions(self):
    """Servers of two sockets have hundreds; a card that is last in order is there as well."""
    for number in range(600):
      self.machine.write(f"{PCI}/0000:{number // 8:02x}:1f.{number % 8}/class", "0x088000")
    self.machine.card("0000:ff:00.0", IXGBE, "vfio-pci")
    self.expect(self.machine.probe(), "ok", "0000:ff:00.0: DPDK's net_ixgbe drives it (vfio-pci)")
    for number in range(200):
      self.machine.card(f"0000:fe:{number // 8:02x}.{number % 8}", IXGBE, "vfio-pci")
    found = self.machine.probe(*self.config(client="0000:ff:00.0"))
    self.assertEqual((found[1], found[0]["problems"]), (0, 0), found)

  def test_links(self):
    self.machine.card("0000:05:00.0", MLX5, "mlx5_core", "enp5s0", speed="-1")
    for name, text in (("current_link_width", "4"), ("max_link_width", "16"),
        ("current_link_speed", "8.0 GT/s PCIe"), ("max_link_speed", "16.0 GT/s PCIe")):
      self.machine.write(f"{PCI}/0000:05:00.0/{name}", text)
    found = self.machine.probe()
    self.expect(found, "note", "0000:05:00.0: no link on enp5s0", "ip link set enp5s0 up")
    self.expect(found, "note", "x4 at 8.0 GT/s PCIe; it could use x16 at 16.0 GT/s PCIe", "slot")

  def test_virtio(self):
    self.machine.card("0000:05:00.0", VIRTIO, "virtio-pci", "ens5", speed="-1")
    bits = ["0"] * 64
    bits[22] = "1"
    self.machine.write(f"{PCI}/0000:05:00.0/virtio5/features", "".join(bits))
    self.expect(self.machine.probe(), "note", "0000:05:00.0: the host of this virtio card offers "
      "several queues and no RSS", "rss=on")
    bits[60] = "1"
    self.machine.write(f"{PCI}/0000:05:00.0/virtio5/features", "".join(bits))
    self.expect_none(self.machine.probe(), "offers")

  def test_ports_that_are_not_there(self):
    found = self.machine.probe(*self.config(client="0000:09:00.0",
      server="net_af_xdp0,iface=nowhere"))
    self.assertEqual(found[1], 1)
    self.expect(found, "problem", "ports.client: there is no network card at 0000:09:00.0")
    self.expect(found, "problem", "ports.server: there is no interface nowhere")
    self.machine.write("sys/class/net/nowhere/operstate", "down")
    self.expect(self.machine.probe(*self.config(server="net_af_xdp0,iface=nowhere")), "problem",
      "ports.server: interface nowhere is down", "ip link set nowhere up")
    # Just set up: the carrier is there before the state says so.
    self.machine.write("sys/class/net/nowhere/carrier", "1")
    self.expect(self.machine.probe(*self.config(server="net_af_xdp0,iface=nowhere")), "ok",
      "ports.server: interface nowhere is there")

  def test_cpus(self):
    found = self.machine.probe(*self.config(cpus=(1, 40)))
    self.assertEqual(found[1], 1)
    self.expect(found, "problem", "workers.cpus: there is no CPU 40", "choose from 0-15")
    self.machine.write(f"{CPU}/nohz_full", "")
    self.expect(self.machine.probe(*self.config()), "note", "(2-3) are isolated, but have timer ticks")
    self.machine.write(f"{CPU}/isolated", "")
    self.expect(self.machine.probe(*self.config()), "note", "(2-3) are not isolated",
      "isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3")
    for cpu in (3, 11):
      self.machine.write(f"{CPU}/cpu{cpu}/topology/thread_siblings_list", "3,11")
    self.machine.write(f"{CPU}/cpu3/cpufreq/scaling_governor", "powersave")
    self.machine.write("proc/cpuinfo", "flags\t\t: fpu constant_tsc\n")
    found = self.machine.probe(*self.config(cpus=(2, 3)))
    self.expect(found, "note", "threads of one core: 3,11", "smt/control")
    self.expect(found, "note", "CPU 3 changes its frequency (governor powersave)", "performance")
    self.expect(found, "problem", "the time stamp counter stops", "invtsc")

  def test_nodes(self):
    self.machine.card("0000:83:00.0", IXGBE, "vfio-pci", node=1)
    found = self.machine.probe(*self.config(client="0000:83:00.0"))
    self.expect(found, "note", "0000:83:00.0 is on node 1, and workers are elsewhere",
      "workers.cpus from 8-15")
    self.expect(found, "ok", "NUMA node 1, which has ports")

  def test_an_empty_machine_and_odd_bytes(self):
    with tempfile.TemporaryDirectory() as root:
      machine = self.machine
      self.machine = Machine.__new__(Machine)
      self.machine.root = pathlib.Path(root)
      found = self.machine.probe()
      self.assertEqual(found[1], 1)
      self.expect(found, "problem", "one CPU", "two CPUs")
      self.expect(found, "problem", "huge pages free: none")
      self.machine = machine
    self.machine.card("0000:03:00.1", IXGBE, "odd\u00e9\x1b[1m", "enp3s1")
    self.expect(self.machine.probe(), "note", "odd???[1m has it now")

  def test_this_machine(self):
    done = subprocess.run([PROGRAM, "--probe"], text=True, capture_output=True, check=False,
      timeout=30)
    self.assertIn(done.returncode, (0, 1))
    self.assertRegex(done.stdout, r"\nproblems: \d+, notes: \d+, ok: [1-9]")
    self.assertEqual(done.stderr, "")

  def test_usage(self):
    done = subprocess.run([PROGRAM, "--json"], text=True, capture_output=True, check=False, timeout=30)
    self.assertEqual((done.returncode, done.stderr),
      (2, "sluice: --json is for --probe; try: sluice --help\n"))


if __name__ == "__main__":
  unittest.main()
