"""Words for subscription states, in column names and in values. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from publisher.model.subscriptions import SubscriptionState

#: An inactive state, with the reason of a suppression.
InactiveState = tuple[SubscriptionState, str | None]

UNSUBSCRIBED: Final[InactiveState] = (SubscriptionState.UNSUBSCRIBED, None)
UNCONFIRMED: Final[InactiveState] = (SubscriptionState.UNCONFIRMED, None)
#: Reasons of a suppression, the strongest first.
REASONS: Final = ("complained", "asked", "bounced")

#: Folded words for inactive states, in the order of safety: the first match decides.
_INACTIVE_WORDS: Final[tuple[tuple[re.Pattern[str], InactiveState], ...]] = (
    (
        re.compile(r"complain|\bspam\b|isspam|spam (?:report|complaint)|\babuse|\bjunk\b|beschwerde|\bplainte|\bqueja"),
        (SubscriptionState.SUPPRESSED, "complained"),
    ),
    (
        re.compile(
            r"black ?list|block ?list|deny ?list|suppression|suppressed|blocked|blockiert|gesperrt|"
            r"\bsperr|bloque|bloccat|geblokkeerd|\bbann?ed\b|\bspammy\b"
        ),
        (SubscriptionState.SUPPRESSED, "asked"),
    ),
    (
        re.compile(
            r"bounc|undeliver|unzustell|\brebond|rebotad|\brebote|rimbalz|\bclean(?:ed)?\b|bereinigt|nettoye|"
            r"\binvalid|unreachable|mailbox not found"
        ),
        (SubscriptionState.SUPPRESSED, "bounced"),
    ),
    (
        re.compile(
            r"unsub|opt(?:ed|s)? ?out|do ?not ?(?:e ?mail|mail|contact|send|disturb)|\bno ?(?:e ?)?mails?\b|"
            r"\b(?:not|non|never|nicht|no|niet|nao|pas|is ?not) ?(?:subscri|activ|aktiv|actif|abonn|angemeld|inscrit|suscri|"
            r"iscritt|inscrito|ingeschrev|aangemeld|enabled|opted|accept|consent|mailable|allowed)|"
            r"delet|\bremov|\berase|gelosch|losch|supprim|efface|eliminad|eliminat|borrad|verwijder|excluid|apagad|"
            r"disabl|deactiv|deaktiv|desactiv|disattiv|inactiv|inaktiv|inactif|inattiv|inativ|\bexpelled|"
            r"abgemeld|abmeld|abbestell|ausgetrag|\baustrag|gekundig|\bkundig|widerruf|ausgeschlossen|"
            r"desabon|desinscri|resilie|annule|desuscri|desubscri|dado de baja|\bbaja\b|anulad|cancel|\bstop|"
            r"disiscri|disdett|revocat|uitgeschrev|afgemeld|descadastr|avregistr|avmeld|afmeld|wypisan|odhlas|"
            r"withdr[ae]w|revok|\bexclu(?:de|ded)\b|\brefus|\breject|\barchived\b|trash|\bleft\b|\bquit\b|\bdeparted\b|"
            r"\bdropped\b|\bgone\b|\bresigned\b|\bunfollow|\bheld\b|on hold|\bdenied\b|\bwithheld\b|\bformer\b|"
            r"suspend|terminat|quarantin|\bmuted?\b|\bdeceased|verstorben|\bdecede|fallecid|anonymi[sz]|\bdnc\b|werbesperr|"
            r"\baustritt|\bausgetreten|\bnever ?(?:e ?)?mail\b|\bno thanks?\b|отпис|退订|取消订阅|配信停止|購読解除|διαγρα"
        ),
        UNSUBSCRIBED,
    ),
    (
        re.compile(
            r"un ?confirm|un ?verif|un ?activat|un ?validat|\b(?:not|non|never|nicht|no|niet|is ?not) ?(?:yet )?"
            r"(?:confirm|verif|validat|bestat|bevestig)|pending|awaiting|waiting|validating|unbestat|ausstehend|"
            r"en attente|pendiente|in attesa|pendente|needs? confirmation"
        ),
        UNCONFIRMED,
    ),
)
#: Whole values that mean an inactive state in any column, notes and groups included.
_PLAIN_ANYWHERE: Final = re.compile(
    r"(?:is |has |email |e mail |hard |soft )?(?:unsub(?:scribed?)?|opted out|opt out|optout|do not e ?mail|un ?confirmed|"
    r"(?:not|never|non) ?(?:subscribed|confirmed)|bounced|hard bounce|complained|spam complaint|black ?listed|"
    r"block ?listed|suppressed|abgemeldet|ausgetragen|abbestellt|desabonnee?|desinscrite?|desuscrit[oa]|dado de baja|"
    r"disiscritt[oa]|uitgeschreven|afgemeld|descadastrad[oa]|opt ?outs|no ?mail)"
)
#: A part of each of these values, to skip most values of a list quickly.
_HINT: Final = re.compile(
    "unsub|opt|mail|confirm|subscr|bounce|complain|list|suppress|abgem|ausge|abbes|desab|desin|desus|baja|disis|"
    "uitge|afgem|descad",
    re.IGNORECASE,
)
_ACTIVE: Final = re.compile(
    "active|activated|subscribed|subscriber|enabled|confirmed|verified|granted|accepted|express|explicit|"
    "optin|opted in|opt in|double opt in|confirmed opt in|single opt in|active subscriber|"
    "aktiv|aktiviert|abonniert|angemeldet|eingetragen|bestatigt|actif|abonnee?|inscrite?|confirmee?|"
    "activ[oa]|suscrit[oa]|confirmad[oa]|attiv[oa]|iscritt[oa]|confermato|actief|ingeschreven|aangemeld|bevestigd|"
    "ativo|inscrit[oa]"
)
#: Kinds of subscriptions that get mail, free or paid.
_ACTIVE_TYPE: Final = re.compile(
    "regular|premium|free|paid|comp(?:ed|limentary)?|gift(?:ed)?|founding|lifetime|trial(?:ed|ing)?"
)

_PAYMENT: Final = re.compile(
    r"\b(?:payments?|paid|paying|plans?|stripe|billing|prices?|tiers?|invoices?|orders?|revenue|renewal|interval|"
    r"expir\w*|periods?|trial\w*|mrr|complimentary|purchas\w*|premium|checkout|gift)\b"
)
#: The end of a subscription, paid or by mail.
_END: Final = re.compile(r"subscri\w{0,12} end(?:s|ed)?\b|\bend of subscri")
#: Columns about payment in a list of paid subscriptions, and about mail in any other.
_ACTIVE_SUBSCRIPTION: Final = ("active subscription", "subscription active")
#: Channels other than mail, and consent to something other than mail.
_OTHER_CHANNEL: Final = re.compile(
    r"\b(?:sms|phones?|mobile|whats ?app|push|telephone|telefon|telefono|text messag\w*|postal|fax|track\w*|rcs|cookies?)\b"
)
_OTHER_STATUS: Final = re.compile(r"\b(?:marital|civil|employment|relationship|familienstand|immigration|http)\b")
_EMAIL: Final = re.compile(r"\be ?mails?\b|\bnewsletters?\b")
_LINK: Final = re.compile(r"\b(?:urls?|uris?|links?|href|tokens?|hash|keys?|pages?)\b")
_STATUS: Final = re.compile(r"status(?:es)?\b|\bstatut\b|\bzustand\b|\bстатус\b|\b状态\b|\bステータス\b|\bκατασταση\b")
#: When, where and why a status was set.
_ABOUT_STATUS: Final = re.compile(
    r"\b(?:date|time|timestamp|datum|fecha|changed|updated|since|seit|depuis|source|method|ip)\b|\b(?:at|on|am)$"
)
#: ``state`` can also be part of a postal address.
_STATE: Final = re.compile(r"\b(?:state|estado|stato|etat)\b")
_STATE_OF_LISTS: Final = re.compile(r"subscri|abonn|\blists?\b|consent|e ?mail|suscri|iscri|newsletter")
_TYPE: Final = re.compile(r"\b(?:type|typ|tipo|kind)\b")
_SUBSCRIPTION: Final = re.compile(r"subscri|abonn|suscri|iscri")
_POSITIVE: Final = re.compile(
    r"subscri(?!ber)|subscript|^(?:is )?subscribers?$|abonn(?!ent)|angemeld|\banmeld|inscri|\bsuscri|\biscri|ingeschrev|"
    r"aangemeld|opt(?:ed|s)? ?in\b|consent|einwillig|zustimm|permission|\bpermiso|accept|\bagreed?\b|enabl|aktivier|"
    r"habilitad|deliverab|zustellbar|\b(?:is ?)?(?:active|activated|aktiv|actif|activo|activa|attivo|attiva|actief|ativo)\b(?! (?:campaigns|deals|days|tickets|lists|segments))|"
    r"^(?:(?:is|has|e ?mail) )*valid(?: e ?mail)?$|\ballow(?:ed|s)?\b|mailable|contactable|\bmail ok\b|\bok to e ?mail|\bcan e ?mail|\bsignup\b|\bsign(?:ed)? up\b"
)
_CONFIRMED: Final = re.compile(
    r"confirm|bestat|verif|bevestig|\bconferm|double ?opt ?in|double ?opt\b|\bdoi\b|validated\b|activation\b"
)
#: Words for inactive states that mean something else in longer names: "bus stop", "waiting list".
_WEAK: Final = re.compile(
    r"\b(?:stop\w*|left|quit|gone|dropped|trash\w*|waiting|pending|held|former|resigned|removal|cleaned?|junk|abuse)\b"
)
_WEAK_NAME: Final = re.compile(
    r"(?:(?:is|has|was|list|mail|e ?mail|mailing|subscription|date|reason) )*" + _WEAK.pattern
    + r"(?: (?:at|on|by|date|time|reason|status|campaign (?:id|title)|confirmation|opt ?in))*"
)  # fmt: skip
#: Measures: a part of one is not an inactive state.
_MEASURE: Final = re.compile(r"\b(?:score|rates?|ratio|probability|percent(?:age)?|risk)\b")
#: Actions on mail, which are counted.
_COUNTED: Final = re.compile(r"\b(?:open\w*|deliver\w*|sent|sends?|click\w*|read|repl\w*|revenue|segment\w*|average)\b")
#: Columns in which yes and no mean consent; other values, such as a newsletter's name, do not.
_WANTS_MAIL: Final = re.compile(
    r"\bnewsletters?\b|\bmailings?\b|\bmarketing\b|\breceives?\b|\bwants?\b|\bemailings?\b|\bnotifications?\b|"
    r"\binfolettre\b|\bboletin\b|\be ?mail (?:frequency|preferences?)\b"
)
_DATE: Final = re.compile(
    r"\b(?:date|time|timestamp|fecha|data d[ei]|since|seit|depuis|desde|created|updated|changed|last|when)\b|"
    r"(?:datum|zeit|zeitpunkt)\b|\b(?:at|on|am|le|el)$"
)
#: Circumstances of a subscription, which do not say whether it is active.
_CIRCUMSTANCE: Final = re.compile(
    r"\b(?:ip|ips|source|method|origin|referr?ers?|referring|country|city|region|location|lat|lng|latitude|longitude|"
    r"language|locale|ids?|uuid|guid|count|number|total|text|version|by|campaign|channel|medium|form|proof|evidence|"
    r"name|browser|agent|code|days|quelle|herkunft|basis|type)\b"
)


class ColumnKind(Enum):
    """The meaning of a column's values, by the column's name."""

    #: Unrelated: only a value that plainly names an inactive state counts.
    OTHER = auto()
    #: Not about mail: text messages, telephone, tracking.
    OTHER_CHANNEL = auto()
    #: A payment, which does not decide about mail; otherwise as :attr:`OTHER`.
    PAYMENT = auto()
    #: Any value except no, zero and nothing means inactive.
    INACTIVE = auto()
    #: As :attr:`INACTIVE`, but a word such as "subscribed" means active.
    INACTIVE_STATUS = auto()
    #: Yes means subscribed.
    SUBSCRIBED = auto()
    #: Yes, or a date, means confirmed.
    CONFIRMED = auto()
    #: A word for the state.
    STATUS = auto()
    #: A word for the state, or part of a postal address.
    STATE = auto()
    #: A word for the state, or the kind of a subscription.
    TYPE = auto()
    #: Yes or no, or the name of a newsletter.
    WANTS_MAIL = auto()
    #: When, where or how a person subscribed.
    CIRCUMSTANCE = auto()


@lru_cache(maxsize=8192)
def fold_words(text: str) -> str:
    """Return the words of a text: lower case, no accents or punctuation, single spaces."""
    if not text.isascii():
        text = "".join(char for char in text if unicodedata.category(char) != "Cf")
        text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text).casefold()
    return " ".join(re.sub(r"[\W_]+", " ", text).split())


def match_inactive_state(words: str) -> InactiveState | None:
    """Return the inactive state that folded words name; None for none."""
    return next((state for pattern, state in _INACTIVE_WORDS if pattern.search(words)), None)


def may_be_inactive_state(value: str) -> bool:
    """Return False, quickly, if `match_plain_inactive_state` would return None."""
    return not value.isascii() or _HINT.search(value) is not None


@lru_cache(maxsize=8192)
def match_plain_inactive_state(value: str) -> InactiveState | None:
    """Return the inactive state that a value plainly names, in an unrelated column."""
    words = fold_words(value)
    return match_inactive_state(words) if _PLAIN_ANYWHERE.fullmatch(words) else None


def is_active_word(words: str) -> bool:
    """Return whether folded words mean active."""
    return bool(_ACTIVE.fullmatch(words))


def is_active_type(words: str) -> bool:
    """Return whether folded words name a kind of subscription that gets mail, free or paid."""
    return is_active_word(words) or bool(_ACTIVE_TYPE.fullmatch(words))


def has_payment_columns(names: Iterable[str]) -> bool:
    """Return whether these are the columns of a list of paid subscriptions."""
    return any(_is_payment(name) for name in names)


@lru_cache(maxsize=4096)
def _is_payment(name: str) -> bool:
    words = fold_words(name)
    return bool(_PAYMENT.search(words)) or words == "email disabled"


@lru_cache(maxsize=4096)
def column_kind(name: str, *, is_paid_list: bool) -> tuple[ColumnKind, InactiveState | None]:
    """Return the kind of a column, and for an inactive kind the state of its people.

    ``is_paid_list`` is the result of :func:`has_payment_columns` for the list.
    """
    words = fold_words(name)
    if _OTHER_CHANNEL.search(words) and not _EMAIL.search(words):
        return ColumnKind.OTHER_CHANNEL, None
    left = _named_inactive_state(words)
    about_payment = bool(_PAYMENT.search(words)) or (
        is_paid_list and (words in _ACTIVE_SUBSCRIPTION or bool(_END.search(words)))
    )
    if about_payment and (left is None or re.search(r"cancel|refus|\bheld\b|\bend", words)):
        return ColumnKind.PAYMENT, None
    if left is not None:
        if _LINK.search(words):
            return ColumnKind.OTHER, None
        return ColumnKind.INACTIVE_STATUS if _STATUS.search(words) else ColumnKind.INACTIVE, left
    return _kind(words), None


def _named_inactive_state(words: str) -> InactiveState | None:
    """Return the inactive state that the name of a column means; None for none."""
    rest = _WEAK.sub("", words)
    is_about_mail = any(pattern.search(rest) for pattern in (_POSITIVE, _CONFIRMED, _WANTS_MAIL, _EMAIL))
    left = match_inactive_state(words) if is_about_mail or _WEAK_NAME.fullmatch(words) else match_inactive_state(rest)
    if left is None:
        return UNSUBSCRIBED if _END.search(words) else None
    return UNSUBSCRIBED if _MEASURE.search(words) else left


def _kind(words: str) -> ColumnKind:
    if _STATUS.search(words) and not _OTHER_STATUS.search(words):
        return ColumnKind.CIRCUMSTANCE if _ABOUT_STATUS.search(words) else ColumnKind.STATUS
    if _STATE.search(words) or words in ("type", "kind"):
        return ColumnKind.STATUS if _STATE_OF_LISTS.search(words) else ColumnKind.STATE
    if _TYPE.search(words) and _SUBSCRIPTION.search(words):
        return ColumnKind.TYPE
    is_circumstance = bool(_CIRCUMSTANCE.search(words) or _LINK.search(words))
    if _CONFIRMED.search(words):
        kind = ColumnKind.CONFIRMED
    elif _POSITIVE.search(words):
        kind, is_circumstance = ColumnKind.SUBSCRIBED, is_circumstance or bool(_DATE.search(words))
    else:
        wants_mail = _WANTS_MAIL.search(words) and not (
            is_circumstance or _DATE.search(words) or _COUNTED.search(words)
        )
        return ColumnKind.WANTS_MAIL if wants_mail else ColumnKind.OTHER
    return ColumnKind.CIRCUMSTANCE if is_circumstance else kind
