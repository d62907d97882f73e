// What people do on the page, and what they must see.

/** Goes through it all. `picture(name)` keeps what is seen, `say(line)` tells how far we are. */
export async function story(page, picture, say) {
  const be = (person) => page.locator("#people button", { hasText: person }).click();
  const go = (place) => page.locator("#side ul:not(#people) button", { hasText: place }).click();
  /** The newest message that has a button and all these words. */
  const message = (button, ...texts) => {
    let found = page.locator("#messages .message", { has: page.getByRole("button", { name: button, exact: true }) });
    for (const text of texts) found = found.filter({ hasText: text });
    return found.last();
  };
  const press = (box, button) => box.getByRole("button", { name: button, exact: true }).click();
  const type = async (line) => {
    await page.fill("#line", line);
    await page.press("#line", "Enter");
  };

  await be("Ana");
  await go("access");
  await type("/access");
  const asking = page.locator("#modal[open]");
  await asking.locator("h2", { hasText: "Request access" }).waitFor();
  await asking.locator("#f-ask-customers").pressSequentially("corp");
  await asking.getByRole("option", { name: "AcmeCorp (123)" }).waitFor();
  await picture("typeahead");
  await asking.getByRole("option", { name: "AcmeCorp (123)" }).click();
  await asking.locator(".chip", { hasText: "AcmeCorp (123)" }).waitFor();
  await asking.locator("[type=submit]").click();
  await asking.locator(".field.wrong", { hasText: "Why?" }).waitFor();
  await picture("form");
  await asking.locator("textarea").fill("debug BUG-484");
  await asking.locator("[type=submit]").click();
  await asking.waitFor({ state: "hidden" });
  await go("Messages");
  await message("Cancel request", "BUG-484").waitFor();
  await picture("asked-by-form");
  say("Ana asks by the form");

  await go("access");
  await type("/access customer 123 for 2h to debug BUG-483");
  await page.locator(".message.ephemeral", { hasText: "AcmeCorp" }).last().waitFor();
  await picture("asked");
  say("Ana asks by the command");

  await be("Bo");
  await go("Messages");
  const card = message("Approve", "BUG-483");
  await card.waitFor();
  await picture("card");
  await press(card, "Approve");
  await page.locator("#messages .message", { hasText: "BUG-483" }).getByRole("button", { name: "Approve", exact: true }).waitFor({ state: "detached" });
  await picture("approved");
  say("Bo approves on the card");

  await be("Ana");
  await go("Messages");
  await message("I'm done", "BUG-483").waitFor();
  await picture("petitioner");
  await press(message("Extend", "BUG-483"), "Extend");
  const form = page.locator("#modal[open]");
  await form.locator("h2", { hasText: "Extend access" }).waitFor();
  await picture("extend");
  await form.locator("textarea").last().fill("the invoices of BUG-483");
  await form.locator("[type=submit]").click();
  await form.waitFor({ state: "hidden" });
  say("Ana asks to extend, by the form");

  await be("Bo");
  await go("Messages");
  const more = message("Approve", "the invoices of BUG-483");
  await more.waitFor();
  await picture("extension-card");
  await press(more, "Approve");
  await message("Approve", "the invoices of BUG-483").waitFor({ state: "detached" });
  await picture("extended-card");
  say("Bo approves the extension");

  await be("Ana");
  await go("Messages");
  await message("I'm done", "the invoices of BUG-483").waitFor();
  await picture("extended");
  await go("Home");
  const home = page.locator("#messages");
  await home.getByRole("button", { name: "I'm done", exact: true }).waitFor();
  await picture("home");
  await home.getByRole("button", { name: "I'm done", exact: true }).click();
  await home.getByRole("button", { name: "I'm done", exact: true }).waitFor({ state: "detached" });
  await picture("home-done");
  say("Ana is done, on her Home tab");

  await go("Messages");
  await page.locator("#messages .message", { hasText: "BUG-483" }).getByRole("button", { name: "I'm done", exact: true }).waitFor({ state: "detached" });
  await picture("done");
}
