"""Ways out of the house for a message to people: a webhook, an e-mail.

Belongs here: sending text, and the settings that say where to. What is said is `orchestration.alerts`.
"""

import ipaddress
import json
import smtplib
import ssl
import urllib.error
import urllib.request
from email.message import EmailMessage
from urllib.parse import urlsplit

from lake.settings import Settings

_PATIENCE_S = 20.0
"""Seconds that a server may take; the sensor that sends has a minute."""


class PostError(RuntimeError):
    """A message could not be sent; says which way and what to do, never the address, which may hold a secret."""


def configured(settings: Settings) -> bool:
    """Whether there is a way out."""
    return settings.alert_webhook_file is not None or settings.alert_mail is not None


def post(settings: Settings, subject: str, text: str) -> None:
    """Send a message every way that is configured; a way that fails does not stop the others.

    Raises:
        PostError: if one failed.
    """
    failed = []
    for way, wanted in ((_to_webhook, settings.alert_webhook_file), (_by_mail, settings.alert_mail)):
        try:
            if wanted:
                way(settings, subject, text)
        except PostError as error:
            failed.append(str(error))
    if failed:
        raise PostError("; ".join(failed))


def _to_webhook(settings: Settings, subject: str, text: str) -> None:
    assert settings.alert_webhook_file
    try:
        url = settings.alert_webhook_file.read_text(encoding="utf-8").strip()
    except OSError:
        raise PostError("LARMOR_ALERT_WEBHOOK_FILE: found no such file, needed one that holds the URL") from None
    if not _is_safe(url):
        raise PostError("LARMOR_ALERT_WEBHOOK_FILE: found no URL that begins with https://, needed one in the file")
    # `text` is what Slack, Mattermost and Teams show
    body = json.dumps({"text": f"*{subject}*\n{text}"}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  # judged above
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
            answer.read()
    except urllib.error.HTTPError as error:
        raise PostError(f"webhook: found answer {error.code}, needed 200; look at the URL and its token") from None
    except OSError as error:
        raise PostError(f"webhook: found no answer ({type(error).__name__}), needed one; look at the network") from None


def _is_safe(url: str) -> bool:
    """Whether nobody between here and there can read what is posted."""
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname:
        try:
            return ipaddress.ip_address(parts.hostname).is_loopback
        except ValueError:
            return parts.hostname == "localhost"
    return parts.scheme == "https" and bool(parts.hostname)


def _by_mail(settings: Settings, subject: str, text: str) -> None:
    assert settings.alert_mail
    message = EmailMessage()
    message["Subject"], message["To"] = subject, settings.alert_mail
    message["From"] = settings.alert_mail_from or settings.alert_mail.split(",")[0].strip()
    message.set_content(text)
    host, _, port = settings.alert_mail_server.partition(":")
    try:
        with smtplib.SMTP(host, int(port or 25), timeout=_PATIENCE_S) as server:
            if server.has_extn("starttls") or (server.ehlo()[0] == 250 and server.has_extn("starttls")):
                server.starttls(context=ssl.create_default_context())
            if settings.alert_mail_login_file:
                user, _, password = settings.alert_mail_login_file.read_text(encoding="utf-8").strip().partition(":")
                server.login(user, password)
            server.send_message(message)
    except (OSError, ValueError, smtplib.SMTPException) as error:
        remedy = "look at LARMOR_ALERT_MAIL_SERVER (host:port) and LARMOR_ALERT_MAIL_LOGIN_FILE (user:password)"
        raise PostError(f"mail: found no server that takes it ({type(error).__name__}), needed one; {remedy}") from None
