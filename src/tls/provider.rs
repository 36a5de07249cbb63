//! ring's cryptography, as much of it as is in use: all that browsers, Go and openssl agree upon, but
//! not Ed25519, whose tables a small board can do without.

use std::sync::Arc;

use ring::rand::SecureRandom as _;
use rustls::crypto::ring::sign::{RsaSigningKey, any_ecdsa_type};
use rustls::crypto::ring::{DEFAULT_CIPHER_SUITES, DEFAULT_KX_GROUPS};
use rustls::crypto::{
    CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{Error, SignatureScheme};
use webpki::ring as known;

/// Everything that rustls has computed elsewhere.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: DEFAULT_CIPHER_SUITES.to_vec(),
        kx_groups: DEFAULT_KX_GROUPS.to_vec(),
        signature_verification_algorithms: SIGNATURES,
        secure_random: &Ring,
        key_provider: &Ring,
    })
}

#[derive(Debug)]
struct Ring;

impl SecureRandom for Ring {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        ring::rand::SystemRandom::new().fill(bytes).map_err(|_| GetRandomFailed)
    }
}

impl KeyProvider for Ring {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        if let Ok(key) = RsaSigningKey::new(&key) {
            return Ok(Arc::new(key));
        }
        any_ecdsa_type(&key).map_err(|_| {
            Error::General(
                "the key is neither RSA (2048 bits and more) nor ECDSA on P-256 or P-384".into(),
            )
        })
    }
}

/// Those by which certificates and handshakes may be signed; of TLS 1.2 the curve says nothing of
/// the hash.
const SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        known::ECDSA_P256_SHA256,
        known::ECDSA_P256_SHA384,
        known::ECDSA_P384_SHA256,
        known::ECDSA_P384_SHA384,
        known::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        known::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        known::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        known::RSA_PKCS1_2048_8192_SHA256,
        known::RSA_PKCS1_2048_8192_SHA384,
        known::RSA_PKCS1_2048_8192_SHA512,
        known::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        known::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        known::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    mapping: &[
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[known::ECDSA_P384_SHA384, known::ECDSA_P256_SHA384],
        ),
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[known::ECDSA_P256_SHA256, known::ECDSA_P384_SHA256],
        ),
        (SignatureScheme::RSA_PSS_SHA512, &[known::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA384, &[known::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA256, &[known::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[known::RSA_PKCS1_2048_8192_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[known::RSA_PKCS1_2048_8192_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[known::RSA_PKCS1_2048_8192_SHA256]),
    ],
};
