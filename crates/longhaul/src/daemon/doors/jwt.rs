//! Tokens that somebody else gives out and signs: whose they are is read from them, and believed
//! because of the signature of an issuer that was configured.

use super::{Principal, Proof};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use longhaul_core::spec::check_word;
use longhaul_core::time::{Millis, Timestamp};
use longhaul_core::token::TokenRole;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// By how much the clocks of an issuer and of this machine may differ.
const LEEWAY: Millis = Millis::from_secs(10);
/// Bytes of a shared secret: as many as its signature has.
const SECRET_BYTES_MIN: usize = 32;
/// How a file with a key that is no shared secret begins.
const PEM: &[u8] = b"-----BEGIN";

/// An issuer as it is written in the settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSetting {
    /// What its tokens say in `iss`.
    pub issuer: String,
    /// What they must say in `aud`.
    pub audience: String,
    /// How they are signed. A token that says otherwise is good for nothing.
    pub algorithm: SigningAlgorithm,
    /// A file with the public key in PEM, or for `HS256` with the secret itself.
    pub key_file: PathBuf,
    /// Which claim says whom a token stands for.
    #[serde(default = "subject")]
    pub principal_claim: String,
    /// Which claim says what that principal may do: `operator`, alone or in a list, may do everything
    /// that the owner of the home may. Without one all are clients.
    #[serde(default)]
    pub role_claim: Option<String>,
}

fn subject() -> String {
    "sub".to_owned()
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
    validation: Validation,
    key: DecodingKey,
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
                // A public key is no secret: whoever has read it could sign with it.
                if secret.starts_with(PEM) {
                    return Err(format!("`{path}` holds a key in PEM, which is no shared secret"));
                }
                (Algorithm::HS256, Ok(DecodingKey::from_secret(secret)))
            }
            SigningAlgorithm::Rs256 => (Algorithm::RS256, DecodingKey::from_rsa_pem(&bytes)),
            SigningAlgorithm::Es256 => (Algorithm::ES256, DecodingKey::from_ec_pem(&bytes)),
            SigningAlgorithm::EdDsa => (Algorithm::EdDSA, DecodingKey::from_ed_pem(&bytes)),
        };
        let key = key.map_err(|error| format!("`{path}` holds no such key: {error}"))?;
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&setting.issuer]);
        validation.set_audience(&[&setting.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        // Time is looked at by the clock that everything here goes by.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Ok(Self { setting: setting.clone(), validation, key })
    }

    /// Who brings this token, and for how long that is so; nobody if it is not one of this issuer, or not
    /// at this time.
    pub(super) fn principal(&self, token: &str, now: Timestamp) -> Option<Principal> {
        let claims = decode::<Map<String, Value>>(token, &self.key, &self.validation).ok()?.claims;
        let until = moment(claims.get("exp")?)?.plus(LEEWAY);
        let is_early = match claims.get("nbf") {
            Some(nbf) => moment(nbf)? > now.plus(LEEWAY),
            None => false,
        };
        let name = claims.get(&self.setting.principal_claim)?.as_str()?;
        if now >= until || is_early || check_word("principal", name).is_err() {
            return None;
        }
        let claim = self.setting.role_claim.as_ref().and_then(|name| claims.get(name));
        let is_operator = claim.is_some_and(is_operator);
        Some(Principal { name: name.to_owned(), is_operator, proof: Proof::Signed { until } })
    }
}

/// A date of a token, in whole seconds.
fn moment(claim: &Value) -> Option<Timestamp> {
    let text = claim.as_number()?.to_string();
    let (secs, _) = text.split_once('.').unwrap_or((&text, ""));
    secs.parse::<i64>().ok()?.checked_mul(1_000).map(Timestamp::from_millis)
}

fn is_operator(claim: &Value) -> bool {
    let word = TokenRole::Operator.name();
    match claim {
        Value::Array(roles) => roles.iter().any(|role| role == word),
        other => other == word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;
    use std::path::Path;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn setting(folder: &Path, algorithm: SigningAlgorithm, key: &[u8]) -> IssuerSetting {
        let key_file = folder.join("key");
        std::fs::write(&key_file, key).unwrap();
        IssuerSetting {
            issuer: "https://issuer.example".into(),
            audience: "longhaul".into(),
            algorithm,
            key_file,
            principal_claim: subject(),
            role_claim: Some("roles".into()),
        }
    }

    fn shared_secret() -> Issuer {
        let folder = tempfile::tempdir().unwrap();
        Issuer::load(&setting(folder.path(), SigningAlgorithm::Hs256, SECRET)).unwrap()
    }

    fn claims() -> Value {
        json!({
            "iss": "https://issuer.example", "aud": ["other", "longhaul"], "sub": "alice",
            "exp": 1_800_000_100, "nbf": 1_799_999_000,
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    fn signed(claims: &Value, secret: &[u8]) -> String {
        encode(&Header::default(), claims, &EncodingKey::from_secret(secret)).unwrap()
    }

    #[test]
    fn a_token_of_the_issuer_says_whose_it_is_and_for_how_long() {
        let issuer = shared_secret();
        let who = |claims: &Value| issuer.principal(&signed(claims, SECRET), NOW).unwrap();
        let until = Timestamp::from_millis(1_800_000_100_000).plus(LEEWAY);
        let proof = Proof::Signed { until };
        let alice = Principal { name: "alice".into(), is_operator: false, proof };
        assert_eq!(who(&claims()), alice);
        assert_eq!(who(&without("nbf")), alice);
        assert_eq!(who(&with("aud", json!("longhaul"))), alice);
        assert_eq!(who(&with("exp", json!(1_800_000_100.9))), alice);
        assert!(!who(&with("roles", json!(["reader"]))).is_operator);
        for roles in [json!("operator"), json!(["reader", "operator"])] {
            assert!(who(&with("roles", roles)).is_operator);
        }
    }

    #[test]
    fn the_claims_that_count_are_those_that_were_set() {
        let folder = tempfile::tempdir().unwrap();
        let plain = setting(folder.path(), SigningAlgorithm::Hs256, SECRET);
        let principal_claim = "email".to_owned();
        let issuer = IssuerSetting { principal_claim, role_claim: None, ..plain };
        let issuer = Issuer::load(&issuer).unwrap();
        assert_eq!(issuer.principal(&signed(&claims(), SECRET), NOW), None);
        let mut named = with("email", json!("al@x.example"));
        named["roles"] = json!("operator");
        let who = issuer.principal(&signed(&named, SECRET), NOW).unwrap();
        assert_eq!((who.name.as_str(), who.is_operator), ("al@x.example", false));
    }

    #[test]
    fn whatever_is_wrong_with_a_token_makes_it_nobodys() {
        let issuer = shared_secret();
        let good = signed(&claims(), SECRET);
        let (_, rest) = good.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        // {"alg":"none"} and {"alg":"HS512"}
        let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
        let relabelled = format!("eyJhbGciOiJIUzUxMiJ9.{payload}.{signature}");
        let wrong_claims = [
            with("iss", json!("https://other.example")),
            with("aud", json!("other")),
            with("exp", json!(1_799_999_989)),
            with("exp", json!("1800000100")),
            with("exp", json!(1e300)),
            with("nbf", json!(1_800_000_011)),
            with("nbf", json!("now")),
            with("sub", json!("")),
            with("sub", json!("a\nb")),
            with("sub", json!(7)),
            without("iss"),
            without("aud"),
            without("sub"),
            without("exp"),
        ];
        let wrong = wrong_claims.iter().map(|claims| signed(claims, SECRET));
        let other_secret = signed(&claims(), b"another secret of just such a len");
        let others = [other_secret, unsigned, relabelled, "a.b.c".to_owned(), String::new()];
        for bad in wrong.chain(others) {
            assert_eq!(issuer.principal(&bad, NOW), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_good_until_it_says_and_a_little_longer() {
        let issuer = shared_secret();
        let token = signed(&claims(), SECRET);
        let at = |millis| issuer.principal(&token, Timestamp::from_millis(millis)).is_some();
        assert!(at(1_800_000_109_999) && !at(1_800_000_110_000));
        assert!(at(1_799_998_990_000) && !at(1_799_998_989_999));
    }

    #[test]
    fn a_key_that_is_none_is_refused_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let public = pair.public_key_pem();
        for (algorithm, key) in [
            (SigningAlgorithm::Hs256, &b"short"[..]),
            (SigningAlgorithm::Hs256, public.as_bytes()),
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
    fn a_key_verifies_what_it_was_made_for_and_is_never_taken_for_a_secret() {
        for (algorithm, kind, made_for) in [
            (SigningAlgorithm::EdDsa, Algorithm::EdDSA, &rcgen::PKCS_ED25519),
            (SigningAlgorithm::Es256, Algorithm::ES256, &rcgen::PKCS_ECDSA_P256_SHA256),
            (SigningAlgorithm::Rs256, Algorithm::RS256, &rcgen::PKCS_RSA_SHA256),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let pair = rcgen::KeyPair::generate_for(made_for).unwrap();
            let (public, private) = (pair.public_key_pem(), pair.serialize_pem());
            let ours = setting(folder.path(), algorithm, public.as_bytes());
            let issuer = Issuer::load(&ours).unwrap();
            assert_eq!(issuer.principal(&signed(&claims(), public.as_bytes()), NOW), None);
            let key = match kind {
                Algorithm::EdDSA => EncodingKey::from_ed_pem(private.as_bytes()),
                Algorithm::ES256 => EncodingKey::from_ec_pem(private.as_bytes()),
                _ => EncodingKey::from_rsa_pem(private.as_bytes()),
            };
            let good = encode(&Header::new(kind), &claims(), &key.unwrap()).unwrap();
            assert_eq!(issuer.principal(&good, NOW).unwrap().name, "alice");
        }
    }
}
