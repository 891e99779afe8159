"""Second factors."""

from typing import Annotated

from pydantic import Field

from service.http.schemas.parts import Answer, From, Id, Schema, Time

_CODE = "7c3d-9k2m-x4qa"


class MfaType(Answer):
    """A new authenticator; its secret is shown this once."""

    secret: Annotated[str, Field(description="In base32", examples=["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"])]
    uri: Annotated[
        str,
        Field(
            description="For a QR picture",
            examples=["otpauth://totp/Shop:ann@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Shop"],
        ),
    ]


class MfaFactors(Answer):
    """Factors that the user can prove, besides the first proof of the session."""

    totp: Annotated[bool, Field(description="An authenticator app", examples=[True])]
    phone: Annotated[bool, Field(examples=[False])]
    email: Annotated[bool, Field(examples=[True])]
    recovery_code: Annotated[bool, Field(examples=[True])]
    custom: Annotated[bool, Field(description="A code that the app's server delivers", examples=[False])]


class MfaChallenge(Answer):
    """A challenge of a session. It holds no code."""

    id: Annotated[Id, Field(alias="$id")]
    created_at: Annotated[Time, Field(alias="$createdAt")]
    user_id: Id
    expire: Annotated[Time, From("expires_at")]


class MfaChallengeSecret(MfaChallenge):
    """A challenge of the custom factor, for the app's server."""

    code: Annotated[str, Field(description="To be delivered to the user", examples=["012345"])]


class MfaRecoveryCodes(Answer):
    """New recovery codes, shown this once."""

    recovery_codes: Annotated[list[str], Field(examples=[[_CODE]])]


MFA_TYPE = Schema(MfaType)
MFA_FACTORS = Schema(MfaFactors)
MFA_CHALLENGE = Schema(MfaChallenge)
MFA_CHALLENGE_SECRET = Schema(MfaChallengeSecret)
MFA_RECOVERY_CODES = Schema(MfaRecoveryCodes)
