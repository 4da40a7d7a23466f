//! Scenario files: schema, parser with positions, lint.
