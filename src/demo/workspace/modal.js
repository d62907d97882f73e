// The modal on top: draws it, keeps what was typed in it, submits and closes it.

import { block } from "/blocks.js";
import { control } from "/inputs.js";
import { el } from "/markup.js";

const dialog = document.getElementById("modal");
/** What is drawn: id, hash, the errors it shows, and its inputs, block id → [action id, read]. */
let open = null;

const typed = () => Object.fromEntries([...open.inputs].map(([at, [, read]]) => [at, read()]));

/** What stands in an entry of state.values, as the inputs take it. */
function valueOf(entry, labels) {
  if (!entry) return null;
  const { type, ...rest } = entry;
  const one = (item) => {
    if (item?.text) labels.set(item.value, item.text.text);
    return item?.value ?? item;
  };
  const value = Object.values(rest)[0];
  return Array.isArray(value) ? value.map(one) : one(value);
}

/** Draws the topmost modal of `state`, or none. `send` and `toast` are the page's. */
export function drawModal(modal, context, send, toast) {
  if (!modal) {
    open = null;
    if (dialog.open) dialog.close();
    return;
  }
  const { view, errors } = modal;
  const another = open?.id !== view.id;
  const focused = another ? null : dialog.querySelector(":focus")?.id;
  if (another || open.hash !== view.hash) fill(modal, context, send, toast);
  for (const field of dialog.querySelectorAll(".field")) {
    const error = errors[field.dataset.block];
    field.classList.toggle("wrong", Boolean(error));
    field.querySelector(".error").textContent = error ?? "";
  }
  if (!dialog.open) dialog.showModal();
  const found = JSON.stringify(errors);
  const inputs = ":is(input, textarea, select)";
  const wrong = found === open.errors ? null : dialog.querySelector(`.field.wrong ${inputs}`);
  if (wrong) wrong.focus();
  else if (another) (dialog.querySelector(`[data-first] ${inputs}`) ?? dialog.querySelector(`.content ${inputs}`) ?? dialog.querySelector("[type=submit], .x")).focus();
  else if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
  open.errors = found;
}

function fill({ view, depth }, context, send, toast) {
  // What somebody typed stays where the ids do.
  const before = open?.id === view.id ? new Map([...open.inputs].map(([at, [action, read]]) => [`${at}/${action}`, read()])) : new Map();
  const scrolled = before.size ? dialog.querySelector(".content")?.scrollTop : 0;
  open = { id: view.id, hash: view.hash, errors: "{}", inputs: new Map() };
  const start = (at, element) => {
    const kept = before.get(`${at}/${element.action_id}`);
    if (kept === undefined) return valueOf(view.state.values[at]?.[element.action_id], context.labels);
    return element.type.startsWith("multi_") || element.type === "checkboxes" ? kept.split("\n") : kept;
  };
  const act = async (element, value) => {
    const answer = await send("press", { view: view.id, action: element.action_id, value, values: typed() });
    if (answer?.problem) toast(answer.problem);
  };
  const field = (one) => {
    const [node, read] = control(one.element, context, start(one.block_id, one.element));
    open.inputs.set(one.block_id, [one.element.action_id, read]);
    const grouped = ["radio_buttons", "checkboxes"].includes(one.element.type);
    const id = `f-${one.block_id}`;
    (node.matches(".ahead") ? node.querySelector("input") : node).id = id;
    const label = [one.label.text, one.optional ? el("span", { class: "optional" }, " (optional)") : null].filter(Boolean);
    if (one.dispatch_action) node.addEventListener("change", () => act(one.element, read()));
    const most = one.element.max_length;
    const count = most && one.element.type === "plain_text_input" ? el("span", { class: "count", hidden: true }) : null;
    if (count) node.addEventListener("input", () => { count.textContent = String(most - node.value.length); count.hidden = most - node.value.length > 50; });
    return el(grouped ? "fieldset" : "div", { class: "field", "data-block": one.block_id, "data-first": Boolean(one.element.focus_on_load) },
      el(grouped ? "legend" : "label", grouped ? {} : { for: id }, label), node, count,
      one.hint ? el("p", { class: "under" }, one.hint.text) : null, el("p", { class: "error", role: "alert" }));
  };
  const close = () => send("close", { view: view.id });
  const dismiss = () => send("dismiss", { view: view.id });
  const trouble = el("p", { class: "trouble", role: "alert", hidden: true });
  const submit = view.submit ? el("button", { type: "submit", class: "button primary" }, view.submit.text) : null;
  const form = el("form", { method: "dialog", novalidate: true },
    el("header", {},
      depth > 1 ? el("button", { type: "button", class: "x", "aria-label": "Back", onclick: close }, "‹") : el("img", { src: "/icon.svg", width: 24, height: 24, alt: "" }),
      el("h2", {}, view.title.text),
      el("button", { type: "button", class: "x", "aria-label": "Close", onclick: dismiss }, "×")),
    trouble,
    el("div", { class: "content" }, view.blocks.map((one) => block(one, context, act, field))),
    el("footer", {}, el("button", { type: "button", class: "button", onclick: close }, view.close?.text ?? (submit ? "Cancel" : "Close")), submit));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!submit || submit.disabled) return;
    submit.disabled = true;
    trouble.hidden = true;
    const answer = await send("submit", { view: view.id, values: typed() });
    submit.disabled = false;
    // Errors under inputs come with the state.
    if (answer?.problem && !answer.problem.startsWith("not sent")) {
      const known = "We had some trouble connecting. Try again?";
      trouble.textContent = answer.problem === known ? known : `${known} (${answer.problem})`;
      trouble.hidden = false;
    }
  });
  dialog.oncancel = (event) => { event.preventDefault(); close(); };
  dialog.replaceChildren(form);
  dialog.querySelector(".content").scrollTop = scrolled ?? 0;
}
