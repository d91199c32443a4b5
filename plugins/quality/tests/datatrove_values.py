"""What datatrove's own filters measure. JSON lines on standard input: {"text", "language"}, one JSON line out for each.

The filters say only whether a document passes. So they are given thresholds that write down what they are compared
with and let everything pass: the code that runs is datatrove's, to the last line.
"""

import json
import sys

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4ParagraphFilter,
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.utils.text import split_into_words
from datatrove.utils.word_tokenizers import SpaCyTokenizer

VALUES = {}


class Probe(float):
    """A threshold that everything passes. numpy's numbers leave the comparison to it."""

    __array_ufunc__ = None

    def __new__(cls, name):
        probe = super().__new__(cls, 0.5)
        probe.name = name
        return probe

    def note(self, value):
        VALUES[self.name] = float(value)
        return False

    # `value > threshold` asks the threshold first, because its class is the more special one.
    __lt__ = __gt__ = __le__ = __ge__ = note

    def __eq__(self, other):
        return False

    def __ne__(self, other):
        return True

    __hash__ = float.__hash__


class Stop(Probe):
    """A threshold that nothing passes."""

    def note(self, value):
        return not super().note(value)

    __lt__ = __gt__ = __le__ = __ge__ = note


def measure(text, language):
    VALUES.clear()
    tokenizer = "en" if language == "en" else NEUTRAL
    said = {}
    quality = GopherQualityFilter(
        min_doc_words=Probe("gopher_words"),
        max_doc_words=None,
        min_avg_word_length=Probe("gopher_mean_word_length"),
        max_avg_word_length=None,
        max_symbol_word_ratio=None,
        max_bullet_lines_ratio=Probe("gopher_bullet_lines"),
        max_ellipsis_lines_ratio=Probe("gopher_ellipsis_lines"),
        max_non_alpha_words_ratio=Probe("gopher_alpha_words"),
        min_stop_words=Probe("gopher_stop_words"),
        language=tokenizer,
    )
    repetition = GopherRepetitionFilter(
        dup_line_frac=Probe("gopher_dup_line_fraction"),
        dup_para_frac=Probe("gopher_dup_paragraph_fraction"),
        dup_line_char_frac=Probe("gopher_dup_line_chars"),
        dup_para_char_frac=Probe("gopher_dup_paragraph_chars"),
        top_n_grams=tuple((n, Probe(f"gopher_top_{n}_gram")) for n in range(2, 5)),
        dup_n_grams=tuple((n, Probe(f"gopher_dup_{n}_gram")) for n in range(5, 11)),
        language=tokenizer,
    )
    fineweb = FineWebQualityFilter(
        line_punct_thr=Probe("fineweb_line_punct_ratio"),
        short_line_thr=Probe("fineweb_short_line_ratio"),
        char_duplicates_ratio=Probe("fineweb_char_dup_ratio"),
        new_line_ratio=Probe("fineweb_list_ratio"),
        language=tokenizer,
    )
    for rules in (quality, repetition, fineweb):
        assert rules.filter(Document(text=text, id="")) is True
    # One threshold stands for two values: the first comparison is noted alone, then the last one is.
    for probe in (Stop("gopher_hash_ratio"), Probe("gopher_ellipsis_ratio")):
        symbols = GopherQualityFilter(*[None] * 4, probe, *[None] * 4, language=tokenizer)
        symbols.filter(Document(text=text, id=""))
    c4 = C4QualityFilter(min_num_sentences=Probe("c4_sentences"), language=tokenizer)
    document = Document(text=text, id="")
    outcome = c4.filter(document)
    said["c4"] = outcome if outcome is True else outcome[1]
    said["c4_text"] = document.text if outcome is True else None
    said["c4_paragraphs"] = C4ParagraphFilter().filter(Document(text=text, id="")) is True
    said["words"] = split_into_words(text, tokenizer)
    said["pii"] = PIIFormatter(email_replacement="email@example.com", ip_replacement="192.0.2.1").format(text)
    said["values"] = dict(VALUES)
    return said


NEUTRAL = SpaCyTokenizer("xx")

for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps(measure(row["text"], row["language"])))
