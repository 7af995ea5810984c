"""Who gets through the handshake: exactly the holders of the roster's keys, as themselves.

Trust rests on OpenSSL not checking an anchor's own signature and honouring its name constraints;
these refusals are what would break first if that changed.
"""

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Self

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from trio.testing import MockClock

from consensus.keys import id_text
from node.config.identity import Identity
from node.transport import tls
from node.transport.tls import Credentials, authenticated_member

Ids = list[Identity]


@dataclass
class Handshake:
    """What the two ends saw: the member the server admitted, the bytes the client got, or their errors."""

    admitted: bytes | None = None
    received: bytes | None = None
    server_error: BaseException | None = None
    client_error: BaseException | None = None


async def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> Handshake:
    result = Handshake()

    async def answer(raw: trio.SocketStream) -> None:
        stream = trio.SSLStream(raw, server, server_side=True, https_compatible=True)
        try:
            await stream.do_handshake()
            result.admitted = authenticated_member(stream.getpeercert(binary_form=True))
            await stream.send_all(b"welcome")
        except (trio.BrokenResourceError, ValueError) as error:
            result.server_error = error.__cause__ or error
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        raw = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
        stream = trio.SSLStream(raw, client, server_hostname=name, https_compatible=True)
        try:
            result.received = bytes(await stream.receive_some(7))
        except trio.BrokenResourceError as error:
            result.client_error = error.__cause__ or error
        await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()
    return result


def impostor(key: Identity, name: Identity) -> Identity:
    """Someone who has `key` and says to be `name`."""
    fake = Identity(bytes(32))
    fake.private, fake.id, fake.text = key.private, name.id, name.text
    return fake


async def test_members_are_admitted_as_themselves(identities: Ids, members: list[bytes]) -> None:
    a, b, *_ = identities
    result = await shake(Credentials(a, members).server(), Credentials(b, members).client(a.id), a.text)
    assert result.admitted == b.id
    assert result.received == b"welcome"


async def test_strict_x509_checks_pass_too(identities: Ids, members: list[bytes]) -> None:
    a, b, *_ = identities
    server, client = Credentials(a, members).server(), Credentials(b, members).client(a.id)
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert (await shake(server, client, a.text)).admitted == b.id


async def test_a_stranger_is_refused(identities: Ids, members: list[bytes]) -> None:
    a, stranger = identities[0], identities[4]
    credentials = Credentials(stranger, members)
    result = await shake(Credentials(a, members).server(), credentials.client(a.id), a.text)
    assert result.admitted is None
    assert not result.received


async def test_a_forged_issuer_name_is_refused(identities: Ids, members: list[bytes]) -> None:
    a, b, *_, stranger = identities
    forger = Credentials(impostor(stranger, b), members)
    result = await shake(Credentials(a, members).server(), forger.client(a.id), a.text)
    assert result.admitted is None
    assert not result.received


async def test_a_member_cannot_speak_for_another_to_a_server(identities: Ids, members: list[bytes]) -> None:
    a, b, c, *_ = identities
    forger = impostor(b, c)
    # B's signature over C's name, with B's own name as the issuer, so that the chain ends in B's anchor.
    certificate = _issued_under(forger, issuer=b)
    client = Credentials(forger, members).client(a.id)
    tls._load(client, certificate)
    result = await shake(Credentials(a, members).server(), client, a.text)
    assert result.admitted is None
    assert not result.received


async def test_a_member_cannot_speak_for_another_to_a_client(identities: Ids, members: list[bytes]) -> None:
    a, b, c, *_ = identities
    forger = impostor(b, c)
    server = Credentials(forger, members).server()
    tls._load(server, _issued_under(forger, issuer=b))
    result = await shake(server, Credentials(a, members).client(c.id), c.text)
    assert isinstance(result.client_error, ssl.SSLCertVerificationError)


def _issued_under(forger: Identity, issuer: Identity) -> bytes:
    name = tls._common_name
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tls, "_common_name", lambda _: name(issuer.text))
        return tls._issue(forger, datetime.now(UTC))


def test_the_certificate_must_be_signed_by_the_member_it_names(identities: Ids) -> None:
    _, b, c, *_ = identities
    pem = _issued_under(impostor(b, c), issuer=b)
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index(b"-----BEGIN CERTIFICATE") :].decode())
    with pytest.raises(ValueError, match="signed by another key"):
        authenticated_member(der)


@pytest.mark.parametrize("encoded", [b"\1" + bytes(31), b"\xee" + b"\xff" * 31], ids=["neutral", "not canonical"])
def test_nobody_passes_for_a_key_that_fits_every_signature(identities: Ids, encoded: bytes) -> None:
    """Not even if an anchor for it got in: a stranger can sign for it, with R neutral and S = 0."""
    nobody = Identity(bytes(32))
    nobody.id, nobody.text = encoded, id_text(encoded)
    with pytest.raises(ValueError, match="nobody's key"):
        Credentials(identities[0], [encoded])
    with pytest.raises(ValueError, match="nobody's key"):
        Credentials(identities[0], []).client(encoded)
    pem = tls._issue(nobody, datetime.now(UTC))
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index(b"-----BEGIN CERTIFICATE") :].decode())
    forged = der[:-64] + b"\1" + bytes(63)
    with pytest.raises(ValueError, match="nobody's key"):
        authenticated_member(forged)


def test_a_certificate_for_a_tls_key_that_is_nobodys_is_refused(
    identities: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = ed25519.Ed25519PublicKey.from_public_bytes(b"\1" + bytes(31))
    set_key = x509.CertificateBuilder.public_key
    monkeypatch.setattr(x509.CertificateBuilder, "public_key", lambda builder, _: set_key(builder, weak))
    pem = tls._issue(identities[0], datetime.now(UTC))
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index(b"-----BEGIN CERTIFICATE") :].decode())
    with pytest.raises(ValueError, match="for a key that is of small order"):
        authenticated_member(der)


async def test_the_wrong_peer_at_an_address_is_refused(identities: Ids, members: list[bytes]) -> None:
    a, b, c, *_ = identities
    result = await shake(Credentials(a, members).server(), Credentials(b, members).client(c.id), c.text)
    assert isinstance(result.client_error, ssl.SSLCertVerificationError)
    assert result.admitted is None


async def test_older_tls_is_refused(identities: Ids, members: list[bytes]) -> None:
    a, b, *_ = identities
    client = Credentials(b, members).client(a.id)
    client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    assert (await shake(Credentials(a, members).server(), client, a.text)).admitted is None


def clock_off_by(error: timedelta) -> type[datetime]:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(datetime.now(UTC).timestamp() + error.total_seconds(), tz)

    return Wrong


@pytest.mark.parametrize("days", [-365, 365])
async def test_a_clock_that_jumps_by_a_year_cuts_nobody_off(
    identities: Ids, members: list[bytes], monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """From before the jump until the clock is right again: OpenSSL has the right time, so b is wrong as a sees it."""
    a, b, *_ = identities
    right, wrong = Credentials(a, members), Credentials(b, members)

    async def talk() -> None:
        assert (await shake(right.server(), wrong.client(a.id), a.text)).admitted == b.id
        assert (await shake(wrong.server(), right.client(b.id), b.text)).admitted == a.id

    await talk()
    with monkeypatch.context() as patch:
        patch.setattr(tls, "datetime", clock_off_by(timedelta(days=days)))
        assert wrong.renew()
        await talk()
        wrong = Credentials(b, members)  # as after a restart
        await talk()
    assert wrong.renew()
    await talk()


async def test_an_outdated_certificate_is_refused_until_renewed(
    identities: Ids, members: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, *_ = identities
    server = Credentials(a, members).server()
    with monkeypatch.context() as patch:
        patch.setattr(tls, "datetime", clock_off_by(timedelta(days=-1000)))
        credentials = Credentials(b, members)
        assert not credentials.renew()
    assert (await shake(server, credentials.client(a.id), a.text)).admitted is None
    assert credentials.renew()
    assert (await shake(server, credentials.client(a.id), a.text)).admitted == b.id


async def test_a_renewal_that_fails_is_tried_again(
    identities: Ids, members: list[bytes], monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    tries = []

    def renew(_: Credentials) -> bool:
        tries.append(trio.current_time())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Credentials, "renew", renew)
    with trio.move_on_after(3 * 60 + 1):
        await Credentials(identities[0], members).keep_renewed()
    assert len(tries) == 3


def test_a_renewal_that_failed_is_not_taken_for_done(
    identities: Ids, members: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = Credentials(identities[0], members)
    credentials._issued -= timedelta(days=3)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tls, "_load", fail)
        with pytest.raises(OSError, match="No space"):
            credentials.renew()
    assert credentials.renew()


def test_no_folder_for_temporary_files_is_needed(
    identities: Ids, members: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    assert Credentials(identities[0], members).server().get_ca_certs()
