// One page with a template for each address. Texts of people reach it as text, never as markup.

import * as service from "./account.js";
import { MAILBOX } from "./config.js";
import { explain } from "./errors.js";
import { byId, element, given, go, main, say, show, when } from "./page.js";
import * as passkeys from "./passkeys.js";
import * as providers from "./providers.js";
import * as secondFactors from "./second_factors.js";

const actions = {
  ...secondFactors.actions,
  ...passkeys.actions,
  ...providers.actions,
  async "sign-up"(fields) {
    await service.signUp(fields);
    go("/account", `A mail is on its way to ${fields.email}. Open its link to confirm the address.`);
  },
  async "sign-in"(fields) {
    await service.signIn(fields);
    go("/account");
  },
  async "sign-out"() {
    await service.signOut();
    go("/", "You are signed out.");
  },
  async "ask-verification"() {
    await service.askVerification();
    say("A mail is on its way.");
  },
  async verify() {
    await service.verify(given);
    go("/", "Your e-mail address is confirmed."); // to the account, if this browser is signed in
  },
  async "ask-recovery"({ email, hosted }) {
    await service.askRecovery({ email, hosted });
    say(`If ${email} has an account here, a mail is on its way to it.`);
  },
  async reset({ password }) {
    await service.reset({ ...given, password });
    go("/", "The new password is set. Sign in with it.");
  },
  async "ask-code"({ email }) {
    const { userId, phrase } = await service.askCode({ email });
    given.userId = userId;
    reveal("enter-code", phrase);
    byId("code").focus();
    say(`A mail is on its way to ${email}.`);
  },
  async "enter-code"({ secret }) {
    await service.useSecret({ userId: given.userId, secret: secret.replaceAll(" ", "") });
    go("/account");
  },
  async "ask-phone-code"({ phone }) {
    const { userId } = await service.askCodeByPhone({ phone: phone.replaceAll(/[ ()/-]/g, "") });
    given.userId = userId;
    byId("enter-phone-code").hidden = false;
    byId("code").focus();
    say(`An SMS is on its way to ${phone}.`);
  },
  async "enter-phone-code"({ secret }) {
    await service.useSecret({ userId: given.userId, secret: secret.replaceAll(" ", "") });
    go("/account");
  },
  async "ask-link"({ email, hosted }) {
    const { phrase } = await service.askLink({ email, hosted });
    reveal("link-sent", phrase);
    say(`A mail is on its way to ${email}.`);
  },
  async "use-link"() {
    await service.useSecret(given);
    go("/account");
  },
  async "end-others"() {
    const others = (await service.listSessions()).filter((session) => !session.current);
    for (const { $id } of others) await service.endSession($id);
    go("/account", "All other sessions have ended.");
  },
};

// What a page shows beyond its template.
const fillers = {
  ...secondFactors.fillers,
  ...passkeys.fillers,
  "/": () => service.getAccount().then(() => go("/account", byId("notice").textContent), secondFactors.leadToChallenge),
  "/reset"() {
    byId("email").value = given.email ?? "";
  },
  async "/account"() {
    const [account, sessions, log] = await Promise.all([service.getAccount(), service.listSessions(), service.listLog()]);
    show({ name: account.name || "–", email: account.email || "–", phone: account.phone || "–", confirmed: account.emailVerification ? "yes" : "not yet" });
    byId("ask-verification").hidden = account.emailVerification || !account.email;
    byId("sessions").replaceChildren(...sessions.map(sessionItem));
    byId("log").replaceChildren(...log.map(logRow));
    await providers.fill();
  },
};

function sessionItem(session) {
  const device = deviceOf(session);
  const text = element("span", `${device}, since ${when(session.$createdAt)}, ${session.ip}`);
  const item = element("li", "");
  if (session.current) {
    item.append(text, element("strong", "this browser"));
    return item;
  }
  const button = element("button", "End");
  button.className = "quiet";
  button.setAttribute("aria-label", `End the session of ${device}, since ${when(session.$createdAt)}`);
  button.addEventListener("click", async () => {
    await service.endSession(session.$id);
    item.remove();
    say("The session has ended.");
  });
  item.append(text, button);
  return item;
}

function logRow(entry) {
  const row = element("tr", "");
  row.append(...[when(entry.time), entry.event, deviceOf(entry), entry.ip].map((text) => element("td", text)));
  return row;
}

const deviceOf = ({ clientName, osName }) => [clientName, osName].filter(Boolean).join(" on ") || "Unknown device";

function reveal(id, phrase) {
  byId(id).hidden = false;
  byId(id).querySelector("[data-phrase]").textContent = phrase;
}

async function submit(event) {
  event.preventDefault();
  const form = event.target;
  const button = event.submitter ?? form.querySelector("button");
  if (button.getAttribute("aria-busy")) return; // a double click is one
  say("");
  complain(form, null);
  button.setAttribute("aria-busy", "true");
  try {
    await actions[form.id](Object.fromEntries(new FormData(form, event.submitter)));
  } catch (error) {
    if (!secondFactors.leadToChallenge(error)) complain(form, error);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

// The sentence stands in the form, is read aloud, and belongs to the field that is to be changed.
function complain(form, error) {
  const { text, type, field } = error ? explain(error) : {};
  const place = form.querySelector(".error");
  place.id = `${form.id}-error`;
  place.replaceChildren(...(text ? [element("span", text), element("code", type ?? "")] : []));
  for (const input of form.elements) {
    if (input.name && input.name === field) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-errormessage", place.id);
      input.focus();
    } else {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-errormessage");
    }
  }
}

function templateOf(path) {
  const found = document.querySelector(`template[data-path="${path}"]`) ?? templateOf("/");
  return found.dataset.needs && !given[found.dataset.needs] ? templateOf("/incomplete") : found;
}

async function open() {
  const template = templateOf(location.pathname);
  main.append(template.content.cloneNode(true));
  document.title = `${main.querySelector("h1").textContent} · Example app`;
  for (const form of main.querySelectorAll("form")) form.addEventListener("submit", submit);
  if (MAILBOX) Object.assign(byId("mailbox"), { href: MAILBOX, hidden: false });
  passkeys.offerSignIn();
  say(sessionStorage.notice ?? "");
  providers.offer();
  delete sessionStorage.notice;
  try {
    await fillers[template.dataset.path]?.();
  } catch (error) {
    if (secondFactors.leadToChallenge(error)) return;
    if (error.code === 401) go("/", explain(error).text);
    else say(explain(error).text);
  }
}

open();
