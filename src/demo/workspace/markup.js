// Draws Slack's markup as DOM nodes. Data never becomes HTML.

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

export const EMOJI = {
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
export const isWeb = (url) => /^(https?:\/\/|mailto:)/i.test(url);

/** A link that cannot run anything. */
export function link(url, label) {
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
export function token(inside, context) {
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

/** The text of an object that has no markup. */
export const words = (object) => emoji(decode(object?.text ?? ""));
