//! Tests of the pages, as browsers without scripts see them.

mod acts;
mod administration;
mod browser;
mod everywhere;
mod outside;
mod pages;
mod rights;
mod signing_in;
mod undo;
