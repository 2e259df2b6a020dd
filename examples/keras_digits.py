"""A small network on scikit-learn's handwritten digits, trained by Keras and tracked by Goodseed.

Run it with ``python examples/keras_digits.py``; ``KERAS_BACKEND`` chooses the backend.
"""

from __future__ import annotations

import argparse

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from goodseed_keras import GoodseedCallback


def main() -> None:
    """Train, evaluate, and say where the run is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--home", help="where the run is stored (default: ~/.goodseed)")
    options = parser.parse_args()
    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(images / 16, labels, random_state=0)
    model = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])

    callback = GoodseedCallback(project="digits", tags=["keras"], storage="local", goodseed_home=options.home)
    model.fit(train_x, train_y, epochs=options.epochs, validation_split=0.2, verbose=0, callbacks=[callback])
    result = model.evaluate(test_x, test_y, verbose=0, return_dict=True, callbacks=[callback])
    print(f"accuracy {result['accuracy']:.3f} on {len(test_x)} digits; the run is {callback.run.path}")
    callback.close()


if __name__ == "__main__":
    main()
