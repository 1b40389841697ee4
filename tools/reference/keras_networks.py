"""Networks that people build in Keras themselves: the references for zoo models whose weights Keras Applications lack.

Layers keep the names that Keras gives them (`conv2d`, `conv2d_1`, ...), which is what files of such networks have; none ends in a softmax.
"""

import keras
from keras import layers


def lenet():
    """LeNet with 32 and 64 filters, as commonly built for MNIST (LeCun et al. 1998 with ReLU and maxima)."""
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 5, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(64, 5, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(),
        layers.Dense(120, activation="relu"), layers.Dense(84, activation="relu"), layers.Dense(10)])


def normalized(x, convolution, activated: bool = True):
    x = layers.BatchNormalization()(convolution(x))
    return layers.Activation("relu")(x) if activated else x


def resnet8():
    """The residual network of MLPerf Tiny (Banbury et al. 2021, arXiv:2106.07597) for CIFAR-10."""

    def convolution(filters, side=3, stride=1):
        return layers.Conv2D(filters, side, strides=stride, padding="same")

    images = keras.Input((32, 32, 3))
    x = normalized(images, convolution(16))
    for filters in (16, 32, 64):
        stride = filters // x.shape[-1]
        inner = normalized(x, convolution(filters, stride=stride))
        inner = normalized(inner, convolution(filters), activated=False)
        shortcut = x if stride == 1 else convolution(filters, side=1, stride=stride)(x)
        x = layers.Activation("relu")(layers.Add()([shortcut, inner]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(images, layers.Dense(10)(x))


def mobilenet_v1_vww():
    """The person detector of MLPerf Tiny: MobileNet (Howard et al. 2017, arXiv:1704.04861) with a quarter of the width."""
    images = keras.Input((96, 96, 3))
    x = normalized(images, layers.Conv2D(8, 3, strides=2, padding="same"))
    for filters, stride in [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)]:
        x = normalized(x, layers.DepthwiseConv2D(3, strides=stride, padding="same"))
        x = normalized(x, layers.Conv2D(filters, 1))
    x = layers.Flatten()(layers.AveragePooling2D(3)(x))
    return keras.Model(images, layers.Dense(2)(x))
