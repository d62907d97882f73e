//! Whole stories through signed HTTP, each on SQLite and on PostgreSQL.

mod ask;
mod ask_refused;
mod ask_twice;
mod check;
mod claims;
mod convergence;
mod database_away;
mod decide;
mod deliveries;
mod doors;
mod ends;
mod groups;
mod hostile;
mod inbound;
mod outages;
mod people;
mod races;
mod review;
mod slack_away;
mod sync;
