# SPDX-License-Identifier: Apache-2.0
"""TLS on the public listener: by certificate files and self-signed; plain text on it harms nothing."""
import ssl
import subprocess

import pytest
from agent_client import AgentClient
from server import Server, wait_until

MESSAGE = {"type": "system_metrics", "source": "tls", "body": {"x": 1}}


@pytest.fixture
def certificate(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )
    return cert, key


def start_tls(server: Server, context: ssl.SSLContext) -> Server:
    server.tls = True
    server.get = lambda path, headers=None: server.request("GET", path, headers=headers, context=context)
    return server.start()


def test_http_and_websocket_over_tls(make_server, certificate):
    cert, key = certificate
    context = ssl.create_default_context(cafile=str(cert))
    server = start_tls(make_server(settings={"http.tls.cert": str(cert), "http.tls.key": str(key)}), context)
    body = b'{"type":"system_metrics","source":"tls","body":{"x":"' + b"y" * 300_000 + b'"}}'
    big = server.request("POST", "/api/v1/messages", body, {"content-type": "application/json"}, context)
    assert big.status in (200, 202), big.body
    agent = AgentClient("tls-ws").open(server.ws_url, ssl=context)
    agent.report_batch("system_metrics", [{"n": n} for n in range(500)])
    agent.settle()
    assert len(server.search(type="system_metrics")) == 501


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(make_server, certificate, version):
    cert, key = certificate
    context = ssl.create_default_context(cafile=str(cert))
    context.minimum_version = context.maximum_version = version
    start_tls(make_server(settings={"http.tls.cert": str(cert), "http.tls.key": str(key)}), context)


def test_self_signed(make_server):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    server = start_tls(make_server(settings={"http.tls.self_signed": "true"}), context)
    first = ssl.get_server_certificate(("127.0.0.1", server.port))
    server.stop()
    server.start()
    assert ssl.get_server_certificate(("127.0.0.1", server.port)) == first


def test_plain_text_on_a_tls_port(make_server, certificate):
    cert, key = certificate
    context = ssl.create_default_context(cafile=str(cert))
    server = start_tls(make_server(settings={"http.tls.cert": str(cert), "http.tls.key": str(key)}), context)
    for junk in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(100), b""):
        with server.connect() as connection:
            connection.sendall(junk)
    assert wait_until(lambda: server.get("/readyz").status == 200, "readiness")


def test_a_certificate_that_cannot_be_read_is_named(headrace, tmp_path):
    done = headrace("serve", "--data", tmp_path / "d", "--set", "http.listen=127.0.0.1:0", "--set", "http.tls.cert=/nowhere.pem",
                    "--set", "http.tls.key=/nowhere.key")
    assert done.returncode != 0
    assert "/nowhere.pem" in done.stdout + done.stderr
