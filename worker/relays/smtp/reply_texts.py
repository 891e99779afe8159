"""Patterns of words in relays' refusals.

tests/integration/worker/data/replies.toml has the replies that they are taken from, with their sources.
"""

import re

_any = "|".join
# Too many connections at a time.
CROWDED = re.compile(_any((
    r"too many (?!new )(?:\w+ ){0,3}(?:connections|sessions)",
    r"connections? (?:\w+ ){0,6}(?:limit|exceed)|number of sessions exceeds",
)), re.IGNORECASE)  # fmt: skip
# One connection has reached its own limit, or was idle for too long: a new one may go on.
OF_CONNECTION = re.compile(_any((
    r"(?:messages?|mails|e-?mails|recipients|transactions|commands) (?:\w+ ){0,3}(?:connection|session|channel)",
    r"idle|timeout|too many errors",
)), re.IGNORECASE)  # fmt: skip
GREYLISTED = re.compile(r"gr[ea]y-?list", re.IGNORECASE)
# One recipient gets too much at a time, from any sender.
RECEIVING = re.compile(_any((
    r"(?:user|recipient|mailbox)\b.{0,60}\b(?:is receiving|can receive|receive limit)|recipient thread limit",
    r"messages? to \S+@\S+ deferred",
)), re.IGNORECASE)  # fmt: skip
MAILBOX_FULL = re.compile(_any((
    r"(?:mailbox|inbox|account|user|recipient)\b.{0,60}\b(?:full|over ?quota|out of storage)",
    r"(?:mailbox|inbox) .{0,30}(?:quota|limit|exceed)",
)), re.IGNORECASE)  # fmt: skip
# The same, where no mailbox is named.
QUOTA = re.compile(r"(?:over|exceed\w*) (?:\w+ ){0,3}quota|quota (?:\w+ )?exceeded", re.IGNORECASE)
TOO_BIG = re.compile(
    r"(?:message|mail|content|chunk|file|header)\b.{0,40}\b(?:size|too (?:big|large|long))", re.IGNORECASE
)
# Our rate is too high: said by one of these, or by one of each of the three groups below.
RATE = re.compile(_any((
    r"throttl|submissionquota|rate[ -]?limit|unusual (?:rate|amount)|excessive volume|slow down",
    r"too (?:fast|quickly|frequent)|too (?:much|many) (?:e-?mails?|mails?|messages)",
    r"too many (?:recipients|auth commands|new tls sessions) from",
    r"too many (?:failed )?(?:auth\w*|logins?)\b",
    r"exceed\w* .{0,40}(?:per (?:second|minute|hour|day)|permitted limits)",
)), re.IGNORECASE)  # fmt: skip
_MEASURE = re.compile(r"\b(?:quota|limits?|credits?|rate)\b", re.IGNORECASE)
_EXCEEDED = re.compile(r"exceed|reached|used up", re.IGNORECASE)
_OF_SENDING = re.compile(_any((
    r"\b(?:sen[dt]\w*|submi\w+|daily|hourly|monthly|messages?|mails?|e-?mails?|relay|out(?:bound|going|mail))\b",
    r"\b(?:concurrent|thread|connections?|credits|your?|tenant|customer|per (?:second|minute|hour|day))\b",
)), re.IGNORECASE)  # fmt: skip
# Our identity, sender or content: an operator has to change something.
OURS = re.compile(_any((
    r"relay(?:ing)?\b.{0,20}(?:denied|prohibited|not (?:permitted|allowed))|(?:unable|cannot|not allowed) to relay",
    r"\bsenders?\b.{0,60}\b(?:reject|denied|refused|not\b|invalid|verif|signature|identity|suspended|disabled|blocked)",
    r"(?:bad|banned|invalid) (?:outbound |sending )?(?:senders?|ip)\b",
    r"un(?:authenticated|verified|authori[sz]ed) (?:senders?|e-?mail|ip)\b",
    r"\bsending (?:from|domain|ip|ipv6|address|account|host|server|identity)\b",
    r"\bsending (?:has been |is )?(?:paused|suspended|disabled|denied|rejected)",
    r"send ?as ?denied|not (?:authori[sz]ed|allowed|permitted) to (?:send|use)|permissions? to send",
    r"from[ /'\"]*(?:sender|header|address)\b|mail ?from\b|header from\b",
    r"not (?:yet )?(?:been )?(?:verified|validated|activated|provisioned)|(?<!rejected: )unverified",
    r"unconfigured|unregistered|tenant (?:has )?exceeded|not accepted from|free accounts|test purposes|sandbox",
    r"\byour (?:own |\w+ )?(?:account|ip|domain|server|host|tenant|plan|organi[sz]ation)\b",
    r"authenticat|credentials|starttls|tls (?:is )?required|\b(?:helo|ehlo)\b",
    r"\b(?:spf|dkim|dmarc|ptr)\b|sender policy framework|reverse (?:dns|host)|your (?:reverse )?hostname|client host\b",
    r"blocked (?:using|by|for|due)|block ?list|black ?list|whitelist|spamhaus",
    r"reputation|\bip\b.{0,40}(?:blocked|not authori[sz]ed|denied)",
)), re.IGNORECASE)  # fmt: skip
# The recipient is named as the cause.
RECIPIENT = re.compile(_any((
    r"recipient (?:address )?(?:was )?(?:rejected|unknown|not found|refused)|invalid.{0,3}recipient",
    r"(?:unknown|no such|invalid|inactive) (?:user|recipient|mailbox|local|address)",
    r"(?:user|recipient|mailbox|account|address|addressee|domain)\b.{0,40}\b(?:unknown|not (?:found|exist|here|local))",
    r"(?:user|recipient|mailbox|account|address|domain)\b.{0,40}\b(?:does ?n.t exist|disabled|inactive|unavailable)",
)), re.IGNORECASE)  # fmt: skip
# The sender is named, whatever the status says.
SENDER = re.compile(r"\bsenders?\b|\brelay", re.IGNORECASE)
# Neither the recipient nor we are named, but a rule: it may well be about us.
POLICY = re.compile(
    r"polic(?:y|ies)|prohibit|denied|not (?:allowed|permitted|authori[sz]ed)|block|spam|unsolicited|security",
    re.IGNORECASE,
)
BUSY = re.compile(r"try (?:it )?(?:again )?later|temporar(?:y|ily)|server (?:is )?busy", re.IGNORECASE)


def is_rate(line: str) -> bool:
    """Return whether a reply says that our rate is too high."""
    if RATE.search(line):
        return True
    return all(group.search(line) for group in (_MEASURE, _EXCEEDED, _OF_SENDING))
