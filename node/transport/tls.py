"""Mutual TLS 1.3 between members, in which nothing but the roster's public keys is trusted.

For each key of the roster we make a throw-away trust anchor: a CA certificate with that key and the node id as its
name, signed by a junk key. OpenSSL trusts an anchor because it was given, and does not check the anchor's own
signature. Each node presents a certificate for a fresh TLS key, signed by its identity key, with its node id as the
only subject alternative name. So OpenSSL itself verifies the chain, the identity key never enters the TLS layer, and
no certificate is ever exchanged by hand. Name constraints in the anchors keep one member from signing a certificate
in another's name.
"""

import os
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import structlog
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from consensus.keys import NOT_STRICT, MemberId, id_text, is_strict_point, parse_id, verify
from node.config.identity import Identity
from node.system.clock import SystemClock, wait_until_set

# A clock that is wrong by a year must not cut its owner off, so the dates are wide. That costs nothing: a TLS key is in
# the memory of its process, as the identity key is, and is gone with it. A certificate is made anew
# (`Credentials.renew`) long before it ends, and soon after the clock was set.
_BACKDATED = timedelta(days=2 * 366)
_VALID = timedelta(days=2 * 366)
_RENEW_AFTER = timedelta(days=2)
_LOOK_S = 60.0
_TOLERANCE = timedelta(minutes=5)  # of a clock, before anybody is told
_BEGIN = "-----BEGIN CERTIFICATE-----"

_log = structlog.get_logger(__name__)


class Credentials:
    """What a node needs to speak TLS: its own certificate, and an anchor for each other member.

    Every connection needs a context that is fetched anew: it changes with the members.
    """

    def __init__(self, identity: Identity, members: Iterable[MemberId]) -> None:
        self._identity = identity
        self._issued = datetime.now(UTC)
        self._certificate = _issue(identity, self._issued)
        self._anchors: dict[MemberId, x509.Certificate] = {}
        self._clients: dict[MemberId, ssl.SSLContext] = {}
        self.set_members(members)

    def set_members(self, members: Iterable[MemberId]) -> None:
        """Let `server` admit these members from now on, and nobody else."""
        others = sorted(set(members) - {self._identity.id})
        self._anchors = {member: self._anchors.get(member) or _anchor(member) for member in others}
        self._clients = {member: context for member, context in self._clients.items() if member in self._anchors}
        self._server = _context(ssl.PROTOCOL_TLS_SERVER, self._anchors.values(), self._certificate)
        self._server.num_tickets = 0  # no resumption: every connection shows its certificate

    def server(self) -> ssl.SSLContext:
        """Return a context that admits every other member and nobody else."""
        return self._server

    def client(self, peer: MemberId) -> ssl.SSLContext:
        """Return a context for `peer` alone, member or not; the server's host name is to be `id_text(peer)`."""
        context = self._clients.get(peer)
        if context is None:
            anchor = self._anchors.get(peer) or _anchor(peer)
            context = self._clients[peer] = _context(ssl.PROTOCOL_TLS_CLIENT, [anchor], self._certificate)
        return context

    def has_issued(self, certificate: bytes) -> bool:
        """Return whether a certificate (DER) is this node's present one: another process with its key has another."""
        pem = self._certificate.decode()
        return ssl.PEM_cert_to_DER_cert(pem[pem.index(_BEGIN) :]) == certificate

    def renew(self) -> bool:
        """Give all contexts a fresh certificate if the present one is days old. Return whether it was."""
        now = datetime.now(UTC)
        if abs(now - self._issued) < _RENEW_AFTER:  # abs: the clock may have been set back
            return False
        self._certificate = _issue(self._identity, now)
        for context in (self._server, *self._clients.values()):
            _load(context, self._certificate)
        self._issued = now
        return True

    async def keep_renewed(self) -> None:
        """Renew the certificate when it is due, until cancelled."""
        while True:
            await trio.sleep(_LOOK_S)
            await wait_until_set(SystemClock())
            try:
                self.renew()
            except OSError as error:  # too many open files; there are days left to try again
                _log.warning("certificate not renewed", reason=str(error))


def trusting_context() -> ssl.SSLContext:
    """Return a client's context that takes any certificate: to see who is there, and for nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def authenticated_member(certificate: bytes) -> MemberId:
    """Return the id of the member to whom a peer certificate (DER) belongs. OpenSSL has verified its chain.

    That the named member itself signed the certificate is checked once more, so that not everything depends on name
    constraints, and as strictly as every other signature. Raise ValueError.
    """
    parsed = x509.load_der_x509_certificate(certificate)
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(f"the certificate names nobody: {error}") from None
    (name,) = names.get_values_for_type(x509.DNSName)
    member = parse_id(name)
    if not verify(member, parsed.tbs_certificate_bytes, parsed.signature):
        raise ValueError(f"the certificate of {name} is signed by another key")
    fresh = parsed.public_key()
    if isinstance(fresh, Ed25519PublicKey) and not is_strict_point(fresh.public_bytes_raw()):
        raise ValueError(f"the certificate of {name} is for a key that is {NOT_STRICT}")
    return member


def check_dates(certificate: bytes, now: datetime) -> str:
    """Return by how much `now` differs from the clock by which a peer's certificate (DER) was made; "" if it may fit.

    Peers make their certificates anew every other day (`Credentials.renew`), so an hour is not seen.
    """
    made = x509.load_der_x509_certificate(certificate).not_valid_before_utc + _BACKDATED
    if now < made - _TOLERANCE:
        return f"{_days(made - now)} in the future, by the clock of this machine"
    if now > made + _RENEW_AFTER + _TOLERANCE:
        return f"{_days(now - made)} ago, by the clock of this machine, and makes a new one every other day"
    return ""


def _days(span: timedelta) -> str:
    return f"{span / timedelta(days=1):.1f} days" if span.days else f"{span // timedelta(minutes=1)} minutes"


def _anchor(member: MemberId) -> x509.Certificate:
    name = id_text(member)
    if not is_strict_point(member):
        raise ValueError(f"{name}: the id is {NOT_STRICT}")
    key = Ed25519PublicKey.from_public_bytes(member)
    only_itself = x509.NameConstraints(permitted_subtrees=[x509.DNSName(name)], excluded_subtrees=None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_common_name(name))
        .issuer_name(_common_name(name))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(1970, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(9999, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(only_itself, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    return builder.sign(Ed25519PrivateKey.generate(), None)


def _issue(identity: Identity, now: datetime) -> bytes:
    """Return a fresh TLS key and its certificate, as PEM."""
    fresh = Ed25519PrivateKey.generate()
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(identity.private.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(_common_name(identity.text))
        .public_key(fresh.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(identity.text)]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(fresh.public_key()), critical=False)
        .add_extension(issuer, critical=False)
    )
    private = fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + builder.sign(identity.private, None).public_bytes(Encoding.PEM)


def _context(protocol: int, anchors: Iterable[x509.Certificate], certificate: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)  # a client's checks the host name, which is the node id
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    for anchor in anchors:
        context.load_verify_locations(cadata=anchor.public_bytes(Encoding.DER))
    _load(context, certificate)
    return context


def _load(context: ssl.SSLContext, certificate: bytes) -> None:
    # The ssl module reads certificates from files only. This one is in memory: the key reaches no disk, and there need
    # not be a folder for temporary files.
    with open(os.memfd_create("ringrift-tls"), "wb", buffering=0) as file:
        file.write(certificate)
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
