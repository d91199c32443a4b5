//! What `wit/plugin.wit` becomes in Rust. Generated; authors see the names that `lib.rs` lists.
#![allow(
    unsafe_code,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::use_self,
    clippy::str_to_string,
    clippy::semicolon_if_nothing_returned,
    clippy::uninlined_format_args,
    clippy::allow_attributes_without_reason,
    reason = "generated code, which moves values across the component's border"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "plugin",
    pub_export_macro: true,
    additional_derives: [PartialEq],
    default_bindings_module: "palimpsest_plugin::glue::bindings",
});
