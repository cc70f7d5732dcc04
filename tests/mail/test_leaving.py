"""What a person's words are taken for: a request to leave, or something that a person reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.leaving import asks_to_leave, text_of_page

ASKS = [
    "unsubscribe",
    "UNSUBSCRIBE!!!",
    "“Unsubscribe”",
    "Ｕｎｓｕｂｓｃｒｉｂｅ",
    "Please unsubscribe me from this list.",
    "Hi, please unsubscribe me",
    "Hi Grace,\n\nplease unsubscribe me.\n\nBest,\nAda",
    "Please unsubscribe me\nfrom this mailing list\n\nAda",
    "unsubscribe\nAda Lovelace, Professor of Computing",
    "Please unsubscribe me, thanks, Ada",
    "Could you please unsubscribe me?",
    "Please unsubscribe me. I have changed fields.",
    "I want to be removed from your list",
    "take me off this list",
    "STOP",
    "Please stop sending me these e-mails",
    "I no longer wish to receive these emails.",
    "unsubscribe\n\nOn Mon, 23 Nov 2026 at 07:00, Digest <papers@example.org> wrote:\n> new papers",
    "On Mon, 23 Nov 2026 at 07:00, Digest <papers@example.org> wrote:\n> 3 new papers\n\nstop",
    "> 3 new papers\n\nPlease unsubscribe me",
    "Abmelden",
    "Guten Tag,\nbitte entfernen Sie mich aus dem Verteiler.\nMit freundlichen Grüßen",
    "Ich möchte keine Mails mehr erhalten",
    "Merci de me désabonner",
    "desinscription",
    "Je ne souhaite plus recevoir ces messages",
    "Por favor, denme de baja de esta lista",
    "Cancellatemi dalla lista, grazie",
    "Quero cancelar a minha inscrição",
    "Graag uitschrijven",
    "Пожалуйста, отпишите меня от рассылки",
    "退订",
    "您好，请帮我取消订阅，谢谢！",
    "配信停止",
    "配信を停止してください。",
    "구독 취소 부탁드립니다",
    "lütfen abonelikten çıkar",
    "إلغاء الاشتراك",
]

ASKS_NOT = [
    "please do not unsubscribe me",
    "Don’t unsubscribe me",
    "never unsubscribe me",
    "I don't want to unsubscribe",
    "I did not unsubscribe!",
    "Unsubscribe?",
    "How do I unsubscribe?",
    "The unsubscribe button does not work",
    "Please unsubscribe me from Reasoning only",
    "Please unsubscribe me\nfrom the keyword Reasoning",
    "Unsubscribe\nI only want Vision",
    "I want a weekly digest, stop the daily digest",
    "Please unsubscribe me if you can't send weekly",
    "Unsubscribe bob@example.org",
    "Somebody unsubscribed me",
    "optimal stopping",
    "Thanks for these digests!",
    "> unsubscribe",
    "> unsubscribe\nno!",
    "On Mon, 23 Nov 2026 at 07:00, Digest wrote:\n> unsubscribe\n",
    "From: Digest\nSubject: unsubscribe",
    "Bitte melden Sie mich nicht ab",
    "Ne me désabonnez pas",
    "no me des de baja",
    "Non cancellatemi",
    "Não quero cancelar a minha inscrição",
    "Пожалуйста, не отписывайте меня",
    "请不要退订",
    "怎么退订？",
    "配信停止しないでください",
    "구독 취소하지 마세요",
    "",
]


@pytest.mark.parametrize("text", ASKS)
def test_what_asks_to_leave(text: str) -> None:
    assert asks_to_leave(text)


@pytest.mark.parametrize("text", ASKS_NOT)
def test_what_a_person_has_to_read(text: str) -> None:
    assert not asks_to_leave(text)


@pytest.mark.parametrize(
    ("page", "asks"),
    [
        ("<div>unsubscribe</div>", True),
        ("<head><style>p{}</style><body><div>Please <b>un</b>subscribe&nbsp;me</div>", True),
        ("<p>Hi,</p><p>please unsubscribe me</p><br><blockquote>3 papers</blockquote>", True),
        ("<div>Digest &lt;a@example.org&gt; wrote:</div><blockquote>x</blockquote><p>stop", True),
        ("<blockquote>unsubscribe</blockquote>", False),
        ("<p>please do not</p><p>unsubscribe me</p>", False),
        ("<!-- unsubscribe --><p>Hello</p>", False),
    ],
)
def test_a_page_is_read_as_it_is_seen(page: str, asks: bool) -> None:
    assert asks_to_leave(text_of_page(page)) is asks


@given(st.lists(st.sampled_from(["<", ">", "\n", ":", "a@1", "stop", " please", "<b ", "<!--"])))
def test_whatever_is_written_is_read(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert asks_to_leave(text_of_page(text)) in (True, False)
    assert not asks_to_leave(f"no {text}")
