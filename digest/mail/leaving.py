"""Whether what a person wrote asks to leave, and for nothing else.

The words that ask, and those that may stand around them, are listed; a sentence with any other word
("not", "how", the name of a keyword) is no such request, and a person reads it.
"""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

LOOKED_AT = 20_000
"""Characters of a text, and of its markup, that are looked at: a request stands at the beginning.
"""


def _plain(text: str) -> str:
    """A text in small letters without accents, in which all apostrophes are one."""
    folded = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold()
    return "".join(c for c in folded if unicodedata.category(c) not in ("Mn", "Cf"))


_ASKING = _plain(r"""
un-?subscribe|unsub|unsubscription|opt[- ]?out|opt me out|be (?:unsubscribed|removed|taken off)
sign me off|signoff|stop(?: sending| mailing| e-?mailing)?|no more (?:e-?mails?|mails?|digests?)
(?:remove|delete) (?:me|my (?:e-?mail ?)?(?:address|name)?)|cancel (?:my|the|this) subscription
take (?:me|my (?:e-?mail ?)?(?:address|name)?) off
(?:no longer|don't|do not) (?:want|wish) to (?:receive|get|be on)
abmelden|abmeldung|abbestellen|abbestellung|austragen|(?:abo|abonnement) kündigen
(?:melden|tragen|nehmen|streichen|löschen|entfernen) sie mich|(?:meldet?|nehmt|nimm|lösch) mich
mich (?:löschen|entfernen|streichen)|keine (?:weiteren )?(?:e-?mails?|mails?|digests?)
dés(?:abonn|inscri)\w*|retire[zr]?-moi|annuler mon abonnement
ne (?:veux|souhaite|désire) plus (?:recevoir|être)
(?:d\w{1,8} de )?baja|desuscri\w+|desinscri\w+|cancelar (?:mi |la )?suscripción
no (?:quiero|deseo) (?:recibir más|más)
disiscri\w+|cancella(?:temi|mi)|(?:cancellare|annulla(?:re)?) (?:la mia )?iscrizione|cancellazione
rimuovetemi|non (?:voglio|desidero) più ricevere
descadastr\w+|cancelar (?:a )?(?:minha )?(?:inscrição|assinatura|subscrição)
não (?:quero|desejo) mais receber
afmelden|uitschrijven|uitschrijving|schrijf (?:me|mij) uit|meld (?:me|mij) af
abonnement opzeggen|avregistrera|avanmäl\w*|avprenumerera|avmelde?|meld meg av|afmeld|frameld
wypis(?:z|ać|anie)|odhlás(?:it|te)|odhlášení|leiratkoz\w*|dezabon\w+|απεγγραφή|διαγραφή
отпи(?:саться|сать|шите|ска)|отменить подписку|відпи(?:сатися|шіть)
abonelikten çık\w*|aboneliği\w* iptal\w*|listeden çıkar\w*|hủy đăng ký|berhenti berlangganan
إلغاء الاشتراك|لغو اشتراک
""")
_ASKING_EAST = _plain(r"""
退订 退訂 取消订阅 取消訂閱 配信停止 配信を停止 配信解除 購読解除 購読停止 購読を解除 登録解除
登録を解除 退会 구독\s?취소 구독\s?해지 수신\s?거부
""")
_AROUND = _plain("""
please pls plz kindly just simply now immediately asap hi hello hey dear sir madam team all i i'd
id want wish would like to me my mine from of off on this that these those the your any future
further and arxiv daily digest digests paper papers mailing email emails e-mail e-mails mail mails
list lists mailinglist newsletter newsletters address subscription service update updates alert
alerts notification notifications message messages receive receiving sending you thanks thank many
best regards can could will it anymore
bitte ich möchte will würde gern gerne mich mir uns hiermit von vom aus dem der den die das diese
diesem dieser diesen ihrem ihrer liste mailingliste verteiler adresse e-mail-adresse meine meiner
mehr ab erhalten bekommen hallo guten tag morgen danke vielen dank können könnten kannst du sie
merci de me m moi vous veuillez s'il plait plaît svp stp je j'aimerais voudrais veux souhaite désire
la le les l d cette ce ces votre vos des liste diffusion courriel courriels messages mon adresse
bonjour recevoir pouvez pourriez
por favor quiero quisiera deseo lista esta este estos su sus correo correos electrónico mi dirección
gracias hola podría puede los
per favore vorrei voglio dalla dal questa mia posta indirizzo grazie buongiorno salve potete
potreste quero gostaria da desta minha meu endereço obrigado obrigada olá você pode poderia
graag alstublieft aub mij deze nieuwsbrief lijst bedankt kunt u kun je
tack vänligen mig från denna venligst meg fra denne takk
proszę mnie z listy dziękuję prosím tohoto seznamu děkuji kérem köszönöm
пожалуйста прошу меня от рассылки этой я хочу спасибо здравствуйте будь ласка мене від розсилки
lütfen beni bu teşekkürler من فضلك شكرا أريد
""")
_AROUND_EAST = _plain("""
请 請 帮 幫 我 谢谢 謝謝 多谢 您好 你好 麻烦 麻煩 想 要 此 这 這 该 該 本 个 個 的 了 吧 一下
邮件 郵件 邮箱 列表 订阅 訂閱 お願いいたします お願い致します お願いします お願い してください
して下さい ください 下さい します です 希望 を の から こちら この メール 今後
ありがとうございます 해주세요 부탁드립니다 부탁합니다 합니다 요청 이메일 메일 감사합니다
안녕하세요
""")
_GREETINGS = _plain("""
hi|hello|hey|dear|greetings|good (?:morning|day|evening)|hallo|liebe[rs]?|guten (?:tag|morgen)|moin
sehr geehrte[rs]?|bonjour|madame|monsieur|hola|buen[oa]s (?:dias|tardes)|estimad[oa]s?|buongiorno
salve|ciao|olá|bom dia|boa tarde|beste|geachte|hej|dzień dobry|dobrý den|здравствуйте|добрый день
merhaba|您好|你好|こんにちは|안녕하세요
""")


def _any_of(patterns: str, syllables: str) -> str:
    """Matches the words, each whole, and the syllables of languages that write no blanks."""
    words = patterns.strip().replace("\n", "|")
    east = "|".join(sorted(syllables.split(), key=len, reverse=True))
    return rf"(?:(?<!\w)(?:{words})(?!\w)|{east})"


_ASKS = _any_of(_ASKING, _ASKING_EAST)
_FILLER = _any_of("|".join(map(re.escape, _AROUND.split())), _AROUND_EAST)
_GREETING = re.compile(
    rf"(?:{_GREETINGS.strip().replace(chr(10), '|')})(?:[ \t]+[^\s,.!:]+){{0,4}}[ \t]*[,.!:\n]\s*"
)
_GOES_ON = re.compile(rf"[ \t]*\n[ \t]*(?={_ASKS}|{_FILLER})")
_THANKS = re.compile(
    r"[,\-–—][ \t]*(?:thanks|thank you|thx|best|regards|cheers|danke|merci|gracias|grazie|obrigado)"
    r"(?:[ \t,]+[^\s,]+){0,3}[ \t]*$"
)
_QUESTION_TO_US = re.compile(
    r"\b(?:(?:can|could|would|will) you|konn(?:t?en) sie|kannst du|pou(?:vez|rriez)[- ]vous"
    r"|podrias?|puedes?|potete|potreste|poderia|pode|kunt u|kun je)\b"
)
_QUOTATION = re.compile(
    r"(?:(?:(?!>)[^\n]{1,200}\n){0,2}(?!>)[^\n]{1,200}:\s*\n(?=>))?(?:>[^\n]*(?:\n\s*|$))+"
)
"""A quotation with the line or lines that introduce it: `On Monday at 7:00 Digest wrote:`."""


def asks_to_leave(text: str) -> bool:
    """Whether a text begins, after a quotation or a greeting, with a sentence that asks to leave.

    What follows that sentence (a signature, a reason, the mail that is answered) is not looked at.
    """
    text = _plain(text[:LOOKED_AT]).strip()
    for before in (_QUOTATION, _GREETING):
        begins = before.match(text)
        text = text[begins.end() :] if begins else text
    sentence, end = re.findall(r"([^\n.!?。;]*)(.?)", _GOES_ON.sub(" ", text))[0]
    if end == "?" and not _QUESTION_TO_US.search(sentence):
        return False
    rest, asked = re.subn(_ASKS, " ", _THANKS.sub("", sentence))
    return bool(asked) and not re.search(r"\w", re.sub(_FILLER, " ", rest))


def text_of_page(page: str) -> str:
    """What stands in an HTML part, line by line; of a quotation only that there is one."""
    reader = _Reader()
    reader.feed(page[:LOOKED_AT])
    return "".join(reader.texts)


class _Reader(HTMLParser):
    """Takes the text out of an HTML part."""

    _UNSEEN = frozenset(("head", "style", "script", "title", "blockquote"))
    _INLINE = frozenset(
        "a abbr b bdi bdo big code em font i mark s small span strong u wbr".split()
    )

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag == "body":  # which ends the head, whether that was closed or not
            self._unseen.clear()
        if tag in self._UNSEEN:
            self._unseen.append(tag)
        if tag not in self._INLINE:
            self.texts.append("\n>\n" if tag == "blockquote" else "\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            del self._unseen[self._unseen.index(tag) :]
        if tag not in self._INLINE:
            self.texts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.texts.append(re.sub(r"\s+", " ", data))
