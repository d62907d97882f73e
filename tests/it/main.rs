//! The one integration binary: the store, the use cases, and whole stories, each on SQLite and on PostgreSQL.

#[macro_use]
mod harness;

mod stories;
