//! Files and batches, from upload to download.

use super::*;

fn upload(provider: &Provider, lines: &str) -> String {
    let form = format!(
        "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n\r\n{lines}\r\n--b--\r\n"
    );
    let told = call(
        provider,
        "POST",
        "/v1/files",
        "content-type: multipart/form-data; boundary=b\r\n",
        form.as_bytes(),
    );
    assert_eq!(told.json()["bytes"], lines.len());
    told.json()["id"].as_str().unwrap().to_owned()
}

fn line(id: &str, body: &str) -> String {
    format!(r#"{{"custom_id":"{id}","method":"POST","url":"/v1/chat/completions","body":{body}}}"#) + "\n"
}

/// The statuses of a batch of a file until it is over, and the batch as it is then.
fn batch(provider: &Provider, file: &str) -> (Vec<String>, Value) {
    let asked = json!({
        "input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h", "metadata": { "run": "1" },
    });
    let mut told = call(provider, "POST", "/v1/batches", "", asked.to_string().as_bytes()).json();
    let path = format!("/v1/batches/{}", told["id"].as_str().unwrap());
    let mut statuses = Vec::new();
    loop {
        statuses.push(told["status"].as_str().unwrap().to_owned());
        if !["validating", "in_progress", "finalizing"].contains(&statuses.last().unwrap().as_str()) {
            return (statuses, told);
        }
        told = call(provider, "GET", &path, "", b"").json();
    }
}

/// The lines of a batch's file by their ids.
fn lines(provider: &Provider, batch: &Value, file: &str) -> BTreeMap<String, Value> {
    let told =
        call(provider, "GET", &format!("/v1/files/{}/content", batch[file].as_str().unwrap()), "", b"");
    let text = String::from_utf8(told.body).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["custom_id"].as_str().unwrap().to_owned(), line)).collect()
}

#[test]
fn a_batch_gives_what_the_same_requests_give_online_at_half_the_price() {
    let provider = start(Settings::default());
    let online: Vec<_> = bodies(20).iter().map(|body| ask(&provider, body).json()).collect();
    let charge = provider.ledger(Ledger::charge);
    let mark = provider.ledger(Ledger::mark);
    let file = upload(
        &provider,
        &bodies(20)
            .iter()
            .enumerate()
            .map(|(number, body)| line(&number.to_string(), body))
            .collect::<String>(),
    );
    let (statuses, told) = batch(&provider, &file);
    assert_eq!(statuses, ["validating", "in_progress", "finalizing", "completed"]);
    assert_eq!(told["request_counts"], json!({ "total": 20, "completed": 20, "failed": 0 }));
    assert_eq!((&told["error_file_id"], &told["metadata"]), (&Value::Null, &json!({ "run": "1" })));
    let output = lines(&provider, &told, "output_file_id");
    for (number, online) in online.iter().enumerate() {
        let line = &output[&number.to_string()];
        assert_eq!((&line["response"]["body"], &line["response"]["status_code"]), (online, &json!(200)));
        assert_eq!(line["error"], Value::Null);
    }
    assert_eq!(provider.ledger(Ledger::charge), charge + charge / 2);
    let asked_online = provider.ledger(|ledger| ledger.chats().map(|entry| entry.body).collect());
    assert_eq!(provider.ledger(|ledger| ledger.bodies_since(mark)), asked_online);
    // Looking again costs nothing again, and a file that is deleted is gone.
    let path = format!("/v1/batches/{}", told["id"].as_str().unwrap());
    assert_eq!(call(&provider, "GET", &path, "", b"").json(), told);
    assert_eq!(provider.ledger(Ledger::charge), charge + charge / 2);
    assert_eq!(call(&provider, "GET", "/v1/batches", "", b"").json()["data"], json!([told]));
    let path = format!("/v1/files/{file}");
    assert_eq!(call(&provider, "GET", &path, "", b"").json()["purpose"], "batch");
    assert_eq!(call(&provider, "DELETE", &path, "", b"").json()["deleted"], true);
    assert_eq!(call(&provider, "GET", &path, "", b"").status, 404);
}

#[test]
fn lines_fail_and_expire_by_order() {
    let fates = Fates::by(|line| match line.custom_id {
        "failed" => Fate::Failed(Refusal::filtered()),
        "expired" => Fate::Expired,
        _ => Fate::Answered,
    });
    let batches = BatchRules { fates, pace: Pace::Time(MILLI), ..BatchRules::default() };
    let provider = start(Settings { batches, ..Settings::default() });
    let body = chat("page", 50);
    let mut all = ["fine", "failed", "expired"].map(|id| line(id, &body)).concat();
    all += &line("wrong", "{\"model\":\"m\"}");
    let (statuses, told) = batch(&provider, &upload(&provider, &all));
    assert_eq!(statuses.last().unwrap(), "expired");
    assert_eq!(told["request_counts"], json!({ "total": 4, "completed": 1, "failed": 3 }));
    assert_eq!(lines(&provider, &told, "output_file_id").into_keys().collect::<Vec<_>>(), ["fine"]);
    let errors = lines(&provider, &told, "error_file_id");
    assert_eq!(errors["expired"]["error"]["code"], "batch_expired");
    assert_eq!(errors["failed"]["response"]["body"]["error"]["code"], "content_filter");
    assert_eq!(errors["wrong"]["response"]["status_code"], 400);
    assert_eq!(provider.ledger(|ledger| ledger.entries().iter().filter(|entry| 0 < entry.price).count()), 1);
}

#[test]
fn a_batch_of_a_bad_file_fails() {
    let provider = start(Settings::default());
    let (statuses, told) = batch(&provider, &upload(&provider, "{\n"));
    assert_eq!(statuses, ["validating", "failed"]);
    assert_eq!(told["errors"]["data"][0]["code"], "invalid_json_line");
    assert_eq!(call(&provider, "POST", "/v1/batches", "", b"{\"input_file_id\":\"file-9\"}").status, 400);
    assert_eq!(call(&provider, "POST", "/v1/files", "", b"{}").status, 400);
    assert_eq!(call(&provider, "GET", "/v1/batches/batch_9", "", b"").status, 404);
}
