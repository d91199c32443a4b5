//! plugins/rephrase
