//! What the tests stand on: fresh databases, an office with a few people in it, and the whole house over real HTTP.

pub mod acts;
pub mod api;
#[macro_use]
pub mod databases;
pub mod events;
pub mod fixtures;
pub mod hook;
pub mod house;
pub mod indent;
pub mod office;
pub mod proxy;
pub mod sent;
pub mod server;
