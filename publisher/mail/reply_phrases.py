"""Words of mail servers about one mailbox, in the languages of bounce collections.

Sources: the rule sets of Sisimai, KumoMTA, flufl.bounce and PHP Bounce Handler, and the postmaster pages of
large providers. The patterns match text as `publisher.mail.replies.normalise` returns it.
"""

from __future__ import annotations

import re
from typing import Final

#: The address does not exist, or the mailbox is closed for good.
ADDRESS_PHRASES: Final = (
    # "no such user", "unknown or illegal alias", "invalid recipient", "disabled recipient address"
    re.compile(
        r"\b(?:no such|unknown|invalid|wrong|non ?existent|inexistent|bad|illegal|incorrect|unrecogni[sz]ed"
        r"|undeliverable|unroute?able|inactive|disabled|deactivated|closed|expired|terminated|obsolete)(?:"
        r" (?:or|and|unknown|illegal|inactive|invalid|disabled|local|virtual|destination|recipient|envelope|e"
        r"|email|mail|rcpt|to)){0,4} (?:user|user ?name|userid|account|mail ?box|mail box|recipient|addressee"
        r"|address|local part|person|id|alias|mail drop|customer)\b"
    ),
    # "user unknown", "the email account that you tried to reach does not exist", "mailbox not found"
    re.compile(
        r"\b(?:user|user ?name|userid|account|mail ?box|mail box|recipient|addressee|address|rcpt|alias"
        r"|local part|customer|person)(?: that you (?:tried|are trying) to (?:reach|contact)| you"
        r" (?:are trying|were trying|tried) to (?:reach|contact)| name| id| address| e ?mail)?(?: (?!(?:server"
        r"|mta|host|domain|message|mail|connection|system|mx|list|certificate)\b)\w+){0,2}?(?: (?:is|was|are"
        r"|were|has|have|had|been|apparently|either)){0,3} (?:unknown|invalid|inexistent|non ?existent"
        r"|unrecogni[sz]ed|undeliverable|inactive|disabled|deactivated|closed|terminated|deleted|removed"
        r"|discontinued|retired|expired|wrong|not activated|not a member of domain|(?:does|do|did|could) not"
        r" (?:be found|exist)|doesnt exist|dont exist|not (?:be )?(?:found|known|recogni[sz]ed|valid|exists?"
        r"|existing|present|active|a (?:valid|known|local|registered)|our|in (?:the )?directory|listed in"
        r" (?:the )?(?:public|directory))|no longer (?:valid|active|exists?|in use|used|on (?:this "
        r"|the )?server|accepts|with|a customer|monitored)|isnt (?:valid|known|active))\b"
    ),
    # Tables and codes of qmail, Exchange, Yahoo, vpopmail
    re.compile(
        r"\bbad ?rcpt ?to\b|\bbad ?recipient ?to\b|\bvalid ?rcpt ?to list\b|\brecip(?:ient)? ?not ?found\b"
        r"|\buser ?unknown\b|\bunknown ?user\b|\bdisableduser\b|\baddress not found\b"
        r"|\bdoesnt have an? (?:\w+ )?account\b|\bdoes not have an? (?:\w+ )?account\b"
        r"|\bno (?:account|mail ?box|mail box|user|person|one|one here) (?:by|with|at|of|available for|here"
        r"|found|exists)\b|\bnobody (?:here )?by\b"
        r"|\bnot (?:a |our )(?:known |valid |local )?(?:user|customer|mailbox|recipient)\b"
        r"|\bnot a (?:local|valid|known|working) (?:e ?mail )?address\b|\bis a deactivated mailbox\b"
        r"|\bthis (?:e ?mail )?address (?:no longer|does not exist|is (?:not|no longer))\b"
        r"|\bnot known at this\b|\bnot known here\b"
        r"|\b(?:cannot|can not|could not|unable to) (?:find|verify) (?:this |the |alias |that )?(?:user"
        r"|mailbox|recipient|account|alias)\b"
        r"|\b(?:does not exist|doesnt exist|not exist) (?:here|in this|on this|at this)\b"
        r"|\bno longer an employee\b|\bhas (?:moved|left) (?:to|the company)\b|\bhas been replaced by\b"
        r"|\bdoesnt handle mail for that user\b"
        r"|\b(?:blocked|disabled|closed|expired) (?:due to|for|because of) (?:\w+ ){0,2}inactivity\b"
    ),
    # German, Dutch, Scandinavian, Finnish
    re.compile(
        r"\b(?:empfanger\w*|adressat|benutzer\w*|mailbox|postfach|(?:e ?mail ?)?adresse|konto)"
        r" (?:\w+ ){0,2}(?:unbekannt|nicht (?:gefunden|bekannt|vorhanden)|existiert nicht|ungultig|deaktiviert"
        r"|geloscht)\b|\b(?:unbekannter?|ungultiger?) (?:empfanger\w*|benutzer\w*|adressat|adresse)\b"
        r"|\bkein (?:solcher )?(?:benutzer|empfanger|postfach)\b"
        r"|\b(?:gebruiker|ontvanger|adres|geadresseerde|postvak) (?:is )?(?:onbekend|bestaat niet|ongeldig"
        r"|niet gevonden)\b|\bonbekende (?:gebruiker|ontvanger)\b"
        r"|\b(?:anvandaren|mottagaren|adressen|kontot|brukeren|mottakeren|kontoen|brugeren|modtageren)"
        r" (?:finn?s|findes|finnes|existerar|eksisterer|ar|er) (?:inte|ikke|okand|ukjent|ukendt)\b"
        r"|\b(?:okand|ukjent|ukendt) (?:anvandare|mottagare|bruker|mottaker|bruger|modtager)\b"
        r"|\btuntematon (?:kayttaja|vastaanottaja|osoite)\b"
    ),
    # French, Spanish, Portuguese, Italian, Romanian, Catalan
    re.compile(
        r"\b(?:utilisateur|destinataire|adresse(?: e ?mail)?|boite(?: aux lettres)?|compte)(?: (?:du"
        r"|d au moins un) destinataire| destinataire)? (?:est )?(?:\w+ )?(?:inconnue?|inexistante?|invalide"
        r"|desactivee?|supprimee?|n existe (?:pas|plus)|nexiste (?:pas|plus))\b"
        r"|\b(?:usuario|destinatario|cuenta|buzon|casilla|direccion|utente|indirizzo|casella|conta"
        r"|caixa postal|endereco|usuari|utilizator|destinatar|adresa)(?: (?:de|di|do|da) (?:correo|posta|email"
        r"|e mail)| e ?mail| electronica?)?(?: (?:\w+ )?(?:es|esta|e|este))? (?:desconocid[oa]|no (?:existe"
        r"|encontrad[oa]|valid[oa])|inexistente?|inexistenta|inesistente|invalid[oa]?|inactiv[oa]"
        r"|desactivad[oa]|cancelad[oa]|eliminad[oa]|desconhecid[oa]|nao (?:existe|encontrad[oa])|desativad[oa]"
        r"|sconosciut[oa]|non (?:esiste|trovat[oa]|valid[oa])|errat[oa]|disattivat[oa]|disabilitat[oa]"
        r"|necunoscuta?|nu exista|desconegut)\b"
        r"|\bno existe (?:ese|el|la|dicha|dicho|este|esta|un) (?:usuario|persona|buzon|destinatario|cuenta"
        r"|direccion)\b|\bnessun utente\b"
    ),
    # Polish, Czech, Slovak, Hungarian, Turkish, Croatian
    re.compile(
        r"\bnie ma takiego (?:konta|uzytkownika|adresu|adresata)\b"
        r"|\b(?:konto|adres|uzytkownik|odbiorca|adresat|skrzynka) (?:\w+ )?nie istnieje\b"
        r"|\bnieznany (?:uzytkownik|odbiorca|adresat)\b"
        r"|\b(?:uzivatel|prijemce|schranka|adresa|ucet|pouzivatel) (?:neexistuje|nenalezen|nebyl nalezen)\b"
        r"|\bneznamy (?:uzivatel|prijemce|adresat)\b|\bismeretlen (?:felhasznalo|cimzett|cim)\b"
        r"|\b(?:nincs ilyen|nem letezo) (?:felhasznalo|cim|postafiok|cimzett|fiok)\b"
        r"|\b(?:kullanici|alici|adres|hesap|posta kutusu) (?:bulunamadi|bilinmiyor|mevcut degil|yok"
        r"|gecersiz)\b|\bboyle bir (?:kullanici|adres|hesap) yok\b"
        r"|\b(?:korisnik|primatelj) (?:ne postoji|nepoznat)\b"
    ),
    # Russian, Ukrainian
    re.compile(
        r"\b(?:пользовател[ья]|получател[ья]|адресат|адрес|(?:почтовый )?ящик|аккаунт) (?:\w+ )?(?:не"
        r" (?:найден|существует|зарегистрирован)|неизвестен|удал[её]н|отключ[её]н)\b"
        r"|\b(?:нет такого|такого|неизвестный) (?:пользователя|адреса|адресата|получателя|ящика|пользователь"
        r"|получатель|адресат)\b|\b(?:користувач\w?|одержувач\w?|адрес\w?) не (?:знайден\w+|існує)\b"
    ),
    # Chinese, Japanese, Korean
    re.compile(
        r"(?:用户|用戶|收件人|收件者|邮箱|邮件地址|信箱|郵箱|帐户|帐号|账户|账号|帳號|帳戶|地址) ?(?:不存在|未找到|无效|無效|已注销|已停用|已禁用)"
        r"|(?:无此|無此|没有此|不存在的) ?(?:用户|用戶|邮箱|收件人|帐号)|查无此人|查無此人"
        r"|(?:ユーザー?|宛先|受信者|アドレス|メールボックス|アカウント)[^。]{0,20}(?:存在しません|見つかりません|存在しない|不明)"
        r"|(?:존재하지 않는|없는) (?:사용자|계정|수신자|메일|주소)|(?:사용자|계정|수신자)[^.]{0,6}(?:존재하지|찾을 수)"
    ),
)

#: The mailbox is full. It may have room again tomorrow.
FULL_PHRASES: Final = (
    re.compile(
        r"\b(?:mail ?box|mail box|inbox|account|user|mail ?folder|maildir|recipient|mail system|disk|storage)"
        r" (?:\w+ ){0,3}(?:is )?(?:full|overquota)\b|\bfull mail ?box\b|\bover ?quota\w*"
        r"|\bover (?:the |its |their |disk |the allowed )?quota\b|\bquota\w*\b|\bshutoffquota\w*"
        r"|\bexceed\w* (?:\w+ ){0,4}(?:storage|space|mailbox)\b"
        r"|\b(?:storage|space|mail ?box|mail box|mailbox size) (?:\w+ ){0,2}(?:exceed\w*|limit|exhausted"
        r"|used up|full)\b|\bout of (?:storage|space|disk)"
        r"|\b(?:insufficient|not enough|not sufficient|no|lack of) (?:\w+ )?(?:storage|space|disk)\b"
        r"|\bspace left on device\b|\bspace has been used up\b|\bexhausted (?:\w+ ){0,2}(?:storage|space)"
        r"|\btoo many messages (?:on|in)\b|\bzu ?viele mails\b|\btoo much mail data\b|\breceiving limits\b"
        r"|\bblocks limit exceeded\b|\b(?:postfach|mailbox|konto)\w* (?:\w+ ){0,2}(?:voll|uberfullt|vol)\b"
        r"|\bspeicherplatz\b|\bkontingent\b|\b(?:boite|bal) (?:\w+ ){0,4}(?:pleine|saturee)\b"
        r"|\b(?:buzon|casilla|cuenta|bandeja) (?:\w+ ){0,3}llen[oa]\b|\bcuota\b|\bcota\b"
        r"|\bcaixa (?:\w+ ){0,3}(?:cheia|lotada)\b|\bcasella (?:\w+ ){0,3}(?:piena|satura)\b"
        r"|\bpostbus (?:\w+ )?vol\b|\bskrzynka (?:\w+ ){0,2}(?:pelna|zapelniona|przepelniona)\b"
        r"|\bschranka (?:\w+ )?plna\b|\bposta kutusu (?:\w+ )?dolu\b"
        r"|ящик[а-я]{0,8} (?:\w+ )?(?:переполнен|заполнен|полон)|\bквот\w+"
        r"|(?:邮箱|信箱|郵箱|空间|空間|容量)[^。]{0,8}(?:已满|已滿|不足|超)|容量[^。]{0,10}(?:超|オーバー|不足)|いっぱい|용량"
    ),
)

#: The mailbox or the server does not take mail now. A mailbox that is suspended or locked may open again.
LATER_PHRASES: Final = (
    re.compile(
        r"\btemp(?:oraril?y|orary|fail|orar\w*|oraire\w*)\b|\btransient\b"
        r"|\b(?:try|retry|come back|attempt)(?: it| this| your message)? (?:again )?(?:later|tomorrow|soon"
        r"|after|in \w+ (?:minutes|hours|seconds))\b|\btry later\b|\bagain later\b|\b(?:grey|gray) ?list\w*"
        r"|\bdeferr?ed\b|\bnot currently\b"
        r"|\bcurrently (?:not|unavailable|suspended|disabled|unable|blocked|full)\b|\bis currently\b"
        r"|\b(?:suspended|suspend|locked|frozen|on hold|archived|archivee)\b"
        r"|\baccount (?:is |has been |was )?blocked\b|\bbesetzt\b|\bgesperrt\b"
        r"|\b(?:bloque|bloquee|bloccat[oa]|bloqueado|bloqueada)\b|\bzablokowane\b|заблокирован"
        r"|(?<!name )\b(?:server|service|system|host|resources?) (?:\w+ ){0,3}(?:busy|overload\w*|unavailable"
        r"|not available|down|error|problem|load)\b|\b(?:server|system|too) busy\b"
        r"|\b(?:local|internal|configuration|system config|lookup|database|ldap|write|queue)"
        r" (?:\w+ ){0,2}(?:error|failure|problem|failed|fail)\b|\bmaintenance\b|\btime ?out\b|\btimed out\b"
        r"|\bcould ?nt (?:create|open|write|lock)\b|\bexpired connection\b"
        r"|\b(?:message|delivery|delivery time|queue) (?:has )?expired\b|\bin (?:the )?queue too long\b"
        r"|\bconnection (?:\w+ )?(?:refused|reset|dropped|lost|closed)\b|\blost connection\b"
        r"|\b(?:delivery )?attempts will continue\b|\bdelayed\b|\bnumerous attempts\b"
        r"|\bfailing for a long time\b|\bplus tard\b|\bulterieurement\b|\bspater (?:erneut|noch|wieder)\b"
        r"|\bspater\b|\bmas tarde\b|\bmais tarde\b|\bpiu tardi\b|\bpozniej\b|\bвременно\b|\bпозже\b|暂时|暫時|稍后"
        r"|稍後|一時的|後ほど|나중에|일시적"
    ),
)
