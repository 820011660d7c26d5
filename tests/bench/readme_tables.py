# SPDX-License-Identifier: BSD-3-Clause
"""README.md's tables of measured costs and of what follows from them, made from the lines of
tests/bench/run. They stand between two comments there, and nothing else is touched."""

import sys

BEGIN = "<!-- made by tests/bench/run --update-readme -->"
END = "<!-- end -->"

# Case, parameters that tell its lines apart, what the table calls it.
ROWS = (
  ("syn_cookie", {}, "SYN with all options, answered with a cookie"),
  ("syn_cookie_no_options", {}, "SYN without options, the same"),
  ("syn_cookie_ip6", {}, "SYN over IPv6 with all options, the same"),
  ("syn_cookie_vlan", {}, "SYN in a VLAN, the same"),
  ("syn_queue_insert", {}, "SYN that enters the syn queue"),
  ("syn_queue_full", {}, "SYN that finds the syn queue full"),
  ("syn_queue_again", {}, "SYN repeated by a client in the syn queue"),
  ("ack_forged", {}, "ACK with a forged cookie"),
  ("ack_forged_timestamps", {}, "the same with timestamps"),
  ("ack_stray", {}, "ACK while no cookie is out there"),
  ("ack_valid", {}, "ACK that proves a client"),
  ("handshake", {}, "a whole handshake: three packets in, three out"),
  ("handshake_queue", {}, "the same by the syn queue"),
  ("splice", {"connections": 10000}, "segment of 64 bytes, timestamps and SACK, of 10,000 connections"),
  ("splice", {"connections": 1000000}, "the same of 1,000,000"),
  ("splice", {"connections": 10000000}, "the same of 10,000,000"),
  ("splice_full_segments", {"connections": 10000}, "segment of 1460 bytes, of 10,000 connections"),
  ("splice_full_segments", {"connections": 1000000}, "the same of 1,000,000"),
  ("splice_from_backend", {"connections": 1000000},
    "segment of 64 bytes from the backend, of 1,000,000 connections"),
  ("pass", {}, "packet that is not for a backend"),
  ("mixed_flood", {}, "flood: 95 % SYNs, 5 % of connections"),
)

# Ethernet at its least frame of 64 bytes: 84 with preamble and gap.
LINE_RATES = ((10, 14.88e6), (40, 59.5e6), (100, 148.8e6))
MILLIONS = (0.1, 1, 10)


def find(lines, name, wanted, burst=32):
  """The line of that case at that burst size, or None."""
  for line in lines:
    parameters = line["parameters"]
    if line["name"] == name and parameters.get("burst") == burst and all(
        parameters.get(key) == value for key, value in wanted.items()):
      return line
  return None


def costs(lines):
  text = ["| case | cycles | min to max | ns | Mpps | burst 8 | burst 1 |", "|---|--:|--:|--:|--:|--:|--:|"]
  for name, wanted, words in ROWS:
    line = find(lines, name, wanted)
    if not line:
      continue
    cycles = line["cycles"]
    smaller = [find(lines, name, wanted, burst) for burst in (8, 1)]
    text.append(f"| {words} | {cycles['median']:.0f} | {cycles['min']:.0f} to {cycles['max']:.0f} | "
      f"{line['ns']['median']:.0f} | {line['pps'] / 1e6:.2f} | "
      + " | ".join(f"{other['cycles']['median']:.0f}" if other else "" for other in smaller) + " |")
  return text


def cores(lines):
  """Whole cores for line rate of the worst packets, each core at most 80 % busy."""
  kinds = (("SYN flood, answered", "syn_cookie"), ("the same over IPv6", "syn_cookie_ip6"),
    ("flood of forged ACKs", "ack_forged"), ("foreign traffic", "pass"))
  text = ["| at line rate of 64-byte frames | " + " | ".join(
    f"{gigabits} GbE, {rate / 1e6:g} Mpps" for gigabits, rate in LINE_RATES) + " |",
    "|---|" + "--:|" * len(LINE_RATES)]
  for words, name in kinds:
    line = find(lines, name, {})
    if line:
      needed = [-int(-rate // (0.8 * line["pps"])) for _, rate in LINE_RATES]
      text.append(f"| {words} | " + " | ".join(
        f"{count} core{'s' if count > 1 else ''}" for count in needed) + " |")
  return text


def memory(lines):
  line = find(lines, "splice", {"connections": 10000000}) or find(lines, "splice", {"connections": 1000000})
  if not line:
    return []
  each = line["parameters"]["memory_bytes"] / line["parameters"]["connections"]
  return ["", f"Memory: {each:.0f} bytes per IPv4 connection, all tables included: " + ", ".join(
    f"{each * 1e6 * count / 2**30:.2f} GiB for {int(count * 1e6):,}" for count in MILLIONS)
    + " connections. Packet buffers (`limits.mbufs`) come on top, some 2.3 KB each."]


def made(lines):
  last = lines[-1]
  return "\n".join([BEGIN, "",
    f"Measured {last['date']} on {last['cpu']} (TSC {last['tsc_mhz'] / 1e3:.2f} GHz), one core, {last['build']}; "
    f"medians of {last['rounds']} rounds, the quietest of three such runs:", "", *costs(lines), "", *cores(lines), *memory(lines), "", END])


def replaced(text, lines):
  begin, end = text.find(BEGIN), text.find(END)
  if begin < 0 or end < begin:
    sys.exit("bench: README.md has no place for the tables")
  return text[:begin] + made(lines) + text[end + len(END):]


def write(path, lines):
  path.write_text(replaced(path.read_text(), lines))


def check(path, lines):
  """0 when the tables in the file are those of the lines."""
  if replaced(path.read_text(), lines) == path.read_text():
    return 0
  print("README.md's tables are not those of tests/bench/results.json; run: "
    "tests/bench/run --update-readme", file=sys.stderr)
  return 1
