"""Writes Keras' recurrent layers with what they return, for the tests of how their weights are converted.

    python keras_recurrent_fixtures.py FOLDER

makes `keras_recurrent.weights.h5`, a model of one layer of each kind, and `keras_recurrent_expected.npz`: `sequences` N×T×I and `films`
N×T×H×W×C, and of each layer its output for one of them under its name.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

import deterministic


def numbers(name: str, *shape: int) -> np.ndarray:
    """Deterministic numbers in [-1, 1)."""
    return deterministic.uniform(name, shape) * 2 - 1


def main(folder: str) -> None:
    sequences, films = numbers("sequences", 2, 5, 3), numbers("films", 2, 3, 4, 5, 2)
    whole = {"return_sequences": True}
    kinds = [
        layers.LSTM(4, name="lstm", **whole),
        layers.GRU(4, name="gru", **whole),
        layers.GRU(4, reset_after=False, name="gru_before", **whole),
        layers.SimpleRNN(4, name="simple", **whole),
        layers.Bidirectional(layers.LSTM(2, **whole), name="both"),
    ]
    sequence, film = keras.Input((5, 3)), keras.Input((3, 4, 5, 2))
    convolutional = layers.ConvLSTM2D(2, 3, padding="same", name="film", **whole)
    outputs = [layer(sequence) for layer in kinds] + [convolutional(film)]
    model = keras.Model([sequence, film], outputs)
    for place, variable in enumerate(model.variables):
        if "seed" not in variable.path:
            variable.assign(numbers(f"weight {place}", *variable.shape) * 0.5)
    model.save_weights(os.path.join(folder, "keras_recurrent.weights.h5"))
    results = dict(zip(["lstm", "gru", "gru_before", "simple", "both", "film"], model.predict([sequences, films])))
    np.savez(
        os.path.join(folder, "keras_recurrent_expected.npz"), sequences=sequences, films=films, **results)


if __name__ == "__main__":
    main(sys.argv[1])
