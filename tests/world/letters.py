"""Mails that come back: bounces, complaints, replies, as the servers of this world write them."""

from __future__ import annotations

from email.message import EmailMessage
from textwrap import dedent


def crlf(text: str) -> bytes:
    """A message as it travels."""
    return dedent(text).lstrip("\n").replace("\n", "\r\n").encode()


def postfix_bounce(
    to: str,
    recipient: str = "ada@example.org",
    *,
    message_id: str = "<none@example.org>",
    **report: str,
) -> bytes:
    """A delivery status notification as Postfix writes it; `report` has what it says instead."""
    said = {
        "original": recipient,
        "action": "failed",
        "status": "5.1.1",
        "diagnostic": "smtp; 550 5.1.1 <ada@example.org>: Recipient address rejected: User unknown",
    } | report
    return crlf(f"""
        Return-Path: <>
        From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
        Subject: Undelivered Mail Returned to Sender
        To: {to}
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="B"
        Message-Id: <20261123070000.ABC@mx.example.net>

        --B
        Content-Description: Notification
        Content-Type: text/plain; charset=us-ascii

        I'm sorry to have to inform you that your message could not be delivered.

        --B
        Content-Description: Delivery report
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example.net
        Arrival-Date: Mon, 23 Nov 2026 07:00:00 +0000 (UTC)

        Final-Recipient: rfc822; {recipient}
        Original-Recipient: rfc822;{said["original"]}
        Action: {said["action"]}
        Status: {said["status"]}
        Remote-MTA: dns; mail.example.net
        Diagnostic-Code: {said["diagnostic"]}

        --B
        Content-Description: Undelivered Message Headers
        Content-Type: text/rfc822-headers

        From: Daily Papers <papers@example.org>
        To: ada@example.org
        Subject: 3 new papers
        Message-ID: {message_id}

        --B--
        """)


def exchange_bounce(
    to: str, recipient: str = "ada@example.org", message_id: str = "<none@example.org>"
) -> bytes:
    """As Exchange Online writes it: a generic status, the details in the diagnostic, the message
    returned whole."""
    return crlf(f"""
        From: "Microsoft Outlook" <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>
        To: {to}
        Subject: Undeliverable: 3 new papers
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="B"

        --B
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: base64

        PHA+WW91ciBtZXNzYWdlIGNvdWxkbid0IGJlIGRlbGl2ZXJlZC48L3A+

        --B
        Content-Type: message/delivery-status

        Reporting-MTA: dns;AM0PR0.example.net

        Final-recipient: RFC822;{recipient}
        Action: failed
        Status: 5.0.0
        Diagnostic-code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found

        --B
        Content-Type: message/rfc822

        Return-Path: {to}
        From: Daily Papers <papers@example.org>
        Message-ID: {message_id}
        Subject: 3 new papers
        Content-Type: text/plain

        Hello.

        --B--
        """)


def qmail_bounce(to: str, recipient: str = "ada@example.org") -> bytes:
    """As qmail writes it: prose, and no parts."""
    return crlf(f"""
        Return-Path: <>
        From: MAILER-DAEMON@mail.example.net
        To: {to}
        Subject: failure notice

        Hi. This is the qmail-send program at mail.example.net.
        I'm afraid I wasn't able to deliver your message to the following addresses.
        This is a permanent error; I've given up. Sorry it didn't work out.

        <{recipient}>:
        192.0.2.1 does not like recipient.
        Remote host said: 550 no mailbox by that name is currently available
        Giving up on 192.0.2.1.

        --- Below this line is a copy of the message.

        Return-Path: <{to}>
        Subject: 3 new papers
        """)


def complaint(
    message_id: str = "<none@example.org>",
    *,
    kind: str = "abuse",
    leave: str = "",
    to: str = "fbl@example.org",
) -> bytes:
    """A feedback report (RFC 5965)."""
    return crlf(f"""
        From: <abusedesk@example.net>
        Subject: FW: 3 new papers
        To: <{to}>
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=feedback-report; boundary="B"

        --B
        Content-Type: text/plain; charset="US-ASCII"

        This is an email abuse report for an email message received from 192.0.2.1.

        --B
        Content-Type: message/feedback-report

        Feedback-Type: {kind}
        User-Agent: SomeGenerator/1.0
        Version: 1

        --B
        Content-Type: message/rfc822

        From: Daily Papers <papers@example.org>
        List-Unsubscribe: {leave or "<mailto:nobody@example.org>"}
        Message-ID: {message_id}
        Subject: 3 new papers

        Hello.

        --B--
        """)


def letter(
    subject: str, body: str = "", *, to: str = "papers@example.org", **headers: str
) -> bytes:
    """What a person, or a person's program, writes."""
    message = EmailMessage()
    message["From"] = "Ada <ada@example.org>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<{abs(hash((subject, body)))}@mail.example.org>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message.as_bytes()


def away(in_reply_to: str, to: str = "papers@example.org") -> bytes:
    """An out-of-office note, which quotes our subject and says that somebody is away."""
    return letter(
        "Automatic reply: 3 new papers",
        "I am out of the office. My mailbox is not read; to unsubscribe me is not what I want.",
        to=to,
        Auto_Submitted="auto-replied",
        In_Reply_To=in_reply_to,
    )
