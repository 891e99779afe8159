// One call of an SDK's account service, answered as plain data. It is used in Node and, as text, inside a page: so it
// uses nothing from around itself. The SDKs of both eras differ in where their classes stand and in how they take
// parameters; nothing else is smoothed over.

export async function call(sdk, asked) {
  const client = new (sdk.Client ?? sdk.Appwrite ?? sdk)();
  client.setEndpoint(asked.settings.endpoint).setProject(asked.settings.project);
  if (asked.settings.key) client.setKey(asked.settings.key);
  if (asked.settings.jwt) client.setJWT(asked.settings.jwt);
  if (asked.settings.session) client.setSession(asked.settings.session);
  const account = sdk.Account ? new sdk.Account(client) : client.account;
  if (!asked.method) {
    const names = sdk.Account ? Object.getOwnPropertyNames(sdk.Account.prototype) : Object.keys(account);
    return { methods: names.filter((name) => name !== "constructor") };
  }
  const given = asked.positional ? Object.values(asked.args) : Object.keys(asked.args).length ? [asked.args] : [];
  try {
    const value = await account[asked.method](...given);
    return { ok: true, value: JSON.parse(JSON.stringify(value ?? null)) };
  } catch (error) {
    const { name, message, code, type, response } = error;
    return { ok: false, error: name, message, code, type: type ?? response?.type ?? null };
  }
}
