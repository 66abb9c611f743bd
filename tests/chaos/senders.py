# SPDX-License-Identifier: Apache-2.0
"""Who posts: one class for each type of credential, with its section of the configuration."""

import urllib.parse

from lib.client import basic, bearer
from lib.config import ENDPOINT, USERNAME, write_secret
from lib.events import new_id
from lib.provider import AUDIENCE, ISSUER, Key

LONG_AGO, FAR_AWAY = 1600000000, 4000000000  # the daemon's clock jumps between them
CLIENT = ("chaos", "a-secret-of-the-token-client")


class Sender:
    """A right credential."""

    path = ENDPOINT

    def authorization(self):
        raise NotImplementedError

    def is_refusal_fair(self):
        """Asked after a 401: may this credential have become a wrong one by itself?"""
        return False


class Basic(Sender):
    def __init__(self, world):
        self.value = basic(USERNAME, world.daemon.config.password)

    def authorization(self):
        return self.value


class Bearer(Sender):
    def __init__(self, world):
        self.value = bearer(world.daemon.config.token)

    def authorization(self):
        return self.value


class Rotating(Sender):
    """A token that reloads replace. `World.rotation` has the one that is valid now."""

    path = "/rotating"

    def __init__(self, world):
        self.rotation = world.rotation

    def authorization(self):
        return bearer(self.rotation.current)


class Granted(Sender):
    """Fetches its tokens from the daemon, as RiskOS does."""

    path = "/granted"

    def __init__(self, world):
        self.world = world
        self.value = None
        self.jumps = 0  # of the clock, when the token was asked for

    def authorization(self):
        if self.value is None:
            jumps = self.world.clock.jumps
            form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
            with self.world.daemon.connect(source="127.3.0.1") as connection:
                response = connection.request("POST", "/oauth/token", form, {
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Authorization": basic(*CLIENT)})
            if response.status == 503:
                raise ConnectionError("no token now")
            assert response.status == 200, f"token endpoint: {response.status} {response.body}"
            self.jumps = jumps
            self.value = bearer(response.json()["access_token"])
        return self.value

    def is_refusal_fair(self):
        """Its hour is over when the clock has jumped."""
        self.value = None
        return self.world.clock.jumps > self.jumps


class Signed(Sender):
    path = "/signed"

    def __init__(self, world):
        self.value = bearer(world.key.token({"iat": LONG_AGO, "exp": FAR_AWAY}))

    def authorization(self):
        return self.value


class Asked(Sender):
    """Now and then a new token, so that the provider is asked again."""

    path = "/asked"

    def __init__(self, world):
        self.provider = world.provider
        self.n = 0
        self.value = None

    def authorization(self):
        if self.n % 5 == 0:
            token = new_id()
            self.provider.tokens[token] = {"active": True}
            self.value = bearer(token)
        self.n += 1
        return self.value


SENDERS = {"basic": Basic, "bearer": Bearer, "rotating": Rotating, "granted": Granted,
           "signed": Signed, "asked": Asked}


class Rotation:
    """The token of the endpoint /rotating: the next one is added, used, and the old one removed."""

    def __init__(self, folder):
        self.folder = folder
        self.number = 0
        self.current = None  # what clients use
        self.next = None  # valid, and used soon
        self.leaving = None  # valid, and used no more
        self.revoked = []  # tokens that no longer open anything

    def _credential(self):
        self.number += 1
        token = f"rotating-token-{self.number}-{new_id()}"
        write_secret(self.folder / f"rotating-{self.number}", token + "\n")
        return token, {f"credential rotating-{self.number}": {
            "endpoint": "rotating", "type": "bearer", "token_file": f"rotating-{self.number}"}}

    def begin(self):
        """Sections that add the next token; for the first time, all there are."""
        self.next, added = self._credential()
        return added

    def switch(self):
        """The next token is valid: use it. Returns sections that drop the one before."""
        before, self.current = self.current, self.next
        if before is None:
            return {}
        self.leaving = before
        return {f"credential rotating-{self.number - 1}": None}

    def end(self):
        """The one before is dropped."""
        self.revoked.append(self.leaving)


def sections(world):
    """Endpoints and credentials beside the standard ones."""
    folder, provider = world.daemon.folder, world.provider
    write_secret(folder / "client-secret", CLIENT[1] + "\n")
    write_secret(folder / "provider-secret", provider.CLIENT[1] + "\n")
    ca = {"provider_ca": provider.certificate.certificate, "provider_timeout": "1s"}
    return {
        **{f"endpoint {name}": {"path": f"/{name}"}
           for name in ("rotating", "granted", "signed", "asked")},
        "credential granted": {"endpoint": "granted", "type": "oauth_client",
                               "client_id": CLIENT[0], "client_secret_file": "client-secret"},
        "credential signed": {"endpoint": "signed", "type": "jwt", "issuer": ISSUER,
                              "audience": AUDIENCE, "jwks_uri": provider.url("/keys"),
                              "jwks_refresh_min": "1s", **ca},
        "credential asked": {"endpoint": "asked", "type": "introspection",
                             "introspection_uri": provider.url("/introspect"),
                             "client_id": provider.CLIENT[0],
                             "client_secret_file": "provider-secret",
                             "introspection_cache": "1s", **ca},
    }


def wrong_credentials(world):
    """(name, path, Authorization) of what must open nothing."""
    config = world.daemon.config
    forged = Key("RS256", kid=world.key.kid)  # the right name, another key
    yield "no credential", ENDPOINT, None
    yield "wrong password", ENDPOINT, basic(USERNAME, config.password[:-1])
    yield "wrong token", ENDPOINT, bearer(config.token + "x")
    yield "another endpoint's token", "/rotating", bearer(config.token)
    yield "another endpoint's password", "/granted", basic(USERNAME, config.password)
    yield "client secret as password", "/granted", basic(*CLIENT)
    yield "token never granted", "/granted", bearer("A" * 43)
    yield "forged signature", "/signed", bearer(forged.token({"iat": LONG_AGO, "exp": FAR_AWAY}))
    yield "expired", "/signed", bearer(world.key.token({"iat": LONG_AGO, "exp": LONG_AGO + 60}))
    yield "another audience", "/signed", bearer(world.key.token(
        {"iat": LONG_AGO, "exp": FAR_AWAY, "aud": "somebody-else"}))
    yield "unknown to the provider", "/asked", bearer("never-issued")


