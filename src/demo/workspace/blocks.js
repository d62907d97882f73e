// Draws what the bot sends: Block Kit and Slack's markup, as DOM nodes. Data never becomes HTML.

/** Makes an element; text children become text nodes. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", no_entry: "⛔", no_entry_sign: "🚫", warning: "⚠️", lock: "🔒",
  unlock: "🔓", key: "🔑", old_key: "🗝️", closed_lock_with_key: "🔐", hourglass: "⌛", hourglass_flowing_sand: "⏳",
  clock1: "🕐", alarm_clock: "⏰", stopwatch: "⏱️", timer_clock: "⏲️", bell: "🔔", rotating_light: "🚨", fire: "🔥",
  fire_extinguisher: "🧯", link: "🔗", information_source: "ℹ️", eyes: "👀", tada: "🎉", wave: "👋", ticket: "🎫",
  arrow_right: "➡️", point_right: "👉", memo: "📝", busts_in_silhouette: "👥", bust_in_silhouette: "👤", office: "🏢",
  large_green_circle: "🟢", red_circle: "🔴", large_yellow_circle: "🟡", white_circle: "⚪", question: "❓", bulb: "💡",
  raised_hand: "✋", checkered_flag: "🏁", calendar: "📅", shield: "🛡️", mag: "🔍", speech_balloon: "💬",
};

const decode = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const emoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => EMOJI[name] ?? whole);
const isWeb = (url) => /^(https?:\/\/|mailto:)/i.test(url);

/** A link that cannot run anything. */
function link(url, label) {
  const address = decode(url);
  if (!isWeb(address)) return document.createTextNode(label);
  return el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, label);
}

/** The parts of a time in a zone. */
function zoned(seconds, zone, options) {
  try {
    return new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options }).format(seconds * 1000);
  } catch {
    return new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options }).format(seconds * 1000);
  }
}

export const clock = (seconds, zone) => zoned(seconds, zone, { hour: "2-digit", minute: "2-digit" });

export function ago(seconds, now) {
  const left = Math.round(Math.abs(seconds - now));
  const [count, word] = left < 90 ? [left, "second"] : left < 5400 ? [Math.round(left / 60), "minute"]
    : left < 172800 ? [Math.round(left / 3600), "hour"] : [Math.round(left / 86400), "day"];
  const length = `${count} ${word}${count === 1 ? "" : "s"}`;
  return seconds > now ? `in ${length}` : `${length} ago`;
}

function dateToken(seconds, format, context) {
  const zone = context.zone;
  const day = (at) => zoned(at, zone, { year: "numeric", month: "2-digit", day: "2-digit" });
  const near = (plain) => {
    for (const [shift, word] of [[0, "today"], [86400, "tomorrow"], [-86400, "yesterday"]])
      if (day(seconds) === day(context.now() + shift)) return word;
    return plain;
  };
  const short = () => zoned(seconds, zone, { day: "numeric", month: "short", year: "numeric" });
  const long = () => zoned(seconds, zone, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
  const plain = () => zoned(seconds, zone, { day: "numeric", month: "long", year: "numeric" });
  const tokens = {
    date_num: () => day(seconds).split("/").reverse().join("-"), date: plain, date_short: short, date_long: long,
    date_pretty: () => near(plain()), date_short_pretty: () => near(short()), date_long_pretty: () => near(long()),
    time: () => clock(seconds, zone), time_secs: () => zoned(seconds, zone, { timeStyle: "medium" }),
    ago: () => ago(seconds, context.now()),
  };
  return format.replace(/\{([a-z_]+)\}/g, (whole, name) => (tokens[name] ? tokens[name]() : whole));
}

/** What stands between < and >. */
function token(inside, context) {
  const bar = inside.indexOf("|");
  const [front, label] = bar < 0 ? [inside, ""] : [inside.slice(0, bar), decode(inside.slice(bar + 1))];
  const mention = (text) => el("span", { class: "mention" }, text);
  if (front.startsWith("@")) return mention(`@${context.people.get(front.slice(1))?.name ?? (label || front.slice(1))}`);
  if (front.startsWith("#")) return mention(`#${context.channels.get(front.slice(1)) ?? (label || front.slice(1))}`);
  if (front.startsWith("!subteam^")) return mention(`@${context.groups.get(front.slice(9)) ?? label.replace(/^@/, "")}`);
  if (front.startsWith("!date^")) {
    const [, seconds, format, url] = front.split("^");
    const at = Number(seconds);
    if (!Number.isInteger(at) || !format) return document.createTextNode(label);
    const title = `${zoned(at, context.zone, { dateStyle: "full", timeStyle: "long" })} (sent as “${label}”)`;
    const time = el("time", { title }, dateToken(at, decode(format), context));
    if (format.includes("{ago}")) {
      time.className = "ago";
      time.refresh = () => { time.textContent = dateToken(at, decode(format), context); };
    }
    return url && isWeb(url) ? el("a", { href: decode(url), target: "_blank", rel: "noopener noreferrer" }, time) : time;
  }
  if (front.startsWith("!")) return mention(`@${front.slice(1)}`);
  return link(front, label || decode(front));
}

const WRAPS = { "*": "strong", _: "em", "~": "s" };

/** One line of markup. */
function inline(text, context) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(document.createTextNode(emoji(decode(plain))));
    plain = "";
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    const before = at === 0 ? " " : text[at - 1];
    if (char === "<") {
      const end = text.indexOf(">", at);
      if (end > at) {
        flush();
        nodes.push(token(text.slice(at + 1, end), context));
        at = end;
        continue;
      }
    }
    if (char === "`") {
      const end = text.indexOf("`", at + 1);
      if (end > at + 1) {
        flush();
        nodes.push(el("code", {}, decode(text.slice(at + 1, end))));
        at = end;
        continue;
      }
    }
    if (WRAPS[char] && !/[\p{L}\p{N}]/u.test(before) && text[at + 1] && !/\s/.test(text[at + 1]) && text[at + 1] !== char) {
      let end = at;
      do end = text.indexOf(char, end + 1);
      while (end > 0 && (/\s/.test(text[end - 1]) || /[\p{L}\p{N}]/u.test(text[end + 1] ?? " ") || insideToken(text, at, end)));
      if (end > at + 1) {
        flush();
        nodes.push(el(WRAPS[char], {}, inline(text.slice(at + 1, end), context)));
        at = end;
        continue;
      }
    }
    plain += char;
  }
  flush();
  return nodes;
}

/** Whether a position lies within <…>, where * and _ mean nothing. */
function insideToken(text, from, at) {
  const open = text.lastIndexOf("<", at);
  if (open <= from) return false;
  const close = text.indexOf(">", open);
  return close > at;
}

/** Slack's markup, with quotes and code blocks. */
export function mrkdwn(text, context) {
  const box = el("div", { class: "md" });
  text.split("```").forEach((part, index) => {
    if (index % 2 === 1) {
      box.append(el("pre", {}, decode(part.replace(/^\n|\n$/g, ""))));
      return;
    }
    let quote = null;
    const lines = part.split("\n");
    // The line breaks around a code block belong to it.
    if (index > 0 && lines[0] === "") lines.shift();
    if (lines.length > 1 && lines.at(-1) === "" && text.includes("```")) lines.pop();
    for (const line of lines) {
      const quoted = line.match(/^(?:&gt;|>)(?:&gt;&gt;|>>)? ?(.*)$/);
      const nodes = inline(quoted ? quoted[1] : line, context);
      const row = el("div", {}, nodes.length ? nodes : el("br"));
      if (quoted) {
        if (!quote) box.append((quote = el("blockquote")));
        quote.append(row);
      } else {
        quote = null;
        box.append(row);
      }
    }
  });
  return box;
}

/** A text object. */
export function text(object, context) {
  if (!object) return document.createTextNode("");
  if (object.type === "mrkdwn") return mrkdwn(object.text ?? "", context);
  const shown = decode(object.text ?? "");
  return document.createTextNode(object.emoji === false ? shown : emoji(shown));
}

const words = (object) => emoji(decode(object?.text ?? ""));

/** Asks for confirmation when the element wants it. */
export function confirmed(confirm, context) {
  if (!confirm) return Promise.resolve(true);
  const dialog = document.getElementById("confirm");
  return new Promise((resolve) => {
    const style = confirm.style === "danger" ? "button danger filled" : "button primary";
    const answer = (value) => () => { dialog.close(); resolve(value); };
    dialog.replaceChildren(el("form", { method: "dialog", onsubmit: (event) => event.preventDefault() },
      el("header", {}, el("h2", {}, text(confirm.title, context))),
      el("div", { class: "content" }, text(confirm.text, context)),
      el("footer", {},
        el("button", { type: "button", class: "button", onclick: answer(false) }, words(confirm.deny)),
        el("button", { type: "button", class: style, onclick: answer(true) }, words(confirm.confirm)))));
    dialog.oncancel = answer(false);
    dialog.showModal();
  });
}

/** `act(element, value, node)` sends what was pressed or chosen. */
function button(element, context, act) {
  const node = el("button", { type: "button", class: `button ${element.style ?? ""}`, "aria-label": element.accessibility_label }, words(element.text));
  node.addEventListener("click", async () => {
    if (!(await confirmed(element.confirm, context))) return;
    if (element.url && isWeb(element.url)) window.open(element.url, "_blank", "noopener,noreferrer");
    node.disabled = true;
    await act(element, null);
    node.disabled = false;
  });
  return node;
}

const options = (element) => element.option_groups?.flatMap((group) => group.options) ?? element.options ?? [];

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

/** An element that acts at once: in a message, or in an actions block of a view. */
function acting(element, context, act) {
  if (!element) return null;
  if (element.type === "button") return button(element, context, act);
  if (element.type === "image") return image(element, 72);
  if (element.type === "overflow") {
    const node = el("select", { "aria-label": "More" }, el("option", { value: "" }, "⋯"),
      options(element).map((item) => el("option", { value: item.value }, words(item.text))));
    node.addEventListener("change", async () => {
      const value = node.value;
      node.value = "";
      if (value && (await confirmed(element.confirm, context))) act(element, value);
    });
    return node;
  }
  const [node, read] = control(element, context, element.initial_option?.value ?? element.initial_user);
  node.addEventListener("change", async () => {
    if (await confirmed(element.confirm, context)) act(element, read());
  });
  return node;
}

function image(element, most) {
  const shown = isWeb(element.image_url ?? "") ? el("img", { src: element.image_url, alt: element.alt_text, referrerpolicy: "no-referrer" }) : el("span", {}, element.alt_text);
  if (most) shown.style.maxWidth = `${most}px`;
  return shown;
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
      if (value) node.value = new Date(value * 1000 - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16);
      return [node, () => (node.value ? String(Math.floor(new Date(node.value).getTime() / 1000)) : "")];
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
    case "multi_external_select": return ahead(element, context, value, hint);
    default: {
      const node = select(element, context, value);
      return [node, () => [...node.selectedOptions].map((one) => one.value).filter(Boolean).join("\n")];
    }
  }
}

/** A typeahead: asks the bot while somebody types. */
function ahead(element, context, value, hint) {
  let chosen = typeof value === "string" ? value : "";
  const input = el("input", { type: "text", placeholder: hint || "Type to search…", role: "combobox", "aria-expanded": "false" });
  const list = el("ul", { role: "listbox", hidden: true });
  input.value = element.initial_option?.value === chosen ? words(element.initial_option?.text) : chosen && (context.labels.get(chosen) ?? chosen);
  let asked = 0;
  let marked = -1;
  const choose = (item) => {
    chosen = item.value;
    context.labels.set(item.value, words(item.text));
    input.value = words(item.text);
    list.hidden = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  let offered = [];
  const mark = (index) => {
    marked = index;
    [...list.children].forEach((row, at) => row.setAttribute("aria-selected", String(at === index)));
    list.children[index]?.scrollIntoView({ block: "nearest" });
  };
  const ask = async () => {
    const typed = input.value;
    const number = ++asked;
    if (typed.length < (element.min_query_length ?? 3)) { list.hidden = true; return; }
    const answer = await context.suggest(element.action_id, typed);
    if (number !== asked) return;
    offered = answer?.option_groups?.flatMap((group) => group.options) ?? answer?.options ?? [];
    list.replaceChildren(...offered.map((item) => el("li", { role: "option", onmousedown: (event) => { event.preventDefault(); choose(item); } },
      words(item.text), item.description ? el("small", {}, words(item.description)) : null)));
    if (!offered.length) list.append(el("li", { class: "quiet" }, "Nothing found"));
    list.hidden = false;
    mark(offered.length ? 0 : -1);
  };
  input.addEventListener("input", () => { chosen = ""; ask(); });
  input.addEventListener("focus", () => { if ((element.min_query_length ?? 3) === 0) ask(); });
  input.addEventListener("blur", () => { list.hidden = true; });
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
      list.hidden = true;
    }
  });
  return [el("div", { class: "ahead" }, input, list), () => chosen || input.value];
}

function rich(elements, context) {
  const run = (item) => {
    if (item.type === "link") return link(item.url ?? "", item.text ?? item.url);
    if (item.type === "user") return token(`@${item.user_id}`, context);
    if (item.type === "emoji") return document.createTextNode(EMOJI[item.name] ?? `:${item.name}:`);
    let node = document.createTextNode(item.text ?? "");
    for (const [name, tag] of [["bold", "strong"], ["italic", "em"], ["strike", "s"], ["code", "code"]])
      if (item.style?.[name]) node = el(tag, {}, node);
    return node;
  };
  const tags = { rich_text_quote: "blockquote", rich_text_preformatted: "pre", rich_text_list: "ul" };
  return elements.map((part) => part.type === "rich_text_list"
    ? el("ul", {}, (part.elements ?? []).map((item) => el("li", {}, (item.elements ?? []).map(run))))
    : el(tags[part.type] ?? "div", {}, (part.elements ?? []).map(run)));
}

/** One block. `field(block)` draws inputs, which belong to whoever owns the form. */
export function block(block, context, act, field) {
  const box = (kind, ...children) => el("div", { class: `block ${kind}` }, ...children);
  switch (block.type) {
    case "header": return box("header", text(block.text, context));
    case "section": {
      const fields = block.fields ? el("div", { class: "fields" }, block.fields.map((one) => el("div", {}, text(one, context)))) : null;
      return box("section", el("div", { class: "text" }, block.text ? text(block.text, context) : null, fields), acting(block.accessory, context, act));
    }
    case "context":
      return box("context", block.elements.map((one) => (one.type === "image" ? image(one) : el("span", {}, text(one, context)))));
    case "divider": return el("hr", { class: "block divider" });
    case "actions": return box("actions", block.elements.map((one) => acting(one, context, act)));
    case "image": return box("image", block.title ? text(block.title, context) : null, image(block));
    case "markdown": return box("section", mrkdwn(block.text ?? "", context));
    case "rich_text": return box("md", rich(block.elements ?? [], context));
    case "table":
      return box("table", el("table", {}, block.rows.map((row) => el("tr", {}, row.map((cell) =>
        el("td", {}, cell.type === "rich_text" ? rich(cell.elements ?? [], context) : document.createTextNode(cell.text ?? "")))))));
    case "input": return field ? field(block) : box("unknown", "An input");
    default: return box("unknown", `A block of type ${block.type}`);
  }
}
