"""Ways in which a provider can fail. None holds a token, a code or a client secret."""


class ProviderFault(Exception):
    """A provider did not do what it was asked for."""


class ProviderError(ProviderFault):
    """The provider refused, and said why (RFC 6749, 5.2): `code` is its error code, such as invalid_grant."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ProviderFailure(ProviderFault):
    """The provider's answer can't be used; `reason` says why, in words of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IdTokenInvalid(ProviderFailure):
    """An ID token failed a check; `reason` names the check."""


class ProviderUnavailable(ProviderFault):
    """The provider gave no answer in time, or said that it can't now; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
