// Everything a mail says goes into the page as text, never as markup; its HTML stays in a sandboxed frame.
const byId = (id) => document.getElementById(id);
const views = { Desktop: "html", Phone: "html", Text: "text", Source: "raw" };
let mails = [];
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

function list() {
  const wanted = byId("filter").value.toLowerCase();
  const fits = (mail) => `${mail.name} ${mail.from} ${mail.to} ${mail.subject} ${mail.text || ""}`.toLowerCase().includes(wanted);
  const rows = mails.filter(fits).reverse().map((mail) => {
    const link = element("a", "", { href: `#${mail.n}` });
    if (shown && shown.n === mail.n) link.setAttribute("aria-current", "true");
    link.append(
      element("strong", mail.subject || "(no subject)"),
      element("span", `${mail.name || mail.from} to ${mail.to.join(", ")}`),
      element("time", new Date(mail.at * 1000).toLocaleTimeString()),
    );
    const row = element("li", "");
    row.append(link);
    return row;
  });
  byId("mails").replaceChildren(...rows);
  byId("none").hidden = mails.length > 0;
}

function row(shownAs, label, value) {
  const made = element("div", "");
  const button = element("button", label, { type: "button" });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(value).then(
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
  const found = (mail.text || mail.html || "").match(/https?:\/\/[^\s<>"']+/g) || [];
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
  const facts = { From: author(shown), To: shown.to.join(", "), At: new Date(shown.at * 1000).toLocaleString() };
  byId("envelope").replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => [element("dt", name), element("dd", value)]),
  );
  links(shown);
  const there = Object.keys(views).filter((name) => shown[views[name]]);
  const now = there.includes(view) ? view : there[0];
  byId("views").replaceChildren(
    ...there.map((name) => {
      const tab = element("button", name, { type: "button", "aria-pressed": String(name === now) });
      tab.addEventListener("click", () => { view = name; letter(); });
      return tab;
    }),
  );
  const asHtml = views[now] === "html";
  byId("html").hidden = !asHtml;
  byId("html").className = now === "Phone" ? "phone" : "";
  byId("plain").hidden = asHtml;
  if (asHtml) byId("html").src = `/mails/${shown.n}/html`;
  else byId("plain").textContent = shown[views[now]];
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
  if (shown) await check(shown);
  list();
}

async function refresh() {
  mails = (await ask("/api/mails")) || [];
  if (shown && !mails.some((mail) => mail.n === shown.n)) await open();
  byId("state").textContent = mails.length === 1 ? "1 mail" : `${mails.length} mails`;
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

byId("filter").addEventListener("input", list);
byId("clear").addEventListener("click", async () => {
  if (!mails.length || !window.confirm(`Delete all ${mails.length} mails? They can't be brought back.`)) return;
  await ask("/api/mails", { method: "DELETE" });
  await refresh();
});
window.addEventListener("hashchange", open);
await open().catch(() => {});
follow();
