//! Board descriptors and device backends.
