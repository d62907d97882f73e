//! What each column of the operator's query is for, and the query around it that turns everything into text.

use std::collections::BTreeSet;

use super::fault;
use crate::{
    domain::customer::Labels,
    workflow::{SourceRow, SyncError},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    names: Vec<String>,
    id: usize,
    /// `None`: the query has no column but the id.
    name: Option<usize>,
}

impl Columns {
    /// `id` and `name` are found by name; what is not there by name is the first column that is left.
    pub(super) fn assign(names: Vec<String>) -> Result<Self, SyncError> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(fault::same_name(twice));
        }
        let named = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let first_but = |other: Option<usize>| (0..names.len()).find(|&at| Some(at) != other);
        // A query with one column, whatever it is called, has the id in it.
        let by_name = named("name").filter(|_| names.len() > 1);
        let id = named("id").or_else(|| first_but(by_name)).ok_or_else(fault::no_columns)?;
        let name = by_name.or_else(|| first_but(Some(id)));
        Ok(Self { names, id, name })
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Every column as text. Our own column names stand in the common table expression, so nothing that the operator
    /// called a column needs quoting; the line feed ends a comment on the query's last line.
    pub(super) fn wrap(&self, query: &str) -> String {
        let own: Vec<String> = (0..self.names.len()).map(|at| format!("c{at}")).collect();
        let casts: Vec<String> = own.iter().map(|column| format!("CAST({column} AS TEXT)")).collect();
        format!("WITH source ({}) AS (\n{query}\n) SELECT {} FROM source", own.join(", "), casts.join(", "))
    }

    /// `None`: there is no id. A name that is missing is the id's; a label that is missing is not there.
    pub(super) fn row(&self, texts: Vec<Option<String>>) -> Option<SourceRow> {
        let (mut id, mut name, mut labels) = (None, None, Labels::new());
        for (at, text) in texts.into_iter().enumerate() {
            // PostgreSQL, which may be where we keep it, takes no NUL in a text.
            let Some(text) = text.map(|text| if text.contains('\0') { text.replace('\0', "") } else { text }) else {
                continue;
            };
            if at == self.id {
                id = Some(text);
            } else if Some(at) == self.name {
                name = Some(text);
            } else if let Some(label) = self.names.get(at) {
                labels.insert(label.clone(), text);
            }
        }
        let id = id.filter(|id| !id.trim().is_empty())?;
        let name = name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| id.clone());
        Some(SourceRow { id, name, labels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign(names: &[&str]) -> Result<Columns, SyncError> {
        Columns::assign(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn roles(names: &[&str]) -> (usize, Option<usize>) {
        let columns = assign(names).unwrap();
        (columns.id, columns.name)
    }

    #[test]
    fn id_and_name_are_found_by_name_and_else_by_place() {
        assert_eq!(roles(&["id", "name", "plan"]), (0, Some(1)));
        assert_eq!(roles(&["plan", "name", "id"]), (2, Some(1)));
        assert_eq!(roles(&["Name", "ID"]), (1, Some(0)));
        assert_eq!(roles(&["nr", "title", "plan"]), (0, Some(1)));
        assert_eq!(roles(&["plan", "id", "title"]), (1, Some(0)));
        assert_eq!(roles(&["name", "nr"]), (1, Some(0)));
        assert_eq!(roles(&["name"]), (0, None));
        assert_eq!(roles(&["nr"]), (0, None));
    }

    #[test]
    fn what_has_no_columns_or_the_same_twice_is_refused() {
        assert!(assign(&[]).unwrap_err().to_string().contains("CUSTOMERS_QUERY"));
        assert!(assign(&["id", "name", "id"]).unwrap_err().to_string().contains("“id”"));
    }

    #[test]
    fn what_is_missing_is_left_out_and_never_made_up() {
        let columns = assign(&["id", "name", "plan"]).unwrap();
        let row = |id: Option<&str>, name: Option<&str>, plan: Option<&str>| {
            columns.row([id, name, plan].map(|text| text.map(str::to_owned)).to_vec())
        };
        assert_eq!(row(None, Some("AcmeCorp"), None), None);
        assert_eq!(row(Some(" "), Some("AcmeCorp"), None), None);
        let acme = row(Some("123"), None, None).unwrap();
        assert_eq!((acme.id.as_str(), acme.name.as_str(), acme.labels.len()), ("123", "123", 0));
        let nul = row(Some("1\0"), Some(""), Some("free\0")).unwrap();
        assert_eq!((nul.id.as_str(), nul.name.as_str(), nul.labels["plan"].as_str()), ("1", "1", "free"));
    }
}
