//! Values with their places, and the mistakes found on the way.

use std::fmt;

use jiff::SignedDuration;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{super::nearest::did_you_mean, Mistake};
use crate::domain::{customer::Labels, length};

pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// Reads values and notes what is wrong with them. What could not be read is `None`, and reading goes on.
pub(super) struct Reader<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    /// Byte offset and message.
    mistakes: Vec<(usize, String)>,
}

/// A table with its name for messages, like `[access]`, and the place where it begins.
pub(super) struct Section<'t> {
    pub what: String,
    pub at: usize,
    pub table: &'t DeTable<'t>,
}

/// A string of the file, or what the environment holds in its stead.
pub(super) struct Text {
    pub value: String,
    pub at: usize,
    variable: Option<String>,
}

impl Text {
    /// For messages: the text as it stands in the file. What came from the environment may be a secret.
    pub fn shown(&self) -> String {
        match &self.variable {
            Some(name) => format!("the value of ${{{name}}}"),
            None => format!("“{}”", self.value.chars().take(60).collect::<String>().escape_debug()),
        }
    }

    /// `; did you mean …?`, if the text may be shown.
    pub fn guess<'k>(&self, known: impl IntoIterator<Item = &'k str>) -> String {
        if self.variable.is_some() { String::new() } else { did_you_mean(&self.value, known) }
    }
}

impl<'t> Section<'t> {
    pub fn get(&self, key: &str) -> Option<&'t Value<'t>> {
        self.table.get(key)
    }

    /// Where the value of `key` stands; the section itself if it has none.
    pub fn place_of(&self, key: &str) -> usize {
        self.get(key).map_or(self.at, start)
    }
}

pub(super) fn start(value: &Value<'_>) -> usize {
    value.span().start
}

impl<'a> Reader<'a> {
    pub fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { env, mistakes: Vec::new() }
    }

    pub fn mistake(&mut self, at: usize, message: impl fmt::Display) {
        self.mistakes.push((at, message.to_string()));
    }

    /// How many mistakes there are so far: when it has not grown, what was read in between is whole.
    pub fn count(&self) -> usize {
        self.mistakes.len()
    }

    /// In the order of the file, with line and column.
    pub fn into_mistakes(mut self, text: &str) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|(at, _)| *at);
        self.mistakes.dedup();
        let place = |(at, message): (usize, String)| {
            let before = &text.as_bytes()[..at.min(text.len())];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
            let column = 1 + String::from_utf8_lossy(&before[line_start..]).chars().count();
            Mistake { line, column, message }
        };
        self.mistakes.into_iter().map(place).collect()
    }

    fn expected(&mut self, value: &Value<'_>, what: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.mistake(start(value), format_args!("{found} stands here; write {what}"));
    }

    /// Refuses every key that is neither known nor of a later version.
    pub fn only(&mut self, section: &Section<'_>, known: &[&str], later: &[&str]) {
        for (key, _) in section.table {
            let (at, name, what) = (key.span().start, key.get_ref().as_ref(), &section.what);
            if later.contains(&name) {
                self.mistake(at, format_args!("“{name}” is not in this version of Latchkey yet; remove it"));
            } else if !known.contains(&name) {
                let hint = match did_you_mean(name, known.iter().copied()) {
                    hint if hint.is_empty() => format!("; known are: {}", known.join(", ")),
                    hint => hint,
                };
                let name: String = name.chars().take(60).collect();
                self.mistake(at, format_args!("unknown key “{}” in {what}{hint}", name.escape_debug()));
            }
        }
    }

    pub fn section<'t>(&mut self, value: &'t Value<'t>, what: &str) -> Option<Section<'t>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Section { what: what.to_owned(), at: start(value), table }),
            _ => {
                self.expected(value, &format!("the table {what}"));
                None
            }
        }
    }

    /// The tables of `[[name]]`.
    pub fn sections<'t>(&mut self, value: Option<&'t Value<'t>>, name: &str) -> Vec<Section<'t>> {
        let Some(value) = value else { return Vec::new() };
        let what = format!("[[{name}]]");
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| self.section(item, &what)).collect(),
            _ => {
                self.expected(value, &format!("{what}, with two brackets: there may be several"));
                Vec::new()
            }
        }
    }

    pub fn text(&mut self, value: &Value<'_>) -> Option<Text> {
        let Some(text) = value.get_ref().as_str() else {
            self.expected(value, "a string in quotes");
            return None;
        };
        let at = start(value);
        if !text.contains("${") {
            return Some(Text { value: text.to_owned(), at, variable: None });
        }
        let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).filter(|name| is_name(name));
        let Some(name) = name else {
            self.mistake(
                at,
                "a variable must be the whole string, like \"${NAME}\"; put all of the text into the variable",
            );
            return None;
        };
        match (self.env)(name).filter(|value| !value.trim().is_empty()) {
            Some(value) => Some(Text { value, at, variable: Some(name.to_owned()) }),
            None => {
                let name: String = name.chars().take(80).collect();
                self.mistake(
                    at,
                    format_args!("the environment variable {name} is not set; set it, or write the value here"),
                );
                None
            }
        }
    }

    /// A string, if the key is there.
    pub fn text_of(&mut self, section: &Section<'_>, key: &str) -> Option<Text> {
        self.text(section.get(key)?)
    }

    /// A list of strings. Those that cannot be read are left out.
    pub fn texts(&mut self, value: &Value<'_>) -> Vec<Text> {
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| self.text(item)).collect(),
            _ => {
                self.expected(value, "a list of strings, like [\"…\", \"…\"]");
                Vec::new()
            }
        }
    }

    pub fn flag_of(&mut self, section: &Section<'_>, key: &str) -> Option<bool> {
        let value = section.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.expected(value, "true or false, without quotes");
        }
        flag
    }

    /// A whole number within `range`.
    pub fn number_of(
        &mut self,
        section: &Section<'_>,
        key: &str,
        range: std::ops::RangeInclusive<usize>,
    ) -> Option<usize> {
        let value = section.get(key)?;
        let number = value.get_ref().as_integer().map(|int| usize::from_str_radix(int.as_str(), int.radix()));
        match number {
            Some(Ok(number)) if range.contains(&number) => Some(number),
            Some(Ok(_) | Err(_)) | None => {
                let message = format!("“{key}” is a whole number from {} to {}", range.start(), range.end());
                self.mistake(start(value), message);
                None
            }
        }
    }

    /// A length of time, at least a second.
    pub fn length_of(&mut self, section: &Section<'_>, key: &str) -> Option<SignedDuration> {
        let value = section.get(key)?;
        if value.get_ref().is_integer() {
            self.mistake(start(value), "a length of time needs its unit; write it like \"4h\", \"90m\" or \"2 days\"");
            return None;
        }
        let text = self.text(value)?;
        match length::parse(&text.value) {
            Ok(length) => Some(length),
            Err(fault) => {
                let right = "write it like \"4h\", \"90m\", \"1h30m\" or \"2 days\"";
                match fault {
                    length::BadLength::NotUnderstood(_) => {
                        self.mistake(text.at, format_args!("{} is not a length of time; {right}", text.shown()));
                    }
                    length::BadLength::TooShort => {
                        self.mistake(text.at, format_args!("the shortest length of time is one second; {right}"));
                    }
                    length::BadLength::TooLong(_) => {
                        self.mistake(
                            text.at,
                            format_args!("{} is longer than anybody can have; {right}", text.shown()),
                        );
                    }
                }
                None
            }
        }
    }

    /// `match`: customer labels. None at all: every customer.
    pub fn labels_of(&mut self, section: &Section<'_>) -> Option<Labels> {
        let labels = self.section(section.get("match")?, "match = { label = \"value\" }")?;
        let mut wanted = Labels::new();
        for (key, value) in labels.table {
            if let Some(text) = self.text(value) {
                wanted.insert(key.get_ref().clone().into_owned(), text.value);
            }
        }
        (!wanted.is_empty()).then_some(wanted)
    }

    /// The `name` of a section: there, of the allowed characters, and not among those seen before.
    pub fn name_of(&mut self, section: &Section<'_>, seen: &mut Vec<String>, plain: bool) -> Option<String> {
        let what = &section.what;
        if section.get("name").is_none() {
            self.mistake(section.at, format_args!("{what} has no name; add name = \"…\""));
        }
        let text = self.text_of(section, "name")?;
        let simple = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if plain && (text.value.is_empty() || text.value.len() > 64 || !text.value.chars().all(simple)) {
            let shown = text.shown();
            self.mistake(
                text.at,
                format_args!("{shown} cannot be a name here; write at most 64 letters, digits, “.”, “_” and “-”"),
            );
            return None;
        }
        if text.value.trim().is_empty() || text.value.chars().any(char::is_control) {
            self.mistake(text.at, format_args!("the name of {what} is empty; write what people should read"));
            return None;
        }
        if seen.contains(&text.value) {
            self.mistake(text.at, format_args!("there is another {what} named {}; rename one", text.shown()));
            return None;
        }
        seen.push(text.value.clone());
        Some(text.value)
    }
}

/// The name of an environment variable.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
