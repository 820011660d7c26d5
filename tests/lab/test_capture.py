# SPDX-License-Identifier: BSD-3-Clause
"""What passes both hosts' interfaces is taken apart by an independent routine (capture.py) and by
tshark: good checksums, consistent numbers, nothing before the proof, the same segments on both sides."""

import socket
import time

import tcp
from capture import OPTION_TIMESTAMP, Capture, check_all, check_splice, tshark_errors
from lab import ECHO_PORT, FAMILIES, Failure, expect, expect_equal, wait_until
from registry import lab_test
from test_loss import AT_RANDOM, lose

BESIDE = True
EXCHANGE_BYTES = 1000000
SYSCTLS = ("net.ipv4.tcp_window_scaling", "net.ipv4.tcp_sack", "net.ipv4.tcp_timestamps")


def talk_and_close(lab, family, listener, with_resets):
  """Connections of several habits: how many."""
  client, server = tcp.connect_pair(lab, family, ECHO_PORT, listener)
  tcp.exchange(client, server, EXCHANGE_BYTES)
  client.shutdown(socket.SHUT_WR)
  expect_equal(tcp.receive_all(server), b"", "end of the client's stream")
  server.sendall(b"x" * 100000)
  server.close()
  expect_equal(len(tcp.receive_all(client)), 100000, "bytes after a half-close")
  client.close()
  for number in range(10):
    client, server = tcp.connect_pair(lab, family, ECHO_PORT, listener)
    first, second = (client, server) if number & 1 else (server, client)
    first.sendall(b"y" * 3000)
    expect_equal(tcp.receive_exactly(second, 3000), b"y" * 3000, "first words")
    if number & 2 and with_resets:
      tcp.reset(first)
      tcp.expect_reset(second, 5)
    else:
      first.close()
      expect_equal(tcp.receive_all(second), b"", "end of a stream")
    second.close()
  return 11


def captured(lab, mode, with_resets=True):
  """Records all that talk_and_close() does, and checks it."""
  sluice = lab.start_sluice(tcp_syncookies=mode)
  taps = [Capture(lab.client, "c0"), Capture(lab.server, "s0")]
  made = 0
  for family in FAMILIES:
    listener = lab.server.listen(family, ECHO_PORT)
    made += talk_and_close(lab, family, listener, with_resets)
    listener.close()
  wait_until(lambda: sluice.counters()["total"]["CurrEstab"] == 0, 5, "CurrEstab back to 0")
  time.sleep(0.1)
  connections, compared = check_all(*taps)
  print(f"{connections} connections, {compared} segments compared")
  for name, tap in zip(("client", "server"), taps if lab.driver == "af_packet" else ()):
    path = lab.directory / f"{name}{mode}.pcap"
    tap.save(path)
    expect_equal(tshark_errors(path, ECHO_PORT), [], f"errors that tshark sees at the {name}")
  expect_equal(connections, made, "connections in both captures")
  expect(compared > made * 10, f"only {compared} segments compared")
  sluice.stop()


@lab_test(offloads=(False,))
def pitfall_1_every_number(lab):
  """Connections by syn queue and by cookie: every segment comes out as it went in, its numbers
  shifted by constants: seq, ack, SACK, TSval, TSecr, window. TSval never goes back, no checksum is
  bad, nothing reaches the server before the proof."""
  for mode in (1, 2):
    captured(lab, mode)


@lab_test(drivers=("af_packet",), offloads=(False,))
def pitfall_1_every_number_without_options(lab):
  """The same without each of window scaling, SACK and timestamps at both hosts."""
  for key in SYSCTLS:
    for host in (lab.client, lab.server):
      host.sysctl(key, 0)
    captured(lab, 2)
    for host in (lab.client, lab.server):
      host.sysctl(key, 1)


@lab_test(drivers=("af_packet",), offloads=(False,))
def pitfall_1_every_number_under_loss(lab):
  """The same with 2 % lost in each direction, so that SACK and repeats abound."""
  for host, device in ((lab.client, "c0"), (lab.server, "s0")):
    # Behind the tap. What a kernel can't even send it may take for an error of its own.
    lose(host, device, "in", AT_RANDOM)
  captured(lab, 1, with_resets=False)  # which nobody repeats


def earlier(segment):
  """The segment with a TSval of ten seconds before."""
  tsval = int.from_bytes(segment.options[OPTION_TIMESTAMP][:4], "big") - 10000 & 0xffffffff
  option = tsval.to_bytes(4, "big") + segment.options[OPTION_TIMESTAMP][4:]
  return segment._replace(options={**segment.options, OPTION_TIMESTAMP: option})


# What a wrong translation would do to a segment with data in the midst of a connection.
FAULTS = {
  "checksum": lambda segment: segment._replace(good=False),
  "seq": lambda segment: segment._replace(seq=segment.seq + 1 & 0xffffffff),
  "seq far away": lambda segment: segment._replace(seq=segment.seq + (1 << 30) & 0xffffffff),
  "ack": lambda segment: segment._replace(ack=segment.ack - 1 & 0xffffffff),
  "ack far away": lambda segment: segment._replace(ack=segment.ack + (1 << 30) & 0xffffffff),
  "window": lambda segment: segment._replace(window=segment.window // 2),
  "payload": lambda segment: segment._replace(payload=segment.payload[:-1] + b"?"),
  "TSval": earlier,
  "no timestamp": lambda segment: segment._replace(options={}),
}


@lab_test(drivers=("af_packet",), offloads=(False,))
def checker_sees_faults(lab):
  """The routine of the tests above by itself: it passes a connection as it was captured, and none
  in which one segment is altered, or whose SYN came to the server before the proof."""
  lab.start_sluice(tcp_syncookies=1)
  taps = [Capture(lab.client, "c0"), Capture(lab.server, "s0")]
  client, server = tcp.connect_pair(lab, FAMILIES[0], ECHO_PORT)
  tcp.exchange(client, server, 100000)
  for end in (client, server):
    end.close()
  time.sleep(0.1)
  (near,), (far,) = (list(tap.stop().values()) for tap in taps)
  check_splice(near, far)
  middle = next(number for number, segment in enumerate(far) if number > len(far) // 2
    and segment.payload and segment.source[2] != ECHO_PORT)
  altered = {name: [*far[:middle], fault(far[middle]), *far[middle + 1:]]
    for name, fault in FAULTS.items()}
  altered["proof"] = [far[0]._replace(time_ns=near[0].time_ns), *far[1:]]
  frame, time_ns = taps[1].frames[len(taps[1].frames) // 2]
  taps[1].frames.append((frame[:-1] + bytes([frame[-1] ^ 1]), time_ns))
  taps[1].save(lab.directory / "altered.pcap")
  expect_equal(len(tshark_errors(lab.directory / "altered.pcap", ECHO_PORT)), 1,
    "segments that tshark finds wrong among one altered and those that passed")
  for name, segments in altered.items():
    try:
      check_splice(near, segments)
    except Failure:
      continue
    expect(False, f"the checker does not see a wrong {name}")
