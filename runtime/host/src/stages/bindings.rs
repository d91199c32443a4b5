//! What `wit/plugin.wit` becomes on the host's side. Generated; `host.rs` and `guest.rs` turn it into the host's values.
#![allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::use_self,
    clippy::str_to_string,
    clippy::semicolon_if_nothing_returned,
    clippy::uninlined_format_args,
    clippy::wildcard_enum_match_arm,
    clippy::let_underscore_must_use,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "plugin",
    imports: { default: trappable },
    // A document is lent to the guest, not copied twice.
    ownership: Borrowing { duplicate_if_necessary: true },
});
