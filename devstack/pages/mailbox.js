// Everything a mail says goes into the page as text, never as markup; its HTML stays in a sandboxed frame.
const byId = (id) => document.getElementById(id);
const views = { Desktop: "html", Phone: "html", Text: "text", Headers: "headers", Source: "raw" };
let mails = [];
let found = null;
let shown = null;
let view = "Desktop";

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok && answer.status !== 404) throw new Error(`${path}: ${answer.status}`);
  return answer.status === 200 ? answer.json() : null;
}

async function mark(ids, read) {
  const answer = await fetch("/api/v1/messages", { method: "PUT", body: JSON.stringify({ IDs: ids.map(String), Read: read }) });
  if (!answer.ok) throw new Error(`mark: ${answer.status}`);
  for (const mail of mails) if (!ids.length || ids.includes(mail.n)) mail.read = read;
  list();
}

// Puts new elements in the place of those before, and the keyboard's focus on the one that has the same label.
function replace(place, made) {
  const label = place.contains(document.activeElement) ? document.activeElement.dataset.label : undefined;
  place.replaceChildren(...made);
  if (label) [...place.querySelectorAll("[data-label]")].find((each) => each.dataset.label === label)?.focus();
}

// The numbers of the mails that the search finds, all fields and bodies; null where nothing is searched for.
async function search() {
  const query = byId("filter").value.trim();
  const answer = query ? await ask(`/api/v1/search?limit=500&query=${encodeURIComponent(query)}`) : null;
  if (query !== byId("filter").value.trim()) return; // a later search is under way
  found = answer && new Set(answer.messages.map((message) => Number(message.ID)));
  list();
}

function list() {
  const shownMails = mails.filter((mail) => !found || found.has(mail.n));
  const rows = shownMails.reverse().map((mail) => {
    const link = element("a", "", { href: `#${mail.n}`, "data-label": mail.n });
    if (shown && shown.n === mail.n) link.setAttribute("aria-current", "true");
    if (!mail.read) link.className = "unread";
    link.append(
      element("strong", mail.subject || "(no subject)"),
      element("span", `${mail.name || mail.from} to ${mail.to.join(", ")}`),
      element("time", new Date(mail.at * 1000).toLocaleTimeString()),
    );
    if (!mail.read) link.append(element("span", "unread", { class: "unseen" }));
    const row = element("li", "");
    row.append(link);
    return row;
  });
  replace(byId("mails"), rows);
  byId("none").hidden = mails.length > 0;
  byId("unfound").hidden = !mails.length || rows.length > 0;
  const unread = mails.filter((mail) => !mail.read).length;
  byId("state").textContent = `${mails.length} ${mails.length === 1 ? "mail" : "mails"}${unread ? `, ${unread} unread` : ""}`;
  byId("all-read").hidden = !unread;
  document.title = unread ? `(${unread}) Mailbox` : "Mailbox";
}

async function copy(value) {
  if (navigator.clipboard) return navigator.clipboard.writeText(value);
  // By plain http from another machine (--host) there is only the older way.
  const field = element("textarea", value);
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("refused");
}

function row(shownAs, label, value) {
  const made = element("div", "");
  const button = element("button", label, { type: "button" });
  button.addEventListener("click", async () => {
    await copy(value).then(
      () => { byId("copied").textContent = "Copied."; },
      () => { byId("copied").textContent = "The browser does not allow copying here; select the text instead."; },
    );
  });
  made.append(shownAs, button);
  return made;
}

async function check(mail) {
  const faults = mail.html ? await ask(`/api/mails/${mail.n}/check`) : [];
  const lines = faults.map((fault) => element("li", `${fault.what}: dropped by ${fault.dropped_by}`));
  const list = element("ul", "");
  list.append(...lines);
  byId("check").replaceChildren(element("strong", lines.length ? "HTML check" : "HTML check: nothing is dropped"), list);
  byId("check").hidden = !mail.html;
}

function links(mail) {
  const found = (mail.text || mail.html || "").match(/https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)]/g) || [];
  const unique = [...new Set(found)].slice(0, 20);
  const made = unique.map((href) =>
    row(element("a", href, { href, target: "_blank", rel: "noopener noreferrer" }), "Copy link", href));
  const code = (`${mail.subject} ${mail.text || ""}`.replace(/https?:\S+/g, "").match(/\b\d{3}[ -]?\d{3}\b/) || [""])[0];
  if (code) made.unshift(row(element("code", code), "Copy code", code.replace(/\D/g, "")));
  byId("links").replaceChildren(...made);
}

function letter() {
  byId("letter").hidden = !shown;
  if (!shown) return;
  byId("subject").textContent = shown.subject || "(no subject)";
  const at = new Date(shown.at * 1000).toLocaleString();
  const tags = shown.tags.length ? [["Tags", shown.tags.join(", ")]] : [];
  terms(byId("envelope"), [["From", author(shown)], ["To", shown.to.join(", ")], ["At", at], ...tags]);
  links(shown);
  const there = Object.keys(views).filter((name) => shown[views[name]]?.length);
  const now = there.includes(view) ? view : there[0];
  replace(byId("views"), there.map((name) => {
    const tab = element("button", name, { type: "button", "aria-pressed": String(name === now), "data-label": name });
    tab.addEventListener("click", () => { view = name; letter(); });
    return tab;
  }));
  const part = views[now];
  byId("html").hidden = part !== "html";
  byId("html").className = now === "Phone" ? "phone" : "";
  byId("headers").hidden = part !== "headers";
  byId("plain").hidden = part === "html" || part === "headers";
  if (part === "html") byId("html").src = `/mails/${shown.n}/html`;
  else if (part === "headers") terms(byId("headers"), shown.headers);
  else byId("plain").textContent = shown[part];
}

function terms(place, pairs) {
  place.replaceChildren(...pairs.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
}

function author(mail) {
  const header = mail.headers.find(([name]) => name.toLowerCase() === "from");
  return header ? header[1] : mail.from;
}

async function open() {
  const number = location.hash.slice(1);
  shown = /^\d+$/.test(number) ? await ask(`/api/mails/${number}`) : null;
  byId("copied").textContent = "";
  letter();
  list();
  if (!shown) return;
  await check(shown);
  if (!shown.read) await mark([shown.n], true);
}

async function refresh() {
  mails = (await ask("/api/mails")) || [];
  if (shown && !mails.some((mail) => mail.n === shown.n)) await open();
  await search();
  list();
}

async function follow() {
  for (;;) {
    try {
      await refresh();
      await ask(`/api/wait?timeout=25&after=${mails.length ? mails[mails.length - 1].n : 0}`);
    } catch {
      byId("state").textContent = "Not running; trying again …";
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

byId("filter").addEventListener("input", () => search().catch(() => {}));
byId("clear").addEventListener("click", async () => {
  if (!mails.length || !window.confirm(`Delete all mails (${mails.length})? They can't be brought back.`)) return;
  await ask("/api/mails", { method: "DELETE" });
  await refresh();
});
byId("all-read").addEventListener("click", () => mark([], true));
byId("unread").addEventListener("click", async () => {
  const { n } = shown;
  location.hash = ""; // back to the list, or opening it again would mark it as read
  await mark([n], false);
});
window.addEventListener("hashchange", async () => {
  await open();
  // On a phone the list goes when a mail opens: what reads aloud goes on with the mail.
  if (shown) byId("subject").focus();
});
await open().catch(() => {});
follow();
