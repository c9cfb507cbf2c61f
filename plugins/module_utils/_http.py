# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One small HTTP client: no redirects, no proxies from the environment, bounded bodies.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import json
import time
import traceback
import typing as t
from dataclasses import dataclass

try:
    import requests

    REQUESTS_IMPORT_ERROR = None
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()

MAX_BODY = 4 << 20


class HttpError(Exception):
    """No complete answer came: refused, reset, timed out, too long."""


@dataclass(frozen=True)
class HttpResponse:
    """An answer: ``status``, ``headers`` (names in any case), ``body`` as bytes, ``seconds`` from sending to the last byte."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes
    seconds: float

    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> t.Any:
        """Return the body as JSON.

        :raises ValueError: it is none.
        """
        return json.loads(self.body)


class HttpClient:
    """Sends requests; a context manager.

    :param keep_alive: reuse connections; otherwise each request has a new one.
    """

    def __init__(self, keep_alive: bool = True) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        if not keep_alive:
            self._session.headers["Connection"] = "close"

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._session.close()

    def get(self, url: str, timeout: float, headers: t.Mapping[str, str] | None = None) -> HttpResponse:
        """Send a GET; see ``request``."""
        return self.request("GET", url, timeout, headers)

    def request(
        self,
        method: str,
        url: str,
        timeout: float,
        headers: t.Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> HttpResponse:
        """Send a request and read the whole answer.

        :param timeout: seconds for the connection, and for the whole answer after it.
        :raises HttpError: no complete answer within the time.
        """
        started = time.monotonic()
        try:
            with self._session.request(
                method, url, headers=dict(headers or {}), data=data, timeout=timeout, allow_redirects=False, stream=True
            ) as answer:
                body = bytearray()
                for chunk in answer.iter_content(1 << 16):
                    body += chunk
                    if len(body) > MAX_BODY:
                        raise HttpError(f"the answer is longer than {MAX_BODY >> 20} MiB")
                    if time.monotonic() - started > timeout:
                        raise HttpError(f"no complete answer within {timeout:g} s")
                return HttpResponse(answer.status_code, answer.headers, bytes(body), time.monotonic() - started)
        except requests.exceptions.Timeout:
            raise HttpError(f"no answer within {timeout:g} s") from None
        except requests.exceptions.RequestException as exc:
            raise HttpError(_reason(exc)) from exc


def _reason(exc: BaseException) -> str:
    text = str(exc)
    for sign, reason in (
        ("Connection refused", "connection refused"),
        ("Connection reset", "connection reset"),
        ("RemoteDisconnected", "connection closed without an answer"),
        ("Name or service not known", "host name not known"),
        ("No route to host", "no route to host"),
    ):
        if sign in text:
            return reason
    return text
