# SPDX-License-Identifier: Apache-2.0
"""One self-signed certificate for a whole test session."""

import pathlib
import ssl
import subprocess


class Certificate:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.certificate = self.folder / "cert.pem"
        self.private_key = self.folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=riskhookd black-box test",
             "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
             "-keyout", self.private_key, "-out", self.certificate],
            check=True, capture_output=True)
        self.private_key.chmod(0o600)

    def client_context(self):
        """Trusts this certificate alone, and checks the address in it."""
        return ssl.create_default_context(cafile=self.certificate)
