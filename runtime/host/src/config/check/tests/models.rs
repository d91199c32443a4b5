//! `[models.NAME]`, and that no complaint shows a key.

use super::*;
use crate::config::Backend;

#[test]
fn a_key_is_read_from_where_it_is_and_shown_nowhere() {
    for place in ["{ env = \"WRITER_KEY\" }", "{ file = \"writer.key\" }"] {
        let plan = accepts(&with_model(&format!("endpoint = \"http://h/v1\"\nmodel = \"m\"\nkey = {place}")));
        let Backend::Endpoints(endpoints) = &plan.models[0].backend else { panic!("{plan:?}") };
        let key = endpoints[0].key.as_ref().unwrap();
        assert_eq!(key.reveal(), KEY);
        assert!(plan.describe().contains("key = …"));
        assert!(!plan.describe().contains(KEY) && !format!("{plan:?}").contains(KEY));
    }
}

#[test]
fn a_model_is_somewhere_once() {
    let model = |says: &str, model: &str| complains(&with_model(model), "models.writer", says);
    model("nobody answers for this model", "");
    complains(
        &with_model("endpoint = \"http://h\"\nmodel = \"m\"\nembedded = \"smollm2-135m-instruct\""),
        "models.writer.embedded",
        "a model is either at an `endpoint` or `embedded`, not both",
    );
    complains(
        &with_model("embedded = \"smollm2-135m-instruct\"\nmodel = \"m\""),
        "models.writer.model",
        "`model` is for a model at an `endpoint`; this one is `embedded`",
    );
    complains(
        &with_model("embedded = \"smollm2-135m\""),
        "models.writer.embedded",
        "there is no embedded model `smollm2-135m`",
    );
    complains(&with_model("endpoint = \"http://h\""), "models.writer.model", "missing: a string");
    complains(
        &with_model("endpoint = \"http://h\"\nmodel = \"m\"\ncontext = 9"),
        "models.writer.context",
        "only an `embedded` model's context is set here; a server has its own",
    );
}

#[test]
fn an_endpoint_is_a_base_url_without_secrets() {
    let url = |says: &str, url: &str| {
        complains(
            &with_model(&format!("endpoint = \"{url}\"\nmodel = \"m\"")),
            "models.writer.endpoint",
            says,
        );
    };
    url("is no URL", "127.0.0.1:8000");
    url("is neither an `http` nor an `https` URL", "ftp://h/v1");
    url("names no host", "http:///v1");
    url("has a port that is no number from 0 to 65535", "http://h:80000/v1");
    url("has letters that no URL has", "http://h/v 1");
    url("has a query or a fragment, which a base URL has not", "http://h/v1?key=sk-canary-4711");
    url(
        "is the address of one call; the base URL ends before `/chat/completions`",
        "http://h/v1/chat/completions",
    );
    url("carries credentials; name the key with `key = { env = \"NAME\" }`", "http://me:sk-canary-4711@h/v1");
    for fine in ["http://[::1]:8000/v1", "http://[::1]/v1", "HTTPS://models.example"] {
        accepts(&with_model(&format!("endpoint = \"{fine}\"\nmodel = \"m\"")));
    }
}

#[test]
fn a_key_in_the_wrong_place_is_refused_and_not_repeated() {
    let key = |at: &str, says: &str, key: &str| {
        let model = format!("endpoint = \"http://h\"\nmodel = \"m\"\n{key}");
        complains(&with_model(&model), &format!("models.writer.{at}"), says);
    };
    key("key.env", "the environment variable `READER_KEY` is not set", "key = { env = \"READER_KEY\" }");
    let misplaced = "is no name of an environment variable; the key itself never stands in the file";
    key("key.env", misplaced, "key = { env = \"sk-canary-4711\" }");
    key("key", "must be a table, not a string", "key = \"sk-canary-4711\"");
    key("key", "does not say where the key is", "key = {}");
    key("api_key", "unknown key `api_key`", "api_key = \"sk-canary-4711\"");
    key("auth", "unknown key `auth`", "auth = { token = \"sk-canary-4711\" }");
    key("key.value", "unknown key `value`", "key = { value = \"sk-canary-4711\" }");
    key(
        "key",
        "the key is in a variable or in a file, not in both",
        "key = { env = \"WRITER_KEY\", file = \"writer.key\" }",
    );
    key("key.file", "cannot read `/crawl/none.key`: entity not found", "key = { file = \"none.key\" }");
    key(
        "key.file",
        "the key there has spaces or signs that no HTTP header carries",
        "key = { file = \"broken.key\" }",
    );
    let endpoint =
        "model = \"m\"\n[[models.writer.endpoints]]\nurl = \"http://h\"\nauth = \"sk-canary-4711\"";
    complains(&with_model(endpoint), "models.writer.endpoints[0].auth", "unknown key `auth`");
    // A table that nobody knows is shown, the key in it is not.
    let lost = "model = { w = { key = \"sk-canary-4711\" } }\n";
    let text = format!("{lost}name = \"p\"\n{SOURCE}{STAGE}{SINK}");
    complains(&text, "model", "unknown key `model`; did you mean `models`?");
    complains(
        &with_model("api-key = sk-canary-4711"),
        "",
        "string values must be quoted, expected literal string",
    );
}
