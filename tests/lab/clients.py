# SPDX-License-Identifier: BSD-3-Clause
"""Programs that people really use, as client and server: curl and nginx, ssh, iperf3, nc. Each
function here uses one of them over one family and raises Failure unless all went well."""

import concurrent.futures
import hashlib
import json
import pathlib
import random
import socket

import tcp
from lab import (CLIENT, ECHO_PORT, FAMILY_NAME, SERVER, SPARE_PORT, TLS_PORT, Process, expect,
  expect_equal, run, url, wait_until)

SSH_PORT = 22
IPERF_PORT = 5201
WORDS = b"that is all from this end\n"


def digest(path):
  with open(path, "rb") as file:
    return hashlib.file_digest(file, "sha256").hexdigest()


def root_is_locked():
  """Whether root has a password of "!": then sshd lets nobody in unless PAM decides."""
  lines = pathlib.Path("/etc/shadow").read_text().splitlines()
  return any(line.startswith("root:!") for line in lines)


def listening(lab, port, family=None):
  """Those who listen on a port of the server, of one family or both, as lines of ss."""
  only = [] if family is None else ["-6" if family == socket.AF_INET6 else "-4"]
  return lab.server.run("ss", "-Hltn", *only, "sport", "=", f":{port}").stdout.splitlines()


class Servers:
  """What the clients here need on the server, and Sluice in front of it. size: bytes of a
  transfer; requests: over one connection; programs get timeout_s for each. lossy: a segment of a
  handshake may be lost, so connections may be accepted in another order than they were made."""

  def __init__(self, lab, size, requests=100, timeout_s=60, lossy=False, **queues):
    self.lab = lab
    self.size = size
    self.requests = requests
    self.timeout_s = timeout_s
    self.lossy = lossy
    lab.start_nginx(keepalive_s=60, tls=True)
    self.file = lab.directory / "www" / "file"
    self.file.write_bytes(random.randbytes(size))
    (lab.directory / "www" / "page").write_bytes(b"x" * 1000)
    self._start_sshd()
    config = lab.config(**queues)
    for family, address in SERVER.items():
      for name, port in (("tls", TLS_PORT), ("ssh", SSH_PORT), ("iperf", IPERF_PORT)):
        config["backends"].append({"name": f"{name}-{FAMILY_NAME[family]}", "address": address,
          "port": port, "backlog": 4096})
    self.sluice = lab.start_sluice(config)
    wait_until(lambda: len(listening(lab, SSH_PORT)) == len(SERVER), 10, "sshd listening")

  def _start_sshd(self):
    """sshd with keys for this test alone, and a /run of its own, which it wants."""
    folder = self.lab.directory
    for name in ("host_key", "user_key"):
      run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    (folder / "user_key.pub").rename(folder / "authorized_keys")
    (folder / "sshd_config").write_text("\n".join([f"Port {SSH_PORT}",
      *(f"ListenAddress {address}" for address in SERVER.values()), f"HostKey {folder}/host_key",
      f"AuthorizedKeysFile {folder}/authorized_keys", "StrictModes no", "PidFile none",
      f"UsePAM {'yes' if root_is_locked() else 'no'}", "PasswordAuthentication no",
      "PermitRootLogin prohibit-password", "UseDNS no", ""]))
    self.lab.server.start("sshd", "unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run && "
      f"mkdir /run/sshd && exec /usr/sbin/sshd -D -e -f {folder}/sshd_config")

  def ssh_command(self, family, *words):
    return ("ssh", "-F", "none", "-i", self.lab.directory / "user_key", "-o",
      "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.lab.directory}/known_hosts", "-o",
      "LogLevel=ERROR", "-o", "BatchMode=yes", f"root@{SERVER[family]}", *words)


def web(servers, family, tls):
  """A file down and up with checksums, over HTTP/1.1, or HTTP/2 and TLS."""
  lab = servers.lab
  name = f"{FAMILY_NAME[family]}-{'tls' if tls else 'plain'}"
  version = ("--http2", "--insecure") if tls else ("--http1.1",)
  down, up = lab.directory / f"down-{name}", lab.directory / "www" / "up" / name
  done = lab.curl(*version, "--output", down, "--write-out", "%{http_version}",
    url(family, "file", tls), timeout=servers.timeout_s)
  expect_equal(done.stdout, "2" if tls else "1.1", "version of HTTP")
  expect_equal(digest(down), digest(servers.file), f"sha256 of the download, {name}")
  lab.curl(*version, "--upload-file", servers.file, url(family, f"up/{name}", tls),
    timeout=servers.timeout_s)
  expect_equal(digest(up), digest(servers.file), f"sha256 of the upload, {name}")


def keep_alive(servers, family):
  """Many requests over one connection."""
  lab = servers.lab
  config = lab.directory / f"keep-alive-{FAMILY_NAME[family]}"
  config.write_text(f"url = {url(family, 'page')}\noutput = /dev/null\n" * servers.requests)
  done = lab.curl("--http1.1", "--config", config, "--write-out",
    "%{size_download} %{num_connects}\\n", timeout=servers.timeout_s)
  lines = done.stdout.splitlines()
  expect_equal(lines, ["1000 1"] + ["1000 0"] * (servers.requests - 1), "bytes and connects")


def ssh(servers, family):
  """A command, and a file through it both ways."""
  lab, file = servers.lab, servers.file
  done = lab.client.run(*servers.ssh_command(family, "echo $SSH_CONNECTION"),
    timeout=servers.timeout_s)
  words = done.stdout.split()
  expect_equal((words[0], *words[2:]), (CLIENT[family], SERVER[family], str(SSH_PORT)),
    "addresses as the shell on the server knows them")
  copy = lab.directory / f"ssh-{FAMILY_NAME[family]}"
  with open(file, "rb") as source, open(copy, "wb") as target, lab.client.entered():
    process = Process(f"ssh-client-{FAMILY_NAME[family]}", servers.ssh_command(family, "cat"), lab.directory, stdin=source,
      stdout=target)
  lab.processes.append(process)
  expect_equal(process.wait(servers.timeout_s), 0, "exit status of ssh")
  expect_equal(digest(copy), digest(file), "sha256 of what came back through ssh")


def iperf(servers, family):
  """iperf3 up, down, and both ways at once; that only where connections arrive in order, since its
  server takes the first of two that it accepts for the one up, and both ends would send."""
  for direction in ((), ("--reverse",), *(() if servers.lossy else (("--bidir",),))):
    # A server for one client each: between two clients iperf3 refuses for a moment.
    server = servers.lab.server.start(f"iperf3-{FAMILY_NAME[family]}", "iperf3", "-s", "-1", "-B",
      SERVER[family], "-p", IPERF_PORT)
    wait_until(lambda: listening(servers.lab, IPERF_PORT, family), 5, "iperf3 listening")
    done = servers.lab.client.run("iperf3", "-c", SERVER[family], "-p", IPERF_PORT, "-J", "-n",
      servers.size, *direction, timeout=servers.timeout_s)
    report = json.loads(done.stdout)
    expect("error" not in report, f"iperf3 {direction}: {report.get('error')}")
    # It ends once one direction has had so many bytes.
    moved = max(value["bytes"] for key, value in report["end"].items() if key.startswith("sum_"))
    expect(moved >= servers.size, f"iperf3 {direction}: only {moved} bytes")
    expect_equal(server.wait(10), 0, "exit status of the iperf3 server")


def nc_half_close(servers, family):
  """`nc -N` at either end says all it has and shuts down; the other end then sends a file."""
  lab, file = servers.lab, servers.file.read_bytes()
  number = FAMILY_NAME[family][-1]
  words = lab.directory / f"words{number}"
  words.write_bytes(WORDS)
  listener = lab.server.listen(family, ECHO_PORT)
  with open(words, "rb") as source, lab.client.entered():
    end = Process(f"nc-client{number}", ("nc.openbsd", "-N", SERVER[family], ECHO_PORT),
      lab.directory, stdin=source)
  lab.processes.append(end)
  server, _ = listener.accept()
  server.settimeout(servers.timeout_s)
  expect_equal(tcp.receive_all(server), WORDS, "what the client's nc said before it shut down")
  server.sendall(file)
  server.close()
  listener.close()
  expect_equal(end.wait(servers.timeout_s), 0, "exit status of the client's nc")
  expect(end.out_path.read_bytes() == file, "bytes to the client's nc arrived changed")
  with open(words, "rb") as source, lab.server.entered():
    end = Process(f"nc-server{number}", ("nc.openbsd", "-N", "-l", SERVER[family], ECHO_PORT),
      lab.directory, stdin=source)
  lab.processes.append(end)
  wait_until(lambda: listening(lab, ECHO_PORT, family), 5, "nc listening")
  client = lab.client.connect(family, ECHO_PORT)
  client.settimeout(servers.timeout_s)
  expect_equal(tcp.receive_all(client), WORDS, "what the server's nc said before it shut down")
  client.sendall(file)
  client.shutdown(socket.SHUT_WR)
  expect_equal(end.wait(servers.timeout_s), 0, "exit status of the server's nc")
  expect(end.out_path.read_bytes() == file, "bytes to the server's nc arrived changed")
  client.close()


def both_ways(servers, family):
  """Bytes both ways at once."""
  with servers.lab.server.listen(family, SPARE_PORT) as listener:
    ends = tcp.connect_pair(servers.lab, family, SPARE_PORT, listener)
  tcp.exchange(*ends, servers.size, servers.timeout_s)
  for end in ends:
    end.close()


def web_plain(servers, family):
  web(servers, family, tls=False)


def web_tls(servers, family):
  web(servers, family, tls=True)


PROGRAMS = (web_plain, web_tls, keep_alive, ssh, iperf, nc_half_close, both_ways)


def everything(servers, family):
  """All of them, one after the other."""
  for program in PROGRAMS:
    program(servers, family)


def everything_at_once(servers):
  """All of them with all families, each in a thread."""
  with concurrent.futures.ThreadPoolExecutor(len(PROGRAMS) * len(SERVER)) as pool:
    runs = [pool.submit(program, servers, family) for program in PROGRAMS for family in SERVER]
    for done in runs:
      done.result()
