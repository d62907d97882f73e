// Inputs of a form, each with a way to read it.

import { el, text, words } from "/markup.js";

/** All options of an element, those of its groups too. */
export const options = (element) => element.option_groups?.flatMap((group) => group.options) ?? element.options ?? [];

/** Seconds that a zone is ahead of UTC at an instant. */
function offset(at, zone) {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "short", timeStyle: "medium" }).formatToParts(at * 1000);
  const part = Object.fromEntries(parts.map((one) => [one.type, Number(one.value)]));
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) / 1000 - at;
}

/** The instant at which the clock of a zone shows this. */
function instant(shown, zone) {
  const there = Date.parse(`${shown}:00Z`) / 1000;
  const near = there - offset(there, zone);
  return there - offset(near, zone);
}

function select(element, context, value) {
  const node = el("select", { multiple: element.type.startsWith("multi_") });
  const option = (item) => el("option", { value: item.value }, words(item.text));
  if (!node.multiple) node.append(el("option", { value: "" }, words(element.placeholder) || "Choose…"));
  if (element.option_groups) {
    for (const group of element.option_groups) node.append(el("optgroup", { label: words(group.label) }, group.options.map(option)));
  } else if (element.type.includes("users")) {
    for (const person of context.people.values()) if (!person.bot) node.append(el("option", { value: person.id }, person.name));
  } else if (element.type.includes("channels") || element.type.includes("conversations")) {
    for (const [id, name] of context.channels) node.append(el("option", { value: id }, `#${name}`));
  } else {
    node.append(...options(element).map(option));
  }
  const chosen = [value].flat().filter((one) => one !== null && one !== undefined);
  for (const one of node.options) if (chosen.includes(one.value)) one.selected = true;
  return node;
}

/** An input with a way to read it: `[node, () => text]`. Several choices stand on lines of their own. */
export function control(element, context, value) {
  const hint = words(element.placeholder);
  const typed = (type) => {
    const node = el("input", { type, placeholder: hint, maxlength: element.max_length });
    node.value = value ?? "";
    return [node, () => node.value];
  };
  switch (element.type) {
    case "plain_text_input": {
      if (!element.multiline) return typed("text");
      const node = el("textarea", { placeholder: hint, maxlength: element.max_length });
      node.value = value ?? "";
      return [node, () => node.value];
    }
    case "number_input": return typed("number");
    case "email_text_input": return typed("email");
    case "url_text_input": return typed("url");
    case "datepicker": return typed("date");
    case "timepicker": return typed("time");
    case "datetimepicker": {
      const node = el("input", { type: "datetime-local" });
      if (value) node.value = new Date((Number(value) + offset(Number(value), context.zone)) * 1000).toISOString().slice(0, 16);
      return [node, () => (node.value ? String(instant(node.value, context.zone)) : "")];
    }
    case "radio_buttons":
    case "checkboxes": {
      const kind = element.type === "checkboxes" ? "checkbox" : "radio";
      const chosen = [value].flat();
      const box = el("div", { role: kind === "radio" ? "radiogroup" : "group" });
      for (const item of options(element)) {
        const input = el("input", { type: kind, name: element.action_id, value: item.value });
        input.checked = chosen.includes(item.value);
        box.append(el("label", { class: "choice" }, input, el("span", {}, text(item.text, context),
          item.description ? el("small", {}, text(item.description, context)) : null)));
      }
      return [box, () => [...box.querySelectorAll("input:checked")].map((input) => input.value).join("\n")];
    }
    case "external_select":
    case "multi_external_select": return lookup(element, context, value);
    default: {
      const node = select(element, context, value);
      return [node, () => [...node.selectedOptions].map((one) => one.value).filter(Boolean).join("\n")];
    }
  }
}

/** A typeahead: asks the bot while somebody types, and keeps what was chosen: one option, or several as chips. */
function lookup(element, context, value) {
  const many = element.type.startsWith("multi_");
  const most = many ? element.max_selected_items ?? 100 : 1;
  const least = element.min_query_length ?? 3;
  for (const item of [element.initial_option, ...(element.initial_options ?? [])]) if (item) context.labels.set(item.value, words(item.text));
  const label = (one) => context.labels.get(one) ?? one;
  let chosen = [value].flat().filter(Boolean);
  const input = el("input", { type: "text", placeholder: words(element.placeholder) || "Type to search…", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list" });
  const list = el("ul", { role: "listbox", hidden: true });
  const chips = el("div", { class: "chips", hidden: true });
  const box = el("div", { class: "ahead" }, chips, input, list);
  let asked = 0;
  let marked = -1;
  let offered = [];

  const show = () => {
    if (!many) input.value = chosen.length ? label(chosen[0]) : "";
    chips.hidden = !many || !chosen.length;
    chips.replaceChildren(...(many ? chosen : []).map((one) => el("span", { class: "chip" }, label(one),
      el("button", { type: "button", "aria-label": `Remove ${label(one)}`, onclick: () => { chosen = chosen.filter((other) => other !== one); show(); changed(); } }, "×"))));
  };
  const changed = () => box.dispatchEvent(new Event("change", { bubbles: true }));
  const close = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); };
  const choose = (item) => {
    context.labels.set(item.value, words(item.text));
    chosen = many ? [...chosen.filter((one) => one !== item.value), item.value].slice(-most) : [item.value];
    input.value = "";
    show();
    close();
    changed();
  };
  const mark = (index) => {
    marked = index;
    [...list.querySelectorAll("[role=option]")].forEach((row, at) => row.setAttribute("aria-selected", String(at === index)));
    list.querySelectorAll("[role=option]")[index]?.scrollIntoView({ block: "nearest" });
  };
  const row = (item) => el("li", { role: "option", onmousedown: (event) => { event.preventDefault(); choose(item); } },
    words(item.text), item.description ? el("small", {}, words(item.description)) : null);
  const quiet = (line) => el("li", { class: "quiet" }, line);
  const ask = async () => {
    const typed = input.value.trim();
    const number = ++asked;
    if (typed.length < least) return close();
    const found = await context.suggest(element.action_id, typed);
    // A later letter has been typed, or the person is elsewhere.
    if (number !== asked || document.activeElement !== input) return;
    const groups = found?.answer?.option_groups;
    offered = groups?.flatMap((group) => group.options) ?? found?.answer?.options ?? [];
    list.replaceChildren(...(groups ? groups.flatMap((group) => [el("li", { class: "group" }, words(group.label)), ...group.options.map(row)]) : offered.map(row)));
    if (!found || found.problem) list.append(quiet("The list could not be loaded"));
    else if (!offered.length) list.append(quiet("Nothing found"));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(offered.length ? 0 : -1);
  };
  input.addEventListener("input", () => { if (!many) chosen = []; ask(); });
  // Its own change is told when something is chosen, not when letters are.
  input.addEventListener("change", (event) => event.stopPropagation());
  input.addEventListener("focus", () => { if (!many) input.select(); if (least === 0 && !chosen.length) ask(); });
  input.addEventListener("blur", () => { asked++; close(); if (!many && !chosen.length) input.value = ""; });
  input.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      mark(Math.max(0, Math.min(offered.length - 1, marked + (event.key === "ArrowDown" ? 1 : -1))));
    } else if (event.key === "Enter" && offered[marked]) {
      event.preventDefault();
      choose(offered[marked]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
  show();
  return [box, () => chosen.join("\n")];
}
