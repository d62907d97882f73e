//! Rules about the source itself: which room may import which, how long a file may be, what the README must list.

mod arrows;

use std::path::{Path, PathBuf};

use self::arrows::arrows;

/// Which rooms a room may import; itself it always may.
enum May {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

use May::{AllBut, Only};

/// Who may import whom. `lib.rs` and `main.rs` name the rooms and are in none.
const ROOMS: &[(&str, May)] = &[
    // without input and output
    ("domain", Only(&[])),
    ("policy", Only(&["domain"])),
    ("audit", Only(&["domain"])),
    ("clock", Only(&["domain"])),
    ("health", Only(&[])),
    ("config", Only(&["domain", "policy"])),
    // the truth, and what may be done with it
    ("store", Only(&["domain", "audit"])),
    ("workflow", Only(&["domain", "policy", "audit", "store"])),
    // the outside world
    ("customers", Only(&["domain", "workflow"])),
    ("webhooks", Only(&["domain"])),
    ("pulls", Only(&["domain", "audit", "webhooks", "workflow"])),
    ("provisioners", Only(&["domain", "store", "webhooks"])),
    ("http", Only(&["domain", "policy", "store", "workflow", "health"])),
    ("slack", Only(&["domain", "policy", "audit", "store", "workflow", "http"])),
    ("indent", Only(&["domain", "policy", "audit", "store", "workflow", "pulls", "http"])),
    // the job queue counts in real time, whatever our own clock says
    (
        "jobs",
        Only(&[
            "domain",
            "clock",
            "audit",
            "store",
            "workflow",
            "webhooks",
            "provisioners",
            "slack",
            "indent",
            "customers",
            "pulls",
            "health",
        ]),
    ),
    // putting it together
    ("app", AllBut(&["cli"])),
    ("demo", AllBut(&["cli"])),
    ("cli", AllBut(&[])),
];

/// What a file of tests may import besides: the clock that a test sets.
const FOR_TESTS: &[&str] = &["clock"];

/// Lines. Past this a file does more than one thing, or says it too long.
const LONGEST: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, in order.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

/// The modules from the crate's root down to a file: `src/store/mod.rs` is `store`, `src/store/db.rs` is `store::db`.
fn module_of(file: &Path) -> Vec<String> {
    let inside = file.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut module: Vec<String> = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

#[test]
fn rooms_import_only_what_lies_below_them() {
    let known = |room: &str| ROOMS.iter().find(|(name, _)| *name == room).map(|(_, may)| may);
    let mut faults = Vec::new();
    for file in rust_files(&root().join("src")) {
        let module = module_of(&file);
        let room = module[0].clone();
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(may) = known(&room) else {
            faults.push(format!("{}: there is no room “{room}” in the table; add it", shown(&file)));
            continue;
        };
        let tests = file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        let text = std::fs::read_to_string(&file).unwrap();
        for (line, target) in arrows(&text, &module) {
            let allowed = match may {
                Only(rooms) => rooms.contains(&target.as_str()) || tests && FOR_TESTS.contains(&target.as_str()),
                AllBut(rooms) => !rooms.contains(&target.as_str()),
            };
            // A name that is no room is a macro or an item of the crate's root.
            if target != room && known(&target).is_some() && !allowed {
                faults.push(format!("{}:{line}: {room} -> {target} is not in the table", shown(&file)));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// A route gets into the router by the line that gets it into `/openapi.json`: utoipa's `routes!`.
#[test]
fn no_route_is_served_undescribed() {
    let rooms = ["http", "slack", "indent", "app.rs"].map(|room| root().join("src").join(room));
    let mut faults = Vec::new();
    for file in rooms.iter().flat_map(|room| if room.is_dir() { rust_files(room) } else { vec![room.clone()] }) {
        let text = std::fs::read_to_string(&file).unwrap();
        // What tests stand up for themselves is not served.
        let served = text.split("#[cfg(test)]").next().unwrap_or_default();
        let tests = file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
        for (at, line) in served.lines().enumerate() {
            let undescribed = [".route(", ".route_service(", ".nest(", ".nest_service(", "axum::routing"];
            if !tests && undescribed.iter().any(|word| line.contains(word)) {
                faults.push(format!("{}:{}: use `.routes(routes!(…))`", shown(&file), at + 1));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut faults = Vec::new();
    for file in rust_files(&root().join("src")).into_iter().chain(rust_files(&root().join("tests"))) {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        if lines > LONGEST {
            faults.push(format!("{} has {lines} lines; {LONGEST} is the most", shown(&file)));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// The cells of a row of a table whose first cell is a setting's name.
fn setting(line: &str) -> Option<[String; 3]> {
    let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?.split('|');
    let cells: Vec<String> = cells.map(|cell| cell.replace('`', "").trim().to_owned()).collect();
    let [name, default, meaning] = <[String; 3]>::try_from(cells).ok()?;
    let is_name = name.contains(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let default = if default == "–" { String::new() } else { default };
    is_name.then_some([name, default, meaning])
}

#[test]
fn the_readme_lists_every_setting_as_it_is() {
    // Before there is a README there is nothing to compare.
    let Ok(readme) = std::fs::read_to_string(root().join("README.md")) else { return };
    let listed: Vec<[String; 3]> = readme.lines().filter_map(setting).collect();
    let variables = latchkey::config::env::VARIABLES;
    let rows = variables.iter().map(|(name, default, meaning)| {
        let default = if default.is_empty() { "–" } else { default };
        format!("| `{name}` | {default} | {meaning} |")
    });
    let rows: Vec<String> = rows.collect();
    let wanted: Vec<[String; 3]> = rows.iter().filter_map(|row| setting(row)).collect();
    assert_eq!(wanted.len(), variables.len());
    assert!(listed == wanted, "\nthe settings in README.md are not these:\n\n{}\n", rows.join("\n"));
}
