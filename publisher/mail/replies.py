"""Classify the words of a mail server's refusal. Pure.

The first rule of `RULES` that matches decides. Rules about the sender, a policy, a limit or the message come before the
rules about the address, so a reply about both suppresses nobody. Words count more than an enhanced status code (RFC 3463),
because many servers send a code that contradicts their words.

The patterns match normalised text (see `normalise`): lower case, no accents, no punctuation, one space
between words, without addresses, URLs and host names. Each pattern runs in linear time: repetitions
are bounded and do not nest.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from publisher.mail.reply_phrases import ADDRESS_PHRASES, FULL_PHRASES, LATER_PHRASES


class Reason(StrEnum):
    """Why a server refused a delivery."""

    #: The address does not exist, or its mailbox is closed for good.
    ADDRESS = "address"
    #: The mailbox is full.
    FULL = "full"
    #: The mailbox or the server cannot take mail for now.
    TEMPORARY = "temporary"
    #: The sender sent too much, or too fast.
    RATE = "rate"
    #: The reputation, authentication, DNS or network of the sender is not accepted.
    POLICY = "policy"
    #: The message or its sender is classified as spam.
    SPAM = "spam"
    #: The message is too large, malformed, infected or in a loop.
    CONTENT = "content"
    #: The sender address is not accepted.
    SENDER = "sender"
    #: The recipient, or their organisation, does not accept this mail.
    REFUSED = "refused"
    #: The domain of the address cannot be found or reached.
    DOMAIN = "domain"
    #: No rule matches the words, and the status does not tell.
    UNKNOWN = "unknown"

    @property
    def is_about_sender(self) -> bool:
        """True if the reply is about the sender or the message, not about the subscriber."""
        return self in _ABOUT_SENDER


_ABOUT_SENDER: Final = frozenset([Reason.RATE, Reason.POLICY, Reason.SPAM, Reason.CONTENT, Reason.SENDER])


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    reason: Reason


#: Subject and detail of status codes for an address that does not exist. 5.1.0 does not tell.
_ADDRESS_STATUSES: Final = frozenset(["1.1", "1.2", "1.3", "1.6", "1.10", "2.1"])
#: Status codes that words about a missing domain confirm (bad destination system, null MX).
_DOMAIN_STATUSES: Final = frozenset(["1.1", "1.2", "1.10"])
#: Reasons by status code, for words that no rule matches.
_STATUSES: Final = {
    "1.7": Reason.SENDER,
    "1.8": Reason.SENDER,
    "2.2": Reason.FULL,
    "2.3": Reason.CONTENT,
    "3.1": Reason.FULL,
    "3.4": Reason.CONTENT,
    "4.6": Reason.CONTENT,
    "5.3": Reason.RATE,
}
#: Reasons by the subject of the status code.
_STATUS_SUBJECTS: Final = {
    "2": Reason.TEMPORARY,
    "3": Reason.UNKNOWN,
    "4": Reason.DOMAIN,
    "6": Reason.CONTENT,
    "7": Reason.POLICY,
}
#: Status codes that contradict words about the address: the sender's address, a full mailbox, a size.
_CONTRADICTIONS: Final = frozenset(["1.7", "1.8", "2.2", "2.3", "3.4"])

#: "Mailbox unavailable" is the standard text of 550 (RFC 5321 §4.2.3), for missing mailboxes and for policies.
_UNAVAILABLE: Final = re.compile(
    r"\b(?:mailbox|mail box|account|user|recipient|address) (?:is |was )?(?:unavailable|unavaiable|not available)\b"
)

RULES: Final = (
    # -- the connection, the sending host and its authentication ------------------------------------------------------
    _Rule(
        re.compile(r"\b(?:in reply to|after|response to|in response to) mail from\b"), Reason.POLICY
    ),  # Postfix, Exim
    _Rule(
        re.compile(
            r"\b(?:spf|dkim|dmarc|dane|rdns|fcrdns|ptr|arc)\b|\breverse (?:dns|lookup)\b"
            r"|\bname lookup failed\b|\bcannot find your (?:hostname|reverse)|\bmismatches client ip\b"
            r"|\bdns (?:check|lookup) fail|\bforward dns\b|\bsender policy framework\b|\bdomainkeys\b"
            r"|\bpurported responsible\b"
        ),
        Reason.POLICY,  # Gmail, Microsoft, Orange, GoDaddy
    ),
    _Rule(
        re.compile(
            r"\b(?:un)?authenti(?:cated|cat\w+|fication|fizier\w+|ficar|ficacion|cazione)\b|\bauthrequired\b"
            r"|\bnot authori[sz]ed\b|\bunauthori[sz]ed\b|\bnotauthori[sz]ed\b|\bcredentials\b|\blog ?in\b"
            r"|\bstarttls\b|\btls\b|\bencryption\b|\bcaptcha\b"
        ),
        Reason.POLICY,  # Gmail, Exchange, Mimecast, Cloudflare
    ),
    _Rule(
        re.compile(
            r"\b(?:black|block|deny|white|allow|safe)[ -]?list(?:s|ed|ing)?\b"
            r"|\b(?:rbl|dnsbl|rhsbl|dbl|xbl|pbl)\b"
            r"|\b(?:spamhaus|spamcop|sorbs|barracudacentral|barracudanetworks|abuseat|uceprotect|invaluement"
            r"|ivmsip)\b|\b(?:proofpoint|cloudmark|senderscore|mailspike|surbl|uribl|sender[ -]?base|talos)\b"
            r"|(?<!not )\blisted (?:in|on|at|by|as)\b|\breputation\b"
            r"|\bpolicy (?:reasons?|restrictions?|violations?)\b"
            r"|\bblocked (?:using|from|by (?!(?:the )?(?:recipient|user))|due to (?!(?:\w+ )?inactiv))"
            r"|\bban(?:ned)?\b|\b(?:not allowed to connect|no access from)\b|\bprotocol violation\b"
            r"|\borgani[sz]ational settings\b|\bnot verified\b|\bip[ -]?profile\b"
        ),
        Reason.POLICY,  # Microsoft, Yahoo, T-Online, Comcast, Cox
    ),
    _Rule(
        re.compile(
            r"\b(?:your|sending|sender|senders|source|client|connecting) (?:mail |smtp |e ?mail )?(?:ip|ips"
            r"|host|hosts|server|servers|network|mta|isp|provider|system)\b"
            r"|\b(?:remote|invalid|this) (?:ip|ips|host network|mta)\b"
            r"|\b(?:client host|host network|hosts?) (?:rejected|refused|not allowed|blocked)\b"
            r"|\b(?:ip|ips|ip address|ipv4|ipv6) (?:address )?(?:is |was |has been |are )?(?:rejected|refused"
            r"|denied|blocked|not allowed)|\bdynamic (?:ip|dns|address)|\bip source\b|\bunknown ip\b"
            r"|\bip(?:v[46])? (?:address\w*|adresse)\b|\b(?:adresse|direccion|indirizzo|adres|endereco) ip\b"
            r"|\b(?:host|server|network|source|mx|dns) address\b|\bnot accepting connections\b|\b(?:bad|invalid|malformed|wrong) (?:helo|ehlo)\b"
            r"|\bhelo (?:command|name|argument)\b|\bopen proxy\b|\bfirewall\b"
        ),
        Reason.POLICY,  # Postfix, AT&T, iCloud, Orange
    ),
    _Rule(
        re.compile(
            r"\byour (?:\w+ ){0,2}(?:account|address|domain|mailbox|subscription|message was blocked|access)\b"
            r"|\b(?:votre|ihre?|seu|sua|vostr[oa]|tuo|tua|su) (?:\w+ )?(?:compte|konto|adresse|cuenta"
            r"|direccion|conta|endereco|indirizzo|domaine|domain|dominio|serveur|server|servidor)\b"
        ),
        Reason.POLICY,  # the account at the sender's relay: Gmail, Zoho, SendGrid
    ),
    _Rule(
        re.compile(
            r"\brelay(?:ing)? (?:access )?(?:denied|not|prohibited|refused|mail)\b"
            r"|\b(?:not|to|no|unable to|open|mail|as a|insecure mail) relay(?:ing)?\b|\brcpthosts\b"
            r"|\bnot a gateway\b|\bdoes not relay\b|\bdont relay\b"
        ),
        Reason.POLICY,  # sendmail, qmail, Exchange
    ),
    # -- how much is sent ---------------------------------------------------------------------------------------
    _Rule(
        re.compile(
            r"\breceiving (?:e ?mail|mail|messages) (?:at a rate|too (?:quickly|fast|many))|\breceivingrate"
            r"|\brecipient (?:is )?(?:busy|receiving)\b"
        ),
        Reason.TEMPORARY,  # Gmail, Yahoo
    ),
    _Rule(
        re.compile(
            r"\b(?:frequency|rates?|throttl\w*|flood\w*|excessive|threshold)\b"
            r"|\b(?:too many|trop de|zu viele|demasiad[oa]s|troppe|troppi) (?!mails auf|messages (?:on|in)"
            r"|hops|received)\w+|\b(?:sending|daily|hourly|send|outbound) (?:\w+ ){0,2}(?:limit|quota|rate)\b"
            r"|\bslower\b|\b(?:per|this) (?:hour|day|minute|session)\b|\bconnection (?:rate|limit|frequency)"
            r"|\bmax(?:imum)? (?:message|messages|connections|emails|recipients) per\b|\brelay limit\b"
            r"|\brate ?limit\w*|\bsuspected bounce attacks?\b"
        ),
        Reason.RATE,  # Tencent QQ, GoDaddy, Spectrum, SES
    ),
    # -- the sender address -------------------------------------------------------------------------------------
    _Rule(
        re.compile(
            r"(?<!to )(?<!to the )(?<!by the )\bsenders?\b|\bsender ?(?:address|domain|verif\w+)\b|\bsending (?:user|account|mailbox)\b"
            r"|\b(?:mail ?from|envelope from|header from|from domain|from (?:header|address|field)|in from"
            r"|return path)\b|\bnull (?:sender|reverse path)\b|\bbatv\b|\bbackscatter\b|\bunknown originator\b"
            r"|\bcallback\b|\bwhile verifying\b|\bemetteur\b|\bexpediteur\b|\babsender\w*|\bremitente\b"
            r"|\bremetente\b|\bmittente\b|\bafzender\b|\bnadawc\w+|отправител|发件人|發件人|寄件者|寄件人|送信者|差出人|발신자"
        ),
        Reason.SENDER,  # sendmail, Postfix, Exim, Orange, mail.ru, QQ
    ),
    # -- the mailbox, for now -----------------------------------------------------------------------------------
    *(_Rule(pattern, Reason.FULL) for pattern in FULL_PHRASES),
    # -- the message --------------------------------------------------------------------------------------------
    _Rule(
        re.compile(
            r"\b(?:virus(?:es)?|malware|trojan|phish\w*|infected|worm)\b|\battachments?\b|\bexecutable\b"
            r"|\b(?:message|mail|e ?mail|header|headers|body|file|line|content) (?:\w+ ){0,2}(?:too (?:big"
            r"|large|long)|size|length|exceeds?)\b|\bsize (?:limit|exceed\w*)|\btoo (?:big|large)\b"
            r"|\b(?:maximum|max) (?:\w+ ){0,2}size\b|\btaille (?:limite )?du message\b"
            r"|\bnachricht (?:ist )?zu gro(?:ss|s)\b|\bmime\b|\bmalformed\b|\b8 ?bit\b|\bcharset\b"
            r"|\b(?:duplicate|invalid|bad|missing) header|\bheaders? (?:error|are not|is not)"
            r"|\brfc ?(?:2822|5322|822|2047)\b|\bbare (?:lf|line feed|newline)"
            r"|\b(?:mail|routing|forwarding) loop\b|\bloop(?:s|ing)? (?:detected|back)\b|\btoo many hops\b"
            r"|\bhop count\b|\b50 hops\b"
        ),
        Reason.CONTENT,
    ),
    _Rule(
        re.compile(
            r"\b(?:anti ?)?spam\w*|\bube\b|\buce\b|\bunsolicited\b|\bjunk(?: ?mail)?\b|\bbulk\b|\bmass mail\w*"
            r"|\bsuspicious\b"
            r"|\b(?:content|message|messages|mail|url|link|links) (?:\w+ ){0,2}(?:denied|filtered|blocked"
            r"|discarded|scored)\b|\bcontent (?:rejected|policy|filter\w*|reject)\b|\bcontent\b"
            r"|\babus(?:e|ive)\b|\bcomplaints?\b|\bantispam\w*|спам|垃圾|스팸|スパム|迷惑メール"
        ),
        Reason.SPAM,
    ),
    # -- the server, for now --------------------------------------------------------------------------------------
    *(_Rule(pattern, Reason.TEMPORARY) for pattern in LATER_PHRASES),
    # -- refusals by the recipient --------------------------------------------------------------------------------
    _Rule(
        re.compile(
            r"\brecipient preferences\b|\bblocked by (?:the )?(?:recipient|user)\b|\buser rules?\b"
            r"|\brefus\w+ to (?:accept|receive)\b"
            r"|\bonly (?:accept\w*|receive\w*|take\w*) (?:mail|e ?mail|messages)"
            r"|\b(?:does not|doesnt|not) accept(?:ing)? (?:any )?(?:mail|e ?mail|messages) (?:from|with)\b"
            r"|\brejected by (?:the )?(?:recipients?|user|destination)\b"
            r"|\brefused by (?:the )?(?:recipient|user)\b|\bmembers? only\b|\bclosed (?:mailing )?list\b"
            r"|\bmoderated\b|\bprivate (?:list|group)\b|\bnot subscribed\b"
            r"|\brecipient (?:address )?rejected access denied\b|\bchallenge\b"
            r"|\bis not accepting (?:any )?mail\b"
        ),
        Reason.REFUSED,  # Facebook, AOL, Exchange Online (5.4.1)
    ),
    _Rule(
        re.compile(
            r"\bpolic(?:y|ies)\b|\bprohib\w+|\bforbidden\b"
            r"|\baccess (?:was |is )?(?:denied|refused|restricted|rejected)\b"
            r"|\bmailbox unavailable or access denied\b"
            r"|\b(?:envelope|connection|connections|transaction|delivery) (?:\w+ )?(?:blocked|refused|denied"
            r"|rejected|not allowed|not accepted)\b|\brestrict(?:ed|ion|ions)\b"
            r"|\bnot (?:allowed|permitted) to (?:send|post|submit|deliver)\b|\bsecurity\b|\bcompliance\b"
            r"|\bblocked (?:address|message|mail)?$|^(?:is )?blocked\b|\bgo away\b|\brichtlinie\w*"
            r"|\bpolitique\b|\bpolitica\b"
        ),
        Reason.POLICY,
    ),
    # -- the domain ----------------------------------------------------------------------------------------------
    _Rule(
        re.compile(
            r"\b(?:unknown|no such|invalid|bad|nonexistent|non existent) (?:mail )?(?:domain|host|hostname"
            r"|destination host)\b"
            r"|\b(?:host|hostname|domain|domain name|host name|mail server|recipient server) (?:(?!user"
            r"|recipient|account|mailbox|address|said|[0-9])\w+ ){0,2}(?:unknown|not found|does not exist"
            r"|doesnt exist|may not exist|must exist|not reachable|unreachable)\b"
            r"|\b(?:account|address) or domain\b|\bname service error\b|\bdns error\b|\b(?:no|null) mx\b"
            r"|\bnullmx\b|\bnxdomain\b|\bno route\b|\bunable to route\b|\bdoes not accept mail$"
            r"|\bhost does not accept\b|\bno answer from host\b|\bunrout(?:e)?able (?:mail )?domain\b"
        ),
        Reason.DOMAIN,  # Postfix, sendmail, Exim, iCloud
    ),
    # -- the address ---------------------------------------------------------------------------------------------
    *(_Rule(pattern, Reason.ADDRESS) for pattern in ADDRESS_PHRASES),
)

_MAX_CHARACTERS: Final = 2_000
_URL: Final = re.compile(r"\bhttps?:\S{0,500}|\bwww\.\S{0,500}")
_MAIL_ADDRESS: Final = re.compile(r"[^\s<>:@]{0,100}@[^\s<>@:;,]{0,300}")
#: Host names, IP addresses and status codes: labels joined by dots.
_DOTTED: Final = re.compile(r"[\w-]{1,64}(?:\.[\w-]{1,64}){1,20}")
_EXCHANGE: Final = re.compile(r"\b(?:RESOLVER|STOREDRV|QUEUE|SMTPSEND|ROUTING)\.[\w.]{1,80}", re.IGNORECASE)
_SENTENCE_END: Final = re.compile(r"(?<=[a-z])\.(?=[A-Z][a-z])")
_ACCENTS: Final = re.compile("(?<=[a-z])[\u0300-\u036f]{1,8}")
_APOSTROPHES: Final = re.compile("(?<=n)['\u2019\u00b4`](?=t\\b)")
_NO_WORD: Final = re.compile(r"[\W_]+")
#: Standard texts of status codes that some servers put before the reply of another server.
_STATUS_TEXTS: Final = re.compile(r"\b(?:unknown address error|other mail system problem|other address status)\b")
#: Block lists that a reply may name only in a URL.
_LISTS: Final = re.compile(
    r"spamhaus|spamcop|sorbs\.net|barracuda(?:central|networks)|abuseat|dnsbl|/rbl|proofpoint|cloudmark"
    r"|uceprotect|invaluement",
    re.IGNORECASE,
)


def normalise(words: str) -> str:
    """Return the words of a reply in the form in which the patterns match them.

    Addresses, URLs and host names are removed, so that an address such as ``spam@rate.example`` does not change the
    result. At most 2,000 characters are read.
    """
    text = words[:_MAX_CHARACTERS]
    names_list = _LISTS.search(" ".join(_URL.findall(text)))
    text = _URL.sub(" ", text)
    text = _MAIL_ADDRESS.sub(" ", text)
    text = _EXCHANGE.sub(lambda match: match[0].replace(".", " "), text)
    text = _DOTTED.sub(" ", _SENTENCE_END.sub(" ", text))
    text = text.replace("\u0131", "i").replace("\u0142", "l")
    # Normalisation can turn one character into eighteen.
    text = unicodedata.normalize("NFKD", text).casefold()[:_MAX_CHARACTERS]
    text = unicodedata.normalize("NFKC", _ACCENTS.sub("", _APOSTROPHES.sub("", text)))
    text = " ".join(_STATUS_TEXTS.sub(" ", _NO_WORD.sub(" ", text)).split())
    return f"{text} dnsbl".strip() if names_list else text


def find_reason(words: str) -> Reason:
    """Return the reason by the words alone."""
    text = normalise(words)
    return next((rule.reason for rule in RULES if rule.pattern.search(text)), Reason.UNKNOWN)


def classify(words: str, status: str = "") -> Reason:
    """Return the reason of a permanent refusal.

    Args:
        words: the server's reply, with or without its reply code.
        status: the enhanced status code (RFC 3463) as in ``5.1.1``, or its subject and detail as in
            ``1.1``; empty if there is none.

    The words decide. A status code decides only if no rule matches the words. If the two contradict each other, nobody is
    suppressed.
    """
    parts = status.split(".")
    subject, detail = parts[-2:] if len(parts) >= 2 else ("", "")
    code = f"{subject}.{detail}" if subject else ""
    reason = find_reason(words)
    if reason is Reason.UNKNOWN and _UNAVAILABLE.search(normalise(words)):
        # Ambiguous by RFC 5321; in measurements it mostly means a missing mailbox.
        reason = Reason.REFUSED if subject not in ("", "0", "1", "2", "5") else Reason.ADDRESS
    if reason is Reason.ADDRESS:
        return _STATUSES[code] if code in _CONTRADICTIONS else reason
    if reason is Reason.DOMAIN:
        return Reason.ADDRESS if code in _DOMAIN_STATUSES else reason
    if reason is not Reason.UNKNOWN:
        return reason
    if code in _ADDRESS_STATUSES:
        return Reason.ADDRESS
    return _STATUSES.get(code) or _STATUS_SUBJECTS.get(subject, Reason.UNKNOWN)
