//! Secret values: in memory while a process runs, sealed for the next one.
//!
//! A value enters here and leaves only into an AWS call. What a resume needs is sealed with a key
//! that is not in the database; credentials that AWS handed out are fetched again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key as CipherKey, Nonce};
use hmac::{Hmac, Mac as _};
use piton_core::ports::{Entropy, RunId};
use piton_core::secret::Origin;
use sha2::Sha256;

/// The key that seals secret values and derives passwords. It lives in a file beside the database,
/// never in it.
#[derive(Clone)]
pub struct SealingKey(Arc<[u8; 32]>);

/// A sealed value that cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value cannot be opened: the key file is another one than when it was sealed")]
pub struct SealBroken;

const NONCE_LENGTH: usize = 12;

impl SealingKey {
    /// A key from 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Arc::new(bytes))
    }

    /// Seals a value for the database. `name` is bound to it, so that values cannot be exchanged.
    pub fn seal(&self, entropy: &dyn Entropy, run: &RunId, name: &str, value: &str) -> Vec<u8> {
        let mut nonce = [0; NONCE_LENGTH];
        entropy.fill(&mut nonce);
        let plain = format!("{run}\n{name}\n{value}");
        let sealed = self
            .cipher()
            .encrypt(&Nonce::from(nonce), plain.as_bytes())
            .expect("a value in memory is shorter than the cipher's limit of 256 GiB");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens a sealed value.
    pub fn open(&self, run: &RunId, name: &str, sealed: &[u8]) -> Result<String, SealBroken> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LENGTH).ok_or(SealBroken)?;
        let nonce: [u8; NONCE_LENGTH] = nonce.try_into().map_err(|_| SealBroken)?;
        let plain = self.cipher().decrypt(&Nonce::from(nonce), sealed).map_err(|_| SealBroken)?;
        let plain = String::from_utf8(plain).map_err(|_| SealBroken)?;
        plain.strip_prefix(&format!("{run}\n{name}\n")).map(str::to_owned).ok_or(SealBroken)
    }

    /// Bytes that only this key, and exactly this context, give.
    fn derive(&self, context: &str, block: u32) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice())
            .expect("HMAC takes keys of any length");
        mac.update(context.as_bytes());
        mac.update(&block.to_be_bytes());
        mac.finalize().into_bytes().into()
    }

    /// A keyed digest, in hex: says whether two values are equal, and nothing else.
    pub fn keyed_digest(&self, context: &str, value: &str) -> String {
        let bytes = self.derive(&format!("digest\n{context}\n{value}"), 0);
        piton_core::canonical::Digest::from_bytes(bytes).to_string()
    }

    /// A password that is the same whenever the same entry of the same run asks.
    pub fn password(&self, run: &RunId, entry: &str, alphabet: &[char], length: usize) -> String {
        let context = format!("password\n{run}\n{entry}");
        let count = alphabet.len().max(1);
        // Bytes past the last whole multiple are skipped, so that no character is likelier.
        let fair = 256 - 256 % count;
        let mut password = String::with_capacity(length);
        for block in 0.. {
            for byte in self.derive(&context, block) {
                if password.chars().count() == length {
                    return password;
                }
                if usize::from(byte) < fair {
                    password.push(alphabet[usize::from(byte) % count]);
                }
            }
        }
        password
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&CipherKey::from(*self.0))
    }
}

/// The values that this process knows.
#[derive(Default)]
pub(crate) struct Vault {
    known: Mutex<HashMap<Origin, String>>,
}

impl Vault {
    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a value in memory.
    pub(crate) fn keep(&self, origin: Origin, value: String) {
        self.lock().insert(origin, value);
    }

    /// The value of a handle, when it is in memory.
    pub(crate) fn value(&self, origin: &Origin) -> Option<String> {
        self.lock().get(origin).cloned()
    }

    /// The text with every known value masked.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let known = self.lock();
        let mut values: Vec<&String> = known.values().collect();
        // The longest first: a short value inside a long one must not cut it.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        piton_core::secret::scrub(text, values)
    }
}
