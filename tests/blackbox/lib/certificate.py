# SPDX-License-Identifier: Apache-2.0
"""One self-signed certificate for a whole test session."""

import datetime
import pathlib
import ssl
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization


class Certificate:
    def __init__(self, folder, days=60):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.certificate = self.folder / "cert.pem"
        self.private_key = self.folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", str(days), "-subj", "/CN=riskhookd black-box test",
             "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
             "-keyout", self.private_key, "-out", self.certificate],
            check=True, capture_output=True)
        self.private_key.chmod(0o600)

    @classmethod
    def between(cls, folder, begin, end):
        """Valid from and until so many days from now."""
        self = cls(folder)
        key = serialization.load_pem_private_key(self.private_key.read_bytes(), None)
        old = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(old.issuer, old.subject, key.public_key(), 1,
                                          now + datetime.timedelta(begin),
                                          now + datetime.timedelta(end), old.extensions)
        self.certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(
            serialization.Encoding.PEM))
        return self

    def client_context(self):
        """Trusts this certificate alone, and checks the address in it."""
        return ssl.create_default_context(cafile=self.certificate)


def _openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


class ClientAuthority:
    """An authority for client certificates, and what it has signed."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.certificate = self.folder / "ca.pem"
        self._key = self.folder / "ca.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-nodes", "-days", "2", "-subj", "/CN=clients", "-keyout", self._key,
                 "-out", self.certificate)

    def issue(self, name, usage="clientAuth"):
        """(certificate, key) of one client."""
        certificate, key, request = (self.folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"extendedKeyUsage = {usage}\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                 "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate)
        return certificate, key
