//! Prints the alert reference, which is checked in as `broker/defender/ALERTS.md`.

fn main() {
    print!("{}", hilarm_defender::alert_reference());
}
