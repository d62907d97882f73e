// The page: who you are, where you are, and what stands there. It asks for news and waits for the answer.

import { ago, block, clock, control, el, mrkdwn } from "/blocks.js";

const EXAMPLE = "/access customer 123 for 4h to debug BUG-482";
const HOME = "home";
const $ = (id) => document.getElementById(id);

let me = "";
let place = "";
let state = null;
let skew = 0;
let lastLine = "";
/** How much each person had seen when we were last them, and what each place held. */
const seenBy = new Map();
const seenIn = new Map();
/** Drawn messages, so that what did not change stays as it is. */
let drawn = new Map();
const labels = new Map();
let target = null;

const [, fromPath] = location.pathname.match(/^\/archives\/([A-Z0-9]+)\//) ?? [];
if (fromPath) {
  target = location.pathname.split("/p").pop().replace(/^(\d{10})(\d+)$/, "$1.$2");
  place = fromPath;
}
const [hashMe, hashPlace] = location.hash.slice(1).split("/");
me = hashMe ?? "";
place = hashPlace || place;

const context = {
  people: new Map(), channels: new Map(), groups: new Map(), labels, zone: "UTC",
  now: () => Date.now() / 1000 + skew,
  suggest: async (action, text) => (await send("suggest", { view: state.modal?.view.id ?? state.home?.id, action, text }))?.answer,
};

function toast(text) {
  const node = el("div", { class: "toast" }, text);
  $("toasts").append(node);
  setTimeout(() => node.remove(), 7000);
}

async function send(what, body) {
  try {
    const response = await fetch(`/page/${what}`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ as: me, ...body }),
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return await response.json();
  } catch {
    toast("The workspace does not answer. Is the demo still running?");
    return null;
  }
}

/* People and places */

const COLOURS = ["#3e7cb1", "#8a5aa8", "#2f8f6b", "#b5643c", "#a8456b", "#5b6abf", "#7a7f2a"];

function avatar(person) {
  if (!person || person.bot) return el("img", { src: "/icon.svg", alt: "", class: "avatar" });
  const node = el("span", { class: "avatar", "aria-hidden": "true" }, person.name.slice(0, 1));
  node.style.background = COLOURS[state.people.findIndex((one) => one.id === person.id) % COLOURS.length];
  return node;
}

function drawSide() {
  $("team").textContent = state.team;
  document.title = `${current()?.title ?? ""} · ${context.people.get(me)?.name ?? ""} · ${state.team}`;
  seenBy.set(me, context.people.get(me)?.news ?? 0);
  $("people").replaceChildren(...state.people.filter((person) => !person.bot).map((person) => {
    const news = person.news - (seenBy.get(person.id) ?? 0);
    return el("li", {}, el("button", { type: "button", "aria-current": String(person.id === me), onclick: () => be(person.id) },
      avatar(person),
      el("span", { class: "grow" }, person.name, person.title ? el("small", {}, person.title) : null),
      news > 0 && person.id !== me ? el("span", { class: "news", title: "new for them" }, String(news)) : null));
  }));
  $("bot").textContent = state.bot_name;
  const [channels, own] = [places().filter((one) => one.kind === "channel"), places().filter((one) => one.kind !== "channel")];
  $("channels").replaceChildren(...channels.map(drawPlace));
  $("own").replaceChildren(...own.map(drawPlace));
}

function drawPlace(one) {
  const news = one.count - (seenIn.get(`${me}/${one.id}`) ?? 0);
  return el("li", {}, el("button", { type: "button", "aria-current": String(one.id === place), onclick: () => go(one.id) },
    el("span", { class: "glyph" }, one.glyph), el("span", { class: "grow" }, one.title),
    news > 0 && one.id !== place ? el("span", { class: "news" }, String(news)) : null));
}

function places() {
  const all = (state.places ?? []).map((one) => ({
    ...one, count: one.messages.length, glyph: one.kind === "channel" ? "#" : "✉",
    title: one.kind === "channel" ? one.name : "Messages",
    about: one.kind === "channel" ? "Everybody in the channel sees what is posted here" : "Direct messages, for you alone",
  }));
  all.push({ id: HOME, kind: HOME, title: "Home", about: "What you have, and what waits for you", glyph: "⌂", count: 0, messages: [] });
  return all;
}

const current = () => places().find((one) => one.id === place);

function be(person) {
  me = person;
  drawn = new Map();
  const kind = current()?.kind;
  place = kind === "channel" || kind === HOME ? place : context.people.get(person).dm;
  remember();
  look(true);
  if (place === HOME) send("home", {});
}

function go(where) {
  place = where;
  drawn = new Map();
  remember();
  draw();
  if (where === HOME) send("home", {});
  $("line").focus();
}

const remember = () => history.replaceState(null, "", `/#${me}/${place}`);

/* Messages */

function draw() {
  if (!current()) place = (state.places ?? [])[0]?.id ?? HOME;
  const here = current();
  $("place").textContent = here.kind === "channel" ? `# ${here.title}` : here.kind === HOME ? `${state.bot_name} home` : state.bot_name;
  $("about").textContent = here.about;
  $("compose").hidden = $("compose-hint").hidden = here.kind === HOME;
  const box = $("messages");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60 || drawn.size === 0;
  seenIn.set(`${me}/${place}`, here.count);
  if (here.kind === HOME) drawHome(box);
  else drawMessages(box, here.messages);
  drawSide();
  drawStory();
  drawModal();
  $("panel").hidden = !state.has_panel;
  // Last, when everything has its size.
  if (target && $(`m${target}`)) {
    $(`m${target}`).scrollIntoView({ block: "center" });
    $(`m${target}`).classList.add("found");
    target = null;
  } else if (atEnd) box.scrollTop = here.kind === HOME ? 0 : box.scrollHeight;
}

/** Replies stand below what they reply to. */
function threaded(messages) {
  const tops = messages.filter((message) => !message.thread || message.thread === message.ts);
  const known = new Set(tops.map((message) => message.ts));
  const rest = messages.filter((message) => !tops.includes(message));
  return tops.flatMap((top) => [top, ...rest.filter((reply) => reply.thread === top.ts)])
    .concat(rest.filter((reply) => !known.has(reply.thread)));
}

function drawMessages(box, messages) {
  const next = new Map();
  for (const message of threaded(messages)) {
    const key = JSON.stringify(message);
    next.set(message.ts, drawn.get(message.ts)?.key === key ? drawn.get(message.ts) : { key, node: drawMessage(message) });
  }
  drawn = next;
  const nodes = [...next.values()].map((one) => one.node);
  if (!nodes.length) nodes.push(el("p", { class: "empty" }, "Nothing here yet. Ask for access below."));
  // Only what moved is touched, so that an open menu stays open.
  if (nodes.length !== box.childNodes.length || nodes.some((node, index) => node !== box.childNodes[index])) box.replaceChildren(...nodes);
}

function drawMessage(message) {
  const author = context.people.get(message.user);
  const act = async (element, value) => {
    const answer = await send("press", { channel: message.channel, ts: message.ts, action: element.action_id, value });
    if (answer?.problem) toast(answer.problem);
  };
  const blocks = message.blocks.length ? message.blocks.map((one) => block(one, context, act)) : mrkdwn(message.text, context);
  const kind = `message${message.thread && message.thread !== message.ts ? " reply" : ""}${message.ephemeral ? " ephemeral" : ""}`;
  const seconds = Number(message.ts.split(".")[0]);
  return el("article", { class: kind, id: `m${message.ts}` }, avatar(author),
    el("div", { class: "body" },
      message.ephemeral ? el("p", { class: "only" }, "Only visible to you") : null,
      el("div", { class: "who" }, el("b", {}, author?.name ?? message.user), author?.bot ? el("span", { class: "tag" }, "APP") : null,
        el("time", { title: ago(seconds, context.now()) }, clock(seconds, context.zone)),
        message.edited && !message.blocks.length ? el("span", { class: "edited" }, "(edited)") : null),
      blocks));
}

function drawHome(box) {
  if (!state.home) {
    box.replaceChildren(el("p", { class: "empty" }, "Nothing published yet."));
    return;
  }
  const key = `${me}${state.home.hash}`;
  if (drawn.get(HOME)?.key === key) return;
  const act = async (element, value) => {
    const answer = await send("press", { view: state.home.id, action: element.action_id, value });
    if (answer?.problem) toast(answer.problem);
  };
  const node = el("div", { class: "message" }, el("div", { class: "body" }, state.home.blocks.map((one) => block(one, context, act))));
  drawn = new Map([[HOME, { key, node }]]);
  box.replaceChildren(node);
}

function drawStory() {
  $("story").hidden = !state.notes.length;
  $("story-last").textContent = state.notes.at(-1) ?? "";
  const list = $("story-lines");
  if (list.childElementCount === state.notes.length) return;
  list.replaceChildren(...state.notes.map((line) => el("li", {}, line)));
  list.scrollTop = list.scrollHeight;
}

/* Modals */

/** The inputs of the open modal: key for the server → [block id, action id, read]. */
let inputs = new Map();
let open = null;

const typedValues = () => Object.fromEntries([...inputs].map(([key, [, , read]]) => [key, read()]));

function valueOf(entry) {
  if (!entry) return null;
  const value = entry.value ?? entry.selected_option ?? entry.selected_options ?? entry.selected_user ?? entry.selected_users
    ?? entry.selected_channel ?? entry.selected_conversation ?? entry.selected_date ?? entry.selected_time ?? entry.selected_date_time;
  const one = (item) => {
    if (item?.text) labels.set(item.value, item.text.text);
    return item?.value ?? item;
  };
  return Array.isArray(value) ? value.map(one) : one(value);
}

function drawModal() {
  const dialog = $("modal");
  if (!state.modal) {
    open = null;
    if (dialog.open) dialog.close();
    return;
  }
  const { view, errors } = state.modal;
  if (open?.id !== view.id || open.hash !== view.hash) fillModal(dialog, view);
  for (const field of dialog.querySelectorAll(".field")) {
    const error = errors[field.dataset.block];
    field.classList.toggle("wrong", Boolean(error));
    field.querySelector(".error").textContent = error ?? "";
  }
  const fresh = !dialog.open;
  if (fresh) dialog.showModal();
  const found = JSON.stringify(errors);
  const wrong = found === open.errors ? null : dialog.querySelector(".field.wrong :is(input, textarea, select)");
  const first = dialog.querySelector(".content :is(input, textarea, select)") ?? dialog.querySelector("[type=submit], .x");
  if (wrong) wrong.focus();
  else if (fresh) first.focus();
  open.errors = found;
}

function fillModal(dialog, view) {
  // What somebody typed stays where the ids do.
  const before = open?.id === view.id ? new Map([...inputs.values()].map(([at, action, read]) => [`${at}/${action}`, read()])) : new Map();
  inputs = new Map();
  open = { id: view.id, hash: view.hash, errors: "{}" };
  const start = (at, element) => {
    const kept = before.get(`${at}/${element.action_id}`);
    if (kept === undefined) return valueOf(view.state.values[at]?.[element.action_id]);
    return element.type.startsWith("multi_") || element.type === "checkboxes" ? kept.split("\n") : kept;
  };
  const act = async (element, value) => {
    const answer = await send("press", { view: view.id, action: element.action_id, value, values: typedValues() });
    if (answer?.problem) toast(answer.problem);
  };
  const field = (one) => {
    const [node, read] = control(one.element, context, start(one.block_id, one.element));
    inputs.set(one.block_id, [one.block_id, one.element.action_id, read]);
    const grouped = ["radio_buttons", "checkboxes"].includes(one.element.type);
    const id = `f-${one.block_id}`;
    (node.matches(".ahead") ? node.querySelector("input") : node).id = id;
    const label = [one.label.text, one.optional ? el("span", { class: "optional" }, " (optional)") : null].filter(Boolean);
    if (one.dispatch_action) node.addEventListener("change", () => act(one.element, read()));
    return el(grouped ? "fieldset" : "div", { class: "field", "data-block": one.block_id },
      el(grouped ? "legend" : "label", grouped ? {} : { for: id }, label), node,
      one.hint ? el("p", { class: "under" }, one.hint.text) : null, el("p", { class: "error", role: "alert" }));
  };
  const close = () => send("close", { view: view.id });
  const trouble = el("p", { class: "trouble", role: "alert", hidden: true });
  const submit = view.submit ? el("button", { type: "submit", class: "button primary" }, view.submit.text) : null;
  const form = el("form", { method: "dialog", novalidate: true },
    el("header", {}, el("img", { src: "/icon.svg", width: 24, height: 24, alt: "" }), el("h2", {}, view.title.text),
      el("button", { type: "button", class: "x", "aria-label": "Close", onclick: close }, "×")),
    trouble,
    el("div", { class: "content" }, view.blocks.map((one) => block(one, context, act, field))),
    el("footer", {}, el("button", { type: "button", class: "button", onclick: close }, view.close?.text ?? (submit ? "Cancel" : "Close")), submit));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!submit || submit.disabled) return;
    submit.disabled = true;
    trouble.hidden = true;
    const answer = await send("submit", { view: view.id, values: typedValues() });
    submit.disabled = false;
    // Errors under inputs come with the state.
    if (answer?.problem && !answer.problem.startsWith("not sent")) {
      trouble.textContent = `We had some trouble connecting. Try again? (${answer.problem})`;
      trouble.hidden = false;
    }
  });
  dialog.oncancel = (event) => { event.preventDefault(); close(); };
  dialog.replaceChildren(form);
}

/* The side panel */

async function drawPanel() {
  if (!state?.has_panel || document.hidden) return;
  try {
    const answer = await (await fetch("/page/panel")).json();
    if (!answer) return;
    const cell = (value) => (value && typeof value === "object" ? el("td", { class: value.tone }, String(value.text ?? "")) : el("td", {}, String(value ?? "")));
    $("panel").replaceChildren(...[answer].flat().map((one) => el("section", {}, el("h2", {}, one.title ?? ""),
      one.note ? el("p", {}, one.note) : null,
      el("table", {}, one.columns ? el("tr", {}, one.columns.map((name) => el("th", {}, name))) : null,
        (one.rows ?? []).map((row) => el("tr", {}, row.map(cell)))),
      one.rows?.length ? null : el("p", {}, one.empty ?? "Nobody"))));
  } catch { /* The next look will tell. */ }
}

/* The line at the bottom */

$("line").placeholder = EXAMPLE;
$("line").addEventListener("keydown", (event) => {
  const line = $("line");
  if (event.key === "Tab" && !event.shiftKey && !line.value) {
    event.preventDefault();
    line.value = EXAMPLE;
  } else if (event.key === "ArrowUp" && !line.value && lastLine) {
    event.preventDefault();
    line.value = lastLine;
  }
});
$("compose").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("line").value.trim();
  if (!text) return;
  lastLine = text;
  $("line").value = "";
  const sending = $("compose").querySelector("button");
  sending.disabled = true;
  const answer = await send("command", { channel: place, text });
  sending.disabled = false;
  if (answer?.problem) {
    $("line").value ||= text;
    toast(`${text.split(" ")[0]} ${answer.problem}`);
  }
});

/* News */

let looking = null;

/** Asks for the state: at once, or when it is newer than ours. */
async function look(now) {
  looking?.abort();
  const mine = (looking = new AbortController());
  const since = now || !state ? "" : `&since=${state.version}`;
  try {
    const response = await fetch(`/page/state?as=${encodeURIComponent(me)}${since}`, { signal: mine.signal });
    const next = await response.json();
    if (mine.signal.aborted) return;
    const first = !state;
    state = next;
    me = state.me ?? "";
    skew = state.now - Date.now() / 1000;
    context.people = new Map(state.people.map((person) => [person.id, person]));
    context.channels = new Map(state.channels.map((one) => [one.id, one.name]));
    context.groups = new Map(state.groups.map((one) => [one.id, one.handle]));
    context.zone = context.people.get(me)?.tz ?? "UTC";
    draw();
    drawPanel();
    if (first && place === HOME) send("home", {});
    look(false);
  } catch (error) {
    if (mine.signal.aborted) return;
    if (state) console.warn(error);
    $("about").textContent = "The workspace does not answer. Trying again…";
    setTimeout(() => { if (!mine.signal.aborted) look(true); }, 1500);
  }
}

setInterval(() => document.querySelectorAll(".ago").forEach((node) => node.refresh?.()), 1000);
setInterval(drawPanel, 2000);
look(true);
