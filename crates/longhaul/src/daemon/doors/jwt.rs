//! Tokens that somebody else gives out and signs: whose they are is read from them, and believed
//! because of the signature of an issuer that was configured.

use super::Principal;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use longhaul_core::time::{Millis, Timestamp};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// By how much the clocks of an issuer and of this machine may differ.
const LEEWAY: Millis = Millis::from_secs(60);

/// An issuer as it is written in the settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSetting {
    /// What its tokens say in `iss`.
    pub issuer: String,
    /// What they must say in `aud`.
    pub audience: String,
    /// How they are signed: `HS256`, `RS256`, `ES256` or `EdDSA`.
    pub algorithm: SigningAlgorithm,
    /// A file with the public key in PEM, or for `HS256` with the secret itself.
    pub key_file: PathBuf,
    /// Which `sub` may do everything that the owner of the home may.
    #[serde(default)]
    pub operators: BTreeSet<String>,
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum SigningAlgorithm {
    /// With a shared secret.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA over P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// An issuer whose key was read.
pub(super) struct Issuer {
    setting: IssuerSetting,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// What of a token is read. A list of audiences is one of several forms.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
}

impl Issuer {
    /// Reads the key. An error names the file.
    pub(super) fn load(setting: &IssuerSetting) -> Result<Self, String> {
        let path = setting.key_file.display();
        let bytes = fs_err::read(&setting.key_file).map_err(|error| error.to_string())?;
        let (algorithm, key) = match setting.algorithm {
            SigningAlgorithm::Hs256 => {
                let secret = bytes.trim_ascii();
                if secret.len() < SECRET_BYTES_MIN {
                    return Err(format!("`{path}` has fewer than {SECRET_BYTES_MIN} bytes"));
                }
                (Algorithm::HS256, Ok(DecodingKey::from_secret(secret)))
            }
            SigningAlgorithm::Rs256 => (Algorithm::RS256, DecodingKey::from_rsa_pem(&bytes)),
            SigningAlgorithm::Es256 => (Algorithm::ES256, DecodingKey::from_ec_pem(&bytes)),
            SigningAlgorithm::EdDsa => (Algorithm::EdDSA, DecodingKey::from_ed_pem(&bytes)),
        };
        let key = key.map_err(|error| format!("`{path}` holds no such key: {error}"))?;
        Ok(Self { setting: setting.clone(), algorithm, key })
    }

    /// Who brings this token; nobody if it is not one of this issuer, or not at this time.
    pub(super) fn principal(&self, token: &str, now: Timestamp) -> Option<Principal> {
        let mut validation = Validation::new(self.algorithm);
        validation.set_issuer(&[&self.setting.issuer]);
        validation.set_audience(&[&self.setting.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // Time is looked at below, by the clock that everything here goes by.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = decode::<Claims>(token, &self.key, &validation).ok()?.claims;
        let now_secs = now.as_millis() as f64 / 1_000.0;
        let leeway_secs = LEEWAY.get() as f64 / 1_000.0;
        let is_over = claims.exp + leeway_secs <= now_secs;
        let is_early = claims.nbf.is_some_and(|nbf| nbf - leeway_secs > now_secs);
        if is_over || is_early || !claims.exp.is_finite() {
            return None;
        }
        let is_operator = self.setting.operators.contains(&claims.sub);
        Some(Principal { name: claims.sub, is_operator })
    }
}

/// Bytes of a shared secret: as many as its signature has.
const SECRET_BYTES_MIN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn setting(folder: &std::path::Path, algorithm: SigningAlgorithm, key: &[u8]) -> IssuerSetting {
        let key_file = folder.join("key");
        std::fs::write(&key_file, key).unwrap();
        IssuerSetting {
            issuer: "https://issuer.example".into(),
            audience: "longhaul".into(),
            algorithm,
            key_file,
            operators: ["root".to_owned()].into(),
        }
    }

    fn claims(sub: &str) -> Value {
        json!({
            "iss": "https://issuer.example", "aud": ["other", "longhaul"], "sub": sub,
            "exp": 1_800_000_100, "nbf": 1_799_999_000,
        })
    }

    fn signed(claims: &Value, secret: &[u8]) -> String {
        encode(&Header::default(), claims, &EncodingKey::from_secret(secret)).unwrap()
    }

    #[test]
    fn a_token_of_the_issuer_says_whose_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let setting = setting(folder.path(), SigningAlgorithm::Hs256, SECRET);
        let issuer = Issuer::load(&setting).unwrap();
        let who = |claims: &Value| issuer.principal(&signed(claims, SECRET), NOW);
        let alice = Principal { name: "alice".into(), is_operator: false };
        assert_eq!(who(&claims("alice")), Some(alice));
        assert!(who(&claims("root")).unwrap().is_operator);
    }

    #[test]
    fn whatever_is_wrong_with_a_token_makes_it_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        let setting = setting(folder.path(), SigningAlgorithm::Hs256, SECRET);
        let issuer = Issuer::load(&setting).unwrap();
        let with = |name: &str, value: Value| {
            let mut claims = claims("alice");
            claims[name] = value;
            signed(&claims, SECRET)
        };
        let without = |name: &str| {
            let mut claims = claims("alice");
            claims.as_object_mut().unwrap().remove(name);
            signed(&claims, SECRET)
        };
        let unsigned = {
            let token = signed(&claims("alice"), SECRET);
            let (_, payload) = token.split_once('.').unwrap();
            format!("eyJhbGciOiJub25lIn0.{}.", payload.split_once('.').unwrap().0)
        };
        for bad in [
            with("iss", json!("https://other.example")),
            with("aud", json!("other")),
            with("exp", json!(1_799_999_900)),
            with("nbf", json!(1_800_000_100)),
            without("iss"),
            without("aud"),
            without("sub"),
            without("exp"),
            signed(&claims("alice"), b"another secret of just such a len"),
            unsigned,
            "a.b.c".to_owned(),
            String::new(),
        ] {
            assert_eq!(issuer.principal(&bad, NOW), None, "{bad}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        for (algorithm, key) in [
            (SigningAlgorithm::Hs256, &b"short"[..]),
            (SigningAlgorithm::Rs256, SECRET),
            (SigningAlgorithm::Es256, SECRET),
            (SigningAlgorithm::EdDsa, SECRET),
        ] {
            let bad = setting(folder.path(), algorithm, key);
            let error = Issuer::load(&bad).err().unwrap();
            assert!(error.contains("key"), "{error}");
        }
    }

    #[test]
    fn a_key_of_another_kind_cannot_be_taken_for_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let public = pair.public_key_pem();
        let ours = setting(folder.path(), SigningAlgorithm::EdDsa, public.as_bytes());
        let issuer = Issuer::load(&ours).unwrap();
        assert_eq!(issuer.principal(&signed(&claims("alice"), public.as_bytes()), NOW), None);
        let key = EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap();
        let good = encode(&Header::new(Algorithm::EdDSA), &claims("alice"), &key).unwrap();
        assert_eq!(issuer.principal(&good, NOW).unwrap().name, "alice");
    }
}
