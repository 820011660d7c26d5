// SPDX-License-Identifier: BSD-3-Clause
// The status page: asks the exporter once a second, and draws. Whatever fails, it goes on asking.
"use strict";

const POINTS_MAX = 600, STALE_MS = 3500, LINGER_MS = 10000, TABLE_ROWS = 12, DROPS_SHOWN = 4;
const SERIES = [
  {key: "syn", label: "SYN", unit: "/s", hint: "SYNs for backends"},
  {key: "cookie", label: "Cookies", unit: "/s", hint: "SYNs answered with a cookie"},
  {key: "proved", label: "Proved", unit: "/s", hint: "clients that proved to be real"},
  {key: "spliced", label: "Spliced", unit: "pkt/s", hint: "packets of established connections"},
  {key: "dropped", label: "Dropped", unit: "pkt/s", hint: "packets dropped, for any reason"},
];
const STATES = {loading: "connecting", waiting: "waiting", live: "live", stale: "stale",
  disconnected: "appliance down", unreachable: "exporter unreachable"};

const $ = (id) => document.getElementById(id);
let points = [], texts = {}, status = null, cursor = null, windowSeconds = 300;
let heardAt = 0, movedAt = 0, announced = "", failures = 0;
const overflowed = new Map(); // backend -> when it was last seen to overflow
const totals = new Map();     // backend -> its overflows as last seen
const charts = [];
let dropsChart, dropsHolder, dropsList, newest;

// Builds an element's children only when what they show has changed, so that focus and selection stay.
function redraw(parent, data, build) {
  const key = JSON.stringify(data);
  if (parent.dataset.key === key) return;
  parent.dataset.key = key;
  parent.replaceChildren();
  build(parent);
}

function announce(text) {
  if (text === announced) return;
  announced = text;
  $("announcer").textContent = text;
}

// --- charts

function topDrops() {
  const begin = (points.at(-1)?.t ?? 0) - windowSeconds * 1000, sums = new Map();
  for (const point of points) {
    if (point.t < begin || !point.drops) continue;
    for (const [name, rate] of Object.entries(point.drops)) sums.set(name, (sums.get(name) ?? 0) + rate);
  }
  return [...sums].sort((a, b) => b[1] - a[1]).map(([name]) => name);
}

function dropSeries() {
  const names = topDrops(), shown = names.slice(0, DROPS_SHOWN), rest = names.slice(DROPS_SHOWN);
  const series = shown.map((name, i) => ({name, hue: `--series-${i}`, of: (point) => point.drops?.[name] ?? 0}));
  if (rest.length) series.push({name: `${rest.length} other reasons`, hue: "--series-4",
    of: (point) => rest.reduce((all, name) => all + (point.drops?.[name] ?? 0), 0)});
  return series;
}

function chartsMake() {
  for (const one of SERIES) {
    const card = make("div", "chart", $("charts"));
    card.style.setProperty("--hue", `var(--${one.key})`);
    make("h3", "", card, one.label).title = one.hint;
    const now = make("p", "now", card, "–");
    const chart = new Chart(card, one.label, [{hue: `--${one.key}`, of: (point) => point[one.key] ?? 0}], moveTo);
    charts.push({one, now, chart});
  }
  const drops = $("drops");
  const heading = make("div", "heading tall", drops);
  make("h3", "", heading, "Dropped, by reason");
  dropsHolder = make("div", "tall", drops);
  dropsChart = new Chart(dropsHolder, "Dropped packets by reason", dropSeries, moveTo);
  dropsList = make("ul", "legend", drops);
}

// No wider than there is something to see.
function secondsShown() {
  const known = points.length ? (points.at(-1).t - points[0].t) / 1000 : 0;
  return Math.min(windowSeconds, Math.max(60, Math.ceil(known / 30) * 30));
}

function moveTo(share) {
  cursor = share;
  chartsDraw();
}

// The point under the cursor, or the newest.
function pointShown(end) {
  const at = cursor === null ? end : end - (1 - cursor) * secondsShown() * 1000;
  const shown = points.findLast((point) => point.t <= at + 500);
  return shown && at - shown.t < 3000 ? shown : null;
}

function chartsDraw() {
  const end = points.at(-1)?.t ?? Date.now();
  const point = pointShown(end);
  for (const {one, now, chart} of charts) {
    chart.draw(points, end, secondsShown(), cursor);
    now.textContent = !point || point.gap ? "–" : short(point[one.key]);
    make("small", "", now, cursor === null ? one.unit : `${one.unit} ${ago((end - (point?.t ?? end)) / 1000)}`);
  }
  const series = dropSeries();
  dropsHolder.hidden = !series.length;
  if (series.length) dropsChart.draw(points, end, secondsShown(), cursor);
  redraw(dropsList, [points.some((one) => !one.gap), ...series.map((one) => [one.name, point && !point.gap ? short(one.of(point)) : "–"])], (list) => {
    for (const one of series) {
      const item = make("li", "", list);
      item.style.setProperty("--hue", `var(${one.hue})`);
      make("span", "mark", item);
      const name = make("span", "", item, one.name);
      if (texts[one.name]) make("small", "", name, texts[one.name]);
      make("b", "", item, point && !point.gap ? `${short(one.of(point))}/s` : "–");
    }
    if (!series.length) make("li", "quiet", list, points.some((one) => !one.gap) ? "Nothing was dropped in this time." : "Nothing is known yet.");
  });
  $("gaps").hidden = document.querySelector(".gap") === null;
  if ($("table").open) tableDraw(end);
}

function tableDraw(end) {
  const step = secondsShown() * 1000 / TABLE_ROWS, rows = [];
  for (let i = 0; i < TABLE_ROWS; i++) {
    const until = end - i * step;
    const within = points.filter((point) => !point.gap && point.t <= until && point.t > until - step);
    rows.push([new Date(until).toLocaleTimeString("en-GB"), ...SERIES.map((one) => within.length
      ? short(within.reduce((all, point) => all + point[one.key], 0) / within.length) : "–")]);
  }
  redraw($("table-rows"), rows, (body) => {
    for (const row of rows) {
      const line = make("tr", "", body);
      row.forEach((text, i) => set(make(i ? "td" : "th", "", line, text), i ? {} : {scope: "row"}));
    }
  });
}

// --- what the doctor says

// Builds a finding without the words that change every second: a button or a fold would lose the focus.
function findingDraw(parent, finding) {
  const box = make("article", "finding", parent), command = finding.cure?.command;
  const title = make("h3", "", box);
  make("span", `tag ${finding.severity}`, title, finding.severity);
  title.append(` ${finding.backend ?? "the appliance"}: ${finding.cause.replaceAll("-", " ")}`);
  make("p", "quiet", box);
  make("p", "", box);
  if (command) {
    const cure = make("div", "cure", box);
    make("code", "", cure, command);
    if (navigator.clipboard) copyMake(cure, command);
  }
  const fold = make("details", "", box);
  make("summary", "", fold, "How it comes to that");
  make("div", "why", fold);
}

function copyMake(parent, command) {
  const copy = make("button", "", parent, "Copy");
  copy.type = "button";
  copy.setAttribute("aria-label", `Copy the command ${command}`);
  copy.addEventListener("click", () => navigator.clipboard.writeText(command).then(
    () => { copy.textContent = "Copied"; }, () => { copy.textContent = "Not allowed"; }));
}

// The words, into the place that was built for them.
function findingFill(box, finding) {
  const [first, ...rest] = finding.text ?? [], [since, said] = box.querySelectorAll(":scope > p");
  since.textContent = `for ${ago(finding.since_s).replace("now", "a second").replace(" ago", "")}` +
    (finding.clients ? `, ${short(finding.clients)} tries of clients; they saw a ${finding.clients_saw}` : "");
  said.textContent = first ?? "";
  const why = rest.filter((sentence) => !sentence.startsWith("Cure: "));
  box.querySelector("details").hidden = why.length === 0;
  redraw(box.querySelector(".why"), why, (parent) => why.forEach((sentence) => make("p", "", parent, sentence)));
}

function healthDraw() {
  const {findings = [], total = 0} = status.doctor ?? {};
  const outages = findings.filter((one) => one.severity === "outage").length;
  const warnings = findings.length - outages;
  const words = [];
  if (outages) words.push(outages === 1 ? "1 outage" : `${outages} outages`);
  if (warnings) words.push(warnings === 1 ? "1 warning" : `${warnings} warnings`);
  const down = status.state !== "live";
  const verdict = down ? "The appliance does not answer" : words.length ? words.join(", ") : "Nothing is wrong";
  $("health-title").textContent = verdict;
  $("health").dataset.level = down || outages ? "outage" : warnings ? "warning" : "good";
  const shape = findings.map((one) => [one.backend, one.cause, one.severity, one.cure?.command]);
  redraw($("findings"), down ? null : [shape, total], (box) => {
    if (down) return;
    if (!findings.length) make("p", "quiet", box, "No client was lost in the last minute, and no queue overflowed.");
    for (const finding of findings) findingDraw(box, finding);
    if (total > findings.length) make("p", "quiet", box, `and ${total - findings.length} more: sluicectl doctor`);
  });
  if (!down) document.querySelectorAll(".finding").forEach((box, i) => findingFill(box, findings[i]));
  return verdict;
}

// --- queues, workers, configuration

function meterDraw(parent, label, used, limit, options) {
  const share = limit > 0 ? Math.min(1, used / limit) : 0;
  const level = options.over ? "over full" : options.cookies ? "cookies" : share >= 1 ? "full" : options.near && share >= .8 ? "near" : "";
  const meter = make("div", `meter ${level}`, parent);
  const text = make("div", "text", meter);
  make("span", "", text, label);
  const numbers = make("span", "", text);
  make("b", "", numbers, used.toLocaleString("en"));
  numbers.append(options.unit ? ` ${options.unit}` : ` of ${limit.toLocaleString("en")}`);
  if (options.word) make("span", "word", numbers, ` · ${options.word}`);
  const bar = set(make("div", "bar", meter), {role: "meter", "aria-label": options.name, "aria-valuemin": 0,
    "aria-valuemax": Math.max(limit, used), "aria-valuenow": used, "aria-valuetext": numbers.textContent});
  make("i", "", bar).style.width = `${(100 * share).toFixed(1)}%`;
}

function backendDraw(parent, row) {
  const now = Date.now();
  // The total, too: what overflowed between two of our questions must not be missed.
  if (row.overflows > 0 || row.overflows_total > (totals.get(row.backend) ?? Infinity)) overflowed.set(row.backend, now);
  totals.set(row.backend, row.overflows_total);
  const over = now - (overflowed.get(row.backend) ?? -LINGER_MS) < LINGER_MS;
  const box = make("div", "backend", parent);
  const who = make("div", "who", box);
  make("h3", "", who, row.backend);
  const wait = row.waiting_ms;
  make("p", "quiet", who, `${row.local} · ${short(row.established)} established` +
    (wait?.count ? ` · wait ${short(wait.p50)} ms` : ""));
  if (row.state === "DRAIN") make("span", "tag", who, "draining");
  if (row.protection === "monitor") make("span", "tag warning", who, "monitor: counted as if");
  if (row.protection === "off") make("span", "tag warning", who, "off: not protected");
  const full = row.syn_recv >= row.syn_recv_max, cookies = row.mode === "cookie";
  meterDraw(box, "SYN queue", row.syn_recv, row.syn_recv_max, {name: `SYN queue of ${row.backend}`,
    cookies, word: cookies ? row.protection === "monitor" ? "would answer with cookies" : "answers with cookies" : full ? "full" : ""});
  meterDraw(box, "Accept ring", row.recv_q, row.send_q, {name: `Accept ring of ${row.backend}`, over, near: true,
    word: over ? "overflow" + (row.overflows > 0 ? ` ${short(row.overflows)}/s` : "") : row.recv_q > row.send_q ? "full" : ""});
  return over;
}

// Drawn anew each second: nothing in it can have the focus.
function backendsDraw() {
  const {rows = [], total = 0} = status.backends ?? {};
  const holder = $("queues"), fresh = document.createDocumentFragment(), over = [];
  for (const row of rows) if (backendDraw(fresh, row)) over.push(row.backend);
  if (!rows.length) make("p", "quiet", fresh, "No backend is configured: all traffic passes.");
  holder.replaceChildren(fresh);
  $("queues-note").textContent = total > rows.length ? `the ${rows.length} fullest of ${total.toLocaleString("en")}` : "";
  return over;
}

function workersDraw() {
  const holder = $("workers"), fresh = document.createDocumentFragment();
  for (const worker of status.workers ?? []) {
    const box = make("div", "worker", fresh), known = worker.busy_percent !== null;
    const busy = known ? Math.round(worker.busy_percent) : 0;
    meterDraw(box, `CPU ${worker.cpu} · ${short(worker.received)} pkt/s`, busy, 100, {
      name: `Load of the worker on CPU ${worker.cpu}`, unit: "% busy", over: worker.stalled,
      word: worker.stalled ? "makes no progress" : known ? "" : "not known"});
  }
  for (const [side, port] of Object.entries(status.ports ?? {}))
    make("p", "quiet", fresh, `${side} port: ${short(port.received)}/s in, ${short(port.sent)}/s out, ` +
      (port.lost > 0 ? `${short(port.lost)}/s lost for want of time or room` : "none lost"));
  holder.replaceChildren(fresh);
}

function configurationDraw() {
  const appliance = status.appliance, reload = status.last_reload;
  const pairs = [];
  let said = "none since the start", tag = "";
  if (reload) {
    said = `${reload.accepted ? "accepted" : "refused"}, ${ago(reload.ago_s)}`;
    tag = reload.accepted ? "" : "outage";
  }
  pairs.push(["Last reload", said]);
  if (reload && !reload.accepted) pairs.push(["Refused", `${reload.errors} error${reload.errors === 1 ? "" : "s"}; nothing has changed. ${reload.first_error}`]);
  pairs.push(["File", appliance?.config ?? "–"], ["Configuration", `number ${appliance?.config_generation ?? "–"} since the start`],
    ["Connections", `${short(status.established ?? 0)} established`], ["Up", appliance ? ago(appliance.uptime_s).replace("now", "just started").replace(" ago", "") : "–"]);
  redraw($("reload"), pairs, (box) => {
    const list = make("dl", "", box);
    for (const [name, text] of pairs) {
      make("dt", "", list, name);
      const value = make("dd", "", list, text);
      if (name === "Refused" && tag) value.style.color = "var(--bad)";
    }
  });
  $("about").textContent = `sluice ${appliance?.version ?? ""} · sluice-exporter ${status.exporter}`;
  $("where").textContent = location.hostname;
}

// --- the whole page

function stateShow(state, notice) {
  document.body.dataset.state = state;
  $("state").textContent = STATES[state];
  $("notice").hidden = !notice;
  if ($("notice").textContent !== notice) $("notice").textContent = notice;
  document.title = state === "live" ? $("health-title").textContent + " – Sluice" : `${STATES[state]} – Sluice`;
}

function draw() {
  const verdict = healthDraw();
  let over = [];
  if (status.appliance) {
    over = backendsDraw();
    workersDraw();
    configurationDraw();
  }
  chartsDraw();
  const seen = !status.appliance ? "" : status.age_s < 1.5 ? " What is shown is from just before."
    : ` What is shown is from ${ago(status.age_s)}.`;
  stateShow(status.state, status.state === "live" ? "" : `${status.problem}.${seen} Trying again every second.`);
  announce([verdict, ...(over.length ? [`Accept ring overflows: ${over.join(", ")}`] : [])].join(". "));
}

async function get(path) {
  const reply = await fetch(path, {cache: "no-store", signal: AbortSignal.timeout(5000)});
  if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
  return reply.json();
}

async function look() {
  try {
    if (!points.length || failures || Date.now() - heardAt > 5000) ({points, texts} = await get("/history.json"));
    status = await get("/status.json");
    failures = 0;
    if (status.point && status.point.t > (points.at(-1)?.t ?? 0)) points.push(status.point);
    // Only our own clock is asked: the exporter's may be another machine's.
    if (points.at(-1)?.t !== newest) movedAt = Date.now();
    newest = points.at(-1)?.t;
    if (points.length > POINTS_MAX) points.splice(0, points.length - POINTS_MAX);
    heardAt = Date.now();
    draw();
    const age = Date.now() - movedAt;
    if (status.state === "live" && age > STALE_MS)
      stateShow("stale", `Nothing new for ${Math.round(age / 1000)} s: the appliance takes long to answer. What is shown is from before.`);
  } catch (error) {
    failures++;
    stateShow("unreachable", "This page can't reach sluice-exporter. What is shown is from before; trying again.");
    announce("The exporter can't be reached");
  }
  setTimeout(look, failures > 3 ? 3000 : 1000);
}

for (const input of document.querySelectorAll("#window input"))
  input.addEventListener("change", () => {
    windowSeconds = Number(input.value);
    chartsDraw();
  });
$("table").addEventListener("toggle", chartsDraw);
chartsMake();
chartsDraw();
look();
