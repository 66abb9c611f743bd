# SPDX-License-Identifier: Apache-2.0
"""Requests that no honest client sends, as bytes, and the answers that they may get."""

import re

from lib.config import ENDPOINT

# What the table in src/intake/answer.c has, and what libmicrohttpd answers by itself to what is no request:
# 400 (bad syntax), 414 and 431 (too long), 505 (no HTTP/1.x), 501 (a coding that it lacks).
ANSWERS = {200, 400, 401, 403, 404, 405, 413, 415, 429, 503}
PARSER_ANSWERS = {400, 411, 413, 414, 431, 501, 505}


def statuses(said):
    """The status of each final answer on the wire."""
    return [int(status) for status in re.findall(rb"^HTTP/1\.[01] ([2-9]\d\d)", said, re.M)]


class Wire:
    """Raw requests to the endpoint, with a right credential."""

    def __init__(self, daemon):
        self.auth = b"Authorization: " + daemon.basic.encode() + b"\r\n"
        self.start = b"POST " + ENDPOINT.encode() + b" HTTP/1.1\r\nHost: x\r\n" + self.auth

    def post(self, headers, data=b""):
        return self.start + headers + b"\r\n" + data

    def counted(self, data, headers=b""):
        return self.post(headers + b"Content-Length: %d\r\n" % len(data), data)


# %(n)d: length of the body. Each can be read in two ways.
SMUGGLING = {
    "length and chunked": b"Content-Length: %(n)d\r\nTransfer-Encoding: chunked\r\n",
    "chunked and length": b"Transfer-Encoding: chunked\r\nContent-Length: %(n)d\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: %(n)d\r\n",
    "two lengths in a list": b"Content-Length: 0, %(n)d\r\n",
    "a signed length": b"Content-Length: +%(n)d\r\n",
    "a length with blanks in it": b"Content-Length: 1 %(n)d\r\n",
    "an octal length": b"Content-Length: 0o17\r\n",
    "a blank before the colon": b"Content-Length : %(n)d\r\n",
    "two transfer codings": b"Transfer-Encoding: gzip, chunked\r\n",
    "identity": b"Transfer-Encoding: identity\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "two coding headers": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
    "a coding with a tab": b"Transfer-Encoding:\tchunked\r\nContent-Length: %(n)d\r\n",
    "a coding with a letter more": b"Transfer-Encoding: xchunked\r\nContent-Length: %(n)d\r\n",
    "a coding with a NUL": b"Transfer-Encoding: chunked\0\r\nContent-Length: %(n)d\r\n",
    "a coding behind a bare CR": b"X: y\rTransfer-Encoding: chunked\r\nContent-Length: %(n)d\r\n",
    "a coding behind a bare LF": b"X: y\nTransfer-Encoding: chunked\r\nContent-Length: %(n)d\r\n",
    "a folded coding": b"Transfer-Encoding:\r\n chunked\r\nContent-Length: %(n)d\r\n",
    "a length behind a NUL": b"X: \0Content-Length: 0\r\nContent-Length: %(n)d\r\n",
}
