// All that the app asks of the service, by the official SDK. Take this file, and the forms of index.html.
//
// With a bundler (`npm install appwrite`) the next line is: import { Account, Client, ID } from "appwrite";
const { Account, Client, ID } = window.Appwrite;
import { ENDPOINT, PROJECT } from "./config.js"; // such as "https://accounts.example.com/v1" and "shop"

// Mails and the service's pages come in the language of the browser.
const client = new Client().setEndpoint(ENDPOINT).setProject(PROJECT).setLocale(navigator.language);
const account = new Account(client);

// Links in mails lead to pages of this app. Its host has to be listed: `python -m service platforms add PROJECT HOST`.
const page = (path) => new URL(path, location.origin).href;

export async function signUp({ name, email, password }) {
  await account.create({ userId: ID.unique(), email, password, name });
  await signIn({ email, password });
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  // Times in later mails are of this zone, also where another device causes them.
  await account.updatePrefs({ prefs: { locale: navigator.language, timezone: timeZone } });
  await askVerification();
}

export const signIn = ({ email, password }) => account.createEmailPasswordSession({ email, password });

export const signOut = () => account.deleteSession({ sessionId: "current" });

// The mailed link leads to /verify?userId=…&secret=…
export const askVerification = () => account.createEmailVerification({ url: page("/verify") });

export const verify = ({ userId, secret }) => account.updateEmailVerification({ userId, secret });

// The answer is the same for every address: nobody can find out who has an account.
// With `null` the link leads to a page of the service, for apps that have none; the SDK refuses `undefined` here.
export const askRecovery = ({ email, hosted }) => account.createRecovery({ email, url: hosted ? null : page("/reset") });

export const reset = ({ userId, secret, password }) => account.updateRecovery({ userId, secret, password });

// The answer has a `userId`, to be sent back with the code, and a `phrase` that the mail shows too.
export const askCode = ({ email }) => account.createEmailToken({ userId: ID.unique(), email, phrase: true });

// Without `url` the link leads to a page of the service, for apps that have none.
export const askLink = ({ email, hosted }) =>
  account.createMagicURLToken({ userId: ID.unique(), email, phrase: true, url: hosted ? undefined : page("/magic") });

// Signs up, too, where the number is nobody's yet. The number begins with + and the code of the country.
export const askCodeByPhone = ({ phone }) => account.createPhoneToken({ userId: ID.unique(), phone });

// Of a code or of a link.
export const useSecret = ({ userId, secret }) => account.createSession({ userId, secret });

// Leaves the page. The service sends the browser to the provider, and from there to one of these pages.
export const goToProvider = (provider, failure) =>
  account.createOAuth2Session({ provider, success: page("/account"), failure: page(failure) });

// Accounts at providers that open this one.
export const listIdentities = async () => (await account.listIdentities()).identities;

export const unlink = (identityId) => account.deleteIdentity({ identityId });

export const getAccount = () => account.get();

export const listSessions = async () => (await account.listSessions()).sessions;

export const endSession = (sessionId) => account.deleteSession({ sessionId });

// Second factors. `uri` is for a QR picture, `secret` for typing; both are shown this once.
export const addApp = () => account.createMFAAuthenticator({ type: "totp" });

export const confirmApp = (otp) => account.updateMFAAuthenticator({ type: "totp", otp });

export const removeApp = () => account.deleteMFAAuthenticator({ type: "totp" });

// For a phone that is lost; shown this once. New ones take the place of earlier ones.
export async function makeRecoveryCodes() {
  try {
    return (await account.createMFARecoveryCodes()).recoveryCodes;
  } catch (error) {
    if (error.type !== "user_recovery_codes_already_exists") throw error;
    return (await account.updateMFARecoveryCodes()).recoveryCodes;
  }
}

export const askForSecondFactor = (mfa) => account.updateMFA({ mfa });

// The number is a second factor once the code of its SMS has come. Without a password the account gets this one.
export async function addPhone({ phone, password }) {
  await account.updatePhone({ phone, password });
  return account.createPhoneVerification();
}

export const confirmPhone = ({ userId, secret }) => account.updatePhoneVerification({ userId, secret });

// Which this session can prove: { totp, email, phone, recoveryCode, custom }.
export const listFactors = () => account.listMFAFactors();

// A challenge with the factor "email" mails its code.
export const startChallenge = async (factor) => (await account.createMFAChallenge({ factor })).$id;

export const passChallenge = ({ challengeId, otp }) => account.updateMFAChallenge({ challengeId, otp });

// The SDK has no methods for passkeys and for the security log, but its client asks any route of the service.
const ask = (method, path, body = {}) =>
  client.call(method, new URL(ENDPOINT + path), { "X-Appwrite-Project": PROJECT, "content-type": "application/json" }, body);

// The browser asks the user, so this has to begin with a click. `name` is for the list of passkeys.
export async function addPasskey(name) {
  const { passkeyId, publicKey } = await ask("post", "/account/passkeys", { name });
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.create({ publicKey: options });
  return ask("put", `/account/passkeys/${passkeyId}/verification`, { credential: credential.toJSON() });
}

// Nobody types an address: the passkey says who it is, and counts as two factors.
export async function signInWithPasskey() {
  const { $id, publicKey } = await ask("post", "/account/tokens/passkey");
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.get({ publicKey: options });
  const proof = { challengeId: $id, credential: credential.toJSON() };
  return useSecret(await ask("put", "/account/tokens/passkey", proof));
}

export const listPasskeys = async () => (await ask("get", "/account/passkeys")).passkeys;

export const removePasskey = (passkeyId) => ask("delete", `/account/passkeys/${passkeyId}`);

export const listLog = async () => (await ask("get", "/account/logs")).logs;
