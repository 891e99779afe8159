// What people read when the service refuses. An error's `type` never changes; its `message` is for developers.
// All types: docs/errors.md of the service, or /docs#errors where it runs.

const SENTENCES = {
  user_invalid_credentials: "The e-mail address or the password is wrong.",
  user_already_exists: "There is an account with this e-mail address. Sign in, or ask for a new password.",
  user_email_already_exists: "There is an account with this e-mail address. Sign in, or ask for a new password.",
  user_email_already_verified: "The address is confirmed already.",
  user_invalid_token: "This code or link is wrong, used already or too old. Try again, or ask for a new one.",
  user_more_factors_required: "Signing in takes a second factor.",
  user_challenge_required: "This change needs a second factor first.",
  user_auth_method_unsupported: "This way is switched off here.",
  user_reauthentication_required: "This change needs a sign-in of the last ten minutes. Sign out, and sign in again.",
  user_passkey_invalid: "This passkey opens no account here.",
  user_passkey_already_exists: "This device has a passkey for the account already.",
  user_passkey_limit_exceeded: "The account has as many passkeys as it may have. Remove one first.",
  user_oauth2_provider_error: "The provider did not sign you in.",
  user_oauth2_provider_failure: "The provider's answer could not be used. Try again.",
  project_provider_disabled: "Signing in by this provider is switched off.",
  user_phone_already_verified: "The number is confirmed already.",
  user_phone_already_exists: "Another account has confirmed this number.",
  general_phone_disabled: "This number can't get an SMS from here.",
  user_session_already_exists: "You are signed in already. Sign out first.",
  user_blocked: "This account is blocked.",
  general_unauthorized_scope: "Please sign in first.",
  general_rate_limit_exceeded: "Too many tries. Wait a while, then try again.",
  password_personal_data: "The password contains your name or address. Choose another one.",
  password_recently_used: "You have had this password before. Choose another one.",
  general_server_error: "The service is busy. Try again in a moment.",
};

// The field that a person has to change.
const FIELDS = {
  user_invalid_credentials: "password",
  user_already_exists: "email",
  user_email_already_exists: "email",
  password_personal_data: "password",
  password_recently_used: "password",
  user_invalid_token: "secret",
};

export function explain(error) {
  // Browsers keep it from the page why a request failed: no network, or a host that the project doesn't list.
  if (error instanceof TypeError) {
    return { text: "The service can't be reached. Does it run, and is this page's host one of the project's platforms?" };
  }
  // Of the browser, when it makes or uses a passkey.
  if (error.name === "NotAllowedError") return { text: "Nothing was done: the question of the browser was not answered." };
  if (error.name === "InvalidStateError") return { text: SENTENCES.user_passkey_already_exists };
  const argument = error.type === "general_argument_invalid" && /`(\w+)`/.exec(error.message);
  return {
    text: SENTENCES[error.type] ?? error.message,
    type: error.type,
    field: argument ? argument[1] : FIELDS[error.type],
  };
}
