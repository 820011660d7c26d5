# SPDX-License-Identifier: BSD-3-Clause
"""Data gets through Sluice whole, in any amount, on any kind of wire."""

import hashlib
import select
import socket
import time

import tcp
from lab import ECHO_PORT, FAMILIES, FAMILY_NAME, expect, expect_equal, url, wait_until
from registry import EITHER, lab_test

FILE_BYTES = 50 * 1000 * 1000
PARALLEL = 200


def digest(path):
  with open(path, "rb") as file:
    return hashlib.file_digest(file, "sha256").hexdigest()


def both_ways(lab, family):
  """A 50 MB file each way by curl and nginx, checksum-identical."""
  name = FAMILY_NAME[family]
  source = lab.directory / "www" / "file"
  down, up = lab.directory / f"down-{name}", lab.directory / "www" / "up" / name
  lab.curl("--output", down, url(family, "file"), timeout=120)
  expect_equal(digest(down), digest(source), f"sha256 of the download over {name}")
  lab.curl("--upload-file", source, url(family, f"up/{name}"), timeout=120)
  expect_equal(digest(up), digest(source), f"sha256 of the upload over {name}")


def transfer(lab):
  lab.start_nginx()
  with open("/dev/urandom", "rb") as noise:
    (lab.directory / "www" / "file").write_bytes(noise.read(FILE_BYTES))
  sluice = lab.start_sluice()
  for family in FAMILIES:
    both_ways(lab, family)
  counters = sluice.counters()
  expect_equal(counters["total"]["Established"], 2 * len(FAMILIES), "connections established")


@lab_test(offloads=EITHER)
def transfer_untagged(lab):
  """50 MB each way by curl, IPv4 and IPv6, checksum-identical."""
  transfer(lab)


@lab_test(offloads=EITHER, tags="vlan")
def transfer_vlan(lab):
  """The same in VLAN 10."""
  transfer(lab)


@lab_test(offloads=EITHER, tags="qinq")
def transfer_qinq(lab):
  """The same in VLAN 7 within service VLAN 20 (802.1ad)."""
  transfer(lab)


@lab_test()
def parallel_connections(lab):
  """200 connections open at once, each with bytes of its own both ways; then 200 by curl."""
  lab.start_nginx()
  (lab.directory / "www" / "page").write_bytes(b"x" * 10000)
  for family in FAMILIES:
    echo = tcp.EchoServer(lab.server.listen(family, ECHO_PORT))
    if family == FAMILIES[0]:
      sluice = lab.start_sluice()
    clients = [lab.client.connect(family, ECHO_PORT) for _ in range(PARALLEL)]
    for number, client in enumerate(clients):
      client.sendall(f"{number:08}".encode() * 1000)
    expect_equal(sluice.counters()["total"]["CurrEstab"], PARALLEL, "CurrEstab with all open")
    for number, client in enumerate(clients):
      received = tcp.receive_exactly(client, 8000)
      expect_equal(received, f"{number:08}".encode() * 1000, f"echo on connection {number}")
      client.close()
    wait_until(lambda: sluice.counters()["total"]["CurrEstab"] == 0, 5, "CurrEstab back to 0")
    echo.close()
    config = lab.directory / "curl.config"
    config.write_text("".join(f"url = {url(family, 'page')}\noutput = /dev/null\n"
      for _ in range(PARALLEL)))
    done = lab.curl("--parallel", "--parallel-max", PARALLEL, "--parallel-immediate", "--config",
      config, "--write-out", "%{size_download}\\n")
    expect_equal(done.stdout.split().count("10000"), PARALLEL, "pages fetched in parallel")
    wait_until(lambda: sluice.counters()["total"]["CurrEstab"] == 0, 5, "CurrEstab 0 after curl")


@lab_test()
def server_speaks_first(lab):
  """A server that greets before the client sends anything, as in SMTP and SSH."""
  lab.start_sluice()
  for family in FAMILIES:
    client, server = tcp.connect_pair(lab, family, ECHO_PORT)
    server.sendall(b"220 hello\r\n")
    expect_equal(tcp.receive_exactly(client, 11), b"220 hello\r\n", "greeting")
    client.sendall(b"QUIT\r\n")
    expect_equal(tcp.receive_exactly(server, 6), b"QUIT\r\n", "answer")
    client.close()
    expect_equal(tcp.receive_all(server), b"", "end of the client's stream")
    server.close()


@lab_test(beside=True)
def half_close(lab):
  """One end has said all; the other goes on for a while, in both roles."""
  sluice = lab.start_sluice()
  answer = bytes(range(256)) * 4096
  for family in FAMILIES:
    listener = lab.server.listen(family, ECHO_PORT)
    for client_first in (True, False):
      client, server = tcp.connect_pair(lab, family, ECHO_PORT, listener)
      first, second = (client, server) if client_first else (server, client)
      first.sendall(b"that is all")
      first.shutdown(socket.SHUT_WR)
      expect_equal(tcp.receive_all(second), b"that is all", "the first end's stream")
      time.sleep(1)
      second.setblocking(False)
      received, sent = bytearray(), 0
      while len(received) < len(answer):
        readable, writable, _ = select.select([first], [second] if sent < len(answer) else [], [],
          10)
        expect(readable or writable, "the open half is stuck")
        if writable:
          sent += second.send(answer[sent:sent + 65536])
        if readable:
          received += first.recv(65536)
      expect(received == answer, "bytes arrived changed")
      second.close()
      expect_equal(tcp.receive_all(first), b"", "end of the second end's stream")
      first.close()
  wait_until(lambda: sluice.counters()["total"]["CurrEstab"] == 0, 5, "CurrEstab back to 0")


@lab_test()
def many_short_connections(lab):
  """2,000 connections one after the other, from ports that come round again."""
  sluice = lab.start_sluice()
  lab.client.sysctl("net.ipv4.ip_local_port_range", "40000 40599")
  for family in FAMILIES:
    echo = tcp.EchoServer(lab.server.listen(family, ECHO_PORT))
    for number in range(1000):
      client = lab.client.connect(family, ECHO_PORT)
      client.sendall(b"x")
      expect_equal(client.recv(1), b"x", f"echo on connection {number}")
      tcp.reset(client) if number % 2 else client.close()
    echo.close()
  wait_until(lambda: sluice.counters()["total"]["CurrEstab"] == 0, 5, "CurrEstab back to 0")
  expect_equal(sluice.counters()["total"]["Established"], 2000, "connections established")
