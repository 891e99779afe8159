"""Fields of bodies that register targets of messages."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from service import email_addresses, phone_numbers
from service.http.fields import NEW_ID, new_id, plain, sized, unfit
from service.http.request_body import BodyContext, unfit_parameter
from service.store.targets import ProviderType

_TYPES = ("email", "sms", "push")


def _provider_type(value: Any) -> Any:
    if value not in _TYPES:
        raise unfit(f"Value must be one of ({', '.join(_TYPES)})")
    return value


def check_identifier(context: BodyContext, provider_type: ProviderType, text: str) -> str:
    """Return an identifier as it is stored: an address in its one spelling. Raises ArgumentInvalid for an unfit one."""
    if provider_type == "email":
        try:
            return email_addresses.canonical(text, special_use=context.project.special_use_domains)
        except ValueError:
            raise unfit_parameter(context, "identifier", "Value must be a valid email address") from None
    if provider_type == "sms" and not phone_numbers.is_number(text):
        raise unfit_parameter(context, "identifier", "Value must be a phone number such as +4915112345678")
    return text


NewTargetId = Annotated[str, AfterValidator(new_id("TargetId")), NEW_ID]
Identifier = Annotated[
    str,
    AfterValidator(sized(1, 255)),
    AfterValidator(plain),
    Field(
        examples=["fcm-token-of-the-device"],
        json_schema_extra={"minLength": 1, "maxLength": 255},
        description="The device's token at its push service; an address or a number for the other types",
    ),
]
ProviderId = Annotated[
    str,
    AfterValidator(sized(0, 36)),
    AfterValidator(plain),
    Field(examples=["fcm"], json_schema_extra={"maxLength": 36}, description="The app's own, for its sender"),
]
TargetType = Annotated[ProviderType, BeforeValidator(_provider_type), Field(examples=["push"])]
