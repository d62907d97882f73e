//! Latchkey: time-limited access to one customer's data, asked for and approved in Slack.
//!
//! The rooms, in reading order; each opens with what it is for, what it may import, and how to add to it.
//!
//! - [`domain`]: the words of the product and the rules that need nothing but themselves
//! - [`policy`]: who may ask, for how long, and whose approval it takes; pure
//! - [`audit`]: the record and its chain
//! - [`store`]: the one place that knows SQL, on SQLite and PostgreSQL
//! - [`workflow`]: what can be done, one file per use case
//! - [`webhooks`], [`provisioners`]: signed calls, and the company's systems that are told
//! - [`customers`], [`pulls`]: those that are read
//! - [`slack`], [`indent`], [`http`]: the doors
//! - [`jobs`]: the worker
//! - [`config`], [`app`], [`cli`]: settings, the place that puts everything together, the commands
//! - [`demo`]: the whole story on one machine
//!
//! `docs/architecture.md` has the arrows between them and the life of a petition.

#![allow(rustdoc::private_intra_doc_links, reason = "rooms tell the readers of the code where to add to them")]

pub mod app;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod customers;
pub mod demo;
pub mod domain;
pub mod health;
pub mod http;
pub mod indent;
pub mod jobs;
pub mod policy;
pub mod provisioners;
pub mod pulls;
pub mod slack;
pub mod store;
pub mod webhooks;
pub mod workflow;
