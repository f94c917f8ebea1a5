"use strict";
// Stored text only ever becomes text: no markup is built from it, and the policy of the page lets nothing else run.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const NS = "http://www.w3.org/2000/svg";
const ROWS = 20, SAMPLES = 20, NARROW = 700;
const SHAPES = ["circle", "square", "triangle", "diamond", "down", "cross"];
const state = { task: data.tasks[0], axis: data.axes[0], cost: null, hidden: new Set(), problem: null, attempt: 0, sort: null, rows: 0, samples: 0 };

// Elements. An element with a key gets the focus back when the page is drawn anew.
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "key") node.dataset.key = value;
    else if (value !== null) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}
function svg(name, attributes = {}, text = "") {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) key === "style" ? Object.assign(node.style, value) : node.setAttribute(key, value);
  if (text) node.textContent = text;
  return node;
}
function shape(kind, x, y, r, attributes) {
  const corners = { square: [[-1, -1], [1, -1], [1, 1], [-1, 1]], triangle: [[0, -1.2], [1.1, 0.9], [-1.1, 0.9]], down: [[0, 1.2], [1.1, -0.9], [-1.1, -0.9]], diamond: [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
    cross: [[-.4, -1.2], [.4, -1.2], [.4, -.4], [1.2, -.4], [1.2, .4], [.4, .4], [.4, 1.2], [-.4, 1.2], [-.4, .4], [-1.2, .4], [-1.2, -.4], [-.4, -.4]] }[kind];
  if (!corners) return svg("circle", { cx: x, cy: y, r, ...attributes });
  return svg("polygon", { points: corners.map(([u, v]) => `${x + r * u},${y + r * v}`).join(" "), ...attributes });
}

// The description of a mark: on hover, focus and touch, and for screen readers.
const tip = $("tip");
let focused = null;
function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = Math.max(4, Math.min(y + 14, innerHeight - tip.offsetHeight - 8)) + "px";
}
function hideTip() { tip.hidden = true; }
function described(node, text, reachable = true) {
  const below = () => { const box = node.getBoundingClientRect(); showTip(text, box.right, box.bottom); };
  node.addEventListener("pointermove", e => showTip(text, e.clientX, e.clientY));
  node.addEventListener("pointerleave", e => { if (e.pointerType === "mouse") hideTip(); });
  node.addEventListener("click", below);
  node.addEventListener("focus", () => { focused = below; below(); });
  node.addEventListener("blur", () => { focused = null; hideTip(); });
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", text);
  if (reachable) node.setAttribute("tabindex", "0");
  return node;
}
addEventListener("keydown", e => { if (e.key === "Escape") hideTip(); });
addEventListener("scroll", () => focused ? focused() : hideTip(), { passive: true });

// Numbers and names.
const fixed = (x, places) => Number.isFinite(x) ? x.toFixed(places).replace("-", "−") : "?";
const scaled = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
function short(x) {
  if (!Number.isFinite(x)) return "?";
  const [unit, letter] = scaled.find(([unit]) => x >= unit) || [1, ""];
  return +(x / unit).toPrecision(3) + letter;
}
const percent = x => fixed(100 * x, 1) + " %";
const size = p => p.budget ? Object.entries(p.budget).map(([k, v]) => `${k}=${v}`).join(" ") : "n=" + p.n;
const line = p => p.budget ? p.strategy + " (budget)" : p.strategy;
const label = a => `${a.strategy} ${a.size}`;
const mine = rows => rows.filter(row => row.task === state.task);
const outcome = right => element("span", { class: right ? "right" : "wrong" }, right ? "✓ right" : "✗ wrong");

function choices(where, values, shown, chosen, pick) {
  $(where).replaceChildren(...values.map(v => element("button", { type: "button", key: `${where}:${shown(v)}`, "aria-pressed": v === chosen, onclick: () => { pick(v); draw(); } }, shown(v))));
}
function pages(count, length, page, key, go) {
  const last = Math.max(0, Math.ceil(count / length) - 1);
  if (!last) return [];
  const turn = (to, text) => { const b = element("button", { type: "button", key: `${key}:${text}`, onclick: () => { go(to); draw(); } }, text); b.disabled = to < 0 || to > last; return b; };
  return [turn(page - 1, "previous"), element("span", { class: "small" }, `${page * length + 1} to ${Math.min(count, (page + 1) * length)} of ${count}`), turn(page + 1, "next")];
}

// The curves.
function lines() {
  const groups = Map.groupBy ? Map.groupBy(mine(data.points), line) : mine(data.points).reduce((m, p) => m.set(line(p), [...(m.get(line(p)) || []), p]), new Map());
  return [...groups].map(([key, points], i) => {
    const { colour, dash } = data.looks[points[0].strategy], coverage = points[0].strategy === "pass@k";
    return { key, coverage, colour: colour === "#000000" ? "var(--ink)" : `color-mix(in srgb, ${colour} var(--pure), white)`, shape: SHAPES[i % SHAPES.length], dash: points[0].budget ? "2 3" : dash,
      points: points.filter(p => p[state.axis.key] > 0).sort((a, b) => a[state.axis.key] - b[state.axis.key]) };
  });
}
function legend(all) {
  $("legend").replaceChildren(...all.map(each => {
    const sign = svg("svg", { width: 26, height: 12, "aria-hidden": "true" });
    sign.append(svg("line", { x1: 0, x2: 26, y1: 6, y2: 6, stroke: each.colour, "stroke-width": 2, "stroke-dasharray": each.dash }), shape(each.shape, 13, 6, 4, { fill: each.colour }));
    return element("button", { type: "button", key: "legend:" + each.key, "aria-pressed": !state.hidden.has(each.key), onclick: () => { state.hidden.has(each.key) ? state.hidden.delete(each.key) : state.hidden.add(each.key); draw(); } }, sign, each.key);
  }));
}
function domain(points) {
  let low = Math.floor(10 * Math.min(...points.map(p => p.ci_low))) / 10, high = Math.ceil(10 * Math.max(...points.map(p => p.ci_high))) / 10;
  if (high - low < 0.3) { low = Math.max(0, low - 0.1); high = Math.min(1, low + 0.3); low = high - 0.3; }
  return [Math.max(0, low), Math.min(1, high)];
}
function curve() {
  const all = lines();
  legend(all);
  const visible = all.filter(each => !state.hidden.has(each.key) && each.points.length), points = visible.flatMap(each => each.points);
  if (!points.length) { $("curve").replaceChildren(element("p", { class: "small" }, "The results do not have this cost, or every strategy is hidden.")); return; }
  const width = Math.max(280, $("curve").clientWidth), narrow = width < NARROW, height = narrow ? 300 : Math.min(560, 0.42 * width);
  const left = 58, right = narrow ? 12 : Math.min(180, width / 6), top = 12, bottom = 46;
  const logs = points.map(p => Math.log10(p[state.axis.key]));
  let [from, to] = [Math.min(...logs), Math.max(...logs)];
  if (to - from < 0.1) { from -= 0.3; to += 0.3; }
  const [low, high] = domain(points);
  const x = v => left + (Math.log10(v) - from) / (to - from) * (width - left - right), y = v => top + (high - v) / (high - low) * (height - top - bottom);
  const box = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "accuracy against " + state.axis.label });
  grid(box, { x, y, from, to, low, high, left, top, edge: width - right, floor: height - bottom, narrow });
  box.append(svg("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, state.axis.label), svg("text", { transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, "accuracy"));
  for (const each of visible) trace(box, each, x, y);
  if (!narrow) names(box, visible, x, y, width - right, height - bottom);
  $("curve").replaceChildren(box);
}
function grid(box, at) {
  const rule = (x1, x2, y1, y2) => box.append(svg("line", { class: "grid", x1, x2, y1, y2 }));
  const step = at.high - at.low > 0.55 ? 0.2 : 0.1;
  for (let v = Math.ceil(at.low / step - 1e-9) * step; v <= at.high + 1e-9; v += step) {
    rule(at.left, at.edge, at.y(v), at.y(v));
    box.append(svg("text", { x: at.left - 8, y: at.y(v) + 4, "text-anchor": "end", class: "muted" }, Math.round(100 * v) + " %"));
  }
  for (let e = Math.floor(at.from); e <= at.to; e++) for (const m of at.narrow && at.to - at.from > 1.5 ? [1] : [1, 2, 5]) {
    const log = Math.log10(m) + e, value = 10 ** log;
    if (log < at.from - 1e-9 || log > at.to + 1e-9) continue;
    rule(at.x(value), at.x(value), at.top, at.floor);
    box.append(svg("text", { x: at.x(value), y: at.floor + 18, "text-anchor": "middle", class: "muted" }, short(value)));
  }
}
function trace(box, each, x, y) {
  const place = p => x(p[state.axis.key]);
  const band = [...each.points.map(p => `${place(p)},${y(p.ci_high)}`), ...[...each.points].reverse().map(p => `${place(p)},${y(p.ci_low)}`)].join(" ");
  if (!each.coverage) box.append(svg("polygon", { points: band, fill: each.colour, opacity: 0.12 }));
  box.append(svg("polyline", { points: each.points.map(p => `${place(p)},${y(p.accuracy)}`).join(" "), fill: "none", stroke: each.colour, "stroke-width": 2, "stroke-dasharray": each.dash }));
  for (const p of each.points) box.append(described(shape(each.shape, place(p), y(p.accuracy), 4.5, { fill: each.colour, class: "point" }),
    `${p.strategy} ${size(p)}\n${percent(p.accuracy)} (${percent(p.ci_low)} to ${percent(p.ci_high)})\n${short(p.generated_tokens)} tokens, ${short(p.flops)} FLOPs, ${fixed(p.seconds, 2)} s a problem`));
}
function names(box, visible, x, y, edge, floor) {
  // A line that ends earlier is told by its mark: a leader from there would cross others.
  const ends = visible.map(each => { const last = each.points[each.points.length - 1]; return { ...each, x: x(last[state.axis.key]), y: y(last.accuracy), at: y(last.accuracy) }; }).filter(end => end.x > edge - 40).sort((a, b) => a.at - b.at);
  for (let i = 1; i < ends.length; i++) ends[i].at = Math.max(ends[i].at, ends[i - 1].at + 15);
  for (let i = ends.length - 1, most = floor; i >= 0; i--) { ends[i].at = Math.min(ends[i].at, most); most = ends[i].at - 15; }
  for (const end of ends) box.append(svg("line", { x1: end.x + 6, y1: end.y, x2: edge + 10, y2: end.at, stroke: end.colour, opacity: 0.4 }), svg("text", { x: edge + 14, y: end.at + 4 }, end.key));
}

// Tables. A column is { name, of: value to sort by, show: what stands in the cell }.
function table(where, columns, rows, attributes = () => ({})) {
  const sort = state.sort && state.sort.where === where ? state.sort : null;
  const value = sort && columns[sort.by].of;
  if (sort) rows = [...rows].sort((a, b) => { const [u, v] = [value(a), value(b)]; return (u > v ? 1 : u < v ? -1 : 0) * sort.way; });
  const head = columns.map((c, i) => {
    const way = sort && sort.by === i ? sort.way : 0;
    const turn = () => { state.sort = { where, by: i, way: way ? -way : 1 }; draw(); };
    return element("th", { scope: "col", "aria-sort": way ? (way > 0 ? "ascending" : "descending") : null }, element("button", { type: "button", key: `${where}:${c.name}`, onclick: turn }, c.name + (way ? (way > 0 ? " ▲" : " ▼") : "")));
  });
  const cell = (c, row) => element("td", {}, (c.show || String)(c.of(row), row));
  $(where).replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows.map(row => element("tr", attributes(row), ...columns.map(c => cell(c, row))))));
}
function points() {
  const thinking = { name: "thinking", of: p => p.thinking_tokens || 0, show: (v, p) => (p.thinking_estimated ? "~" : "") + short(v) };
  table("points", [
    { name: "strategy", of: p => p.strategy, show: (v, p) => v + (p.oracle ? " (oracle)" : "") }, { name: "size", of: p => p.n, show: (_, p) => size(p) },
    { name: "accuracy", of: p => p.accuracy, show: percent }, { name: "95 % interval", of: p => p.ci_low, show: (_, p) => `${percent(p.ci_low)} to ${percent(p.ci_high)}` },
    { name: "tokens", of: p => p.generated_tokens, show: short }, ...(data.points.some(p => p.thinking_tokens) ? [thinking] : []),
    { name: "prompt, fresh", of: p => p.prompt_tokens_fresh, show: short }, { name: "cached", of: p => p.prompt_tokens_cached, show: short },
    { name: "verifier", of: p => p.verifier_tokens, show: short }, { name: "FLOPs", of: p => p.flops, show: short }, { name: "s", of: p => p.seconds, show: v => fixed(v, 2) },
    { name: "s, median", of: p => p.seconds_median, show: v => fixed(v, 2) }, { name: "s, 95th", of: p => p.seconds_p95, show: v => fixed(v, 2) }, { name: "problems", of: p => p.problems },
  ], mine(data.points));
}
function paired() {
  const all = mine(data.rows), costs = [...new Set(all.map(r => r.cost))];
  $("paired").hidden = !all.length;
  if (!all.length) return;
  if (!costs.includes(state.cost)) state.cost = costs[0];
  choices("costs", costs, c => "equal " + (c === "flops" ? "FLOPs" : "generated tokens"), state.cost, c => { state.cost = c; });
  const shown = all.filter(r => r.cost === state.cost && r.p != null);
  const chance = p => p < 0.0005 ? "<.001" : p > 0.9995 ? "1" : p.toFixed(3).slice(1), gain = v => fixed(100 * v, 1);
  $("paired-note").textContent = `Gain in points on best-of-N at the cost that a strategy spent, paired problem by problem on ${all[0].problems}, with its 95 % interval. Best-of-N between two sizes (a-b) is interpolated in log cost; at "!" it cannot spend the same, and its nearest size stands. p is that of McNemar's exact test, or (~) of flipped signs where values are means of many choices; Holm's holds for all ${shown.length} comparisons of this table together. "Detectable" is the smallest true difference that so many problems show four times in five.`;
  table("rows", [
    { name: "strategy", of: r => r.strategy }, { name: "n", of: r => r.n }, { name: "spent", of: r => r.spent, show: short },
    { name: "accuracy", of: r => r.accuracy, show: percent }, { name: "best-of", of: r => r.rivals[0], show: (_, r) => r.rivals.join("-") + (r.equal ? "" : "!") }, { name: "gain", of: r => r.gain, show: v => (v >= 0 ? "+" : "") + gain(v) },
    { name: "95 % interval", of: r => r.gain_low, show: (_, r) => `${gain(r.gain_low)} to ${gain(r.gain_high)}` },
    { name: "p", of: r => r.p, show: (p, r) => (r.exact ? "" : "~") + chance(p) }, { name: "Holm", of: r => r.p_holm, show: chance },
    { name: "detectable", of: r => r.detectable, show: gain }, { name: "outcome", of: r => r.verdict.split(":")[0] },
  ], shown);
}

// Problems, filtered by their text, by the number of attempts that solve them, and by two attempts that disagree.
function attempts() {
  const all = [...new Set(mine(data.problems).flatMap(p => p.attempts.map(label)))];
  for (const id of ["right-with", "wrong-with"]) {
    const chosen = all.includes($(id).value) ? $(id).value : "";
    $(id).replaceChildren(element("option", { value: "" }, "any attempt"), ...all.map(a => element("option", { value: a }, a)));
    $(id).value = chosen;
  }
}
function fits(p) {
  const solved = p.attempts.filter(a => a.correct).length, all = p.attempts.length;
  const by = name => { const a = p.attempts.find(each => label(each) === name); return a && a.correct; };
  return (p.id + " " + p.question).toLowerCase().includes($("search").value.toLowerCase())
    && { any: true, all: solved === all, some: solved > 0 && solved < all, none: !solved }[$("solved").value]
    && (!$("right-with").value || by($("right-with").value) === true) && (!$("wrong-with").value || by($("wrong-with").value) === false);
}
function problems() {
  const all = mine(data.problems), matches = all.filter(fits);
  state.rows = Math.min(state.rows, Math.max(0, Math.ceil(matches.length / ROWS) - 1));
  $("count").textContent = `${matches.length} of ${all.length} problems; ${data.detailed} a task with their trees and samples`;
  const columns = [
    { name: "problem", of: p => p.index, show: (_, p) => element("button", { type: "button", class: "pick", key: "pick:" + p.id, "aria-pressed": state.problem === p, onclick: () => { state.problem = p; state.attempt = state.samples = 0; draw(); $("problem").scrollIntoView({ block: "nearest" }); } }, p.id, " ", p.question.trim().slice(0, 70)) },
    { name: "solved by", of: p => p.attempts.filter(a => a.correct).length, show: (v, p) => `${v} of ${p.attempts.length}` },
    { name: "pass@1", of: p => p.rate ?? -1, show: v => v < 0 ? "" : percent(v) },
    { name: "tokens", of: p => p.attempts.reduce((s, a) => s + a.tokens, 0), show: short },
  ];
  const sort = state.sort && state.sort.where === "problems" ? state.sort : { by: 0, way: 1 }, value = columns[sort.by].of;
  const shown = [...matches].sort((a, b) => (value(a) > value(b) ? 1 : value(a) < value(b) ? -1 : 0) * sort.way).slice(state.rows * ROWS, (state.rows + 1) * ROWS);
  table("problems", columns, shown, p => ({ class: state.problem === p ? "on" : null }));
  $("problem-pages").replaceChildren(...pages(matches.length, ROWS, state.rows, "rows", to => { state.rows = to; }));
  one();
}
function one() {
  const p = state.problem;
  if (!p || p.task !== state.task) { $("problem").replaceChildren(); return; }
  const attempt = p.attempts[state.attempt];
  const buttons = p.attempts.map((a, i) => element("button", { type: "button", key: "attempt:" + label(a), "aria-pressed": i === state.attempt, onclick: () => { state.attempt = i; state.samples = 0; draw(); } }, label(a) + " ", outcome(a.correct)));
  const facts = element("p", { class: "small" }, `answer ${attempt.answer} · reference ${p.reference || "?"} · ${attempt.tokens} tokens · ${attempt.error || attempt.stopped || "from the pool"}`);
  const shown = attempt.tree ? tree(attempt.tree) : attempt.samples ? samples(attempt.samples) : [element("p", { class: "small" }, "The file has neither tree nor samples of this attempt; `reasoner inspect` shows them.")];
  $("problem").replaceChildren(element("h2", {}, p.id), element("pre", { tabindex: 0 }, p.question.trim()), element("div", { class: "bar", role: "group", "aria-label": "attempt" }, ...buttons), facts, ...shown);
}

// A search tree: drawn, then the answer's steps and all steps as text.
const shade = s => s == null ? "var(--faint)" : `hsl(${20 + 190 * Math.min(1, Math.max(0, s))} 75% 45%)`;
const written = p => p.parts ? p.parts.map(([text, tool]) => tool ? element("span", { class: "tool", title: "output of a tool" }, text) : text) : [p.text.trim() || "(empty)"];
const facts = p => (p.score == null ? "" : `score ${fixed(p.score, 3)} · `) + `${p.tokens || 0} tokens` + (p.ended ? (p.right ? " · ✓ right" : " · ✗ wrong") : "");
function layout(pieces) {
  const below = pieces.map(() => []), depth = pieces.map(() => 0), row = pieces.map(() => 0), order = [], open = [0];
  pieces.forEach((p, i) => { if (p.parent != null) { below[p.parent].push(i); depth[i] = depth[p.parent] + 1; } });
  while (open.length) { const i = open.pop(); order.push(i); open.push(...[...below[i]].reverse()); }
  let leaves = 0;
  for (const i of order) if (!below[i].length) row[i] = leaves++;
  for (const i of [...order].reverse()) if (below[i].length) row[i] = below[i].reduce((s, c) => s + row[c], 0) / below[i].length;
  return { below, depth, row, order, leaves, deepest: depth.reduce((a, b) => Math.max(a, b), 0) };
}
function tree(pieces) {
  const { below, depth, row, order, leaves, deepest } = layout(pieces);
  const room = Math.max(560, $("problem").clientWidth), high = Math.max(5, Math.min(20, 900 / leaves)), wide = Math.min(240, (room - 40) / (1 + deepest));
  const width = 30 + wide * (1 + deepest), height = 20 + high * leaves;
  const box = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "tree", role: "group", "aria-label": "search tree" });
  const x = i => 14 + wide * depth[i], y = i => 12 + high * row[i];
  pieces.forEach((p, i) => { if (p.parent != null) { const m = (x(i) + x(p.parent)) / 2; box.append(svg("path", { d: `M${x(p.parent)},${y(p.parent)} C${m},${y(p.parent)} ${m},${y(i)} ${x(i)},${y(i)}`, fill: "none", stroke: p.chosen ? "var(--mark)" : "var(--line)", "stroke-width": p.chosen ? 2.5 : 1 })); } });
  pieces.forEach((p, i) => {
    const pruned = !p.ended && !below[i].length, radius = Math.max(2, Math.min(high / 2, 2 + Math.sqrt(p.tokens || 0) / 1.6));
    box.append(described(svg("circle", { cx: x(i), cy: y(i), r: radius, fill: pruned ? "var(--back)" : shade(p.score), stroke: shade(p.score), "stroke-width": 1.5 }), `${p.text.trim()}\n\n${facts(p)}${pruned && i ? " · pruned" : ""}`, Boolean(p.chosen)));
    if (p.ended) box.append(svg("text", { x: x(i) + 9, y: y(i) + 4, class: p.right ? "right" : "wrong", style: { fill: p.right ? "var(--right)" : "var(--wrong)", fontSize: `${Math.min(12, high)}px` } }, p.right ? "✓" : "✗"));
    else if (high >= 12 && i) box.append(svg("text", { x: x(i) + 8, y: y(i) - 4, style: { fontSize: "10.5px", fontWeight: p.chosen ? 700 : 400 } }, p.text.trim().split("\n")[0].slice(0, Math.max(0, Math.floor(wide / 6.4) - 3))));
  });
  const item = i => { const li = element("li", {}, ...written(pieces[i]), element("span", { class: "small" }, facts(pieces[i]))); li.style.marginLeft = 14 * Math.min(12, depth[i] - 1) + "px"; return li; };
  const answer = order.filter(i => i && pieces[i].chosen).map(item);
  for (const li of answer) li.style.marginLeft = "0";
  return [
    element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "search tree" }, box),
    element("p", { class: "small" }, `${pieces.length - 1} pieces, ${pieces.reduce((s, p) => s + (p.tokens || 0), 0)} tokens. A circle is a sampled piece, the larger the more tokens, orange to blue by score from 0 to 1; hollow ones were pruned; the answer's path is bold.`),
    ...(answer.length ? [element("h3", {}, "The answer, step by step"), element("ol", { class: "steps" }, ...answer)] : []),
    folded("Every step as text, in the order of the tree", () => [element("ol", { class: "steps" }, ...order.filter(i => i).map(item))]),
  ];
}
function folded(title, content, ...head) {
  const node = element("details", {}, element("summary", {}, ...head, title));
  node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) node.append(...content()); });
  return node;
}
function samples(all) {
  const ranked = [...all].sort((a, b) => (b.score ?? -1) - (a.score ?? -1)), shown = ranked.slice(state.samples * SAMPLES, (state.samples + 1) * SAMPLES);
  const text = s => [...(s.thinking ? [folded("thinking", () => [element("pre", { tabindex: 0 }, s.thinking)])] : []), element("pre", { tabindex: 0 }, ...(s.parts ? written(s) : [s.text || "(no text was stored)"]))];
  const items = shown.map(s => folded(` · ${s.score == null ? "no score" : "score " + fixed(s.score, 3)} · answer ${s.answer} · ${s.tokens || "?"} tokens`, () => text(s), outcome(s.correct)));
  return [element("div", { class: "samples" }, ...items), element("div", { class: "bar" }, ...pages(ranked.length, SAMPLES, state.samples, "samples", to => { state.samples = to; }))];
}

// The address names what is shown, so that it can be sent to others.
function recall() {
  const asked = new URLSearchParams(location.hash.slice(1));
  state.task = data.tasks.find(t => t === asked.get("task")) || state.task;
  state.axis = data.axes.find(a => a.short === asked.get("against")) || state.axis;
  state.problem = mine(data.problems).find(p => p.id === asked.get("problem")) || null;
  state.attempt = Math.max(0, state.problem ? state.problem.attempts.findIndex(a => label(a) === asked.get("attempt")) : 0);
}
function remember() {
  const shown = new URLSearchParams({ task: state.task, against: state.axis.short });
  if (state.problem) { shown.set("problem", state.problem.id); shown.set("attempt", label(state.problem.attempts[state.attempt])); }
  history.replaceState(null, "", "#" + shown);
}
function draw() {
  const key = document.activeElement && document.activeElement.dataset.key;
  hideTip();
  remember();
  choices("tasks", data.tasks, t => t, state.task, t => { state.task = t; state.problem = null; state.rows = 0; });
  choices("axes", data.axes, a => a.short, state.axis, a => { state.axis = a; });
  attempts(); curve(); points(); paired(); problems();
  const again = key && document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (again) again.focus({ preventScroll: true });
}
$("title").textContent = data.title;
$("caption").textContent = data.caption;
$("throughput").textContent = data.throughput;
$("environment").textContent = JSON.stringify(data.environment, null, 1);
for (const id of ["search", "solved", "right-with", "wrong-with"]) $(id).addEventListener("input", () => { state.rows = 0; problems(); });
$("swap").addEventListener("click", () => { [$("right-with").value, $("wrong-with").value] = [$("wrong-with").value, $("right-with").value]; state.rows = 0; problems(); });
addEventListener("hashchange", () => { recall(); draw(); });
addEventListener("resize", () => requestAnimationFrame(curve));
recall();
draw();
