"""Error responses, one class each; the docstring is the message (docs/contract.md#errors).

The two API versions sometimes differ in status or message; `legacy_status` and `legacy_message` say so.
"""

from typing import ClassVar


class AccountError(Exception):
    """Server Error"""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "general_server_error"
    legacy_status: ClassVar[int | None] = None
    legacy_message: ClassVar[str | None] = None

    def __init__(self, message: str = "", *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after

    def render(self, *, legacy: bool) -> tuple[int, str]:
        """Return status and message for an API version."""
        status = self.legacy_status if legacy and self.legacy_status else self.status
        message = self.message or (self.legacy_message if legacy else None) or (type(self).__doc__ or "")
        return status, message


class ArgumentInvalid(AccountError):
    """A parameter is missing or malformed."""

    status, type = 400, "general_argument_invalid"


class BadRequest(AccountError):
    """The request can't be done as it is. Please start anew."""

    status, type = 400, "general_bad_request"


class EmailInvalid(AccountError):
    """The provider's email address is not one that an account can have here."""

    status, type = 400, "general_invalid_email"


class BodyTooLarge(AccountError):
    """The request body is larger than 96 KiB."""

    status, type = 413, "general_argument_invalid"


class BodyTooSlow(AccountError):
    """The request body did not arrive in time."""

    status, type = 408, "general_argument_invalid"


class BodyEncoded(AccountError):
    """The request body must not be compressed."""

    status, type = 415, "general_argument_invalid"


class QueryInvalid(AccountError):
    """Only the queries limit and offset are supported here."""

    status, type = 400, "general_query_invalid"


class CursorNotFound(AccountError):
    """The cursor of the list is not there. Start the list anew."""

    status, type = 400, "general_cursor_not_found"


class EventsDeleted(AccountError):
    """Events after the cursor were deleted for their age. Begin anew without a cursor."""

    status, type = 410, "general_events_deleted"


class PasswordPersonal(AccountError):
    """The password must not contain the name, the email or the ID of the account. Please choose another one."""

    status, type = 400, "password_personal_data"


class PasswordReused(AccountError):
    """The password is one that the account has had lately. Please choose another one."""

    status, type = 400, "password_recently_used"


class EmailUnverified(AccountError):
    """The account's email address is not verified."""

    status, type = 400, "user_email_not_verified"


class EmailTaken(AccountError):
    """A user with the same email can't be set here."""

    status, type = 409, "user_target_already_exists"
    legacy_status, legacy_message = 400, "User already registered"


class EmailMissing(AccountError):
    """The account has no email address."""

    status, type = 400, "user_email_not_found"


class CredentialsInvalid(AccountError):
    """Invalid credentials. Please check the email and password."""

    status, type = 401, "user_invalid_credentials"
    legacy_message = "Invalid credentials"


class TokenInvalid(AccountError):
    """Invalid token passed in the request."""

    status, type = 401, "user_invalid_token"


class RecoveryTokenInvalid(TokenInvalid):
    """Invalid token passed in the request."""

    legacy_message = "Invalid recovery token"


class VerificationTokenInvalid(TokenInvalid):
    """Invalid token passed in the request."""

    legacy_message = "Invalid verification token"


class LoginTokenInvalid(TokenInvalid):
    """Invalid token passed in the request."""

    legacy_message = "Invalid login token"


class LoginTokenPending(AccountError):
    """The link has not been approved yet. Please ask again in a moment."""

    status, type = 401, "user_token_pending"


class JwtInvalid(AccountError):
    """Failed to verify JWT."""

    status, type = 401, "user_jwt_invalid"


class ScopeMissing(AccountError):
    """User (role: guests) missing scopes (["account"])"""

    status, type = 401, "general_unauthorized_scope"
    legacy_message = "User (role: guest) missing scope (account)"


class MoreFactorsRequired(AccountError):
    """More factors are required to complete the sign in process."""

    status, type = 401, "user_more_factors_required"


class ChallengeRequired(AccountError):
    """A challenge passed within the last 30 minutes is required for this."""

    status, type = 401, "user_challenge_required"


class ReauthenticationRequired(AccountError):
    """A sign-in, or a challenge passed, within the last 10 minutes is required for this."""

    status, type = 401, "user_reauthentication_required"


class SessionExists(AccountError):
    """Creation of a session is prohibited when a session is active."""

    status, type = 401, "user_session_already_exists"


class UserBlocked(AccountError):
    """The current user has been blocked."""

    status, type = 403, "user_blocked"
    legacy_status, legacy_message = 401, "Invalid credentials. User is blocked"


class JwtAndCookie(AccountError):
    """A JWT and a session were sent in the same request. Send one of them."""

    status, type = 403, "user_jwt_and_cookie_set"


class JwtDenied(AccountError):
    """A JWT can't be created by a request that carries a JWT."""

    status, type = 403, "user_jwt_creation_denied"
    legacy_status, legacy_message = 401, "No valid session found"


class OriginUnknown(AccountError):
    """Invalid Origin. Register your new client as a new Web platform of your project."""

    status, type = 403, "general_unknown_origin"


class ProjectNotFound(AccountError):
    """Project with the requested ID could not be found."""

    status, type = 404, "project_not_found"
    legacy_status, legacy_message = 400, "Missing or unknown project ID"


class RouteNotFound(AccountError):
    """The requested route was not found."""

    status, type = 404, "general_route_not_found"
    legacy_message = "Not Found"


class MethodNotAllowed(AccountError):
    """The method is not allowed here."""

    status, type = 405, "general_route_not_found"


class UserNotFound(AccountError):
    """User with the requested ID could not be found."""

    status, type = 404, "user_not_found"
    legacy_message = "User not found"


class SessionNotFound(AccountError):
    """The current user session could not be found."""

    status, type = 404, "user_session_not_found"
    legacy_message = "Session not found"


class UserExists(AccountError):
    """A user with the same id or email already exists in this project."""

    status, type = 409, "user_already_exists"
    legacy_message = "Account already exists"


class EmailExists(AccountError):
    """A user with the same email already exists in this project."""

    status, type = 409, "user_email_already_exists"
    legacy_message = "Email already exists"


class EmailVerified(AccountError):
    """The email address is already verified."""

    status, type = 409, "user_email_already_verified"


class AuthenticatorNotFound(AccountError):
    """The account has no such authenticator."""

    status, type = 404, "user_authenticator_not_found"


class AuthenticatorVerified(AccountError):
    """The account's authenticator is already verified."""

    status, type = 409, "user_authenticator_already_verified"


class RecoveryCodesNotFound(AccountError):
    """The account has no recovery codes."""

    status, type = 404, "user_recovery_codes_not_found"


class RecoveryCodesExist(AccountError):
    """The account has recovery codes already. New ones take their place by an update."""

    status, type = 409, "user_recovery_codes_already_exists"


class PasskeyNotFound(AccountError):
    """The account has no such passkey."""

    status, type = 404, "user_passkey_not_found"


class PasskeyInvalid(AccountError):
    """The passkey could not be verified."""

    status, type = 401, "user_passkey_invalid"


class PasskeyExists(AccountError):
    """There is a passkey with this id, or this authenticator's credential is registered already."""

    status, type = 409, "user_passkey_already_exists"


class PasskeyLimit(AccountError):
    """The account has as many passkeys as it may have. Remove one first."""

    status, type = 400, "user_passkey_limit_exceeded"


class InvitationNotFound(AccountError):
    """The project has no such invitation."""

    status, type = 404, "invitation_not_found"


class TargetNotFound(AccountError):
    """The account has no such target."""

    status, type = 404, "user_target_not_found"


class TargetExists(AccountError):
    """The account has a target with this id or this identifier."""

    status, type = 409, "user_target_already_exists"


class TargetLimit(AccountError):
    """The account has as many targets as it may have. Delete one first."""

    status, type = 400, "user_target_limit_exceeded"


class OwnTarget(AccountError):
    """The target is the account's own address or number. Change that instead."""

    status, type = 400, "general_bad_request"


class LastWayIn(AccountError):
    """The account has no other way in. Set a password or prove an address first."""

    status, type = 400, "general_bad_request"


class IdentityNotFound(AccountError):
    """Identity could not be found."""

    status, type = 404, "user_identity_not_found"


class OAuth2TokenInvalid(AccountError):
    """The provider's ID token is not valid."""

    status, type = 401, "user_oauth2_token_invalid"


class OAuth2ProviderError(AccountError):
    """The OAuth2 provider returned an error."""

    status, type = 424, "user_oauth2_provider_error"


class OAuth2ProviderFailure(AccountError):
    """The OAuth2 provider couldn't complete the sign-in. Please try again."""

    status, type = 424, "user_oauth2_provider_failure"


class ProviderDisabled(AccountError):
    """The provider is disabled. The operator can enable it."""

    status, type = 412, "project_provider_disabled"


class ProviderUnsupported(AccountError):
    """The chosen provider is not supported."""

    status, type = 400, "project_provider_unsupported"


class ConsentNotFound(AccountError):
    """Consent could not be found."""

    status, type = 404, "user_consent_not_found"


class KeyExpired(AccountError):
    """The project key has expired. Please generate a new key using the command line."""

    status, type = 401, "project_key_expired"


class AnonymousDenied(AccountError):
    """Creation of a session is prohibited when a session is active."""

    status, type = 401, "user_session_already_exists"
    legacy_message = "Cannot create an anonymous user when logged in."


class TooManyRequests(AccountError):
    """Rate limit for the current endpoint has been exceeded. Please try again after some time."""

    status, type = 429, "general_rate_limit_exceeded"
    legacy_message = "Too many requests"


class FactorDisabled(AccountError):
    """The requested factor is disabled by the MFA factors policy."""

    status, type = 501, "user_auth_method_unsupported"


class MethodDisabled(AccountError):
    """Signing in this way is switched off for the project."""

    status, type = 501, "user_auth_method_unsupported"


class SignUpClosed(AccountError):
    """An account of this address can't be made here by its user."""

    status, type = 501, "user_auth_method_unsupported"


class PhoneMissing(AccountError):
    """The account has no phone number."""

    status, type = 400, "user_phone_not_found"


class PhoneUnverified(AccountError):
    """The account's phone number is not verified."""

    status, type = 400, "user_phone_not_verified"


class PhoneVerified(AccountError):
    """The phone number is already verified."""

    status, type = 409, "user_phone_already_verified"


class PhoneExists(AccountError):
    """A user with the same phone number already exists in this project."""

    status, type = 409, "user_phone_already_exists"


class CountryNotServed(AccountError):
    """The project sends no SMS to phone numbers that begin so."""

    status, type = 400, "general_argument_invalid"


class PhoneDisabled(AccountError):
    """Phone authentication is not available: no SMS is set up."""

    status, type = 503, "general_phone_disabled"


class Overloaded(AccountError):
    """The service is busy or a part of it is away. Please try again in a moment."""

    status, type = 503, "general_server_error"
