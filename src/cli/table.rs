//! Plain columns for a terminal.

use std::io::Write;

/// Prints one line. Whoever reads may have seen enough, like `head`; that is no mistake.
pub fn line(text: impl std::fmt::Display) {
    // There is nobody left to tell.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints rows under a head, each column as wide as its widest cell; the last is not padded.
pub fn print(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.len())).max().unwrap_or_default()
    };
    let row = |cells: Vec<&str>| {
        let last = cells.len().saturating_sub(1);
        let padded = cells.iter().enumerate().map(|(n, cell)| match n == last {
            true => (*cell).to_owned(),
            false => format!("{cell:<0$}", width(n)),
        });
        line(padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    row(head.to_vec());
    for cells in rows {
        row(cells.iter().map(String::as_str).collect());
    }
}
