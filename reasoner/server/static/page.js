"use strict";

// Texts of models and of servers are only ever set as text.
const MOST = 2000;
const element = (id) => document.getElementById(id);
let stopping = null;
let names = [];

class Search {
  constructor() {
    this.root = element("search").content.firstElementChild.cloneNode(true);
    this.part = (name) => this.root.querySelector(`.${name}`);
    for (const name of names) this.part("strategy").add(new Option(name.label, name.id));
    element("searches").append(this.root);
  }

  async run(problem, signal) {
    this.nodes = new Map([[0, { list: this.part("tree"), parent: null }]]);
    this.part("tree").replaceChildren();
    this.part("answer").textContent = "";
    this.root.classList.remove("ended");
    this.tokens = this.steps = this.ended = 0;
    this.began = performance.now();
    this.say("searching …");
    try {
      const reply = await fetch("/v1/chat/completions", {
        method: "POST", signal, headers: headers(), body: JSON.stringify(this.request(problem)),
      });
      if (!reply.ok) throw new Error((await reply.json()).error.message);
      await this.read(reply.body);
    } catch (error) {
      if (error.name === "AbortError") this.say(`stopped after ${this.spent()}`);
      else this.fail(error.message);
    }
  }

  request(problem) {
    const search = { events: true, n: Number(this.part("n").value) || 1 };
    if (this.part("tokens").value) search.budget = { tokens: Number(this.part("tokens").value) };
    if (this.part("seed").value) search.seed = Number(this.part("seed").value);
    return {
      model: this.part("strategy").value, stream: true, stream_options: { include_usage: true },
      messages: [{ role: "user", content: problem }], reasoner: search,
    };
  }

  async read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) this.handle(event);
    }
  }

  handle(event) {
    const data = event.split("\n").find((line) => line.startsWith("data: "));
    if (!data || data === "data: [DONE]") return;
    const chunk = JSON.parse(data.slice(6));
    if (chunk.error) return this.fail(chunk.error.message);
    if (chunk.reasoner_event) this.grow(chunk.reasoner_event);
    for (const choice of chunk.choices || []) this.write(choice.delta);
    if (chunk.usage) this.finish(chunk.usage, chunk.reasoner);
  }

  grow(event) {
    if (event.type === "sampled") this.add(event);
    if (event.type === "scored") this.score(event);
    if (event.type === "chosen") this.choose(event.id);
    this.say(`searching … ${this.spent()}`);
  }

  add(event) {
    this.tokens += event.tokens;
    this.steps += 1;
    if (this.nodes.size > MOST) return;
    const parent = this.nodes.get(event.parent) || this.nodes.get(0);
    const item = document.createElement("li");
    item.setAttribute("role", "treeitem");
    const step = item.appendChild(document.createElement("div"));
    step.className = "step";
    step.appendChild(document.createElement("span")).className = "score";
    step.appendChild(document.createElement("code")).textContent = event.text.trim() || "␄";
    const list = item.appendChild(document.createElement("ul"));
    list.setAttribute("role", "group");
    parent.list.append(item);
    this.nodes.set(event.id, { item, step, list, parent: event.parent });
  }

  score(event) {
    const node = this.nodes.get(event.id);
    if (!node || event.score === null) return;
    node.step.firstElementChild.textContent = event.score.toFixed(2);
    node.step.classList.toggle("high", event.score >= 0.5);
    node.step.classList.toggle("low", event.score < 0.5);
  }

  choose(id) {
    this.root.classList.add("ended");
    for (let at = id; this.nodes.get(at) && this.nodes.get(at).item; at = this.nodes.get(at).parent) {
      this.nodes.get(at).item.classList.add("chosen");
    }
  }

  write(delta) {
    if (delta.content) this.part("answer").textContent += delta.content;
  }

  finish(usage, details) {
    const used = details.usage;
    const votes = details.searches[0];
    this.ended = 1;
    this.say(
      `${votes.stopped}: ${votes.solutions} solutions, ${usage.completion_tokens} tokens sampled, ` +
      `${usage.prompt_tokens} of prompts (${usage.prompt_tokens_details.cached_tokens} cached), ` +
      `${used.flops.toExponential(2)} FLOPs, ${used.seconds.toFixed(2)} s` +
      (votes.score === null ? "" : `, score ${votes.score.toFixed(2)}`),
    );
  }

  spent() {
    const seconds = (performance.now() - this.began) / 1000;
    return `${this.steps} steps, ${this.tokens} tokens, ${seconds.toFixed(1)} s`;
  }

  say(text) {
    this.part("status").classList.remove("error");
    this.part("status").textContent = text;
  }

  fail(text) {
    this.part("status").classList.add("error");
    this.part("status").textContent = text;
  }
}

function headers() {
  const key = element("key").value;
  return { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
}

async function listModels() {
  const reply = await fetch("/v1/models", { headers: headers() });
  if (!reply.ok) throw new Error((await reply.json()).error.message);
  const models = (await reply.json()).data.map((model) => model.id);
  const base = models[0];
  element("model").textContent = base;
  names = models.map((id) => ({ id, label: id === base ? "one sample" : id.slice(base.length + 1) }));
}

async function begin() {
  try {
    await listModels();
  } catch (error) {
    element("model").textContent = error.message;
    element("key").onchange = begin;
    return;
  }
  element("searches").replaceChildren();
  const first = new Search();
  const second = new Search();
  const preferred = names.find((name) => name.label === "best-of-n");
  const other = names.find((name) => name.label === "beam");
  if (preferred) first.part("strategy").value = preferred.id;
  if (other) second.part("strategy").value = other.id;
  const compare = () => { second.root.hidden = !element("two").checked; };
  element("two").onchange = compare;
  compare();
  element("ask").onsubmit = (event) => {
    event.preventDefault();
    solve([first, second].filter((search) => !search.root.hidden));
  };
  element("stop").onclick = () => stopping && stopping.abort();
  element("start").disabled = false;
}

async function solve(searches) {
  stopping = new AbortController();
  element("start").disabled = true;
  element("stop").disabled = false;
  await Promise.all(searches.map((s) => s.run(element("problem").value, stopping.signal)));
  element("start").disabled = false;
  element("stop").disabled = true;
}

begin();
