//! Label selectors, as Kubernetes writes them: `plan=enterprise,region!=us,tier in (1,2),!archived`.
//!
//! Values may hold what Kubernetes itself refuses in a label: e-mail addresses, `space:acme`, slashes.

use std::fmt;

/// What [`Selector::parse`] could not read: where (the number of the character, from 1), and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the label selector is not understood at character {at}: {why}; write it like a=b,c!=d,e in (x,y),f,!g")]
pub struct BadSelector {
    pub at: usize,
    pub why: String,
}

/// Conditions on labels, all of which must hold. None of them: everything matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    key: String,
    test: Test,
}

/// `In` and `NotIn` hold at least two values, sorted, each once: with one value they are `Is` and `IsNot`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Present,
    Absent,
    Is(String),
    IsNot(String),
    In(Vec<String>),
    NotIn(Vec<String>),
}

impl Selector {
    /// Reads `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x,y)`, `a`, `!a`, joined by commas. Empty text selects all.
    ///
    /// Keys and values are any text without whitespace, commas and parentheses; keys hold none of `= ! < >`, and values do
    /// not begin with `=` or `!`. A value may be empty.
    pub fn parse(text: &str) -> Result<Self, BadSelector> {
        let mut reader = Reader { text, at: 0 };
        let mut conditions = Vec::new();
        if reader.peek().is_none() {
            return Ok(Self { conditions });
        }
        loop {
            conditions.push(reader.condition()?);
            match reader.peek() {
                None => return Ok(Self { conditions }),
                Some(',') => reader.skip(','),
                Some(c) => return Err(reader.fault(format!("“{c}” where a comma or the end should be"))),
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Whether labels, asked through `get`, meet every condition. A missing label meets `!=` and `notin`, as in Kubernetes.
    pub fn matches<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.conditions.iter().all(|Condition { key, test }| match (test, get(key)) {
            (Test::Present, found) => found.is_some(),
            (Test::Absent, found) => found.is_none(),
            (Test::Is(value), found) => found == Some(value),
            (Test::IsNot(value), found) => found != Some(value),
            (Test::In(values), found) => found.is_some_and(|found| among(values, found)),
            (Test::NotIn(values), found) => !found.is_some_and(|found| among(values, found)),
        })
    }

    /// The same with the values for one key in lower case, where what they are compared with is.
    pub fn fold(mut self, key: &str) -> Self {
        for condition in self.conditions.iter_mut().filter(|condition| condition.key == key) {
            match &mut condition.test {
                Test::Present | Test::Absent => {}
                Test::Is(value) | Test::IsNot(value) => *value = value.to_lowercase(),
                Test::In(values) | Test::NotIn(values) => {
                    values.iter_mut().for_each(|value| *value = value.to_lowercase());
                    values.sort();
                }
            }
        }
        self
    }

    /// The value that `key` must have, if the selector says so: what an index can look up before [`Self::matches`] decides.
    pub fn equals(&self, key: &str) -> Option<&str> {
        self.conditions.iter().find_map(|condition| match &condition.test {
            Test::Is(value) if condition.key == key => Some(value.as_str()),
            Test::Is(_) | Test::Present | Test::Absent | Test::IsNot(_) | Test::In(_) | Test::NotIn(_) => None,
        })
    }
}

fn among(sorted: &[String], found: &str) -> bool {
    sorted.binary_search_by(|value| value.as_str().cmp(found)).is_ok()
}

struct Reader<'a> {
    text: &'a str,
    /// In bytes, always between two characters.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character that is not white space.
    fn peek(&mut self) -> Option<char> {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    fn skip(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    fn fault(&self, why: impl Into<String>) -> BadSelector {
        BadSelector { at: self.text[..self.at].chars().count() + 1, why: why.into() }
    }

    /// Everything up to white space, a comma, a parenthesis or one of `ends`.
    fn word(&mut self, ends: &[char]) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')') || ends.contains(&c));
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn key(&mut self) -> Result<String, BadSelector> {
        let Some(first) = self.peek() else {
            return Err(self.fault("it ends where the name of a label should be"));
        };
        match self.word(&['=', '!', '<', '>']) {
            "" => Err(self.fault(format!("“{first}” where the name of a label should be"))),
            key => Ok(key.to_owned()),
        }
    }

    /// May be empty, as in `a=` and `a in (,x)`.
    fn value(&mut self) -> Result<String, BadSelector> {
        match self.peek() {
            Some(c @ ('=' | '!')) => Err(self.fault(format!("“{c}” where a value should be"))),
            _ => Ok(self.word(&[]).to_owned()),
        }
    }

    fn condition(&mut self) -> Result<Condition, BadSelector> {
        if self.peek() == Some('!') {
            self.skip('!');
            return Ok(Condition { key: self.key()?, test: Test::Absent });
        }
        let key = self.key()?;
        let test = match self.peek() {
            None | Some(',') => Test::Present,
            Some('=') => {
                let _ = self.take("==") || self.take("=");
                Test::Is(self.value()?)
            }
            Some('!') if self.take("!=") => Test::IsNot(self.value()?),
            Some(c @ ('<' | '>')) => return Err(self.fault(format!("“{c}”: labels are not compared by size"))),
            Some(c) => {
                let at = self.at;
                match self.word(&['=', '!', '<', '>']) {
                    "in" => one_or_more(self.values()?, Test::Is, Test::In),
                    "notin" => one_or_more(self.values()?, Test::IsNot, Test::NotIn),
                    word => {
                        let word = if word.is_empty() { c.to_string() } else { word.chars().take(40).collect() };
                        self.at = at;
                        return Err(self.fault(format!("“{word}” where =, !=, in, notin or a comma should be")));
                    }
                }
            }
        };
        Ok(Condition { key, test })
    }

    /// `(x,y)`: at least one value, which may be empty only beside a comma.
    fn values(&mut self) -> Result<Vec<String>, BadSelector> {
        match self.peek() {
            Some('(') => self.skip('('),
            _ => return Err(self.fault("in and notin need values in parentheses")),
        }
        if self.peek() == Some(')') {
            return Err(self.fault("no value in the parentheses"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            match self.peek() {
                Some(',') => self.skip(','),
                Some(')') => {
                    self.skip(')');
                    values.sort_unstable();
                    values.dedup();
                    return Ok(values);
                }
                Some(c) => return Err(self.fault(format!("“{c}” where a comma or “)” should be"))),
                None => return Err(self.fault("it ends before the closing “)”")),
            }
        }
    }
}

fn one_or_more(mut values: Vec<String>, one: fn(String) -> Test, more: fn(Vec<String>) -> Test) -> Test {
    match values.pop() {
        Some(value) if values.is_empty() => one(value),
        Some(value) => {
            values.push(value);
            more(values)
        }
        None => more(values),
    }
}

/// The canonical form: it reads back as the same selector.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Condition { key, test }) in self.conditions.iter().enumerate() {
            f.write_str(if n == 0 { "" } else { "," })?;
            match test {
                Test::Present => write!(f, "{key}"),
                Test::Absent => write!(f, "!{key}"),
                Test::Is(value) => write!(f, "{key}={value}"),
                Test::IsNot(value) => write!(f, "{key}!={value}"),
                Test::In(values) => write!(f, "{key} in ({})", values.join(",")),
                Test::NotIn(values) => write!(f, "{key} notin ({})", values.join(",")),
            }?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "selector_tests.rs"]
mod tests;
