//! What `wit/plugin.wit` becomes in Rust. Generated; authors see the names that `lib.rs` lists.
#![expect(unsafe_code, reason = "generated code moves values across the component's border")]
#![allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::use_self,
    clippy::str_to_string,
    clippy::semicolon_if_nothing_returned,
    clippy::uninlined_format_args,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "plugin",
    pub_export_macro: true,
    default_bindings_module: "palimpsest_plugin::glue::bindings",
});
