// Runs blocks of our pages in a browser: blocks.mjs PAGE MAILBOX SERVICE, the addresses of a page that has loaded the web
// SDK, of the mailbox and of the service.

import { AuthenticatorApp } from "./authenticator_app.mjs";
import { start } from "./browser.mjs";
import { converse, say } from "./lines.mjs";

const [home, mailbox, service] = process.argv.slice(2);
const browser = await start();
const page = await browser.newPage();

// What a person does who is asked for a code: looks into the mailbox for a new mail or SMS with one, or at the
// authenticator app.
let read = 0;
page.on("dialog", async (dialog) => {
  const asked = dialog.message();
  if (dialog.type() === "alert") {
    await dialog.accept();
    return elsewhere = approve(/\b\d\d\b/.exec(asked)[0]);
  }
  await dialog.accept(asked.includes("app shows") ? app.code() : await received(asked.includes("SMS") ? SMS : MAIL));
});
let elsewhere;
const MAIL = "to=ada@example.com&subject=code", SMS = "subject=SMS:%20";

async function received(wanted) {
  return /(?<!\d)\d{6}(?!\d)/.exec((await next(wanted)).text)[0];
}

async function next(wanted) {
  const answer = await fetch(`${mailbox}/api/wait?${wanted}&after=${read}&timeout=30`);
  const mail = await answer.json();
  read = mail.n;
  return mail;
}

// Opens the link of the latest mail on another device, which no session comes to, and enters the number.
async function approve(number) {
  let found;
  while (!found) {
    const mail = await next("to=ada@example.com&subject=link");
    found = /http\S*\/auth\/magic-url\/approval\S+/.exec(mail.text);
  }
  const link = new URL(found[0]);
  const device = await browser.newContext();
  const opened = await device.newPage();
  await opened.goto(service + link.pathname + link.search);
  await opened.fill("#number", number);
  await opened.click("button");
  await opened.getByRole("heading", { name: "The number is right" }).waitFor();
  const names = (await device.cookies()).map((cookie) => cookie.name);
  if (names.length) throw new Error(`signed in elsewhere: ${names}`);
  await device.close();
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
      await elsewhere;
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
