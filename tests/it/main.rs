//! The one integration binary: the rules of the source, the store, the use cases, the customers database, whole
//! stories, and the real binary, each on SQLite and on PostgreSQL.

#[macro_use]
mod harness;

mod customers;
mod processes;
mod rules;
mod store;
mod stories;
mod workflow;
