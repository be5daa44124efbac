//! A client's TLS, without any input or output. The server's certificate isn't verified.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// What all sessions have in common.
pub type Settings = Arc<ClientConfig>;

/// The version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

/// The settings for one version. No session is resumed, so each handshake is a full one.
pub fn settings(version: Version) -> Result<Settings, String> {
    let versions = match version {
        Version::Tls12 => [&TLS12],
        Version::Tls13 => [&TLS13],
    };
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(problem)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// One connection's.
pub struct Session {
    connection: UnbufferedClientConnection,
    state: State,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing can be said yet.
    Handshake,
    /// Something can.
    Established,
    /// The server has said that it says no more.
    Closed,
}

impl Session {
    /// Begins one. The first thing to do is to [`receive`](Self::receive) nothing.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let name = ServerName::try_from("localhost").map_err(|error| error.to_string())?;
        let connection =
            UnbufferedClientConnection::new(Arc::clone(settings), name).map_err(problem)?;
        Ok(Self {
            connection,
            state: State::Handshake,
        })
    }

    /// How far it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// Takes ciphertext, which is decrypted in its place. How much of it was used: what is
    /// left is the beginning of a record.
    ///
    /// `plain` gets what it says; what is to be sent in answer is put at the end of
    /// `outgoing`.
    pub fn receive(
        &mut self,
        incoming: &mut [u8],
        outgoing: &mut Vec<u8>,
        mut plain: impl FnMut(&[u8]),
    ) -> Result<usize, String> {
        let mut used = 0;
        loop {
            let rest = incoming.get_mut(used..).unwrap_or_default();
            let UnbufferedStatus { discard, state, .. } = self.connection.process_tls_records(rest);
            used += discard;
            match state.map_err(problem)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(problem)?;
                        used += record.discard;
                        plain(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    append(outgoing, 1_024, |space| data.encode(space))?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::WriteTraffic(_) => {
                    self.state = State::Established;
                    return Ok(used);
                }
                ConnectionState::PeerClosed | ConnectionState::Closed => {
                    self.state = State::Closed;
                    return Ok(used);
                }
                ConnectionState::BlockedHandshake => return Ok(used),
                other => return Err(format!("TLS: unexpected: {other:?}")),
            }
        }
    }

    /// Puts the ciphertext of something at the end of `outgoing`.
    pub fn encrypt(&mut self, plain: &[u8], outgoing: &mut Vec<u8>) -> Result<(), String> {
        // Each record of 16 KiB has a head, a nonce in TLS 1.2, and a tag.
        let size = plain.len() + (plain.len() / 16_384 + 1) * 64;
        self.write(|traffic| append(outgoing, size, |space| traffic.encrypt(plain, space)))
    }

    /// Puts at the end of `outgoing` what says that there is no more.
    pub fn close(&mut self, outgoing: &mut Vec<u8>) -> Result<(), String> {
        self.write(|traffic| append(outgoing, 64, |space| traffic.queue_close_notify(space)))
    }

    fn write(
        &mut self,
        act: impl FnOnce(&mut Traffic<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        match self.connection.process_tls_records(&mut []).state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => act(&mut traffic),
            Ok(other) => Err(format!("TLS: nothing can be sent: {other:?}")),
            Err(error) => Err(problem(error)),
        }
    }
}

type Traffic<'c> = rustls::unbuffered::WriteTraffic<'c, rustls::client::ClientConnectionData>;

/// Puts at the end of a vector what is written into a slice that is long enough.
fn append<E: TooShort>(
    outgoing: &mut Vec<u8>,
    size: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Result<(), String> {
    let start = outgoing.len();
    let mut size = size;
    loop {
        outgoing.resize(start + size, 0);
        match write(outgoing.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                outgoing.truncate(start + written);
                return Ok(());
            }
            Err(error) => size = error.required().ok_or("TLS: nothing to encode")?,
        }
    }
}

trait TooShort {
    fn required(&self) -> Option<usize>;
}

impl TooShort for EncodeError {
    fn required(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::AlreadyEncoded => None,
        }
    }
}

impl TooShort for EncryptError {
    fn required(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::EncryptExhausted => None,
        }
    }
}

fn problem(error: Error) -> String {
    format!("TLS: {error}")
}

/// Takes every certificate for good, and every signature: it is the server that is measured.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
