#!/usr/bin/env python3
"""Wrong input, row by row: the status and the line that says what was expected. After each table the node still serves, every
canary is there, nothing that was refused was stored, and memory has not grown past its bounds."""
import base64
import json
import os
import re
import sys

import lib
from lib import Connection, encode, http, same

TEXT = {"Content-Type": "text/plain"}
JSON = {"Content-Type": "application/json"}
KEY = "/buckets/bad/keys/k"
CANARIES = 40
GROWTH_KIB = 300 << 10  # of resident memory: the largest bodies, a few times over

LINE = "a line of the request head is too long"
REQUEST_LINE = "the request line must be: method, target, HTTP/1.1"
FIELD = "a field must be: name, colon, value, without space before the colon"
LENGTH = "Content-Length must be a decimal number"
LARGE = "the body is larger than value_bytes_max"
ESCAPE = "a percent sign in the target must be followed by two hexadecimal digits"
ABOVE_N = "Specified w/dw/pw/node_confirms values invalid for bucket n value of 3"
DOCUMENT = 'expected a JSON object: {"props":{"PROPERTY":VALUE,...}}'
LINK = 'a Link must be </buckets/B/keys/K>; riaktag="T" or </riak/B/K>; riaktag="T", or name its own bucket with rel="up"'
MEDIA = "Content-Type must be a type, one '/', and a subtype"
NOT_OURS = "the context was not given out for this key by this cluster"
PAGE = "the continuation was not given out for this list"
CHUNK = "a chunk must begin with its size in hexadecimal"
CHUNK_END = "a chunk's size must be followed by CR LF or ';'"


# ---- bytes that are no request -----------------------------------------------------------------

def get(target="/ping", fields="", host="Host: x\r\n", version="HTTP/1.1"):
    return ("GET %s %s\r\n%s%s\r\n" % (target, version, host, fields)).encode("latin-1")


def put(fields, body=b""):
    return b"PUT /buckets/bad/keys/k HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\n" + fields.encode("latin-1") + b"\r\n" + body


def chunked(body):
    return put("Transfer-Encoding: chunked\r\n", body)


# What a second reader of the same bytes might take for a request; nobody here may.
HIDDEN = b"PUT /buckets/bad/keys/smuggled HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 1\r\n\r\nx"

# Name, bytes, status, line. The connection must be closed behind the answer, and nothing else answered on it.
RAW = [
    # ---- too long, too many
    ("a request line", get("/" + "a" * 16384), 414, LINE),
    ("a request line without an end", b"GET /" + b"a" * 20000, 414, LINE),
    ("a method without an end", b"A" * 20000, 414, LINE),
    ("a query", get("/ping?" + "a" * 16384), 414, LINE),
    ("a field line", get(fields="A: " + "a" * 16384 + "\r\n"), 431, LINE),
    ("a field name", get(fields="A" * 16385 + ": b\r\n"), 431, LINE),
    ("a block of fields", get(fields=("A: " + "b" * 8000 + "\r\n") * 9), 431, "the fields of the request are too long"),
    ("too many fields", get(fields="A: b\r\n" * 513), 431, "the request has too many fields"),
    ("a length above value_bytes_max", put("Content-Length: 8388609\r\n"), 413, LARGE),
    ("a length of 2^62", put("Content-Length: 4611686018427387904\r\n"), 413, LARGE),
    ("a chunk above value_bytes_max", chunked(b"800001\r\n"), 413, LARGE),
    ("chunks that add up to more", chunked(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n700001\r\n"), 413, LARGE),
    ("a chunk of 2^60 - 1", chunked(b"fffffffffffffff\r\n"), 413, LARGE),
    ("a chunk of 16 digits", chunked(b"0000000000000001\r\n"), 400, "the size of a chunk is too large"),
    ("a chunk extension", chunked(b"1;" + b"a" * 300 + b"\r\n"), 400, "a chunk extension is too long"),
    ("extensions", chunked((b"1;" + b"a" * 200 + b"\r\nx\r\n") * 100), 400,
     "the chunk extensions and trailers of the body are too long"),
    ("trailers", chunked(b"0\r\n" + b"A: b\r\n" * 5000), 400, "the chunk extensions and trailers of the body are too long"),
    # ---- the request line
    ("no target", b"GET\r\n\r\n", 400, REQUEST_LINE),
    ("no version", b"GET /ping\r\n\r\n", 400, REQUEST_LINE),
    ("two blanks", b"GET  /ping HTTP/1.1\r\nHost: x\r\n\r\n", 400, REQUEST_LINE),
    ("a tab for a blank", b"GET\t/ping HTTP/1.1\r\nHost: x\r\n\r\n", 400, REQUEST_LINE),
    ("a blank behind the version", b"GET /ping HTTP/1.1 \r\nHost: x\r\n\r\n", 400, REQUEST_LINE),
    ("a blank before the method", b" GET /ping HTTP/1.1\r\n\r\n", 400, "a request begins with its method"),
    ("a NUL before the method", b"\0GET /ping HTTP/1.1\r\n\r\n", 400, "a request begins with its method"),
    ("a bare LF before the method", b"\nGET /ping HTTP/1.1\r\n\r\n", 400, "a request begins with its method"),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "a request begins with its method"),
    ("a lower-case version", get(version="http/1.1"), 400, REQUEST_LINE),
    ("HTTP/1.10", get(version="HTTP/1.10"), 400, REQUEST_LINE),
    ("HTTP/1", get(version="HTTP/1"), 400, REQUEST_LINE),
    ("HTTP/0.9", get(version="HTTP/0.9"), 505, "only HTTP/1.0 and HTTP/1.1 are spoken here"),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "only HTTP/1.0 and HTTP/1.1 are spoken here"),
    ("a target without a slash", get("ping"), 400, "the target must begin with '/'"),
    ("an asterisk for GET", get("*"), 400, "the target must begin with '/'"),
    ("another scheme", get("ftp://x/ping"), 400, "the target must begin with '/'"),
    ("an absolute target without a host", get("http:///ping"), 400, "an absolute target must name a host"),
    ("a target with a user", get("http://u:p@x/ping"), 400, "a target must not bear user information"),
    ("a fragment", get("/ping#x"), 400, "the target holds a byte that must be percent-encoded"),
    ("a control byte in the target", get("/pi\x01ng"), 400, "the target holds a byte that must be percent-encoded"),
    ("a DEL in the target", get("/pi\x7fng"), 400, "the target holds a byte that must be percent-encoded"),
    # ---- fields
    ("a bare LF behind a line", b"GET /ping HTTP/1.1\nHost: x\r\n\r\n", 400,
     "each line of the request head must end with CR LF"),
    ("a bare CR in a field", get(fields="A: b\rC: d\r\n"), 400, "a field holds a control byte"),
    ("a NUL in a field", get(fields="A: \0\r\n"), 400, "a field holds a control byte"),
    ("a folded field", get(fields="A: b\r\n c\r\n"), 400, "a field must not be folded"),
    ("a field folded with a tab", get(fields="A: b\r\n\tc\r\n"), 400, "a field must not be folded"),
    ("a field without a colon", get(fields="A\r\n"), 400, FIELD),
    ("a field without a name", get(fields=": b\r\n"), 400, FIELD),
    ("a blank before the colon", get(fields="A : b\r\n"), 400, FIELD),
    ("a blank in a name", get(fields="A B: c\r\n"), 400, FIELD),
    ("a name that is no token", get(fields="A(: b\r\n"), 400, FIELD),
    ("a name of high bytes", get(fields="\xe4: b\r\n"), 400, FIELD),
    ("no Host", get(host=""), 400, "an HTTP/1.1 request must have a Host"),
    ("two Hosts", get(fields="hOST: x\r\n"), 400, "Host must be sent once"),
    ("a Host with a path", get(host="Host: x/y\r\n"), 400, "Host must be a host and a port"),
    ("a Host with a blank", get(host="Host: x y\r\n"), 400, "Host must be a host and a port"),
    ("a list of Hosts", get(host="Host: x,y\r\n"), 400, "Host must be a host and a port"),
    ("an expectation", get(fields="Expect: tea\r\n"), 417, "the only expectation known here is 100-continue"),
    # ---- numbers of the head
    ("a length with a sign", put("Content-Length: +1\r\n", b"x"), 400, LENGTH),
    ("a negative length", put("Content-Length: -1\r\n", b"x"), 400, LENGTH),
    ("a length in hexadecimal", put("Content-Length: 0x1\r\n", b"x"), 400, LENGTH),
    ("a length with a fraction", put("Content-Length: 1.0\r\n", b"x"), 400, LENGTH),
    ("an empty length", put("Content-Length:\r\n", b"x"), 400, LENGTH),
    ("a length above 2^63", put("Content-Length: 9223372036854775808\r\n"), 400, LENGTH),
    ("a length above 2^64", put("Content-Length: 18446744073709551617\r\n", b"x"), 400, LENGTH),
    ("a chunk size with a sign", chunked(b"+1\r\nx\r\n0\r\n\r\n"), 400, CHUNK),
    ("a negative chunk size", chunked(b"-1\r\nx\r\n0\r\n\r\n"), 400, CHUNK),
    ("a chunk size with a prefix", chunked(b"0x1\r\nx\r\n0\r\n\r\n"), 400, CHUNK_END),
    ("a blank before a chunk size", chunked(b" 1\r\nx\r\n0\r\n\r\n"), 400, CHUNK),
    ("no chunk size", chunked(b"\r\nx\r\n0\r\n\r\n"), 400, CHUNK),
    ("a chunk size ended by LF", chunked(b"1\nx\r\n0\r\n\r\n"), 400, CHUNK_END),
    ("a chunk size ended by CR", chunked(b"1\rx\r\n0\r\n\r\n"), 400, "CR must be followed by LF"),
    ("a chunk longer than it says", chunked(b"1\r\nxy\r\n0\r\n\r\n"), 400, "a chunk must end with CR LF"),
    ("a chunk ended by LF", chunked(b"1\r\nx\n0\r\n\r\n"), 400, "a chunk must end with CR LF"),
    ("a LF in an extension", chunked(b"1;a\nb\r\nx\r\n0\r\n\r\n"), 400, "a chunk line holds a control byte"),
    ("a trailer that is none", chunked(b"0\r\n(\r\n\r\n"), 400, "a trailer must be: name, colon, value"),
    ("a blank before a trailer's colon", chunked(b"0\r\nA : b\r\n\r\n"), 400, "a trailer must be: name, colon, value"),
    # ---- what two readers could take for different requests
    ("a length and chunks", put("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + HIDDEN), 400,
     "Content-Length and Transfer-Encoding exclude each other"),
    ("chunks and a length", put("Transfer-Encoding: chunked\r\nContent-Length: 200\r\n", b"0\r\n\r\n" + HIDDEN), 400,
     "Content-Length and Transfer-Encoding exclude each other"),
    ("two lengths", put("Content-Length: 0\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN), 400,
     "Content-Length must be sent once"),
    ("two equal lengths", put("Content-Length: 0\r\ncontent-length: 0\r\n", HIDDEN), 400,
     "Content-Length must be sent once"),
    ("a list of lengths", put("Content-Length: 0, 0\r\n", HIDDEN), 400, LENGTH),
    ("a coding twice", put("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + HIDDEN), 400,
     "Transfer-Encoding must be sent once"),
    ("a list of codings", put("Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + HIDDEN), 501,
     "the only Transfer-Encoding known here is chunked"),
    ("a coding that is none", put("Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + HIDDEN), 501,
     "the only Transfer-Encoding known here is chunked"),
    ("an empty coding", put("Transfer-Encoding:\r\n", HIDDEN), 501, "the only Transfer-Encoding known here is chunked"),
    ("a coding behind a vertical tab", put("Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n" + HIDDEN), 400,
     "a field holds a control byte"),
    ("a coding with a blank before its colon", put("Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + HIDDEN), 400, FIELD),
    ("a coding on HTTP/1.0", b"PUT /buckets/bad/keys/k HTTP/1.0\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n"
     b"0\r\n\r\n" + HIDDEN, 400, "HTTP/1.0 has no Transfer-Encoding"),
    ("a chunk that ends early", chunked(b"5\r\n0\r\n\r\n" + HIDDEN), 400, "a chunk must end with CR LF"),
    ("a request behind a bare CR", b"GET /ping HTTP/1.1\r\nHost: x\r\nA: b\r" + HIDDEN, 400, "a field holds a control byte"),
]


# ---- requests that ask for what cannot be --------------------------------------------------------

def many_tags(n):
    return ", ".join('"%022d"' % i for i in range(n))


def requests():
    """Name, method, path, headers, body, status, line. The connection goes on."""
    rows = [
        # ---- names
        ("a key of 4097 bytes", "PUT", "/buckets/bad/keys/" + "k" * 4097, TEXT, b"v", 400, "a key has at most 4096 bytes"),
        ("an escaped key of 4097 bytes", "GET", "/buckets/bad/keys/" + "%00" * 4097, {}, None, 400,
         "a key has at most 4096 bytes"),
        ("a bucket of 1025 bytes", "PUT", "/riak/%s/k" % ("b" * 1025), TEXT, b"v", 400,
         "a bucket name has at most 1024 bytes"),
        ("a type of 256 bytes", "PUT", "/types/%s/buckets/b/keys/k" % ("t" * 256), TEXT, b"v", 400,
         "a bucket type has at most 255 bytes"),
        ("a bucket of 1025 bytes, listed", "GET", "/buckets/%s/keys?keys=true" % ("b" * 1025), {}, None, 400,
         "the bucket or its type is too long"),
        ("a bucket of 1025 bytes, its properties", "PUT", "/buckets/%s/props" % ("b" * 1025), JSON, b'{"props":{}}', 400,
         "the bucket or its type is too long"),
        ("a type of 256 bytes, its properties", "GET", "/types/%s/props" % ("t" * 256), {}, None, 400,
         "the bucket or its type is too long"),
        ("a key of 4097 bytes, its places", "GET", "/buckets/b/keys/%s/preflist" % ("k" * 4097), {}, None, 400,
         "a name is too long"),
        ("a path of nine pieces", "GET", "/a/b/c/d/e/f/g/h/i", {}, None, 404, "not found"),
        ("too many parameters", "GET", KEY + "?" + "&".join("a%d=b" % i for i in range(65)), {}, None, 400,
         "the query has too many parameters"),
        ("an unknown type", "PUT", "/types/no%0D%0Asuch/buckets/b/keys/k", TEXT, b"v", 404, "Unknown bucket type: no??such"),
        # ---- the value and its fields
        ("a body of another MD5", "PUT", KEY, dict(TEXT, **{"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}), b"v", 400,
         "Content-MD5 is not the MD5 of the body in base64"),
        ("no type", "POST", "/buckets/bad/keys", {}, b"v", 400, "Missing Content-Type request header"),
        ("a document of properties above 64 KiB", "PUT", "/buckets/bad/props", JSON, b'{"props":{' + b" " * 65536 + b"}}",
         413, "a document of properties has at most 64 KiB"),
        # ---- conditions
        ("65 ETags", "PUT", KEY, dict(TEXT, **{"If-Match": many_tags(65)}), b"v", 400, "a condition names at most 64 ETags"),
        ("65 ETags on two lines", "GET", KEY, {"If-None-Match": [many_tags(40), many_tags(25)]}, None, 400,
         "a condition names at most 64 ETags"),
        ("X-Riak-If-Not-Modified that is empty", "PUT", KEY, dict(TEXT, **{"X-Riak-If-Not-Modified": ""}), b"v", 400,
         "X-Riak-If-Not-Modified must be one context in base64"),
        ("X-Riak-If-Not-Modified twice", "PUT", KEY, dict(TEXT, **{"X-Riak-If-Not-Modified": ["AAAA", "AAAA"]}), b"v", 400,
         "X-Riak-If-Not-Modified must be one context in base64"),
        ("X-Riak-If-Not-Modified of nobody", "PUT", KEY, dict(TEXT, **{"X-Riak-If-Not-Modified": "AAAA"}), b"v", 400,
         NOT_OURS),
        # ---- paths that lead nowhere, methods not offered
        ("a path of nothing", "GET", "/buckets/b/nothing", {}, None, 404, "not found"),
        ("an unknown method", "BREW", KEY, {}, None, 501, "the method BREW is not known here"),
        ("an unknown method of 4000 letters", "A" * 4000, KEY, {}, None, 501,
         "the method %s is not known here" % ("A" * 32)),
        ("TRACE", "TRACE", KEY, {}, None, 405, "an object takes GET, HEAD, PUT, POST and DELETE"),
        ("CONNECT", "CONNECT", "localhost:22", {}, None, 404, "not found"),
        ("DELETE of /metrics", "DELETE", "/metrics", {}, None, 405, "method not allowed here"),
        ("/admin of nothing", "GET", "/admin/nothing", {}, None, 404, '{"error":"no such resource"}'),
        ("/admin/ring without a key", "GET", "/admin/ring?bucket=b", {}, None, 400,
         '{"error":"expected ?bucket=B&key=K, and type=T unless it is `default`"}'),
        ("/admin/ring with a bucket of 1025 bytes", "GET", "/admin/ring?key=k&bucket=" + "b" * 1025, {}, None, 400,
         '{"error":"expected ?bucket=B&key=K, and type=T unless it is `default`"}'),
        ("/admin/trace of what is no id", "GET", "/admin/trace/xyz", {}, None, 400,
         '{"error":"expected /admin/trace/ID with the 16 hex digits of X-Dunlin-Trace"}'),
        # ---- listing
        ("a continuation that is no base64", "GET", "/buckets/bad/keys?keys=true&continuation=%21", {}, None, 400, PAGE),
        ("a continuation of 8000 letters", "GET", "/buckets/bad/keys?keys=stream&continuation=" + "A" * 8000, {}, None, 400,
         PAGE),
        ("a continuation of nobody", "GET", "/buckets/bad/keys?keys=true&continuation=AAAA", {}, None, 400, PAGE),
        ("a continuation of buckets longer than any name", "GET", "/buckets?buckets=true&continuation=" + "A" * 8000, {},
         None, 400, PAGE),
        ("max_results of buckets past their limit", "GET", "/buckets?buckets=true&max_results=10001", {}, None, 400,
         "max_results must be a number from 1 to 10000"),
        ("keys of an unknown type", "GET", "/types/nosuch/buckets/b/keys?keys=true", {}, None, 404,
         "Unknown bucket type: nosuch"),
    ]
    for where, path in (("a key", "/buckets/bad/keys/%s"), ("a bucket", "/riak/%s/k"), ("a type", "/types/%s/props"),
                        ("a query's name", "/ping?%s=1"), ("a query's value", "/ping?a=%s")):
        for escape in ("%", "%4", "%zz", "%4g", "%%41", "%u0041", "a%"):
            rows.append(("the escape %r in %s" % (escape, where), "GET", path % escape, {}, None, 400, ESCAPE))
    for value in ("", "x", "-1", "0", "1.5", "1e3", "%201", "0x10", "+1", "1s"):
        shown = {"%201": " 1", "+1": " 1"}.get(value, value)
        for path in (KEY, "/buckets/bad/keys?keys=true", "/buckets?buckets=stream"):
            path += ("&" if "?" in path else "?") + "timeout=" + value
            rows.append(("timeout %r of %s" % (value, path), "GET", path, {}, None, 400, 'Bad timeout value "%s"' % shown))
    rows.append(("a timeout of two lines, listed", "GET", "/buckets/bad/keys?keys=true&timeout=a%0D%0Ab", {}, None, 400,
                 'Bad timeout value "a??b"'))
    rows.append(("a timeout above an hour, listed", "GET", "/buckets/bad/keys?keys=true&timeout=3600001", {}, None, 400,
                 'Bad timeout value "3600001"'))
    for value in ("", "x", "0", "-1", "1.5", "1000001", "99999999999999999999"):
        rows.append(("max_results %r" % value, "GET", "/buckets/bad/keys?keys=true&max_results=" + value, {}, None, 400,
                     "max_results must be a number from 1 to 1000000"))
    for name in ("r", "w", "pr", "pw", "dw", "rw", "node_confirms"):
        least = 1 if name in ("r", "w", "rw") else 0
        for value in ("", "x", "1.5", "%2B1", "--1", "ALL", "Quorum", "one%20", "0x1"):
            rows.append(("%s=%s" % (name, value), "PUT", "%s?%s=%s" % (KEY, name, value), TEXT, b"v", 400,
                         "%s query parameter must be an "
                         "integer or one of the following words: 'one', 'quorum' or 'all'" % name))
        for value in ["-1", "-99999"] + ["0"] * least:
            rows.append(("%s=%s" % (name, value), "GET", "%s?%s=%s" % (KEY, name, value), {}, None, 400,
                         "%s query parameter must be at least %d" % (name, least)))
        for value in ("4", "99999999999999999999"):
            method, body = ("DELETE", None) if name == "rw" else ("PUT", b"v")
            rows.append(("%s=%s" % (name, value), method, "%s?%s=%s" % (KEY, name, value), TEXT, body, 400, ABOVE_N))
    for name, values, line in (
            ("basic_quorum", ("", "1", "yes", "tru"), "basic_quorum query parameter must be true or false"),
            ("notfound_ok", ("", "0", "no"), "notfound_ok query parameter must be true or false"),
            ("sync_on_write", ("", "sync", "ONE", "1"),
             "sync_on_write query parameter must be default, backend, one or all"),
            ("trace", ("", "2", "yes"), "trace query parameter must be 1 or 0"),
            ("consistency", ("", "ONE", "two", "default"), "consistency must be one, quorum, all or primary")):
        for value in values:
            rows.append(("%s=%s" % (name, value), "PUT", "%s?%s=%s" % (KEY, name, value), TEXT, b"v", 400, line))
    for value in ("", "x", "0" * 21, "0" * 23, "zzzzzzzzzzzzzzzzzzzzzz", "%00" * 22):
        rows.append(("vtag %r" % value, "GET", "%s?vtag=%s" % (KEY, value), {}, None, 404, "no sibling has that vtag"))
    for field, method in (("X-Riak-Vclock", "PUT"), ("X-Riak-Vclock", "DELETE"), ("X-Dunlin-At-Least", "GET")):
        base = dict(TEXT) if method == "PUT" else {}
        body = b"v" if method == "PUT" else None
        for value, line in (("!", "%s must be a context in base64"), ("AAA", "%s must be a context in base64"),
                            ("AA-_", "%s must be a context in base64"),
                            ("AAAA AAAA", "%s must be a context in base64"), ("AAAA", NOT_OURS), ("A" * 64, NOT_OURS),
                            ("A" * 10920, NOT_OURS),
                            ("A" * 12000, "%s is longer than any context given out"),
                            (["AAAA", "AAAA"], "%s must be sent once")):
            rows.append(("%s %.20s on %s" % (field, value, method), method, KEY, dict(base, **{field: value}), body, 400,
                         line.replace("%s", field)))
    for value in ("", "0", "-1", "1.5", "soon", "3155760001", "99999999999999999999", " 1 1", "1s", ["1", "1"]):
        rows.append(("X-Dunlin-TTL %r" % value, "PUT", KEY, dict(TEXT, **{"X-Dunlin-TTL": value}), b"v", 400,
                     "X-Dunlin-TTL must be a number of seconds from 1 to 3155760000"))
    for value in ("x", "<>", "<x>; riaktag=\"t\"", "</riak/b/k>", "</riak/b/k>; riaktag=t", "</riak/b/k>; rel=\"up\"",
                  "</riak/other>; rel=\"up\"",
                  "</riak/b/k; riaktag=\"t\"", "</riak//k>; riaktag=\"t\"", "</buckets/b/k>; riaktag=\"t\"",
                  "</riak/b/%zz>; riaktag=\"t\"",
                  "</riak/b/k>; riaktag=\"%4\"", "</riak/b/k>; riaktag=\"t\", x", "</riak/b/k>; riaktag=\"",
                  "</types/t/buckets/b/keys/k>; riaktag=\"t\""):
        rows.append(("the Link " + value, "PUT", KEY, dict(TEXT, Link=value), b"v", 400, LINK))
    for value in ("plain", "a/b/c", "/b", "a/", "/", "; a/b", "a b", "text"):
        rows.append(("the type %r" % value, "PUT", KEY, {"Content-Type": value}, b"v", 415, MEDIA))
    for body in (b"", b"{", b"[]", b"null", b"1", b'"props"', b'{"props":[]}', b'{"props":null}', b'{"n_val":3}', b"\xff",
                 b'{"props":{"r":1}', b'{"props":{"r":1,}}',
                 b'{"props":{"r":1,"r":1}}', b'{"props":{}}x', b'{"props":{}}{"props":{}}', b"[" * 60000,
                 b'{"props":' * 5000, b'{"props":{"r":"\\ud800"}}',
                 b'{"props":{"r":"\xff"}}', b'{"props":{"ttl":1e999}}', b'{"props":{"ttl":99999999999999999999}}',
                 b'{"props":{"a\\u0000":1}}', b"{'props':{}}"):
        rows.append(("the document %.30r" % body, "PUT", "/buckets/bad/props", JSON, body, 400, DOCUMENT))
    for type in ("text/plain", "application/jsonx", "json", "application/json/x", ""):
        rows.append(("properties as %r" % type, "PUT", "/buckets/bad/props", {"Content-Type": type}, b'{"props":{}}', 415,
                     "expected Content-Type: application/json"))
    return rows


# Values that do not fit a property of a kind, and what each is called then.
WRONG = {
    "BOOL": [(v, "not_boolean") for v in (0, 1, -1, 1.5, None, "yes", "TRUE", "", "1", [], {}, [True])],
    "QUORUM": [(v, "not_valid_quorum") for v in (-1, 32768, 1 << 40, 1.0, None, True, "ALL", "default", "2", "",
                                                 "qu\u00f6rum", [], {}, [1])],
    "NUMBER": [(v, "not_integer") for v in (-1, -(1 << 62), 1.0, None, True, "1", "", [], {}, [1])] + [((1 << 63) - 1,
                                                                                                        "too_large")],
    "SYNC": [(v, "not_valid_sync_param") for v in (0, 1, None, True, "ALL", "never", "", [], {}, ["all"])],
}


def properties():
    """(name, kind, least) of each row of the table of properties."""
    with open(os.path.join(lib.ROOT, "include/dunlin/props.h"), encoding="utf-8") as f:
        return [(n, k, int(l)) for n, k, l in re.findall(r"\bX\((\w+), (BOOL|QUORUM|NUMBER|SYNC), (\d+), ", f.read())]


# ---- checks --------------------------------------------------------------------------------------

def check_raw(port, data, status, line):
    for step in (0, 1 if len(data) < 600 else 509):
        with Connection(port) as c:
            try:
                c.send(data, step)
            except OSError:
                pass  # it was answered, and closed, before all was sent
            r = c.response()
            assert r is not None, "closed without an answer"
            same((r.status, r.body, r.header("Connection"), r.header("Content-Type")),
                 (status, line.encode() + b"\n", "close", "text/plain; charset=utf-8"))
            assert r.header("Date"), r
            try:
                c.socket.shutdown(1)
            except OSError:
                pass
            assert c.ended(), "something else was answered: %r" % c.data


def check_request(port, method, path, headers, body, status, line):
    with Connection(port) as c:
        c.send(encode(method, path, headers, body) + encode("GET", "/ping"))
        r = c.response()
        same(r.status, status, "status of %r" % r)
        assert r.header("Content-Type") and r.header("Date"), r
        if line is not None:
            same(r.body.decode("latin-1").split("\n")[0], line)
        same(r.body.count(b"\n"), 0 if line and line.startswith("Unknown bucket type") else 1, "lines of %r" % r.body)
        if method in ("PUT", "POST", "DELETE") and "/keys" in path:
            same(r.header("X-Dunlin-Outcome"), "none")
        same(c.response().body, b"OK", "the request behind it")


def check_property(port, name, kind, least):
    wrong = WRONG[kind] + ([(0, {"NUMBER": "not_integer", "QUORUM": "not_valid_quorum"}[kind])] if least else [])
    for value, code in wrong:
        r = http(port, "PUT", "/buckets/bad/props", JSON,
                 json.dumps({"props": {name: value, "pr": 3}} if name != "pr" else {"props": {name: value}}).encode())
        same((r.status, r.header("Content-Type"), json.loads(r.body)), (400, "application/json", {name: code}),
             "%s = %r" % (name, value))
    same(json.loads(http(port, "GET", "/buckets/bad/props").body)["props"]["pr"], 0)


def resident_kib(cluster):
    total = 0
    for i in range(1, cluster.nodes + 1):
        with open("/proc/%d/status" % cluster.pid(i)) as f:
            total += int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1])
    return total


def prepare(port):
    for i in range(CANARIES):
        same(http(port, "PUT", "/buckets/canary/keys/%d?w=all" % i, TEXT, b"canary %d" % i).status, 204)


def check_all_is_well(cluster, before_kib):
    for i in range(1, cluster.nodes + 1):
        port = cluster.port(i)
        for k in range(CANARIES):
            r = http(port, "GET", "/buckets/canary/keys/%d?r=all" % k)
            same((r.status, r.body), (200, b"canary %d" % k))
        same(json.loads(http(port, "GET", "/buckets/bad/keys?keys=true").body), {"keys": []}, "what was refused is stored")
        same(http(port, "GET", "/buckets/bad/keys/smuggled").status, 404)
        same(http(port, "PUT", "/buckets/after/keys/%d" % i, TEXT, b"v").status, 204)
        lib.wait_for(lambda: b"dunlin_http_connections 1\n" in http(port, "GET", "/metrics").body, 5)
        metrics = http(port, "GET", "/metrics").body
        assert b"dunlin_http_connections 1\n" in metrics and b"dunlin_http_requests_in_flight 1\n" in metrics, metrics
    grown = resident_kib(cluster) - before_kib
    print("# resident memory of all nodes: %+d KiB" % grown)
    assert grown < GROWTH_KIB, grown


def test_a_damaged_context_is_400_wherever_it_is_damaged(port):
    r = http(port, "PUT", "/buckets/contexts/keys/k", TEXT, b"v")
    whole = base64.b64decode(r.header("X-Riak-Vclock"))
    for i in range(len(whole)):
        for damaged in (whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1:], whole[:i], whole + whole[:i + 1]):
            if not damaged:
                continue  # an empty one is none
            r = http(port, "PUT", "/buckets/contexts/keys/k",
                     dict(TEXT, **{"X-Riak-Vclock": base64.b64encode(damaged).decode()}), b"w")
            same((r.status, r.body, r.header("X-Dunlin-Outcome")), (400, NOT_OURS.encode() + b"\n", "none"), "byte %d" % i)
    same(http(port, "GET", "/buckets/contexts/keys/k").body, b"v")


def test_an_ETag_that_is_none_matches_nothing(port):
    same(http(port, "PUT", "/buckets/etags/keys/k", TEXT, b"v").status, 204)
    for tag in ("", '"', '""', '"unterminated', "W/", 'W/"', "x" * 8000, '"\\"', ",", ",,,", "\xff\xfe", '"a" "b"'):
        r = http(port, "PUT", "/buckets/etags/keys/k", dict(TEXT, **{"If-Match": tag}), b"w")
        same((r.status, r.body), (412, b"the object is not as the request's conditions ask\n"), repr(tag)[:30])
        same(http(port, "GET", "/buckets/etags/keys/k", {"If-None-Match": tag}).status, 200, repr(tag)[:30])
    same(http(port, "GET", "/buckets/etags/keys/k").body, b"v")


def test_a_date_that_is_none_is_passed_over(port):
    same(http(port, "PUT", "/buckets/dates/keys/k", TEXT, b"v").status, 204)
    for date in ("", "now", "0", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                 "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Xyz 1994 08:49:37 GMT",
                 "Sun, 06 Nov 1894 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT",
                 "1994-11-06T08:49:37Z", "9" * 8000,
                 "Sun, 06 Nov 1994", "Nov" * 13, "Sun, -6 Nov 1994 08:49:37 GMTxxxxxxxxxxxxxxxxx"):
        for field in ("If-Modified-Since", "If-Unmodified-Since"):
            r = http(port, "GET", "/buckets/dates/keys/k", {field: date})
            same((r.status, r.body), (200, b"v"), "%s: %.40s" % (field, date))


def test_many_unknown_properties_are_all_named(port):
    names = ["p%d" % i for i in range(3000)]
    r = http(port, "PUT", "/buckets/bad/props", JSON, json.dumps({"props": dict.fromkeys(names, 1)}).encode())
    same((r.status, json.loads(r.body)), (400, dict.fromkeys(names, "unknown_property")))


def main():
    count = lib.Count()
    with lib.Cluster() as cluster:
        port = cluster.port()
        prepare(port)
        before_kib = resident_kib(cluster)
        for name, data, status, line in RAW:
            count.check("%s: %d" % (name, status), check_raw, port, data, status, line)
        count.check("all is well behind the bytes that are no request", check_all_is_well, cluster, before_kib)
        for name, method, path, headers, body, status, line in requests():
            count.check("%s: %d" % (name, status), check_request, port, method, path, headers, body, status, line)
        rows = properties()
        count.check("the table of properties is found", same, len(rows) > 15, True)
        for name, kind, least in rows:
            count.check("wrong values of the property " + name, check_property, port, name, kind, least)
        for name, function in lib.tests_of(sys.modules[__name__]):
            count.check(name, function, port)
        count.check("all is well behind all wrong requests", check_all_is_well, cluster, before_kib)
    count.finish()


main()
