//! Whole stories through signed HTTP, each on SQLite and on PostgreSQL.

mod review;
