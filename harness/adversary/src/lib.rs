//! What stands behind a suspicious address.
