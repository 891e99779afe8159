// Runs blocks of our pages in a browser: blocks.mjs PAGE MAILBOX, the addresses of a page that has loaded the web SDK and
// of the mailbox.

import { AuthenticatorApp } from "./authenticator_app.mjs";
import { start } from "./browser.mjs";
import { converse, say } from "./lines.mjs";

const [home, mailbox] = process.argv.slice(2);
const browser = await start();
const page = await browser.newPage();

// What a person does who is asked for a code: looks into the mailbox for a new mail or SMS with one, or at the
// authenticator app.
let read = 0;
page.on("dialog", async (dialog) => {
  const asked = dialog.message();
  await dialog.accept(asked.includes("app shows") ? app.code() : await received(asked.includes("SMS") ? SMS : MAIL));
});
const MAIL = "to=ada@example.com&subject=code", SMS = "subject=SMS:%20";

async function received(wanted) {
  const answer = await fetch(`${mailbox}/api/wait?${wanted}&after=${read}&timeout=30`);
  const mail = await answer.json();
  read = mail.n;
  return /(?<!\d)\d{6}(?!\d)/.exec(mail.text)[0];
}

const app = new AuthenticatorApp();
await page.route("**/account/mfa/authenticators/totp", (route) => app.scan(route));

// An authenticator that is part of the device, and whose owner agrees to everything.
const devices = await page.context().newCDPSession(page);
await devices.send("WebAuthn.enable");
await devices.send("WebAuthn.addVirtualAuthenticator", {
  options: {
    protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
    automaticPresenceSimulation: true,
  },
});

const acts = {
  async open(asked) {
    await page.goto(home + asked.query);
    return { ok: true };
  },
  // Code that sends the person elsewhere, until the person is back on a page of the app.
  async leave(asked) {
    const before = page.url();
    const back = page.waitForURL((url) => url.href.startsWith(home) && url.href !== before);
    await page.evaluate(`(async () => {${asked.code}\n})()`).catch(() => {}); // the page may be gone before it ends
    try {
      await back;
      return { ok: !page.url().includes("error="), said: [page.url()] };
    } catch (error) {
      return { ok: false, said: [page.url()], message: String(error) };
    }
  },
  async run(asked) {
    const said = [];
    const listen = (message) => said.push(message.text());
    page.on("console", listen);
    try {
      await page.evaluate(`(async () => {${asked.code}\n})()`);
      return { ok: true, said };
    } catch (error) {
      return { ok: false, said, message: String(error) };
    } finally {
      page.off("console", listen);
    }
  },
};

try {
  await page.goto(home);
  say({ ready: browser.version() });
  await converse((asked) => acts[asked.act](asked));
} finally {
  await browser.close();
}
