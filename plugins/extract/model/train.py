#!/usr/bin/env python3
"""Trains the model of the stage `extract`: how likely a block of a page is to be a part of its main text.

    train.py GOLD.jsonl BLOCKS MODEL.txt [HALF]

GOLD has a row for each page: {id, url, source, gold_text, must, mustnot}, in the order in which the pages went through
`examples/blocks.rs`, which wrote BLOCKS.f32 and BLOCKS.jsonl. HALF (0 or 1) leaves out the pages whose host falls into
that half, so that they can be scored as unseen ones. Needs numpy and lightgbm.

A block's label is the share of its words that stand in a run of four words of the gold text. Where a page has snippets
instead, the blocks with them are labelled and the others are not used. Every page weighs the same, whatever its length.

Trained on one half of the hosts and scored on the other, over three ways to halve them (mean and its standard error, s4):
aeb 0.956 ± 0.002, readability 0.953 ± 0.002, wcxb-dev 0.789 ± 0.002, of trafilatura-eval's snippets 0.948 ± 0.001 found.
"""
import hashlib
import json
import re
import sys
from urllib.parse import urlparse

import lightgbm
import numpy

ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f\u1000-\u109f"
WORD = re.compile(f"[{ALONE}]|[^\\W{ALONE}]+")
# So many words are a snippet's block worth, whatever its length.
SNIPPET_WORDS = 60
# Between counting each block alike (0) and each word alike (1).
LENGTH_POWER = 0.6
ROUNDS = 150
PARAMETERS = dict(
    objective="cross_entropy", num_leaves=16, learning_rate=0.08, min_data_in_leaf=60, bagging_fraction=0.7,
    bagging_freq=1, lambda_l2=5, max_bin=63, seed=1, deterministic=True, verbose=-1,
)
# The model is the mean of two: for each how many of the first numbers it sees, and what share of them a tree is made of.
# The later numbers (words, data, templates, extents) help on most pages and mislead on some: the first does without
# them, and its first trees tell most blocks from a text before the later numbers are made (`GLANCE` in src/model.rs).
MEMBERS = ((153, 0.4), (None, 0.3))


def words(text):
    return WORD.findall(text.lower())


def plain(text):
    return re.sub(r"\s+", " ", text).lower().strip()


def by_gold(blocks, gold):
    """Labels and weights of a page's blocks by the text that people marked."""
    gold_words = words(gold)
    runs = {tuple(gold_words[at:at + 4]) for at in range(max(1, len(gold_words) - 3))}
    lines = {tuple(words(line)) for line in gold.split("\n")}
    page = [word for block in blocks for word in block]
    covered = numpy.zeros(len(page), bool)
    for at in range(len(page) - 3):
        if tuple(page[at:at + 4]) in runs:
            covered[at:at + 4] = True
    labels, at = numpy.zeros(len(blocks)), 0
    for number, block in enumerate(blocks):
        if block:
            labels[number] = covered[at:at + len(block)].mean()
            at += len(block)
            if len(block) < 4 and tuple(block) in lines:
                labels[number] = max(labels[number], 0.7)
    weights = numpy.array([len(block) for block in blocks], float)
    return labels, weights if gold_words else weights * 0


def by_snippets(texts, must, mustnot):
    labels, weights = numpy.zeros(len(texts)), numpy.zeros(len(texts))
    for number, text in enumerate(map(plain, texts)):
        for snippets, label in ((must, 1), (mustnot, 0)):
            for snippet in map(plain, snippets or []):
                if snippet in text or len(text) > 15 and text in snippet:
                    labels[number], weights[number] = label, SNIPPET_WORDS
    return labels, weights


def half(row):
    host = urlparse(row.get("url") or "").netloc.lower()
    parts = host.split(".")
    site = ".".join(parts[-2:] if len(parts) > 1 and len(parts[-2]) > 3 else parts[-3:])
    return int(hashlib.md5((site or row["id"]).encode()).hexdigest(), 16) % 2


def written(node):
    if "split_feature" in node:
        yes, no = written(node["left_child"]), written(node["right_child"])
        return f"{node['split_feature']}<={node['threshold']:.6g} {yes} {no}"
    return f"{node['leaf_value'] / len(MEMBERS):.4g}"


def main():
    gold_path, blocks_path, model_path = sys.argv[1:4]
    left_out = int(sys.argv[4]) if 4 < len(sys.argv) else None
    with open(gold_path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    with open(blocks_path + ".jsonl", encoding="utf-8") as file:
        pages = [json.loads(line) for line in file]
    width = max(page["width"] for page in pages)
    numbers = numpy.fromfile(blocks_path + ".f32", dtype="<f4").reshape(-1, width)
    labels, weights = [], []
    for row, page in zip(rows, pages, strict=True):
        if row["gold_text"]:
            label, weight = by_gold([words(text) for text in page["texts"]], row["gold_text"])
        else:
            label, weight = by_snippets(page["texts"], row.get("must") or [], row.get("mustnot"))
        weight = weight ** LENGTH_POWER
        if left_out is not None and half(row) == left_out:
            weight = weight * 0
        labels.append(label)
        weights.append(weight / max(weight.sum(), 1e-9))
    labels, weights = numpy.concatenate(labels), numpy.concatenate(weights)
    used = 0 < weights
    with open(model_path, "w", encoding="utf-8") as file:
        file.write(f"# {width} numbers; made by model/train.py\n")
        for first, share in MEMBERS:
            seen = numpy.ascontiguousarray(numbers[used, :first])
            data = lightgbm.Dataset(seen, labels[used], weight=weights[used] / weights[used].mean())
            model = lightgbm.train(PARAMETERS | {"feature_fraction": share}, data, ROUNDS)
            for tree in model.dump_model()["tree_info"]:
                file.write(written(tree["tree_structure"]) + "\n")


if __name__ == "__main__":
    main()
