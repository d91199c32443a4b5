"""Records what the official implementation says of small models that it trains itself.

Run with a Python that has the package `fasttext` (0.9.2): `python record.py`. Models are trained on texts that are
made here, so nobody's pages are in them. The weights are other ones each time: each of the official tool's threads
gives a tenth of them a beginning, and with fewer than ten threads small models end in `Encountered NaN`.
"""

import gzip
import json
import pathlib
import random
import tempfile

import fasttext

HERE = pathlib.Path(__file__).parent
TOPICS = {
    "river": "water flood bank field rain stream boat bridge deep level",
    "bread": "flour oven yeast dough bake crust salt knead warm slice",
    "fluss": "Wasser Flut Ufer Felder Regen Brücke Tiefe Pegel Größe über",
    "хлеб": "мука печь тесто соль корка тёплый хлеб дрожжи вода нож",
    "川": "水 洪水 岸 畑 雨 橋 深い 水位 船 流れ",
    "menu": "home login register share cart search next page cookies accept",
}
COMMON = "the and of in a to is 1 2 … é ß"
# name: training options, options of quantisation
MODELS = {
    "softmax": (dict(loss="softmax", dim=5, wordNgrams=2, bucket=300), None),
    "softmax-chars": (dict(loss="softmax", dim=4, minn=2, maxn=4, bucket=200), None),
    "ova": (dict(loss="ova", dim=4, wordNgrams=3, minn=1, maxn=3, bucket=150), None),
    "ns": (dict(loss="ns", dim=4), None),
    "hs": (dict(loss="hs", dim=4, wordNgrams=2, bucket=200), None),
    "quantized": (dict(loss="softmax", dim=5, wordNgrams=2, minn=2, maxn=3, bucket=400), dict()),
    "pruned": (dict(loss="softmax", dim=6, wordNgrams=2, bucket=400), dict(cutoff=300, qnorm=True)),
    "no-hashes": (dict(loss="softmax", dim=4, wordNgrams=2, bucket=500, extra=300), dict(cutoff=280)),
    "quantized-output": (dict(loss="hs", dim=4, extra=300), dict(qout=True, qnorm=True)),
}


def samples(rng, extra):
    topics = list(TOPICS.items()) + [(f"t{n}", f"w{n} v{n}") for n in range(extra)]
    for number in range(240 if not extra else 900):
        label, words = topics[number % len(topics)] if extra else rng.choice(topics)
        text = rng.choices(words.split(), k=rng.randint(3, 9)) + rng.choices(COMMON.split(), k=rng.randint(0, 4))
        rng.shuffle(text)
        yield label, " ".join(text)


def asked(rng):
    words = " ".join(TOPICS.values()).split() + COMMON.split() + ["unknown", "unbekannt", "知らない", "w7", "v9", "x"]
    texts = [" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(40)]
    return texts + ["", " ", "nothing", "a" * 300, "__label__river water", "__label__none water", "\u00a0\u3000"]


def main():
    for name, (options, quantize) in MODELS.items():
        rng = random.Random(name)
        options = dict(options)
        extra = options.pop("extra", 0)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            for label, text in samples(rng, extra):
                file.write(f"__label__{label} {text}\n")
            file.flush()
            model = fasttext.train_supervised(file.name, thread=10, epoch=5, lr=0.3, seed=7, verbose=0, **options)
            if quantize is not None:
                model.quantize(**quantize)
        with tempfile.NamedTemporaryFile(suffix=".bin") as file:
            model.save_model(file.name)
            (HERE / f"{name}.model.gz").write_bytes(gzip.compress(pathlib.Path(file.name).read_bytes(), 9, mtime=0))
        rows = []
        for text in asked(rng):
            for k, threshold in [(3, 0.0), (1, 0.0), (-1, 0.05)]:
                found = model.f.predict(text + "\n", k, threshold, "strict")
                best = [[label, round(score, 8)] for score, label in found]
                rows.append(json.dumps([text, k, threshold, best], ensure_ascii=False))
        (HERE / f"{name}.jsonl.gz").write_bytes(gzip.compress("\n".join(rows).encode(), 9, mtime=0))


main()
