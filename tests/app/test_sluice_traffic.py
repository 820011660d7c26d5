#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The command line of sluice-traffic, and the file it writes."""

import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
TO = ("--to", "10.0.0.2")


class Traffic(unittest.TestCase):

  def setUp(self):
    self.folder = tempfile.TemporaryDirectory()
    self.addCleanup(self.folder.cleanup)
    self.file = pathlib.Path(self.folder.name, "capture.pcap")

  def run_it(self, *words):
    return subprocess.run([PROGRAM, *words], text=True, capture_output=True, check=False, timeout=60)

  def written(self, *words):
    done = self.run_it("--out", str(self.file), *words)
    self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
    return self.file.read_bytes()

  def frames(self, data):
    self.assertEqual(data[:24], struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    found, at = [], 24
    while at < len(data):
      _, _, length, on_wire = struct.unpack_from("<IIII", data, at)
      self.assertEqual(length, on_wire)
      found.append(data[at + 16:at + 16 + length])
      self.assertEqual(len(found[-1]), length)
      at += 16 + length
    return found

  def test_captures(self):
    for words, size in (((), 74), (("--options", "none"), 60), (("--vlan", "1,2"), 82),
        (("--kind", "ack", "--payload", "100"), 166)):
      frames = self.frames(self.written(*TO, "--count", "300", *words))
      self.assertEqual({len(frame) for frame in frames}, {size}, words)
      self.assertEqual((len(frames), len(set(frames))), (300, 300), words)
    frames = self.frames(self.written("--to", "fd00::2", "--count", "3"))
    self.assertEqual({frame[12:14] for frame in frames}, {b"\x86\xdd"})

  def test_one_source(self):
    frames = self.frames(self.written(*TO, "--count", "50", "--from", "192.0.2.9", "--source-port",
      "77", "--port", "443", "--destination-mac", "02:aa:bb:cc:dd:ee"))
    self.assertEqual({frame[26:38] for frame in frames},
      {bytes((192, 0, 2, 9, 10, 0, 0, 2, 0, 77, 1, 187))})
    self.assertEqual({frame[:6] for frame in frames}, {bytes.fromhex("02aabbccddee")})

  def test_the_same_again(self):
    order = (*TO, "--count", "100", "--time", "1700000000")
    self.assertEqual(self.written(*order), self.written(*order))
    self.assertNotEqual(self.written(*order), self.written(*order, "--seed", "2"))

  def test_what_is_refused(self):
    for words, said in (((), "--out and --to are needed"), (("--to", "10.0.0.2"), "--out and --to"),
        (("--out", "x", "--to", "nowhere"), "--to nowhere: not an address"),
        (("--out", "x", *TO, "--count", "0"), "not a number from 1 to 16777216"),
        (("--out", "x", *TO, "--count", "-1"), "not a number"),
        (("--out", "x", *TO, "--kind", "rst"), "not one of syn ack mix"),
        (("--out", "x", *TO, "--from", "fd00::1"), "not of the same IP version"),
        (("--out", "x", *TO, "--from", "10.0.0.0/33"), "not a number from 0 to 32"),
        (("--out", "x", *TO, "--vlan", "1,2,3"), "more than two"),
        (("--out", "x", *TO, "--vlan", "4095"), "not a number from 0 to 4094"),
        (("--out", "x", *TO, "--source-mac", "1"), "not a MAC address"),
        (("--out", "x", *TO, "more"), "more: unexpected"), (("--what",), "unrecognized option")):
      done = self.run_it(*words)
      self.assertEqual(done.returncode, 2, words)
      self.assertIn(said, done.stderr)

  def test_what_fails(self):
    done = self.run_it("--out", "/no/such/folder/x", *TO)
    self.assertEqual((done.returncode, done.stdout), (1, ""))
    self.assertIn("/no/such/folder/x: No such file", done.stderr)
    done = self.run_it("--out", "/dev/full", *TO)
    self.assertEqual(done.returncode, 1)
    self.assertIn("No space left", done.stderr)
    secret = pathlib.Path(self.folder.name, "secret")
    secret.write_text("no secret\n")
    secret.chmod(0o600)
    done = self.run_it("--out", str(self.file), *TO, "--secret-file", str(secret))
    self.assertEqual(done.returncode, 1)
    self.assertIn("32 hexadecimal digits", done.stderr)
    self.assertFalse(self.file.exists())

  def test_help(self):
    done = self.run_it("--help")
    self.assertEqual((done.returncode, done.stderr), (0, ""))
    self.assertIn("--secret-file", done.stdout)


if __name__ == "__main__":
  unittest.main()
