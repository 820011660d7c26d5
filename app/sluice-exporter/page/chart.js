// SPDX-License-Identifier: BSD-3-Clause
// Charts over time as SVG. A point is {t: milliseconds, NAME: number} or {t, gap: true}.
"use strict";

const WIDTH = 600, HEIGHT = 100;

function make(name, className, parent, text) {
  const isSvg = ["svg", "path", "line", "rect", "g"].includes(name);
  const element = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  if (className) element.setAttribute("class", className);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Three figures, with thousands as k and millions as M: 0, 0.4, 12, 3.46 k.
function short(number) {
  const units = ["", " k", " M", " G"];
  let unit = 0;
  while (number >= 999.5 && unit < units.length - 1) {
    number /= 1000;
    unit++;
  }
  const digits = Number.isInteger(number) ? 0 : unit === 0 ? (number < 9.95 ? 1 : 0) : number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
  return number.toFixed(digits).replace(/^0\.0$/, "0") + units[unit];
}

function ago(seconds) {
  if (seconds < 1.5) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

// 1, 2 or 5 times a power of ten, at least the number.
function roundUp(number) {
  const power = 10 ** Math.floor(Math.log10(Math.max(number, 1)));
  for (const factor of [1, 2, 5, 10]) if (number <= factor * power) return factor * power;
  return 10 * power;
}

// One picture of several series, drawn on top of each other when stacked.
class Chart {
  // names: a function that gives [{name, hue}] for the points, or a list of them
  constructor(parent, label, names, onMove) {
    this.label = label;
    this.names = names;
    this.plot = make("div", "plot", parent);
    set(this.plot, {tabindex: 0, role: "img"});
    this.svg = set(make("svg", "", this.plot), {viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none", "aria-hidden": "true"});
    this.most = make("span", "most", this.plot);
    const times = make("div", "times", parent);
    times.setAttribute("aria-hidden", "true");
    this.first = make("span", "", times);
    make("span", "", times, "now");
    this.plot.addEventListener("pointermove", (event) => {
      const box = this.plot.getBoundingClientRect();
      onMove((event.clientX - box.left) / box.width);
    });
    this.plot.addEventListener("pointerleave", () => onMove(null));
    this.plot.addEventListener("blur", () => onMove(null));
    this.plot.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: -0.02, ArrowRight: 0.02}[event.key];
      if (event.key === "Escape") onMove(null);
      if (step === undefined) return;
      event.preventDefault();
      onMove(Math.min(1, Math.max(0, (this.cursor ?? 1) + step)));
    });
  }

  // end: the right edge in milliseconds; seconds: the width; cursor: 0..1 or null
  draw(points, end, seconds, cursor) {
    const begin = end - seconds * 1000;
    const x = (t) => (WIDTH * (t - begin) / (end - begin)).toFixed(1);
    const runs = this.runs(points.filter((point) => point.t >= begin - 2000));
    const series = typeof this.names === "function" ? this.names() : this.names;
    const sum = (point) => series.reduce((all, one) => all + one.of(point), 0);
    const highest = Math.max(0, ...runs.flat().map(sum));
    const scale = roundUp(highest * 1.05);
    const y = (value) => (HEIGHT - HEIGHT * value / scale).toFixed(1);
    const parts = [];
    this.cursor = cursor;
    for (const [from, to] of this.gaps(points, begin, end))
      parts.push(set(make("rect", "gap"), {x: x(from), y: 0, width: Math.max(0, x(to) - x(from)), height: HEIGHT}));
    parts.push(set(make("line", "base"), {x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT}));
    for (const run of runs) {
      let floor = run.map(() => 0);
      for (const one of series) {
        const top = run.map((point, i) => floor[i] + one.of(point));
        const upper = run.map((point, i) => `${x(point.t)} ${y(top[i])}`);
        const lower = run.map((point, i) => `${x(point.t)} ${y(floor[i])}`).reverse();
        const area = set(make("path", series.length > 1 ? "stack" : "area"), {d: `M${[...upper, ...lower].join("L")}Z`});
        area.style.setProperty("--hue", `var(${one.hue})`);
        parts.push(area);
        if (series.length === 1) {
          const line = set(make("path", "line"), {d: `M${upper.join("L")}`});
          line.style.setProperty("--hue", `var(${one.hue})`);
          parts.push(line);
        }
        floor = top;
      }
    }
    if (cursor !== null) parts.push(set(make("line", "cursor"), {x1: cursor * WIDTH, x2: cursor * WIDTH, y1: 0, y2: HEIGHT}));
    this.svg.replaceChildren(...parts);
    this.most.textContent = highest > 0 ? `${short(scale)}/s` : "";
    this.first.textContent = ago(seconds);
    const last = runs.flat().at(-1);
    this.plot.setAttribute("aria-label", last ? `${this.label}: now ${short(sum(last))} per second, ` +
      `highest ${short(highest)} per second since ${ago(seconds)}` : `${this.label}: no data yet`);
  }

  // Points without gaps between them.
  runs(points) {
    const runs = [[]];
    let before = null;
    for (const point of points) {
      if (point.gap || (before !== null && point.t - before > 5000)) runs.push([]);
      if (!point.gap) {
        runs.at(-1).push(point);
        before = point.t;
      }
    }
    return runs.filter((run) => run.length > 0);
  }

  gaps(points, begin, end) {
    const gaps = [];
    let from = null;
    for (const point of points) {
      if (point.gap) from ??= point.t;
      else if (from !== null) {
        gaps.push([Math.max(from, begin), point.t]);
        from = null;
      }
    }
    if (from !== null) gaps.push([Math.max(from, begin), end]);
    return gaps.filter(([first, last]) => last > begin && last > first);
  }
}
