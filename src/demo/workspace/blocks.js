// Draws what the bot sends: Block Kit as DOM nodes.

import { control, options } from "/inputs.js";
import { EMOJI, el, isWeb, link, mrkdwn, text, token, words } from "/markup.js";

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
