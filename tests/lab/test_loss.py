# SPDX-License-Identifier: BSD-3-Clause
"""Segments get lost, on either leg and in every step of a handshake; connections recover."""

import time

import tcp
from lab import DRIVERS, ECHO_PORT, FAMILIES, expect, expect_equal, wait_until
from registry import lab_test

BESIDE = True
EXCHANGE_BYTES = 5000000

# What a host receives is lost before its TCP sees it, and what it sends after.
HOOKS = {"in": ("inet", "prerouting", ""), "out": ("netdev", "egress", "device {device}")}

TABLE = """
table {family} lab {{
  counter lost {{ }}
  chain lose {{
    type filter hook {hook} {device} priority -300;
    meta l4proto tcp {condition} counter name lost drop
  }}
}}
"""

# Every 50th segment, at random.
AT_RANDOM = "numgen random mod 100 < 2"


def lose(host, device, direction, condition):
  """Loses segments of a host that meet the condition, and counts them."""
  family, hook, on = HOOKS[direction]
  host.nft(TABLE.format(family=family, hook=hook, device=on.format(device=device),
    condition=condition))


def lose_first(host, device, direction, flags):
  """Loses the first segment with just these of the flags FIN, SYN, RST and ACK."""
  lose(host, device, direction,
    f"tcp flags & (fin | syn | rst | ack) == {flags} numgen inc mod 1000000 == 0")


@lab_test()
def random_loss(lab):
  """2 % of all segments lost on each leg and in each direction; 5 MB each way arrive."""
  lab.start_sluice()
  for host, device in ((lab.client, "c0"), (lab.server, "s0")):
    for direction in HOOKS:
      lose(host, device, direction, AT_RANDOM)
  for family in FAMILIES:
    listener = lab.server.listen(family, ECHO_PORT)
    client = lab.client.connect(family, ECHO_PORT)
    client.sendall(b"first words")  # or, with a cookie, nobody would repeat a lost final ACK
    server, _ = listener.accept()
    server.settimeout(20)
    expect_equal(tcp.receive_exactly(server, 11), b"first words", "the client's first bytes")
    tcp.exchange(client, server, EXCHANGE_BYTES, timeout_s=90)
    client.close()
    expect_equal(tcp.receive_all(server), b"", "end of the client's stream")
    server.close()
  for host in (lab.client, lab.server):
    expect(host.nft_counter("lost") > 100, "hardly a segment was lost")


def first_lost(lab, host, device, direction, flags, client_speaks=True):
  """Loses the first such segment of one connection, which then must still work."""
  sluice = lab.start_sluice()
  for family in FAMILIES:
    listener = lab.server.listen(family, ECHO_PORT)
    lose_first(host, device, direction, flags)
    client = lab.client.connect(family, ECHO_PORT)
    if client_speaks:
      client.sendall(b"first words")
    server, _ = listener.accept()
    server.settimeout(20)
    if client_speaks:
      expect_equal(tcp.receive_exactly(server, 11), b"first words", "the client's first bytes")
    tcp.exchange(client, server, 100000)
    expect_equal(host.nft_counter("lost"), 1, "segments lost")
    client.close()
    expect_equal(tcp.receive_all(server), b"", "end of the client's stream")
    server.close()
    listener.close()
    host.nft_clear()
  return sluice


@lab_test(drivers=DRIVERS[:1])
def lost_client_syn(lab):
  """The client's SYN is lost."""
  first_lost(lab, lab.client, "c0", "out", "syn")


@lab_test(drivers=DRIVERS[:1])
def lost_sluice_syn_ack(lab):
  """Sluice's SYN-ACK is lost."""
  first_lost(lab, lab.client, "c0", "in", "(syn | ack)")


@lab_test(drivers=DRIVERS[:1])
def lost_final_ack(lab):
  """The ACK that ends the client's handshake is lost; its data prove it as well."""
  first_lost(lab, lab.client, "c0", "out", "ack")


@lab_test(drivers=DRIVERS[:1])
def lost_backend_syn(lab):
  """Sluice's SYN to the backend is lost; it is sent again."""
  first_lost(lab, lab.server, "s0", "in", "syn")


@lab_test(drivers=DRIVERS[:1])
def lost_backend_syn_ack(lab):
  """The backend's SYN-ACK is lost."""
  first_lost(lab, lab.server, "s0", "out", "(syn | ack)")


@lab_test(drivers=DRIVERS[:1])
def lost_ack_to_backend(lab):
  """Sluice's ACK to the backend is lost; the client's data stand in for it."""
  first_lost(lab, lab.server, "s0", "in", "ack")


@lab_test(drivers=DRIVERS[:1])
def lost_ack_to_backend_server_first(lab):
  """The same with a client that stays silent: the backend repeats its SYN-ACK, and is
  acknowledged again."""
  sluice = first_lost(lab, lab.server, "s0", "in", "ack", client_speaks=False)
  expect(sluice.reason("backend_connected_again") >= len(FAMILIES), "no SYN-ACK came again")


@lab_test(drivers=DRIVERS[:1])
def lost_window_update(lab):
  """The segment that opens the client's window is lost; nothing hangs."""
  begin = time.monotonic()
  first_lost(lab, lab.client, "c0", "in", "ack")
  expect(time.monotonic() - begin < 20, "the connections took more than 20 s to recover")


@lab_test(drivers=DRIVERS[:1])
def lost_fin(lab):
  """Each end's FIN is lost once; both streams end."""
  sluice = lab.start_sluice()
  for host, device in ((lab.client, "c0"), (lab.server, "s0")):
    for direction in HOOKS:
      for family in FAMILIES:
        listener = lab.server.listen(family, ECHO_PORT)
        client, server = tcp.connect_pair(lab, family, ECHO_PORT, listener)
        tcp.exchange(client, server, 1000)
        lose_first(host, device, direction, "(fin | ack)")
        client.shutdown(1)
        expect_equal(tcp.receive_all(server), b"", "end of the client's stream")
        server.shutdown(1)
        expect_equal(tcp.receive_all(client), b"", "end of the server's stream")
        expect_equal(host.nft_counter("lost"), 1, "segments lost")
        for end in (client, server, listener):
          end.close()
        host.nft_clear()
  wait_until(lambda: sluice.counters()["total"]["CurrEstab"] == 0, 10, "CurrEstab back to 0")
