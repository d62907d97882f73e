// Starts the demo and goes through the page in a browser: asks by the form, approves, extends, is done. Each step waits until
// what it is for is seen; nothing sleeps. `node drive.mjs LATCHKEY CHROMIUM FOLDER`; playwright-core is in FOLDER.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { argv, exit } from "node:process";

import { story } from "./story.mjs";

const [latchkey, chromium, folder] = argv.slice(2);
const playwright = createRequire(`${folder}/`)("playwright-core");
const PATIENCE = 20_000;
/** A machine may be busy while the demo plays its own story. */
const START = 60_000;

const demo = spawn(latchkey, ["demo"], { stdio: ["ignore", "pipe", "inherit"] });
const ended = new Promise((resolve) => demo.on("exit", resolve));
let printed = "";
const url = await new Promise((resolve) => {
  demo.stdout.on("data", (data) => {
    printed += data;
    resolve.found ??= printed.match(/Now try it yourself: (\S+)/)?.[1];
    if (resolve.found) resolve(resolve.found);
  });
  ended.then(() => resolve(null));
  setTimeout(() => resolve(null), START).unref();
});

let failed = null;
if (!url) failed = new Error(`the demo prints no address of a page; it printed:\n${printed}`);
else failed = await drive(url).then(() => null, (error) => error);
demo.kill("SIGINT");
const status = await ended;
if (failed) console.error(failed.message);
else if (status !== 0) console.error(`the demo ended with status ${status}`);
exit(failed || status !== 0 ? 1 : 0);

async function drive(url) {
  const browser = await playwright.chromium.launch({
    executablePath: chromium,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    ],
  });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, timezoneId: "Europe/Berlin" });
  page.setDefaultTimeout(PATIENCE);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`on the page: ${error.message}`));
  page.on("console", (line) => { if (line.type() === "error") wrong.push(`on the page: ${line.text()}`); });
  page.on("request", (request) => { if (new URL(request.url()).origin !== new URL(url).origin) wrong.push(`the page asks ${request.url()}`); });
  let pictures = 0;
  const picture = (name) => page.screenshot({ path: `${folder}/${String(++pictures).padStart(2, "0")}-${name}.png` });
  try {
    await page.goto(url);
    await story(page, picture, (line) => console.log(line));
    if (wrong.length) throw new Error(wrong.join("\n"));
  } catch (error) {
    await page.screenshot({ path: `${folder}/failed.png` }).catch(() => {});
    throw error;
  } finally {
    await browser.close();
  }
}
