//! Whole stories through signed HTTP, each on SQLite and on PostgreSQL.

mod ask;
mod ask_refused;
mod ask_twice;
mod claims;
mod decide;
mod doors;
mod ends;
mod groups;
mod hostile;
mod people;
mod races;
mod review;
mod slack_away;
