"""An authenticator in software, which answers whatever it is told to, also what no real one would."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

ORIGIN, HOST = "http://localhost:3000", "localhost"
_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """One passkey (ES256, no attestation).

    Attributes:
        count: its sign count; raised by each use.
        origin, host: where it believes to be.
        verified: it has asked its owner for a PIN or a finger.
    """

    count: int = 0
    origin: str = ORIGIN
    host: str = HOST
    verified: bool = True
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user_handle: str = ""
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, options: str, **changes: Any) -> str:
        """Answer the question for a new passkey."""
        asked = json.loads(options)
        self.user_handle = asked["user"]["id"]
        numbers = self._key.public_key().public_numbers()
        key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(key)
        statement = {"fmt": "none", "attStmt": {}, "authData": self._data(_ATTESTED) + attested}
        client = self._client("webauthn.create", asked["challenge"])
        response = {
            "clientDataJSON": bytes_to_base64url(client),
            "attestationObject": bytes_to_base64url(cbor2.dumps(statement)),
        }
        return self._answer({**response, **changes})

    def use(self, options: str, **changes: Any) -> str:
        """Answer the question for this passkey."""
        self.count += 1
        client, data = self._client("webauthn.get", json.loads(options)["challenge"]), self._data()
        signed = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": bytes_to_base64url(client),
            "authenticatorData": bytes_to_base64url(data),
            "signature": bytes_to_base64url(signed),
            "userHandle": self.user_handle,
        }
        return self._answer({**response, **changes})

    def _answer(self, response: dict[str, Any]) -> str:
        named = bytes_to_base64url(self.credential_id)
        return json.dumps({"id": named, "rawId": named, "type": "public-key", "response": response})

    def _client(self, kind: str, challenge: str) -> bytes:
        assert base64url_to_bytes(challenge)
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _data(self, more: int = 0) -> bytes:
        flags = _PRESENT | (_VERIFIED if self.verified else 0) | more
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")
