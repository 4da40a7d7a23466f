//! Prints the JSON schema of scenario files. To renew the one that is checked in:
//! `cargo run -p hilarm-scenario --example scenario-schema > scenarios/scenario.schema.json`

fn main() {
    print!("{}", hilarm_scenario::json_schema());
}
