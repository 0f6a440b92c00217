// The page of a launcher. What comes from chaincode is text here, and nothing else: all of it goes
// through `textContent`, and the page's policy lets nothing be made of markup.

const PERIOD = 2000;
const LINES = 2000;
const SVG = "http://www.w3.org/2000/svg";

const $ = (id) => document.getElementById(id);

// What is shown below the tables, by the address's fragment: a chaincode and a build.
const chosen = new URLSearchParams(location.hash.slice(1));
const logs = { chaincode: null, build: null };
let told = null;

// An element with a class and children, which are texts or elements.
function element(name, classes, ...children) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

async function ask(path, query) {
  const address = query ? `${path}?${new URLSearchParams(query)}` : path;
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `status ${answer.status}`);
  return answer.json();
}

function choose(what, value) {
  if (chosen.get(what) === value) chosen.delete(what);
  else chosen.set(what, value);
  history.replaceState(null, "", `#${chosen}`);
  show();
}

// Times.

function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

const ago = (at) => `${span(told.now - at)} ago`;

function clock(at, withMillis) {
  const time = new Date(at);
  const two = (number) => String(number).padStart(2, "0");
  const text = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return withMillis ? `${text}.${String(time.getMilliseconds()).padStart(3, "0")}` : text;
}

function duration(seconds) {
  if (seconds === null) return "–";
  if (seconds === 0) return "0";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.01) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return `${seconds.toFixed(1)} s`;
}

function rate(number) {
  if (number === null) return "–";
  return number >= 100 ? String(Math.round(number)) : number.toFixed(1);
}

// What a history tells: between two samples, how many calls there were, and what they took.

// As Prometheus' `histogram_quantile` has it: between two bounds they are spread evenly.
function quantile(bounds, took, part) {
  const wanted = part * took.reduce((all, one) => all + one, 0);
  if (wanted === 0) return null;
  let below = 0;
  let floor = 0;
  for (let place = 0; place < bounds.length; place += 1) {
    if (below + took[place] >= wanted && took[place] > 0) {
      return floor + (bounds[place] - floor) * ((wanted - below) / took[place]);
    }
    below += took[place];
    floor = bounds[place];
  }
  return floor;
}

function between(bounds, one, other) {
  const seconds = (other.at - one.at) / 1000;
  // A run that has begun anew counts from zero on.
  const isSame = other.begun >= one.begun && one.took.length === other.took.length;
  const since = isSame ? one : { begun: 0, failed: 0, took: other.took.map(() => 0) };
  const took = other.took.map((number, place) => Math.max(0, number - since.took[place]));
  return {
    at: other.at,
    calls: (other.begun - since.begun) / seconds,
    errors: (other.failed - since.failed) / seconds,
    flight: other.in_flight,
    p50: quantile(bounds, took, 0.5),
    p95: quantile(bounds, took, 0.95),
    p99: quantile(bounds, took, 0.99),
  };
}

function steps({ bounds, samples }) {
  return samples.slice(1).map((sample, place) => between(bounds, samples[place], sample));
}

// Of the last minute.
function lately({ bounds, samples }) {
  const last = samples[samples.length - 1];
  const first = samples.find((sample) => sample.at >= last?.at - 60000);
  if (!last || first === last) return { calls: null, p50: null, p95: null };
  return between(bounds, first, last);
}

// Charts.

const number = (value) => (Number.isInteger(value) || value >= 100 ? String(Math.round(value)) : value.toFixed(1));

// A round number that is no less.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.999) ?? value;
}

function chart(svg, points, lines, format) {
  const { width, height } = svg.getBoundingClientRect();
  const [left, right, top, bottom] = [52, 8, 22, 20];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const parts = [];
  lines.reduce((place, { name, colour }) => {
    parts.push(drawn("rect", { class: colour, x: place, y: 4, width: 10, height: 3, rx: 1.5 }));
    parts.push(drawn("text", { x: place + 14, y: 10 }, name));
    return place + 30 + name.length * 7;
  }, left);
  const values = points.flatMap((point) => lines.map(({ value }) => value(point) ?? 0));
  const most = roundUp(Math.max(...values, 0) || 1);
  const until = told.now;
  const from = points.length ? Math.min(points[0].at, until - 60000) : until - 60000;
  const x = (at) => left + ((at - from) / (until - from)) * (width - left - right);
  const y = (value) => height - bottom - (value / most) * (height - top - bottom);
  for (const part of [0, 0.5, 1]) {
    const at = y(most * part);
    parts.push(drawn("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }));
    parts.push(drawn("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, format(most * part)));
  }
  for (const [at, anchor] of [[from, "start"], [until, "end"]]) {
    parts.push(drawn("text", { x: x(at), y: height - 5, "text-anchor": anchor }, clock(at)));
  }
  for (const { colour, value, area } of lines) {
    // Where there is no value the line has a gap.
    const runs = [[]];
    for (const point of points) {
      if (value(point) === null) runs.push([]);
      else runs[runs.length - 1].push(`${x(point.at).toFixed(1)} ${y(value(point)).toFixed(1)}`);
    }
    for (const run of runs.filter((some) => some.length > 0)) {
      if (run.length === 1) {
        const [cx, cy] = run[0].split(" ");
        parts.push(drawn("circle", { class: colour, cx, cy, r: 2.2 }));
        continue;
      }
      const line = `M${run.join("L")}`;
      if (area) {
        const [begin, end] = [run[0], run[run.length - 1]].map((place) => place.split(" ")[0]);
        const floor = y(0).toFixed(1);
        parts.push(drawn("path", { class: `area ${colour}`, d: `${line}L${end} ${floor}L${begin} ${floor}Z` }));
      }
      parts.push(drawn("path", { class: colour, d: line }));
    }
  }
  if (points.length === 0) {
    parts.push(drawn("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "no figures yet"));
  }
  svg.replaceChildren(...parts);
}

function charts(points) {
  const line = (name, colour, value, area) => ({ name, colour, value, area });
  chart($("traffic"), points, [
    line("calls", "a", (point) => point.calls, true),
    line("errors", "e", (point) => point.errors),
  ], number);
  chart($("latency"), points, [
    line("p50", "a", (point) => point.p50),
    line("p95", "b", (point) => point.p95),
    line("p99", "c", (point) => point.p99),
  ], duration);
  chart($("flight"), points, [line("in flight", "a", (point) => point.flight, true)], number);
}

// Tables.

const STATES = {
  ready: "good", registered: "good", done: "good",
  starting: "wait", changing: "wait", ending: "wait", unregistered: "wait", leaving: "wait",
  waiting: "wait", running: "wait",
  failed: "bad",
};

const state = (text) => element("span", `state ${STATES[text] ?? ""}`, text);

function identity(packageId) {
  const place = packageId.lastIndexOf(":");
  if (place < 0) return [packageId];
  return [packageId.slice(0, place), element("span", "hash", packageId.slice(place, place + 9))];
}

function row(cells, isChosen, onChoose, name) {
  const link = element("a", "", ...cells[0]);
  link.href = "#";
  link.addEventListener("click", (event) => event.preventDefault());
  if (name) link.title = name;
  const made = element("tr", isChosen ? "chosen" : "");
  made.append(...cells.map((content, place) => element("td", "", ...(place === 0 ? [link] : content))));
  made.addEventListener("click", onChoose);
  return made;
}

function fill(table, rows) {
  const columns = [...$(table).tHead.rows[0].cells].map((cell) => cell.classList.contains("number"));
  for (const made of rows) {
    [...made.cells].forEach((cell, place) => cell.classList.toggle("number", columns[place]));
  }
  const body = $(table).tBodies[0];
  // Who has the focus keeps it.
  const focused = [...body.rows].findIndex((some) => some.contains(document.activeElement));
  body.replaceChildren(...rows);
  if (focused >= 0) body.rows[focused]?.querySelector("a")?.focus();
}

function replicas(chaincode) {
  if (chaincode.wanted === null) return "–";
  if (chaincode.most > 0) return `${chaincode.registered}, up to ${chaincode.most}`;
  return `${chaincode.registered}/${chaincode.wanted}`;
}

function nodes(chaincode) {
  const names = new Set(chaincode.replicas.map((replica) => replica.node).filter(Boolean));
  if (names.size === 0) return told.launcher.backend === "local" && chaincode.wanted !== null ? "this machine" : "–";
  return [...names].sort().join(", ");
}

// What one is chosen by: several peers of a launcher apart may have the same.
function key(chaincode) {
  return chaincode.peer ? `${chaincode.package_id} ${chaincode.peer}` : chaincode.package_id;
}

function chosenChaincode() {
  return told.chaincodes.find((some) => key(some) === chosen.get("chaincode"));
}

function showChaincodes() {
  const rows = told.chaincodes.map((chaincode) => {
    const { calls, p50, p95 } = lately(chaincode.history);
    const errors = element("span", chaincode.failed > 0 ? "bad-text" : "", chaincode.failed);
    const cells = [
      identity(chaincode.package_id), [state(chaincode.state)], [replicas(chaincode)],
      [chaincode.in_flight], [chaincode.begun], [errors], [chaincode.run_again],
      [rate(calls)], [duration(p50)], [duration(p95)], [nodes(chaincode)],
    ];
    const isChosen = chosen.get("chaincode") === key(chaincode);
    const onChoose = () => choose("chaincode", key(chaincode));
    return row(cells, isChosen, onChoose, key(chaincode));
  });
  fill("chaincodes", rows);
  $("chaincodes").hidden = rows.length === 0;
  $("none").hidden = rows.length > 0;
}

function showBuilds() {
  const rows = told.builds.map((build) => {
    const took = span((build.ended || told.now) - build.begun);
    const image = build.image ? element("span", "hash", build.image.replace(/(sha256:.{12}).*/, "$1…")) : "–";
    const cells = [
      [build.id], [build.label], [build.type], [state(build.state)], [ago(build.begun)], [took], [image],
    ];
    return row(cells, chosen.get("build") === String(build.id), () => choose("build", String(build.id)));
  });
  fill("builds", rows);
  $("builds").hidden = rows.length === 0;
  $("no-builds").hidden = rows.length > 0;
}

// What is chosen.

function facts(list, all) {
  const shown = all.filter(([, value]) => value !== null && value !== "" && value !== undefined);
  list.replaceChildren(...shown.map(([name, value]) => {
    const content = element("code", "", value);
    return element("li", "", element("span", "name", name), content);
  }));
}

function showDetail() {
  const chaincode = chosenChaincode();
  $("detail").hidden = !chaincode;
  if (!chaincode) {
    logs.chaincode = null;
    return;
  }
  $("detail-title").textContent = chaincode.package_id;
  facts($("facts"), [
    ["organisation", chaincode.msp_id],
    ["peer", [chaincode.peer, chaincode.peer_address].filter(Boolean).join(", ")],
    ["mode", chaincode.mode],
    ["state", `${chaincode.state} for ${span(told.now - chaincode.since)}`],
    ["runs in", chaincode.place],
    ["replicas begun", chaincode.started],
    ["ended", chaincode.ended],
    ["bytes from the peer", chaincode.bytes_from_peer.toLocaleString("en")],
    ["to the peer", chaincode.bytes_to_peer.toLocaleString("en")],
    ["image", chaincode.image],
  ]);
  const remark = (classes, at, text) =>
    element("li", classes, at ? element("span", "when", ago(at)) : "", text);
  const remarks = chaincode.reasons.map(({ since, text }) => remark("", since, text));
  if (chaincode.last_error) {
    const { since, text } = chaincode.last_error;
    remarks.unshift(remark("bad", since, `a call failed: ${text}`));
  }
  if (chaincode.lifted.length > 0) {
    remarks.push(remark("", 0, `lifted of its pods' security: ${chaincode.lifted.join(", ")}`));
  }
  $("remarks").replaceChildren(...remarks);
  charts(steps(chaincode.history));
  showReplicas(chaincode);
  showReplicaChoice(chaincode);
}

function showReplicas(chaincode) {
  const byNode = Map.groupBy(chaincode.replicas, (replica) => replica.node || (told.launcher.backend === "local" ? "this machine" : "no node yet"));
  const boxes = [...byNode].sort().map(([node, some]) => {
    const list = some.map((replica) => element(
      "li", "", state(replica.state), ` ${replica.name} `, element("span", "when", span(told.now - replica.since)),
    ));
    return element("div", "node", element("h4", "", node), element("ul", "", ...list));
  });
  const nothing = chaincode.mode === "function" ? "No process runs: one is started when it is called." : "None is there.";
  $("nodes").replaceChildren(...(boxes.length > 0 ? boxes : [element("p", "faint", nothing)]));
}

function showReplicaChoice(chaincode) {
  const select = $("log-replica");
  const names = ["", ...chaincode.replicas.map((replica) => replica.name)];
  if (select.value && !names.includes(select.value)) names.push(select.value);
  const known = [...select.options].map((option) => option.value);
  if (known.join("\n") === names.join("\n")) return;
  const { value } = select;
  select.replaceChildren(...names.map((name) => {
    const option = element("option", "", name || "all");
    option.value = name;
    return option;
  }));
  select.value = value;
}

function showBuild() {
  const build = told.builds.find((some) => String(some.id) === chosen.get("build"));
  $("build").hidden = !build;
  if (!build) {
    logs.build = null;
    return;
  }
  $("build-title").textContent = `Build ${build.id} of ${build.label}`;
  facts($("build-facts"), [
    ["path", build.path], ["key", build.key], ["image", build.image], ["failed", build.reason],
  ]);
}

// Logs.

// Reads on in the log that is chosen, from its beginning where it is another one.
async function readLog(kind, path, query, box, follows) {
  const key = new URLSearchParams(query).toString();
  if (logs[kind]?.key !== key) {
    logs[kind] = { key, next: 0, busy: false };
    box.replaceChildren();
  }
  const log = logs[kind];
  if (log.busy) return;
  log.busy = true;
  try {
    for (;;) {
      const answer = await ask(path, { ...query, after: log.next });
      if (logs[kind] !== log) return;
      const wasAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
      const isNew = log.next === 0;
      if (answer.missed > 0 && !isNew) {
        box.append(element("div", "gap", `(${answer.missed} lines are not kept any more)`));
      }
      box.append(...answer.lines.map((line) => element(
        "div", "",
        element("span", "when", `${clock(line.at, true)} `),
        line.replica ? element("span", "who", `${line.replica} `) : "",
        element("span", kind === "chaincode" && !line.replica ? "said" : "", line.text),
      )));
      while (box.children.length > LINES) box.firstChild.remove();
      if (follows && (wasAtEnd || isNew)) box.scrollTop = box.scrollHeight;
      log.next = answer.next;
      if (answer.is_all) return;
    }
  } finally {
    log.busy = false;
  }
}

function readLogs() {
  const reading = [];
  if (!$("detail").hidden) {
    const { package_id, peer } = chosenChaincode() ?? { package_id: chosen.get("chaincode"), peer: "" };
    const query = { chaincode: package_id, peer, replica: $("log-replica").value };
    reading.push(readLog("chaincode", "/api/log", query, $("log"), $("log-follow").checked));
  }
  if (!$("build").hidden) {
    reading.push(readLog("build", "/api/build-log", { id: chosen.get("build") }, $("build-log"), true));
  }
  return Promise.all(reading);
}

// All of it.

function showLauncher() {
  const { version, backend, peer } = told.launcher;
  $("launcher").textContent = [`launcher ${version}`, `backend ${backend}`, peer && `peer ${peer}`]
    .filter(Boolean).join(" · ");
}

function showTrouble(problem) {
  const { closed, file_refused: refused, unconfined = [] } = told?.launcher ?? {};
  const all = [
    problem && `the launcher does not answer: ${problem}`,
    closed && `not ready: ${closed}`,
    refused && `the operator's file is refused, what was in force stays: ${refused}`,
    ...unconfined.map((lack) => `not confined as far as it could be: ${lack}`),
  ].filter(Boolean);
  $("trouble").textContent = all.join("\n");
  $("trouble").hidden = all.length === 0;
}

function show() {
  if (!told) return;
  showLauncher();
  showChaincodes();
  showBuilds();
  showDetail();
  showBuild();
  readLogs().catch((error) => showTrouble(error.message));
}

async function look() {
  try {
    told = await ask("/api/status");
    showTrouble(null);
    show();
  } catch (error) {
    showTrouble(error.message);
  }
  setTimeout(look, PERIOD);
}

addEventListener("hashchange", () => {
  const now = new URLSearchParams(location.hash.slice(1));
  for (const what of ["chaincode", "build"]) {
    if (now.has(what)) chosen.set(what, now.get(what));
    else chosen.delete(what);
  }
  show();
});
addEventListener("resize", show);
$("log-replica").addEventListener("change", show);
look();
