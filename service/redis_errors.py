"""Explanations of Redis and network errors for operators: the fault and the remedy."""

from redis import exceptions

from service import outages

# Redis's answers for which redis-py has classes: it takes their first word away, and versions differ in the rest.
_CLASSES: tuple[tuple[type[exceptions.RedisError], str], ...] = (
    (exceptions.NoPermissionError, "does not let this user do that (its ACL)"),
    (exceptions.ReadOnlyError, "may only be read: it is a replica"),
    (exceptions.OutOfMemoryError, "has no memory left: raise its maxmemory"),
    (exceptions.BusyLoadingError, "is starting up"),
)
# Beginnings of the others; the first that fits.
_ANSWERS = (
    (("WRONGPASS", "invalid username-password", "invalid password"), "refuses the password: mend REDIS_URL"),
    (("NOAUTH", "Authentication required"), "wants a password: REDIS_URL has none"),
    (("AUTH <password> called without", "ERR AUTH"), "has no password, and REDIS_URL names one"),
    (("MISCONF",), "can't save to its disk, and so takes no writes"),
    (
        ("No master found",),
        "has no primary, its sentinels say: do they know the name in REDIS_URL?",
    ),
    (("The previous master is now",), "has just got another primary"),
    (("MASTERDOWN",), "is a replica without its primary"),
    (("DB index", "ERR DB index", "invalid DB index"), "has no database of that number: mend REDIS_URL"),
    (("max number of clients", "ERR max number of clients"), "has no connection left: raise its maxclients"),
)


def explain(error: BaseException, url: str) -> str:
    """Explain in one line, with the address and without the password."""
    return f"redis at {outages.redis_address(url)} {fault(error)}"


def fault(error: BaseException) -> str:
    """Explain as `explain` does, without the address; Redis's message is left out, for it may hold a key's name."""
    for each in (error, error.__cause__, error.__context__):
        if isinstance(each, exceptions.RedisError):
            if known := next((words for kind, words in _CLASSES if isinstance(each, kind)), ""):
                return known
            text = str(each)
            if found := next((words for starts, words in _ANSWERS if text.startswith(starts)), ""):
                return found
    if isinstance(error, exceptions.TimeoutError):
        error = TimeoutError()
    if isinstance(error, exceptions.InvalidResponse):
        return "speaks another protocol: mend REDIS_URL"
    if words := outages.describe_network_error(error, "REDIS_URL"):
        return words
    # redis-py's own class, with no error of the network behind it: the connection ended.
    return (
        "breaks connections off"
        if type(error) is exceptions.ConnectionError
        else f"can't be asked ({type(error).__name__})"
    )
