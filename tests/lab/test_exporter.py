# SPDX-License-Identifier: BSD-3-Clause
"""sluice-exporter beside a live appliance: its page in a browser, its metrics in a Prometheus."""

import json
import os
import pathlib
import re
import signal
import socket
import time

import control
from browser import Browser
from lab import BUILD, DRIVERS, FLOOD, REPOSITORY, WEB_PORT, expect, expect_equal, run, wait_until
from parity import BACKEND, Clients
from registry import lab_test
from test_faults import frozen
from test_overflow import DROP_SYNS

FAMILY = socket.AF_INET
EXPORTER = BUILD / "app" / "sluice-exporter"
MONITORING = REPOSITORY / "config" / "monitoring"
PORT = 9797
PROMETHEUS_PORT = 9090
SMALL = 5
FLOOD_RATE = 4000


def small_config(lab):
  config = lab.config(tcp_syncookies=1, somaxconn=64)
  for backend in config["backends"]:
    backend["backlog"] = SMALL
  return config


def start(lab, sluice):
  """The exporter on the appliance's host, as nobody in the group that its socket has."""
  os.chmod(lab.directory, 0o755)
  exporter = lab.sluice_host.start("exporter", EXPORTER, "--socket",
    f"{control.path_of(sluice)}.ro", "--user", "nobody", "--group", "root")
  wait_until(lambda: "the appliance answers" in exporter.err(), 10, "the exporter has the appliance")
  return exporter


def get(lab, path, *arguments):
  return lab.sluice_host.run("curl", "-sS", "--max-time", "5", *arguments,
    f"http://127.0.0.1:{PORT}{path}", stderr=None).stdout


def metric_names(lab):
  return set(re.findall(r"^(sluice_\w+)", get(lab, "/metrics"), re.M))


def outage(lab):
  """A flood, and a backend that answers nothing to more clients than its ring holds."""
  lab.server.nft(DROP_SYNS)
  clients = Clients(lab)
  clients.connect(3 * SMALL)
  # SYNs that meet a full accept ring are dropped: the flood is for another backend.
  return clients, lab.flood("syn", 200000, FLOOD_RATE, port=WEB_PORT)


def pictures(browser, name):
  """The page as it is now, at both widths."""
  browser.evaluate("document.getElementById('table').open = false")
  for width, height, dark in ((1280, 800, False), (390, 844, True)):
    browser.size(width, height, dark)
    expect_equal(browser.evaluate("document.documentElement.scrollWidth"), width,
      "width of the page's content")
    browser.screenshot(BUILD / "pages" / f"{name}-{width}.png")


def picture(lab, browser, seconds):
  """README.md's: a flood that costs nobody anything."""
  flood = lab.flood("syn", 10**9, 5 * FLOOD_RATE, port=WEB_PORT)
  time.sleep(seconds)
  browser.size(1120, 860)
  browser.screenshot(BUILD / "pages" / "readme.png", whole=False)
  browser.size(1280, 800)
  flood.end()


@lab_test(drivers=DRIVERS[:1])
def status_page(lab):
  """Under flood the charts move and the overflow is marked; the page survives the appliance's stop
  and start, and writes nothing to its console."""
  (BUILD / "pages").mkdir(exist_ok=True)
  config = small_config(lab)
  sluice = lab.start_sluice(config)
  exporter = start(lab, sluice)

  def state():
    return browser.evaluate("document.body.dataset.state")

  def chart(number):
    return browser.evaluate(f"document.querySelectorAll('.chart')[{number}].querySelector('.line')?.getAttribute('d')")

  with Browser(lab.directory, lab.sluice_host) as browser:
    browser.size(1280, 800)
    browser.open(f"http://127.0.0.1:{PORT}/")
    wait_until(lambda: state() == "live", 10, "the page is live")
    expect_equal(browser.evaluate("document.getElementById('health-title').textContent"),
      "Nothing is wrong", "verdict in calm")
    expect_equal(browser.evaluate("document.querySelectorAll('.over').length"), 0, "overflows in calm")
    lab.start_nginx()
    (lab.directory / "www" / "index.html").write_text("words\n" * 1000)
    lab.client.start("users", "curl", "-s", "--rate", "40/s", "http://10.0.0.2/?[1-100000]", "-o", "/dev/null")
    if "SLUICE_PAGE_SECONDS" in os.environ:
      picture(lab, browser, float(os.environ["SLUICE_PAGE_SECONDS"]))
    clients, _ = outage(lab)
    wait_until(lambda: browser.evaluate("points.at(-1)?.cookie > 1000 && points.at(-1).proved > 5 && "
      "points.at(-1).spliced > 20"), 10, "cookies, proofs and splices in the charts")
    before = [chart(number) for number in range(2)]
    marked = ("[...document.querySelectorAll('.meter.over [role=meter]')]"
      ".map((one) => one.getAttribute('aria-label')).join()")
    wait_until(lambda: BACKEND in browser.evaluate(marked), 10, "the overflow is marked")
    wait_until(lambda: browser.evaluate("document.querySelectorAll('.finding').length"), 10, "a finding")
    expect(BACKEND in browser.evaluate("document.getElementById('findings').textContent"),
      "no finding names the backend")
    wait_until(lambda: all(chart(n) != before[n] for n in range(2)), 5, "the charts move")
    expect("overflow" in browser.evaluate("document.getElementById('announcer').textContent").lower(),
      "the overflow is not announced")
    rows = "(document.getElementById('table').open = true, chartsDraw(), document.querySelectorAll('#table-rows tr').length)"
    expect_equal(browser.evaluate(rows), 12, "rows of the table")
    pictures(browser, "flood")
    for end in clients.ends:
      end.close()
    grows_old(lab, sluice, exporter, browser)
    sluice.stop()
    wait_until(lambda: state() == "disconnected", 5, "the page says that the appliance is gone")
    pictures(browser, "stopped")
    lab.start_sluice(config)
    wait_until(lambda: state() == "live", 8, "the page is live again")
    expect_equal(browser.messages, [], "what the page wrote to its console")
    exporter.end()
    wait_until(lambda: state() == "unreachable", 5, "the page says that the exporter is gone")


def grows_old(lab, sluice, exporter, browser):
  """What is shown while nothing new comes, and that it goes on: an exporter that hangs over its question,
  and an appliance that stands still."""
  def shown():
    return browser.evaluate("[document.body.dataset.state, document.getElementById('notice').textContent,"
      " document.title, document.querySelectorAll('.backend').length]")

  with frozen(lab, exporter.popen.pid):  # its first thread is the one that asks
    wait_until(lambda: shown()[0] == "stale", 10, "the page is stale")
    state, notice, title, backends = shown()
    expect((state, title) == ("stale", "stale – Sluice") and re.match(r"Nothing new for \d+ s", notice) and backends,
      f"a stale page: {shown()}")
  wait_until(lambda: shown()[:2] == ["live", ""], 10, "the page is live again")
  sluice.process.signal(signal.SIGSTOP)
  try:
    wait_until(lambda: shown()[0] == "disconnected", 10, "the page says that nobody answers")
    expect("no answer within 3 s" in shown()[1], f"what it says: {shown()}")
  finally:
    sluice.process.signal(signal.SIGCONT)
  wait_until(lambda: shown()[:2] == ["live", ""], 10, "the page is live after a pause")


def start_prometheus(lab):
  """One that looks twice a second, with the shipped rules but their patience. Its address."""
  folder = lab.directory / "prometheus"
  folder.mkdir()
  rules = (MONITORING / "sluice.rules.yml").read_text()
  rules = re.sub(r"for: \w+", "for: 0s", rules)
  (folder / "sluice.rules.yml").write_text(re.sub(r"\[\dm\]", "[5s]", rules))
  config = (MONITORING / "prometheus.yml").read_text()
  (folder / "prometheus.yml").write_text(re.sub(r"_interval: 15s", "_interval: 500ms", config))
  lab.sluice_host.start("prometheus", "prometheus", f"--config.file={folder}/prometheus.yml",
    f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}")


def query(lab, expression):
  """Values of a query by their labels as text, once Prometheus answers."""
  done = lab.sluice_host.run("curl", "-sS", "--get", "--data-urlencode", f"query={expression}",
    f"http://127.0.0.1:{PROMETHEUS_PORT}/api/v1/query", check=False, stderr=None)
  if done.returncode != 0 or not done.stdout.startswith("{"):
    return {}
  return {json.dumps(one["metric"], sort_keys=True): float(one["value"][1])
    for one in json.loads(done.stdout)["data"]["result"]}


@lab_test(drivers=DRIVERS[:1])
def prometheus(lab):
  """Rules, dashboard and metrics are as promtool wants them and know the same names; a Prometheus
  from Debian scrapes them; alerts fire in an outage and not in calm."""
  for check in (("check", "rules", "sluice.rules.yml"), ("test", "rules", "sluice.rules.test.yml")):
    run("promtool", *check[:2], MONITORING / check[2])
  sluice = lab.start_sluice(small_config(lab))
  start(lab, sluice)
  start_prometheus(lab)
  text = get(lab, "/metrics")
  expect_equal(lab.sluice_host.run("promtool", "check", "metrics", input=text).stdout, "", "promtool")
  control.sluicectl(sluice, "reload")  # from now on there is one to tell of
  # The load of a worker is known after its first second.
  wait_until(lambda: {"sluice_config_last_reload_successful", "sluice_worker_busy_ratio"} <= metric_names(lab),
    5, "the reload and the load are told")
  names = metric_names(lab)
  for path in (MONITORING / "sluice.rules.yml", MONITORING / "grafana.json"):
    used = set(re.findall(r"\bsluice_\w+", path.read_text()))
    expect(used and used <= names, f"{path.name} uses {used - names}")
  json.loads((MONITORING / "grafana.json").read_text())
  wait_until(lambda: query(lab, "sluice_up") and
    list(query(lab, "count_over_time(sluice_up[1m])").values())[0] >= 4, 15, "Prometheus scrapes")
  expect_equal(query(lab, "ALERTS"), {}, "alerts in calm")
  outage(lab)
  for alert in ("SluiceClientsLost", "SluiceAcceptRingOverflows", "SluiceUnderFlood"):
    wait_until(lambda: query(lab, f'ALERTS{{alertname="{alert}", alertstate="firing"}}'), 15, alert)
  said = query(lab, "rate(sluice_backend_listen_overflows_total[1m]) > 0")
  expect(any(BACKEND in labels for labels in said), f"overflows that Prometheus knows: {said}")
  expect(query(lab, "sluice_exporter_sample_duration_seconds < 1"), "looks take long")


@lab_test(drivers=DRIVERS[:1])
def hostile_callers(lab):
  """While thousands press on the exporter, the appliance answers as ever."""
  sluice = lab.start_sluice(tcp_syncookies=1)
  exporter = start(lab, sluice)
  slowest = 0
  with lab.sluice_host.entered():
    ends = []
    for number in range(3000):
      ends.append(socket.create_connection(("127.0.0.1", PORT), timeout=5))
      ends[-1].send(b"GET /metrics HTTP/1.1\r\nX: ")
      if number >= 500:
        ends[number - 500].close()
      if number % 300 == 0:
        begin = time.monotonic()
        control.ask(sluice, "ping")
        slowest = max(slowest, time.monotonic() - begin)
    for end in ends:
      end.close()
  expect(slowest < 0.5, f"the appliance took {slowest:.2f} s to answer")
  expect(exporter.running(), "the exporter ended")
  expect("sluice_up 1" in get(lab, "/metrics"), "the exporter has lost the appliance")


@lab_test(drivers=DRIVERS[:1])
def most_backends(lab):
  """With as many backends as there can be a look takes no time and no memory to speak of, and the one
  that is flooded is among those on the page."""
  count = 65535
  config = lab.config(tcp_syncookies=1)
  config["limits"]["backends"] = count
  config["backends"] = [{"name": f"backend-{number}", "address": f"10.9.{number >> 8}.{number & 255}", "port": 80,
    "backlog": 64} for number in range(count)]
  sluice = lab.start_sluice(config)
  exporter = start(lab, sluice)
  lab.client.start("flood", FLOOD, "--interface", "c0", "--destination-mac", lab.server.mac("s0"), "--to",
    config["backends"][-1]["address"], "--port", 80, "--type", "syn", "--count", 30000, "--rate", 2000)

  def last_row():
    rows = json.loads(get(lab, "/status.json"))["backends"]["rows"]
    return next((row for row in rows if row["backend"] == f"backend-{count - 1}" and row["cookies"] > 0), None)
  wait_until(last_row, 10, "the flooded one of all backends on the page, with its rate")
  expect_equal(last_row()["syn_recv_max"], 65, "its limit")
  text = get(lab, "/metrics")
  found = dict(re.findall(r"^(\w+) (\S+)$", text, re.M))
  expect_equal((found["sluice_backends"], found["sluice_backends_without_series"]), (str(count), str(count - 256)),
    "backends in the metrics")
  took = float(found["sluice_exporter_sample_duration_seconds"])
  expect(took < 1, f"a look took {took} s")
  memory = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{exporter.popen.pid}/status").read_text())[1])
  expect(memory < 100000, f"the exporter has had {memory} kB")
