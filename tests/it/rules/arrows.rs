//! Finds what a file imports from the rest of the crate, without understanding more Rust than that takes.

/// The first names after `crate::`, or after as many `super::` as lead out of the room, each with its line. Comments
/// and texts do not count: a link in a comment imports nothing.
pub fn arrows(text: &str, module: &[String]) -> Vec<(usize, String)> {
    let code = code_of(text);
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    // Brace depths at which inline modules began: `super` inside one means the file's own module first.
    let (mut depth, mut inline): (usize, Vec<usize>) = (0, Vec::new());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => {
                let head = code[..at].trim_end().rsplit(['{', '}', ';']).next().unwrap_or_default();
                if head.split_whitespace().rev().nth(1) == Some("mod") {
                    inline.push(depth);
                }
                depth += 1;
                at += 1;
            }
            b'}' => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
                at += 1;
            }
            byte if is_word(byte) => {
                let end = word_end(bytes, at);
                let line = 1 + code[..at].matches('\n').count();
                let rest = match &code[at..end] {
                    "crate" => code[end..].strip_prefix("::"),
                    "super" => out_of(&code[at..], module.len() + inline.len()),
                    _ => None,
                };
                let Some(rest) = rest else {
                    at = end;
                    continue;
                };
                found.extend(heads(rest).into_iter().map(|name| (line, name)));
                at = code.len() - rest.len();
            }
            _ => at += 1,
        }
    }
    found
}

/// What follows `super::super::…` if it leads to the crate's root from `depth` modules down.
fn out_of(mut rest: &str, depth: usize) -> Option<&str> {
    let mut steps = 0;
    while let Some(after) = rest.strip_prefix("super::") {
        rest = after;
        steps += 1;
    }
    (steps == depth).then_some(rest)
}

/// The first name of a path, or of each path in a group.
fn heads(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else {
        let end = word_end(rest.as_bytes(), 0);
        return vec![rest[..end].to_owned()];
    };
    let (mut names, mut depth, mut fresh) = (Vec::new(), 0usize, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && depth == 0 && !c.is_whitespace() => {
                names.push(group[at..word_end(group.as_bytes(), at)].to_owned());
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn word_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| !is_word(*byte)).map_or(bytes.len(), |length| at + length)
}

/// The text with comments and literals blanked out, line by line as it was.
fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => until(&chars, at, |c, _| c == '\n'),
            ('/', Some('*')) => 2 + until(&chars, at + 2, |c, next| c == '*' && next == Some('/')),
            ('"', _) => text_end(&chars, at + 1),
            ('r', Some('"' | '#')) if at == 0 || !is_name(chars[at - 1]) => raw_text_end(&chars, at + 1),
            ('\'', Some('\\')) => 1 + until(&chars, at + 3, |c, _| c == '\''),
            ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => at + 3,
            _ => at,
        };
        if end == at {
            code.push(chars[at]);
            at += 1;
            continue;
        }
        let end = end.min(chars.len());
        code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    code
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first place from `at` on where it holds, or the end.
fn until(chars: &[char], at: usize, holds: impl Fn(char, Option<char>) -> bool) -> usize {
    (at..chars.len()).find(|&at| holds(chars[at], chars.get(at + 1).copied())).unwrap_or(chars.len())
}

fn text_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// `at` is after the `r`. A raw name (`r#type`) is no text.
fn raw_text_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return at - 1;
    }
    let mut from = at + hashes + 1;
    while from < chars.len() {
        if chars[from] == '"' && chars[from + 1..].iter().take_while(|c| **c == '#').count() >= hashes {
            return from + 1 + hashes;
        }
        from += 1;
    }
    from
}

#[test]
fn every_way_to_import_is_seen_with_its_line() {
    let text = r##"//! Links to [`crate::cli`] import nothing.
use crate::{
    audit::{AuditEntry, Via},
    domain, store::{self, Tx},
};
/* nor does crate::demo */
pub(super) use super::super::policy::Policy;
use super::sibling;
fn f<'a>(x: &'a str, c: char) -> crate::workflow::Error { let _ = ("crate::app \" crate::app", '"', '\'', r#"crate::http"#); }
mod tests {
    use super::super::super::jobs::Job;
    use super::super::sibling;
}
use super::super::slack;
$crate::config::X
"##;
    let module = ["room".to_owned(), "file".to_owned()];
    let found: Vec<(usize, String)> = arrows(text, &module);
    let found: Vec<(usize, &str)> = found.iter().map(|(line, name)| (*line, name.as_str())).collect();
    let wanted = [
        (2, "audit"),
        (2, "domain"),
        (2, "store"),
        (7, "policy"),
        (9, "workflow"),
        (11, "jobs"),
        (14, "slack"),
        (15, "config"),
    ];
    assert_eq!(found, wanted);
}
