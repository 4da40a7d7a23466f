//! Whole-system tests of hilarm.
