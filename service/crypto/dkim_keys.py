"""Key pairs of DKIM (RFC 6376, RFC 8463): made here, published in the DNS by their public half, used by workers."""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from service.crypto.secret import Secret

Algorithm = Literal["rsa", "ed25519"]
# Longer ones have no room in a DNS answer over UDP, and cost a worker several times as much.
_BITS = 2048
_EXPONENT = 65537


def generate(algorithm: Algorithm) -> Secret:
    """Make a private key, as PKCS#8 in PEM."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - it loads bcrypt, for keys of SSH

    key = generate_private_key(_EXPONENT, _BITS) if algorithm == "rsa" else Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Secret(pem.decode())


def public_key(private: Secret) -> str:
    """Return the public half as a DNS record has it after `p=`."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - it loads bcrypt, for keys of SSH

    key = _load(private)
    if isinstance(key, RSAPrivateKey):
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    else:
        encoding, form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return b64encode(key.public_key().public_bytes(encoding, form)).decode()


def signer(private: Secret) -> Callable[[bytes], bytes]:
    """Return the function that signs canonical header fields. RSA costs a fraction of a millisecond without the GIL."""
    key = _load(private)
    if isinstance(key, RSAPrivateKey):
        return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return lambda data: key.sign(sha256(data).digest())


def _load(private: Secret) -> RSAPrivateKey | Ed25519PrivateKey:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - it loads bcrypt, for keys of SSH

    key = serialization.load_pem_private_key(private.reveal().encode(), None)
    assert isinstance(key, RSAPrivateKey | Ed25519PrivateKey)  # noqa: S101 - `generate` makes no others
    return key
