// Second factors: setting them up, and proving one.

import * as service from "./account.js";
import { byId, element, given, go, main, say, show } from "./page.js";
import { picture } from "./qr.js";

const FACTORS = {
  totp: "Code from the authenticator app",
  email: "Code by mail",
  phone: "Code by SMS",
  recoveryCode: "Recovery code",
};

export const actions = {
  async "add-app"() {
    const { uri, secret } = await service.addApp();
    byId("picture").replaceChildren(picture(uri, "QR code for the authenticator app; the secret is written below"));
    byId("open-app").href = uri;
    byId("secret").textContent = secret.match(/.{1,4}/g).join(" ");
    byId("add-app").hidden = true;
    byId("new-app").hidden = false;
    byId("app-title").focus();
  },
  async "confirm-app"({ secret }) {
    await service.confirmApp(secret);
    go("/second-factors", "The authenticator app is added.");
  },
  async "remove-app"() {
    await service.removeApp();
    go("/second-factors", "The authenticator app is removed.");
  },
  async "set-phone"({ phone, password }) {
    const number = phone.replaceAll(/[ ()/-]/g, "");
    given.userId = (await service.addPhone({ phone: number, password })).userId;
    byId("confirm-phone").hidden = false;
    byId("phone-code").focus();
    say(`An SMS is on its way to ${phone}.`);
  },
  async "confirm-phone"({ secret }) {
    await service.confirmPhone({ userId: given.userId, secret: secret.replaceAll(" ", "") });
    go("/second-factors", "The number is confirmed.");
  },
  async "make-codes"() {
    const codes = await service.makeRecoveryCodes();
    byId("codes").replaceChildren(...codes.map((code) => element("li", code)));
    show({ codes: "made" });
    for (const id of ["make-codes", "no-codes"]) byId(id).hidden = true;
    byId("new-codes").hidden = false;
    byId("codes-title").focus();
  },
  async "switch-mfa"() {
    const { mfa } = await service.getAccount();
    await service.askForSecondFactor(!mfa);
    go("/second-factors", mfa ? "Signing in takes one proof again." : "From now on signing in takes a second factor.");
  },
  async "choose-factor"({ factor }) {
    given.challengeId = await service.startChallenge(factor);
    for (const id of ["answer", "answer-recovery"]) byId(id).hidden = true;
    const form = byId(factor === "recoveryCode" ? "answer-recovery" : "answer");
    form.hidden = false;
    form.elements.secret.value = "";
    form.elements.secret.focus();
    say({ email: "A mail with a code is on its way.", phone: "An SMS with a code is on its way." }[factor] ?? "");
  },
  answer: passChallenge,
  "answer-recovery": passChallenge,
};

async function passChallenge({ secret }) {
  await service.passChallenge({ challengeId: given.challengeId, otp: secret });
  const back = sessionStorage.back ?? "/account";
  delete sessionStorage.back;
  go(back, back === "/account" ? "" : "Thank you. Now you can make the change.");
}

export const fillers = {
  async "/second-factors"() {
    const [account, factors] = await Promise.all([service.getAccount(), service.listFactors()]);
    show({
      mfa: account.mfa ? "on" : "off",
      app: factors.totp ? "added" : "none",
      mail: account.emailVerification ? "to your address" : "after you have confirmed your address",
      sms: account.phoneVerification ? "to your number" : "after you have added a number",
      codes: factors.recoveryCode ? "made" : "none",
    });
    byId("add-app").hidden = factors.totp;
    byId("remove-app").hidden = !factors.totp;
    byId("codes-note").hidden = !factors.recoveryCode;
    byId("switch-mfa").querySelector("button").textContent = account.mfa ? "Switch off" : "Switch on";
    const any = factors.totp || account.emailVerification || account.phoneVerification;
    byId("switch-mfa").hidden = !account.mfa && !any;
    byId("no-codes").hidden = account.mfa || factors.recoveryCode;
    byId("copy").addEventListener("click", copyCodes);
  },
  async "/challenge"() {
    const factors = await service.listFactors();
    const usable = Object.keys(FACTORS).filter((factor) => factors[factor]);
    const buttons = usable.map((factor) => {
      const button = element("button", FACTORS[factor]);
      Object.assign(button, { name: "factor", value: factor, className: "quiet" });
      return button;
    });
    main.querySelector("[data-factors]").replaceChildren(...buttons);
    if (!usable.length) say("This account has no second factor to ask for.");
  },
};

async function copyCodes() {
  const codes = [...byId("codes").children].map((item) => item.textContent).join("\n");
  try {
    await navigator.clipboard.writeText(codes);
    say("The codes are copied.");
  } catch {
    // Without HTTPS, or where people forbid it, the page may not write to the clipboard.
    getSelection().selectAllChildren(byId("codes"));
    say("The codes are selected. Copy them now.");
  }
}

// The service asks for a second factor: to open a session, or once more before a change. Afterwards people come back.
export function leadToChallenge({ type }) {
  if (!["user_more_factors_required", "user_challenge_required"].includes(type)) return false;
  const isChange = type === "user_challenge_required";
  if (isChange) sessionStorage.back = location.pathname;
  else delete sessionStorage.back;
  go("/challenge", isChange ? "This change needs a second factor first." : "");
  return true;
}
