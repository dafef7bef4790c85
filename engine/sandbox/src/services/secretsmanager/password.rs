//! GetRandomPassword: from a sequence, so that a world's passwords are the same each time.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::services::{AwsFault, Call, Reply};

const CLASSES: [(&str, &str); 5] = [
    ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
    ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("ExcludeNumbers", "0123456789"),
    ("ExcludePunctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ("", " "),
];

pub(super) fn random(call: &Call<'_>) -> Reply {
    let flag = |member: &str| call.input.get(member).and_then(Value::as_bool);
    let length = call.input.get("PasswordLength").and_then(Value::as_u64).unwrap_or(32);
    let length = usize::try_from(length).unwrap_or(32);
    let excluded = call.text("ExcludeCharacters");
    let classes: Vec<Vec<char>> = CLASSES
        .iter()
        .filter(|(member, _)| match *member {
            "" => flag("IncludeSpace").unwrap_or(false),
            member => !flag(member).unwrap_or(false),
        })
        .map(|(_, letters)| letters.chars().filter(|letter| !excluded.contains(*letter)).collect())
        .filter(|letters: &Vec<char>| !letters.is_empty())
        .collect();
    let all: Vec<char> = classes.iter().flatten().copied().collect();
    let each = flag("RequireEachIncludedType").unwrap_or(true);
    if all.is_empty() || (each && length < classes.len()) {
        return Err(AwsFault::new(
            "InvalidParameterException",
            "The password length is too short based on the required types.",
        ));
    }
    let mut chance = Chance { seed: call.world.next_number("password"), drawn: 0 };
    let mut letters: Vec<char> = Vec::with_capacity(length);
    if each {
        letters.extend(classes.iter().map(|class| class[chance.below(class.len())]));
    }
    while letters.len() < length {
        letters.push(all[chance.below(all.len())]);
    }
    for index in (1..letters.len()).rev() {
        letters.swap(index, chance.below(index + 1));
    }
    Ok(json!({"RandomPassword": letters.into_iter().collect::<String>()}))
}

/// Numbers from a digest of a counter.
struct Chance {
    seed: u64,
    drawn: u64,
}

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.drawn += 1;
        let digest = Sha256::digest(format!("password {} {}", self.seed, self.drawn).as_bytes());
        let number =
            digest.iter().take(4).fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        number % limit
    }
}
