//! What a model server counts of itself, in Prometheus' text form: how many requests it works on and how many wait.

/// The requests that a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) running: u64,
    pub(crate) waiting: u64,
}

/// The names of both gauges at each server: vLLM, llama.cpp, SGLang, Text Generation Inference.
const NAMES: [(&str, &str); 4] = [
    ("vllm:num_requests_running", "vllm:num_requests_waiting"),
    ("llamacpp:requests_processing", "llamacpp:requests_deferred"),
    ("sglang:num_running_reqs", "sglang:num_queue_reqs"),
    ("tgi_batch_current_size", "tgi_queue_size"),
];

/// The queue of the server, all of its engines together; none if it does not tell.
pub(crate) fn queue(text: &str) -> Option<Queue> {
    let gauge = |name: &str| {
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            // Labels stand in braces; a longer name is another gauge.
            let value = match rest.strip_prefix('{') {
                Some(labels) => labels.rsplit_once('}')?.1,
                None => rest.strip_prefix(' ')?,
            };
            value.split_whitespace().next()?.parse::<f64>().ok()
        });
        // A gauge that says nonsense says nothing.
        let sum = values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value));
        sum.filter(|sum| (0.0..1e12).contains(sum)).map(|sum| sum.round() as u64)
    };
    NAMES.iter().find_map(|(running, waiting)| {
        Some(Queue { running: gauge(running)?, waiting: gauge(waiting).unwrap_or(0) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u64, u64)>) {
        assert_eq!(queue(text), expected.map(|(running, waiting)| Queue { running, waiting }), "{text}");
    }

    #[test]
    fn every_servers_gauges_are_read() {
        check("", None);
        check("<html>", None);
        let vllm = "# TYPE vllm:num_requests_running gauge\n\
            vllm:num_requests_running{engine=\"0\",model_name=\"a {b} c\"} 3.0\n\
            vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 4.0\n\
            vllm:num_requests_running_total 99\n\
            vllm:num_requests_waiting{engine=\"0\"} 5.0 1700000000\n";
        check(vllm, Some((7, 5)));
        check("llamacpp:requests_processing 2\nllamacpp:requests_deferred 7\n", Some((2, 7)));
        check("sglang:num_running_reqs{a=\"b\"} 1\n", Some((1, 0)));
        check("llamacpp:requests_processing NaN\n", None);
        check("llamacpp:requests_processing -1\n", None);
    }
}
