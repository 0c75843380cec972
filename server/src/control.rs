//! What workshop and gateway say to each other, and the socket on which they say it.
//!
//! **Parts.** [`messages`]: every message, and the reports and log lines that travel in them. [`settings`]: what a deployment keeps for its program. [`kv`]: questions and answers about key-value stores. [`timestamp`]: a moment, as wire and page spell it.
//! [`channel`]: messages and descriptors over a socket pair that keeps packets whole. Messages are batched by their senders; no request crosses this.

pub mod channel;
pub mod kv;
pub mod messages;
pub mod outcome;
pub mod settings;
pub mod timestamp;
