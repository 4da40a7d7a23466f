//! The seed documents themselves, where they are at hand: `seed_rows` must be what their tables say. They are not part
//! of the repository; their names say their number:
//! `HILARM_SEEDS=FOLDER cargo test -p hilarm-defender seed_documents -- --ignored`.

use super::seed_rows::ROWS;
use crate::Seed;
use crate::Seed::{AzureRtos, CustomAlerts, EclipseThreadX, IotHubAlerts, SecurityModule};

const SEEDS: [Seed; 5] = [EclipseThreadX, AzureRtos, CustomAlerts, SecurityModule, IotHubAlerts];
const SEVERITIES: [&str; 3] = ["High", "Medium", "Low"];

/// The names in all tables of a document, whichever of the three forms they have: Markdown with the name in the
/// second column, lines that begin with a severity, or rows and columns between colons.
fn names(document: &str) -> Vec<String> {
    let (tables, rows) = (document.lines().filter_map(of_line), document.split(":::row:::").skip(1));
    let names = tables.chain(rows.filter_map(of_row));
    names.map(|name| name.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn of_line(line: &str) -> Option<String> {
    let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
    let [first, name, ..] = cells[..] else { return None };
    let header = ["Alert name", "Recommendation name", "Reason", "Name"].contains(&name);
    let is_row = line.starts_with('|') && !header && !name.starts_with("---");
    (is_row || SEVERITIES.contains(&first)).then(|| name.to_owned())
}

fn of_row(row: &str) -> Option<String> {
    let columns = row.split(":::column:::").skip(1);
    let mut columns = columns.filter_map(|column| column.split(":::column-end:::").next()).map(str::trim);
    let name = columns.find(|text| !SEVERITIES.contains(text))?;
    (!name.starts_with("**") && name != "Alert types").then(|| name.to_owned())
}

#[test]
fn tables_of_each_form_are_read() {
    let markdown = "|SAS Token|Alert name |\n|---|---|\n|SAS Token|  Expired  SAS Token |\nText | more\n";
    assert_eq!(names(markdown), ["Expired SAS Token"]);
    assert_eq!(names("Severity | Name | x\nLow | A user signs in | x\n"), ["A user signs in"]);
    let column = |text: &str| format!("  :::column:::\n    {text}\n  :::column-end:::\n");
    let row = |columns: &[&str]| {
        let columns: String = columns.iter().map(|text| column(text)).collect();
        format!(":::row:::\n{columns}:::row-end:::\n")
    };
    let heads = row(&["Alert types", "Description"]) + &row(&["**Medium** severity alerts", ""]);
    let text = heads + &row(&["Token expired.", "why"]) + &row(&["Low", "Uploads", "why"]);
    assert_eq!(names(&text), ["Token expired.", "Uploads"]);
}

#[test]
#[ignore = "the seed documents are not part of the repository: HILARM_SEEDS=FOLDER"]
fn the_rows_are_those_of_the_documents() {
    let folder = std::env::var("HILARM_SEEDS").expect("HILARM_SEEDS names the folder of the seed documents");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.collect();
    for seed in SEEDS {
        let number = seed.to_string();
        let is_it = |path: &&std::path::PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&number))
        };
        let path = files.iter().find(is_it).unwrap_or_else(|| panic!("no document {number} in {folder}"));
        let known = ROWS.iter().filter(|row| row.0 == seed).map(|row| row.1).collect::<Vec<_>>();
        assert_eq!(names(&std::fs::read_to_string(path).unwrap()), known, "{number}");
    }
}
