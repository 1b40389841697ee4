"""Writes the scores of sacrebleu that BLEU must reproduce.

    python bleu_fixtures.py Tests/AviaryZooTests/Fixtures/bleu.json

Texts are written here. `words`: what 13a makes of a line. `corpora`: texts with their references and BLEU-1 to BLEU-4.
"""

import json
import sys

from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

LINES = [
    "A man, riding a wave.", "It costs $3.50, or 1,000 yen...", "well-known 3-4 times - 5-\n6", "&quot;yes&quot; &amp; no &lt;b&gt;",
    "don't stop (it's late)!", "a.b.c 1.b 2.3.4 ,5 6,", "café – naïve … “quoted”", "x/y [z] {q} ~w `v` ^u |t \\s", "", "  two   spaces ",
    "<skipped>gone 7%8 #9 @10", "one\ntwo", ".,.,", "3.", ".3",
]
CORPORA = [
    (["a red circle left of a blue square", "a green star"],
     [["a red circle left of a blue square", "a red circle beside a blue square"], ["a green star", "one green star"]]),
    (["the the the the the the the"], [["the cat is on the mat", "there is a cat on the mat"]]),
    (["a dog"], [["a big dog runs on the grass"]]),
    (["completely different words"], [["nothing in common here"]]),
    (["It costs $3.50.", "a man, riding a wave", "he said: no"],
     [["It costs $ 3.50 .", "That is $3.50."], ["a man rides a wave", "a man is riding a big wave"], ["he said no", "she said: no"]]),
    (["a b c d e f g", ""], [["a b c d e f", "b c d e f g h i"], ["something", "else"]]),
    (["one two"], [["one two three four five", "one"]]),
]


def main(path):
    words = Tokenizer13a()
    result = {"words": [{"text": line, "words": words(line.rstrip()).split()} for line in LINES], "corpora": []}
    for texts, references in CORPORA:
        streams = [[one[i] for one in references] for i in range(len(references[0]))]
        scores = [BLEU(max_ngram_order=order).corpus_score(texts, streams).score for order in range(1, 5)]
        print(scores)
        result["corpora"].append({"texts": texts, "references": references, "scores": scores})
    with open(path, "w") as file:
        json.dump(result, file, indent=1, ensure_ascii=False)


main(sys.argv[1])
