//! Functions on text. Lengths and positions count characters, except in `rs_fit` and `rs_cut`: the
//! size of a varchar is in bytes.

use rusqlite::types::Value;

use super::{Arguments, Outcome, Scalar, hash, numbers, size_value, text_value};

pub(super) const FUNCTIONS: &[(&str, Scalar)] = &[
    ("rs_upper", |a| text_value(a.text(0).to_uppercase())),
    ("rs_lower", |a| text_value(a.text(0).to_lowercase())),
    ("rs_btrim", |a| trim(a, true, true)),
    ("rs_ltrim", |a| trim(a, true, false)),
    ("rs_rtrim", |a| trim(a, false, true)),
    ("rs_lpad", |a| pad(a, true)),
    ("rs_rpad", |a| pad(a, false)),
    ("rs_left", left),
    ("rs_right", right),
    ("rs_substring", substring),
    ("rs_translate", translate),
    ("rs_reverse", |a| text_value(a.text(0).chars().rev().collect::<String>())),
    ("rs_repeat", repeat),
    ("rs_initcap", initcap),
    ("rs_ascii", |a| {
        Ok(Value::Integer(a.text(0).chars().next().map_or(0, |first| i64::from(u32::from(first)))))
    }),
    ("rs_split_part", split_part),
    ("rs_quote_ident", quote_ident),
    ("rs_quote_literal", |a| text_value(format!("'{}'", a.text(0).replace('\'', "''")))),
    ("rs_md5", |a| text_value(hash::md5(a.text(0).as_bytes()))),
    ("rs_sha2", sha2),
    ("rs_to_hex", |a| text_value(format!("{:x}", a.integer(0)?))),
    ("rs_strtol", strtol),
    ("rs_fit", fit),
    ("rs_cut", |a| {
        let text = a.text(0);
        let length = usize::try_from(a.integer(1)?).unwrap_or(0);
        text_value(cut(&text, length))
    }),
    ("rs_numeric_text", |a| {
        let scale = u32::try_from(a.integer(1)?).unwrap_or(0);
        text_value(numbers::fixed(a.float(0)?, scale))
    }),
    ("rs_float_text", |a| text_value(numbers::float_text(a.float(0)?))),
];

/// Takes the given characters, else blanks, from one end or both.
fn trim(arguments: &Arguments, start: bool, end: bool) -> Outcome {
    let set = if arguments.count() > 1 { arguments.text(1) } else { " ".to_owned() };
    let text = arguments.text(0);
    let mut kept = text.as_str();
    if start {
        kept = kept.trim_start_matches(|character| set.contains(character));
    }
    if end {
        kept = kept.trim_end_matches(|character| set.contains(character));
    }
    text_value(kept)
}

fn length(arguments: &Arguments, index: usize) -> Result<usize, String> {
    let length = arguments.integer(index)?;
    usize::try_from(length).or(Ok(0)).and_then(|length: usize| {
        if length > 65_535 {
            Err("result is too large for a varchar".to_owned())
        } else {
            Ok(length)
        }
    })
}

fn pad(arguments: &Arguments, before: bool) -> Outcome {
    let text = arguments.text(0);
    let wanted = length(arguments, 1)?;
    let filler = if arguments.count() > 2 { arguments.text(2) } else { " ".to_owned() };
    let have = text.chars().count();
    if wanted <= have || filler.is_empty() {
        return text_value(text.chars().take(wanted).collect::<String>());
    }
    let padding: String = filler.chars().cycle().take(wanted - have).collect();
    text_value(if before { format!("{padding}{text}") } else { format!("{text}{padding}") })
}

fn left(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let count = arguments.integer(1)?;
    let kept = match usize::try_from(count) {
        Ok(count) => count,
        Err(_) => {
            text.chars().count().saturating_sub(usize::try_from(-count).unwrap_or(usize::MAX))
        }
    };
    text_value(text.chars().take(kept).collect::<String>())
}

fn right(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let total = text.chars().count();
    let count = arguments.integer(1)?;
    let skipped = match usize::try_from(count) {
        Ok(count) => total.saturating_sub(count),
        Err(_) => usize::try_from(-count).unwrap_or(usize::MAX),
    };
    text_value(text.chars().skip(skipped).collect::<String>())
}

/// Positions before the first character count, as in the standard.
fn substring(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let start = arguments.integer(1)?;
    let end = if arguments.count() > 2 {
        let length = arguments.integer(2)?;
        if length < 0 {
            return Err("negative substring length not allowed".to_owned());
        }
        start.saturating_add(length)
    } else {
        i64::MAX
    };
    let kept = (1_i64..).zip(text.chars()).filter(|(at, _)| (start..end).contains(at));
    text_value(kept.map(|(_, character)| character).collect::<String>())
}

fn translate(arguments: &Arguments) -> Outcome {
    let from: Vec<char> = arguments.text(1).chars().collect();
    let to: Vec<char> = arguments.text(2).chars().collect();
    let translated = arguments
        .text(0)
        .chars()
        .filter_map(|character| match from.iter().position(|known| *known == character) {
            Some(index) => to.get(index).copied(),
            None => Some(character),
        })
        .collect::<String>();
    text_value(translated)
}

fn repeat(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let count = length(arguments, 1)?;
    if text.len().saturating_mul(count) > 65_535 {
        return Err("result is too large for a varchar".to_owned());
    }
    text_value(text.repeat(count))
}

fn initcap(arguments: &Arguments) -> Outcome {
    let mut starts_word = true;
    let mut out = String::new();
    for character in arguments.text(0).chars() {
        if starts_word {
            out.extend(character.to_uppercase());
        } else {
            out.extend(character.to_lowercase());
        }
        starts_word = !character.is_alphanumeric();
    }
    text_value(out)
}

fn split_part(arguments: &Arguments) -> Outcome {
    let position = arguments.integer(2)?;
    let index = usize::try_from(position)
        .ok()
        .and_then(|position| position.checked_sub(1))
        .ok_or("field position must be greater than zero")?;
    let (text, delimiter) = (arguments.text(0), arguments.text(1));
    if delimiter.is_empty() {
        return text_value(if index == 0 { text } else { String::new() });
    }
    text_value(text.split(&delimiter).nth(index).unwrap_or_default())
}

fn quote_ident(arguments: &Arguments) -> Outcome {
    let name = arguments.text(0);
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    text_value(if plain { name } else { format!("\"{}\"", name.replace('"', "\"\"")) })
}

fn sha2(arguments: &Arguments) -> Outcome {
    use sha2::Digest as _;
    let bytes = arguments.text(0);
    let hex = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    text_value(match arguments.integer(1)? {
        0 | 256 => hex(&sha2::Sha256::digest(bytes.as_bytes())),
        224 => hex(&sha2::Sha224::digest(bytes.as_bytes())),
        384 => hex(&sha2::Sha384::digest(bytes.as_bytes())),
        512 => hex(&sha2::Sha512::digest(bytes.as_bytes())),
        other => return Err(format!("invalid number of bits for sha2: {other}")),
    })
}

fn strtol(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let base = arguments.integer(1)?;
    let radix = u32::try_from(base).ok().filter(|base| (2..=36).contains(base));
    let Some(radix) = radix else { return Err("base must be between 2 and 36".to_owned()) };
    let digits = text.trim();
    let digits = if radix == 16 { digits.trim_start_matches("0x") } else { digits };
    i64::from_str_radix(digits, radix).map(Value::Integer).map_err(|_not_a_number| {
        format!("the input {text} is not valid to be converted to base {base}")
    })
}

/// What a column of `length` bytes accepts; blanks at the end may go.
fn fit(arguments: &Arguments) -> Outcome {
    let text = arguments.text(0);
    let length = usize::try_from(arguments.integer(1)?).unwrap_or(0);
    if text.len() <= length {
        return text_value(text);
    }
    let bare = text.trim_end_matches(' ');
    if bare.len() <= length {
        return text_value(cut(&text, length));
    }
    Err(format!("value too long for type {}({length})", arguments.text(2)))
}

/// As many whole characters as fit into `length` bytes.
fn cut(text: &str, length: usize) -> &str {
    let mut end = length.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The number of characters before a byte offset, from 1.
pub(super) fn position_of(text: &str, byte: usize) -> Outcome {
    size_value(text[..byte].chars().count() + 1)
}
