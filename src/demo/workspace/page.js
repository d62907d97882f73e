// The page: who you are, where you are, and what stands there. It asks for news and waits for the answer.

import { block } from "/blocks.js";
import { ago, clock, el, mrkdwn } from "/markup.js";
import { drawModal } from "/modal.js";

const EXAMPLE = "/access customer 123 for 4h to debug BUG-482";
const HOME = "home";
const $ = (id) => document.getElementById(id);

let me = "";
let place = "";
/** The ts of the thread that stands open beside the place. */
let thread = null;
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
  suggest: (action, text) => send("suggest", { view: state.modal?.view.id ?? state.home?.id, action, text }),
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
  if (state.has_home) all.unshift({ id: HOME, kind: HOME, title: "Home", about: "What you have, and what waits for you", glyph: "⌂", count: 0, messages: [] });
  return all;
}

const current = () => places().find((one) => one.id === place);

function be(person) {
  me = person;
  thread = null;
  drawn = new Map();
  const kind = current()?.kind;
  place = kind === "channel" || kind === HOME ? place : context.people.get(person).dm;
  remember();
  look(true);
  opened();
}

function go(where) {
  place = where;
  thread = null;
  drawn = new Map();
  remember();
  draw();
  opened();
  $("line").focus();
}

/** Slack tells the bot when somebody looks at one of its two tabs. */
function opened() {
  if (place === HOME) send("home", { tab: "home" });
  else if (place === context.people.get(me)?.dm) send("home", { tab: "messages" });
}

const remember = () => history.replaceState(null, "", `/#${me}/${place}`);

/* Messages */

function draw() {
  if (!current()) place = (state.places ?? [])[0]?.id ?? HOME;
  const here = current();
  $("place").textContent = here.kind === "channel" ? `# ${here.title}` : here.kind === HOME ? `${state.bot_name} home` : state.bot_name;
  $("about").textContent = here.about;
  $("compose").hidden = $("compose-hint").hidden = here.kind === HOME;
  $("shortcuts").hidden = !state.shortcuts.length;
  $("menu").replaceChildren(...state.shortcuts.map((one) => el("button", { type: "button", role: "menuitem", onclick: () => take(one) },
    el("b", {}, one.name), el("small", {}, one.description))));
  const box = $("messages");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60 || drawn.size === 0;
  seenIn.set(`${me}/${place}`, here.count);
  if (here.kind === HOME) drawHome(box);
  else drawMessages(box, here.messages.filter((message) => !isReply(message) || !here.messages.some((one) => one.ts === message.thread)), here.messages);
  drawThread(here);
  drawSide();
  drawStory();
  drawModal(state.modal, context, send, toast);
  $("panel").hidden = !state.has_panel;
  // Last, when everything has its size.
  if (target) {
    const parent = here.messages.find((message) => message.ts === target)?.thread;
    if (parent && parent !== target && thread !== parent) return openThread(parent);
    if ($(`m${target}`)) {
      $(`m${target}`).scrollIntoView({ block: "center" });
      $(`m${target}`).classList.add("found");
      target = null;
    }
  } else if (atEnd) box.scrollTop = here.kind === HOME ? 0 : box.scrollHeight;
}

const isReply = (message) => Boolean(message.thread) && message.thread !== message.ts;

/** Draws messages into a box; `all` are those of the place, for the count of replies. */
function drawMessages(box, messages, all) {
  const next = new Map();
  for (const message of messages) {
    const replies = all.filter((one) => isReply(one) && one.thread === message.ts);
    const key = JSON.stringify([message, replies.length, replies.at(-1)?.ts]);
    const known = drawn.get(message.ts);
    next.set(message.ts, known?.key === key ? known : { key, node: drawMessage(message, replies) });
  }
  drawn = next;
  const nodes = [...next.values()].map((one) => one.node);
  if (!nodes.length) nodes.push(el("p", { class: "empty" }, "Nothing here yet. Ask for access below."));
  replace(box, nodes);
}

/** Only what moved is touched, so that an open menu stays open. */
function replace(box, nodes) {
  if (nodes.length !== box.childNodes.length || nodes.some((node, index) => node !== box.childNodes[index])) box.replaceChildren(...nodes);
}

/** `replies`: what stands in its thread, or null within the thread itself. */
function drawMessage(message, replies) {
  const author = context.people.get(message.user);
  const act = async (element, value) => {
    const answer = await send("press", { channel: message.channel, ts: message.ts, action: element.action_id, value });
    if (answer?.problem) toast(answer.problem);
  };
  const blocks = message.blocks.length ? message.blocks.map((one) => block(one, context, act)) : mrkdwn(message.text, context);
  const seconds = Number(message.ts.split(".")[0]);
  return el("article", { class: `message${message.ephemeral ? " ephemeral" : ""}`, id: replies ? `m${message.ts}` : `t${message.ts}` }, avatar(author),
    el("div", { class: "body" },
      message.ephemeral ? el("p", { class: "only" }, "Only visible to you") : null,
      el("div", { class: "who" }, el("b", {}, author?.name ?? message.user), author?.bot ? el("span", { class: "tag" }, "APP") : null,
        el("time", { title: ago(seconds, context.now()) }, clock(seconds, context.zone)),
        message.edited && !message.blocks.length ? el("span", { class: "edited" }, "(edited)") : null),
      blocks,
      replies?.length ? el("button", { type: "button", class: "replies", onclick: () => openThread(message.ts) }, faces(replies),
        `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`, el("small", {}, `last at ${clock(Number(replies.at(-1).ts.split(".")[0]), context.zone)}`)) : null),
    replies && !message.ephemeral ? el("button", { type: "button", class: "to-thread", title: "Reply in thread", onclick: () => openThread(message.ts) }, "Reply") : null);
}

const faces = (replies) => [...new Set(replies.map((reply) => reply.user))].slice(0, 4).map((user) => avatar(context.people.get(user)));

/* The thread */

let drawnThread = new Map();

function openThread(ts) {
  thread = ts;
  drawnThread = new Map();
  draw();
  $("reply").focus();
}

function drawThread(here) {
  const parent = here.messages.find((message) => message.ts === thread);
  $("thread").hidden = !parent;
  document.body.classList.toggle("with-thread", Boolean(parent));
  if (!parent) return;
  const box = $("thread-messages");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60 || drawnThread.size === 0;
  $("thread-place").textContent = here.kind === "channel" ? `# ${here.title}` : here.about;
  const next = new Map();
  for (const message of [parent, ...here.messages.filter((one) => isReply(one) && one.thread === thread)]) {
    const key = JSON.stringify(message);
    const known = drawnThread.get(message.ts);
    next.set(message.ts, known?.key === key ? known : { key, node: drawMessage(message, null) });
  }
  drawnThread = next;
  const nodes = [...next.values()].map((one) => one.node);
  replace(box, nodes);
  if (atEnd) box.scrollTop = box.scrollHeight;
}

$("thread-close").addEventListener("click", () => { thread = null; draw(); });
$("reply-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("reply").value.trim();
  if (!text) return;
  $("reply").value = "";
  const answer = await send("reply", { channel: place, ts: thread, text });
  if (answer?.problem) {
    $("reply").value ||= text;
    toast(answer.problem);
  }
});

/* Shortcuts */

async function take(shortcut) {
  $("menu").hidden = true;
  const answer = await send("shortcut", { action: shortcut.callback_id });
  if (answer?.problem) toast(answer.problem);
}

$("shortcuts").addEventListener("click", () => { $("menu").hidden = !$("menu").hidden; });
document.addEventListener("click", (event) => { if (!event.target.closest("#menu, #shortcuts")) $("menu").hidden = true; });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") $("menu").hidden = true; });

/* Home */

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
  const node = el("div", { class: "home" }, el("div", { class: "body" }, state.home.blocks.map((one) => block(one, context, act))));
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
    if (first) opened();
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
