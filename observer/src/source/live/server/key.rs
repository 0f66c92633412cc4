//! A password encrypted with the key that a server sends: RSA with OAEP padding, as caching_sha2_password has it.
//!
//! The key is read here and not by mysql_common, which panics at what is no key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mysql_common::crypto::rsa::{GetRandom, Pkcs1OaepPadding, PublicKey};
use num_bigint::BigUint;

/// Sizes of keys that are taken, in bytes: MySQL makes keys of 2,048 bits.
const SIZES: std::ops::RangeInclusive<usize> = 256..=1024;

/// What OAEP with SHA-1 adds to a text at the least, in bytes (RFC 8017, 7.1.1).
const PADDING: usize = 42;

/// DER's tags.
mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BIT_STRING: u8 = 0x03;
    pub(super) const SEQUENCE: u8 = 0x30;
}

/// `secret` with the key `pem`; `None` where that is no key, or the secret too long for it.
pub(super) fn encrypted(secret: &[u8], pem: &[u8]) -> Option<Vec<u8>> {
    let (modulus, exponent) = key(pem)?;
    if secret.len() + PADDING > modulus.len() {
        return None;
    }
    let key = PublicKey::new(BigUint::from_bytes_be(&modulus), BigUint::from_bytes_be(&exponent));
    key.encrypt_block(secret, Pkcs1OaepPadding::new(GetRandom)).ok()
}

/// Modulus and exponent of a SubjectPublicKeyInfo in PEM (RFC 7468, RFC 5280, RFC 8017).
fn key(pem: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, behind) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = behind.split_once("-----END PUBLIC KEY-----")?;
    let body: String = body.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(body).ok()?;
    let (info, _) = element(&der, tag::SEQUENCE)?;
    let (_algorithm, info) = element(info, tag::SEQUENCE)?;
    let (bits, _) = element(info, tag::BIT_STRING)?;
    let (key, _) = element(bits.strip_prefix(&[0])?, tag::SEQUENCE)?;
    let (modulus, key) = element(key, tag::INTEGER)?;
    let (exponent, _) = element(key, tag::INTEGER)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    // A full first byte, as the padding counts in whole ones, and what any key has.
    let is_whole = modulus.first().is_some_and(|first| *first >= 0x80);
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    let is_key = SIZES.contains(&modulus.len()) && is_whole && is_odd(modulus);
    (is_key && is_odd(exponent) && exponent.len() <= 4).then(|| (modulus.to_vec(), exponent.to_vec()))
}

/// The content of the element that `der` begins with, if it has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A key of 2,048 bits that nobody uses: `openssl genrsa | openssl rsa -pubout`.
    const PEM: &str = include_str!("key_test.pem");

    #[test]
    fn a_key_encrypts_what_fits() {
        let one = encrypted(b"sesame\0", PEM.as_bytes()).unwrap();
        let other = encrypted(b"sesame\0", PEM.as_bytes()).unwrap();
        assert_eq!((one.len(), other.len()), (256, 256));
        assert_ne!(one, other, "padding is random");
        assert!(encrypted(&[7; 214], PEM.as_bytes()).is_some());
        assert!(encrypted(&[7; 215], PEM.as_bytes()).is_none());
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(encrypted(b"sesame\0", b""), None);
        assert_eq!(encrypted(b"sesame\0", &PEM.as_bytes()[..PEM.len() / 2]), None);
        assert_eq!(encrypted(b"sesame\0", PEM.replace("PUBLIC KEY", "CERTIFICATE").as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_damage_makes_it_panic(place in 0..1000_usize, byte: u8, cut in 0..1000_usize) {
            let (_, behind) = PEM.split_once("KEY-----").unwrap();
            let (body, _) = behind.split_once("-----END").unwrap();
            let mut der = STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap();
            let length = der.len();
            der[place % length] = byte;
            der.truncate(length - cut % length / 4);
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
            // Whether it is still a key depends on where it was damaged.
            let result = encrypted(b"sesame\0", pem.as_bytes());
            prop_assert!(result.is_none_or(|text| !text.is_empty()));
        }
    }
}
