// A browser for tests: pages that are opened, filled in, clicked, looked at and checked. A question names its page by
// number; what goes wrong is answered as `error`, so that the test fails with it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { start } from "./browser.mjs";
import { converse, say } from "./lines.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await start();
const pages = [];

// Keeps a page, and what its scripts and its policy complain of.
function keep(page) {
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (line) => {
    // A refused request is on the console too; whether that is a fault is for the test to say.
    if (line.type() === "error" && !line.text().startsWith("Failed to load resource")) faults.push(line.text());
  });
  pages.push({ page, faults });
  return { page: pages.length - 1 };
}

// What it finds that is serious or critical: rule, element, advice. A page's own policy stays in force: the code comes by
// the debugger's way and not as a part of the page. It needs a browser with scripts. Frames are pages of their own.
const findings = async () => {
  const found = await window.axe.run(document, { resultTypes: ["violations"], iframes: false });
  return found.violations
    .filter((each) => ["serious", "critical"].includes(each.impact))
    .flatMap((each) => each.nodes.map((node) => `${each.id}: ${node.target.join(" ")}: ${node.failureSummary}`));
};

const acts = {
  // Each page has a fresh profile. `options` are Playwright's, of a browser context.
  async open({ options, patience }) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(patience * 1000);
    return keep(await context.newPage());
  },
  goto: async ({ page }, { address }) => ({ status: (await page.goto(address)).status() }),
  show: async ({ page }, { html }) => page.setContent(html),
  click: async ({ page }, { role, name }) => page.getByRole(role, { name, exact: true }).click(),
  // A link that opens a page beside this one; it may stand in a frame.
  async follow({ page }, { frame, name }) {
    const opened = page.waitForEvent("popup");
    await (frame ? page.frameLocator(frame) : page).getByRole("link", { name, exact: true }).click();
    return keep(await opened);
  },
  fill: async ({ page }, { label, value }) => page.getByLabel(label, { exact: true }).fill(value),
  press: async ({ page }, { key }) => page.keyboard.press(key),
  see: async ({ page }, { role, name }) => page.getByRole(role, { name, exact: true }).waitFor(),
  see_text: async ({ page }, { text }) => page.getByText(text, { exact: true }).first().waitFor(),
  read: async ({ page }, { selector }) => ({ texts: await page.locator(selector).allInnerTexts() }),
  // A page shows its elements first and fills them when the service has answered.
  filled: async ({ page }, { selector }) => page.locator(`${selector}:empty`).first().waitFor({ state: "detached" }),
  evaluate: async ({ page }, { expression }) => ({ value: (await page.evaluate(expression)) ?? null }),
  address: async ({ page }) => ({ address: page.url() }),
  faults: async ({ faults }) => ({ faults }),
  async check({ page }) {
    await page.evaluate(axe);
    return { findings: await page.evaluate(findings) };
  },
  async adapt({ page }, { scheme, viewport }) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize(viewport);
  },
  // An authenticator as a phone or a computer has it, whose user always says yes; for this page until it closes.
  async authenticator({ page }) {
    const session = await page.context().newCDPSession(page);
    await session.send("WebAuthn.enable");
    const options = {
      protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true,
    };
    await session.send("WebAuthn.addVirtualAuthenticator", { options });
  },
  close: async ({ page }) => page.context().close(),
};

async function answer({ act, page, ...asked }) {
  try {
    return (act === "open" ? await acts.open(asked) : await acts[act](pages[page], asked)) ?? {};
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}

try {
  say({ ready: browser.version() });
  await converse(answer);
} finally {
  await browser.close();
}
